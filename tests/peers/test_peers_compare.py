"""A real Eureka server and a plexmesh node answer alike, but for what is meant (`tests.peers.compare` lists it)."""

from __future__ import annotations

import os

import pytest

from tests.peers import compare

pytestmark = [
    pytest.mark.skipif(
        not os.environ.get("PLEXMESH_EUREKA"), reason="needs Java and Maven; run it with make test-eureka"
    ),
    pytest.mark.timeout(120),
]


def test_what_differs_is_known() -> None:
    assert compare.main() == 0
