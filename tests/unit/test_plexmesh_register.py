"""What `plexmesh register` makes of its options."""

from __future__ import annotations

import pytest

from launcher import register
from shared.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://127.0.0.1:9000", ("127.0.0.1", 9000)),
        ("http://orders.test/", ("orders.test", 80)),
        ("http://[::1]:9000", ("::1", 9000)),
    ],
)
def test_addresses(url: str, found: tuple[str, int]) -> None:
    assert register.address(url) == found


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:9000",
        "http://",
        "http://:9000",
        "https://h:9000",
        "http://h:0",
        "http://h:x",
        "http://h:99999",
        "http://h:1/path",
        "http://h:1?q",
        "http://u@h:1",
        "http://[::1",
    ],
)
def test_bad_addresses_are_one_line_naming_the_flag(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^--url: .*\Z"):
        register.address(url)


def test_routes() -> None:
    assert register.routes(["api/v1=/orders/api", "/ui/v1/=/"]) == {"api/v1": "/orders/api", "ui/v1": "/"}


@pytest.mark.parametrize("route", ["", "api/v1", "=/x", "api/v1=", "api/v1=x", "/=/", "api v1=/", "api=/a?b", "a=/\n"])
def test_bad_routes_are_one_line_naming_the_flag(route: str) -> None:
    with pytest.raises(ConfigError, match=r"^--route: "):
        register.routes([route])


def test_a_route_given_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="twice"):
        register.routes(["api/v1=/a", "/api/v1=/b"])


def test_metadata_may_hold_anything_behind_the_first_sign() -> None:
    assert register.metadata(["a=b=c", "d="]) == {"a": "b=c", "d": ""}
    for bad in ("a", "=b"):
        with pytest.raises(ConfigError, match=r"^--metadata: "):
            register.metadata([bad])


def test_service_ids() -> None:
    assert register.service_id("Orders-2_x") == "orders-2_x"
    for bad in ("", "a/b", "a b", "-a", "a.b", "Gateway", "eureka"):
        with pytest.raises(ConfigError, match=r"^--service-id: "):
            register.service_id(bad)


def test_discovery_in_several_flags_or_one() -> None:
    assert register.discovery(["http://a:1,http://b:2", "http://c:3"]) == ("http://a:1", "http://b:2", "http://c:3")
    assert register.discovery([""]) == ()
    with pytest.raises(ConfigError, match=r"^--discovery: "):
        register.discovery(["a:1"])


def test_what_a_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLEXMESH_HOST", "elsewhere")
    target = register.Target(
        service_id="orders",
        host="h",
        port=9000,
        routes={},
        metadata={},
        lpar="LPAR1",
        discovery=("http://a", "http://b"),
    )
    told = target.environment()
    assert (told["HOST"], told["PORT"], told["PLEXMESH_HOST"], told["PLEXMESH_LPAR"]) == ("h", "9000", "h", "LPAR1")
    assert told["PLEXMESH_DISCOVERY"] == "http://a,http://b"
