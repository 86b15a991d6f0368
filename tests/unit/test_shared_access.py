"""What each role may do, and what somebody is told who may not."""

from __future__ import annotations

import pytest

from shared.access import refusal, require
from shared.errors import Forbidden
from shared.identity import Identity, Role

ROLES: tuple[Role, ...] = ("service", "operator", "peer")


def somebody(role: Role) -> Identity:
    return Identity("a", f"CN=a, OU={role}", role)


@pytest.mark.parametrize(
    ("wanted", "may"),
    [("service", {"service", "operator", "peer"}), ("operator", {"operator", "peer"}), ("peer", {"peer"})],
)
def test_a_role_may_what_those_below_it_may(wanted: Role, may: set[Role]) -> None:
    assert {role for role in ROLES if not refusal(somebody(role), wanted)} == may
    assert refusal(None, wanted)


def test_a_refusal_says_which_role_is_needed_and_how_to_get_it() -> None:
    with pytest.raises(Forbidden, match=r"certs issue NAME --operator\); yours, \"CN=a, OU=service"):
        require(somebody("service"), "operator")
    assert "plexmesh certs issue NAME)" in refusal(None, "service")
    assert "plexmesh.access.peers" in refusal(somebody("operator"), "peer")
    require(somebody("peer"), "operator")
