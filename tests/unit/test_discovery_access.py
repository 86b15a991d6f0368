"""Which paths of a discovery node are for holders of a certificate."""

from __future__ import annotations

import pytest

from discovery.access import guarded


@pytest.mark.parametrize(
    "path",
    [
        "/eureka/apps", "/eureka", "/eureka/v2/apps", "/v2/apps", "//eureka/apps", "/v1/instances", "/peer/v1/ping",
        "/discovery/api/v1/staticApi", "/application", "/dashboard", "//", "/anything",
    ],
)  # fmt: skip
def test_the_registry_is_guarded_however_it_is_spelled(path: str) -> None:
    assert guarded(path)


@pytest.mark.parametrize("path", ["/", "/lastn", "/dashboard/state", "/dashboard/static/x.js", "/application/ready"])
def test_pages_and_what_a_process_says_of_itself_are_open(path: str) -> None:
    assert not guarded(path)
