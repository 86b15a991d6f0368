"""Routes by Zowe's metadata, and the one spelling of a path they are looked up by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import routes
from gateway.fields import Malformed
from gateway.paths import normalised, without_dot_segments
from tests.fakes import an_instance

METADATA = an_instance(routes={"api/v1": "/stock/api/v1", "api": "/old", "ui/v1": "ui"}).metadata


def found(path: bytes) -> bytes | None:
    table = routes.routes_of("stockroom", [METADATA])
    route = routes.match(path, table)
    return None if route is None else routes.outgoing_path(path, route)


@pytest.mark.parametrize(
    ("path", "outgoing"),
    [
        (b"/stockroom/api/v1/items", b"/stock/api/v1/items"),
        (b"/stockroom/api/v1", b"/stock/api/v1"),
        (b"/stockroom/api/v1/", b"/stock/api/v1/"),
        (b"/stockroom/api/v10", b"/old/v10"),
        (b"/stockroom/api/v1x/y", b"/old/v1x/y"),
        (b"/stockroom/ui/v1/a/stockroom/ui/v1/b", b"/ui/a/stockroom/ui/v1/b"),
        (b"/stockroom/ws/v1", None),
        (b"/stockroom", None),
        (b"/Stockroom/api/v1", None),
    ],
)
def test_longest_route_by_segments(path: bytes, outgoing: bytes | None) -> None:
    assert found(path) == outgoing


def test_without_metadata_there_are_three_routes_to_the_root() -> None:
    table = routes.routes_of("orders", [{}])
    assert [route.prefix for route in table] == [b"/orders/api/v1", b"/orders/ui/v1", b"/orders/ws/v1"]
    route = routes.match(b"/orders/api/v1", table)
    assert route is not None
    assert routes.outgoing_path(b"/orders/api/v1", route) == b"/"
    assert routes.outgoing_path(b"/orders/api/v1/x", route) == b"/x"


def test_incomplete_and_unsound_metadata_makes_no_route() -> None:
    unsound = {
        "apiml.routes.a.serviceUrl": "/x",
        "apiml.routes.b.gatewayUrl": "/",
        "apiml.routes.c.gatewayUrl": "api/v1",
        "apiml.routes.c.serviceUrl": "/x HTTP/1.1\r\nEvil: 1",
    }
    found, faults = routes.declared(unsound)
    assert found == []
    assert len(faults) == 1
    assert faults[0].startswith("apiml.routes.c: ")
    del unsound["apiml.routes.c.gatewayUrl"]
    assert [pair for _, *pair in routes.declared(unsound)[0]] == [list(pair) for pair in routes.DEFAULT_ROUTES]


def test_what_was_cut_is_known_only_for_a_proper_tail() -> None:
    assert routes.make_route("a", "api/v1", "/").cut == b"/a/api/v1"
    assert routes.make_route("a", "api/v1", "/api/v1").cut == b"/a"
    assert routes.make_route("a", "api/v1", "/other").cut == b""


@pytest.mark.parametrize("service", ["discovery", "launcher", "gateway", "application", "eureka", "console", "static"])
def test_some_ids_are_never_routed(service: str) -> None:
    assert not routes.routable(service)


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        (b"/", b"/"),
        (b"/a/b", b"/a/b"),
        (b"/a/./b", b"/a/b"),
        (b"/a/../b", b"/b"),
        (b"/a/%2e%2E/b", b"/b"),
        (b"/a/b/..", b"/a/"),
        (b"/a/.", b"/a/"),
        (b"/%61%7eb", b"/a~b"),
        (b"/a%2Fb", b"/a%2Fb"),
        (b"/a%20b", b"/a%20b"),
        (b"/a//b", b"/a//b"),
        (b"/a/.b", b"/a/.b"),
        (b"/a/...", b"/a/..."),
    ],
)
def test_paths_have_one_spelling(path: bytes, plain: bytes) -> None:
    assert normalised(path) == plain


@pytest.mark.parametrize(
    "path",
    [
        b"/..",
        b"/a/../..",
        b"/%2e%2e/x",
        b"/a/..%2fb",
        b"/a/%2e%2e%5cb",
        b"/a%2F..%2Fb",
        b"/a\\..\\b",
        b"/a%zz",
        b"/a%2",
        b"/a%00b",
        b"/a b",
        b"/\xc3\xa4",
        b"/*#",
    ],
)
def test_paths_that_two_readers_could_see_differently_are_refused(path: bytes) -> None:
    with pytest.raises(Malformed):
        normalised(path)


SEGMENTS = st.lists(
    st.sampled_from([b"a", b"..", b".", b"", b"%2e%2e", b"%2E", b"b%2fc", b"%41"]), min_size=1, max_size=8
)


@given(SEGMENTS)
def test_normalising_twice_changes_nothing_and_leaves_no_dots(segments: list[bytes]) -> None:
    try:
        plain = normalised(b"/" + b"/".join(segments))
    except Malformed:
        return
    assert normalised(plain) == plain
    assert not {b".", b".."} & set(plain.split(b"/"))


def test_climbing_above_the_root_is_refused() -> None:
    with pytest.raises(Malformed):
        without_dot_segments(b"/a/../../b")


# --- hostile registrations

KEY = "apiml.routes."
MEGABYTE = "x" * 1_000_000


def said(*routes: tuple[str, str]) -> dict[str, str]:
    return an_instance(routes=dict(routes)).metadata


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (said(("..", "/")), "dot segment"),
        (said(("../orders/api/v1", "/")), "dot segment"),
        (said(("api/../../orders/api/v1", "/")), "dot segment"),
        (said(("./api", "/")), "dot segment"),
        (said(("api/.", "/")), "dot segment"),
        (said(("api/..;x=1/y", "/")), "dot segment"),
        (said(("api", "/../admin")), "dot segment"),
        (said(("api", "..")), "dot segment"),
        (said(("%2e%2e/orders", "/")), "no route may have"),
        (said(("api%2fv1", "/")), "no route may have"),
        (said(("api", "/%2e%2e/admin")), "no route may have"),
        (said(("api\\v1", "/")), "no route may have"),
        (said(("api?x=1", "/")), "no route may have"),
        (said(("api#x", "/")), "no route may have"),
        (said(("api v1", "/")), "no route may have"),
        (said(("api", "/x HTTP/1.1\r\nEvil: 1")), "no route may have"),
        (said(("api\x00", "/")), "no route may have"),
        (said(("\u00e4pi", "/")), "no route may have"),
        (said(("api//v1", "/")), "empty segment"),
        (said(("api", "/a//b")), "empty segment"),
        (said((MEGABYTE, "/")), "more than 512 characters"),
        (said(("api", "/" + MEGABYTE)), "more than 512 characters"),
        ({f"{KEY}a.b.gatewayUrl": "api", f"{KEY}a.b.serviceUrl": "/"}, "a route's name has no dot"),
        ({f"{KEY}gatewayUrl": "api"}, "no key of a route"),
        ({f"{KEY}a.gatewayurl": "api"}, "no key of a route"),
        ({f"{KEY}a.{MEGABYTE}": "api"}, "no key of a route"),
        ({f"{KEY}{MEGABYTE}.gatewayUrl": "../x"}, "dot segment"),
    ],
)
def test_a_wrong_route_is_left_out_and_shown_and_the_others_stay(wrong: dict[str, str], says: str) -> None:
    alone, faults = routes.read_routes("stock", [wrong])
    assert alone == ()
    assert any(says in fault for fault in faults)
    assert all(len(fault) < 2000 for fault in faults), "and is not repeated at length"
    good = {f"{KEY}zz.gatewayUrl": "ok", f"{KEY}zz.serviceUrl": "/fine"}
    found, same = routes.read_routes("stock", [wrong | good])
    assert [(route.prefix, route.target) for route in found] == [(b"/stock/ok", b"/fine")]
    assert same == faults


@pytest.mark.parametrize("gateway_url", ["api/v1", "/api/v1", "api/v1/", "//api/v1//", " api/v1 "])
def test_slashes_and_blanks_around_a_route_mean_nothing(gateway_url: str) -> None:
    found, faults = routes.read_routes("stock", [said((gateway_url, " /x/ "))])
    assert [(route.prefix, route.target) for route in found] == [(b"/stock/api/v1", b"/x")]
    assert not faults


def test_ten_thousand_routes_are_sixty_four_and_a_remark() -> None:
    many = said(*((f"api/v{number}", "/") for number in range(10_000)))
    found, faults = routes.read_routes("stock", [many])
    assert len(found) == routes.MAX_ROUTES
    assert faults == (f"more than {routes.MAX_ROUTES} routes: the rest is left out",)
    again, _ = routes.read_routes("stock", [dict(reversed(many.items()))])
    assert again == found, "the same ones, in whatever order they come"


def test_ten_thousand_wrong_routes_are_as_many_remarks_as_can_be_read() -> None:
    found, faults = routes.read_routes("stock", [said(*((f"api/v{number}/..", "/") for number in range(10_000)))])
    assert found == ()
    assert len(faults) <= routes.MAX_ROUTES


def test_instances_together_have_no_more_routes_than_one_may() -> None:
    metadatas = [said(*((f"api/{instance}-{number}", "/") for number in range(40))) for instance in range(3)]
    found, faults = routes.read_routes("stock", metadatas)
    assert len(found) == routes.MAX_ROUTES
    assert len(faults) == 1


def test_of_two_instances_the_first_one_says_what_a_prefix_means() -> None:
    found, faults = routes.read_routes("stock", [said(("api", "/one")), said(("api/", "/two"), ("ui", "/ui"))])
    assert [(route.prefix, route.target) for route in found] == [(b"/stock/api", b"/one"), (b"/stock/ui", b"/ui")]
    assert not faults


SAID = st.dictionaries(
    st.builds("apiml.routes.{}.{}".format, st.sampled_from("ab"), st.sampled_from(["gatewayUrl", "serviceUrl", "x.y"])),
    st.text(st.sampled_from("a/.%2e;\\?# \r\n\u00e4"), max_size=12),
)


@given(SAID)
def test_no_registration_reaches_beyond_its_own_prefix(metadata: dict[str, str]) -> None:
    found, _ = routes.read_routes("stock", [metadata])
    for route in found:
        assert route.prefix.startswith(b"/stock/")
        for path in (route.prefix, route.target or b"/"):
            assert normalised(path) == path, "in the one spelling, so that it can be compared, and safe in a head"
        assert route.prefix.endswith(b"/" + route.gateway_url.encode())
