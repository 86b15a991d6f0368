"""The way of a call, explained: each step by what stands in a snapshot and what others say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import near_misses, routes
from gateway.asked import Question, question_of, read
from gateway.explain import Candidate, best, explain
from gateway.explanation import NOTHING, Explanation, GatewayWord, Heard, NodeWord, Place, View
from gateway.fold import Fold
from gateway.meters import Meters
from gateway.report import Judgement, Report, WatchState
from gateway.snapshot import EMPTY, Snapshot
from shared.errors import BadInput
from shared.wire import Instance, Mark, Owner, OwnerState, Put, checksum
from tests.fakes import an_instance

PLACE = Place("LPAR1", "127.0.1.1", 7554, "127.0.0.1:7554")
ONE = an_instance("orders", 9000, "127.0.1.1", lpar="LPAR1", routes={"api/v1": "/orders", "api/v1/admin": "/admin"})
TWO = an_instance("orders", 9000, "127.0.2.1", lpar="LPAR2", owner="LPAR2@1", status="DOWN")
NODE = "http://127.0.2.1:7553"


def a_snapshot(*instances: Instance, owners: dict[str, OwnerState] | None = None) -> Snapshot:
    fold = Fold()
    fold.begin()
    parts = 0
    for each in instances:
        parts = checksum(parts, each.key, each.gen, each.rev)
    fold.apply(Put(list(instances)))
    for owner, state in (owners or {}).items():
        fold.apply(Owner(owner, state))
    snapshot = fold.apply(Mark("t1", len(instances), parts, True))
    assert snapshot is not None
    return snapshot


ORDERS = a_snapshot(ONE, TWO)


def asked(
    url: str,
    snapshot: Snapshot = ORDERS,
    *,
    heard: Heard = NOTHING,
    health: dict[str, Judgement] | None = None,
    place: Place = PLACE,
    **question: object,
) -> Explanation:
    report = Report(Meters(), health=health or {}, watch=WatchState("http://127.0.1.1:7553"))
    return explain(Question(url, **question), place, snapshot, report, heard)  # type: ignore[arg-type]


def ends(found: Explanation) -> tuple[int | None, str, list[str]]:
    return found.answer.status, found.answer.number, found.answer.instances


# --- path


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/orders/api/v1/x", "/orders/api/v1/x"),
        ("/orders/./api/%761/x", "/orders/api/v1/x"),
        ("http://127.0.1.1:7554/orders/ui/../api/v1?a=/../b#c", "/orders/api/v1"),
        ("HTTP://127.0.1.1:7554", "/"),
        ("http://127.0.1.1:7554?a", "/"),
    ],
)
def test_the_path_in_its_one_spelling(url: str, path: str) -> None:
    found = asked(url)
    assert found.path.path == path
    assert ("is in its one spelling" in found.path.says) == (found.path.target.partition("?")[0] == path)


@pytest.mark.parametrize(
    ("url", "method", "status", "number"),
    [
        ("/../orders", "GET", 400, "ZWEAO400E"),
        ("/orders/..%2fadmin", "GET", 400, "ZWEAO400E"),
        ("/orders/%zz", "GET", 400, "ZWEAO400E"),
        ("/orders/a b", "GET", 400, "ZWEAO400E"),
        ("/orders HTTP/1.1\r\nHost: x\r\n\r\nGET /secret", "GET", 400, "ZWEAO400E"),
        ("/orders/ä", "GET", 400, "ZWEAO400E"),
        ("/orders/api/v1", "BREW", 501, "ZWEAG510E"),
        ("/orders/api/v1", "GET /x", 400, "ZWEAO400E"),
        ("/orders/api/v1", "", 400, "ZWEAO400E"),
    ],
)
def test_what_is_refused_is_explained_no_further(url: str, method: str, status: int, number: str) -> None:
    found = asked(url, method=method)
    assert ends(found) == (status, number, [])
    assert found.path.path == ""
    assert (found.service, found.instances, found.route, found.request) == (None, None, None, None)


@pytest.mark.parametrize("url", ["/", "/gateway/v1/upstreams", "/application/health", "/static/x.css", "//orders"])
def test_own_paths_belong_to_no_service(url: str) -> None:
    found = asked(url)
    assert (found.path.own, found.service) == (True, None)
    assert ends(found) == (None, "", [])


@pytest.mark.parametrize(
    "url", ["", "orders/api/v1", "ftp://h/x", "http://", "http://h:x/", "http://h:99999/", "http:///x"]
)
def test_what_is_no_url_is_bad_input(url: str) -> None:
    with pytest.raises(BadInput, match="url"):
        asked(url)


def test_a_password_is_not_repeated() -> None:
    with pytest.raises(BadInput) as raised:
        read(Question("http://ada:secret@127.0.1.1:7554/x"))
    assert "secret" not in str(raised.value)


def test_an_unencoded_ampersand_is_an_unknown_parameter() -> None:
    assert question_of({"url": "/x", "method": "PUT"}, (), 0.0) == Question("/x", "PUT")
    with pytest.raises(BadInput, match="%26"):
        question_of({"url": "/x?a=1", "b": "2"}, (), 0.0)
    with pytest.raises(BadInput, match="did you mean 'method'"):
        question_of({"url": "/x", "methode": "2"}, (), 0.0)
    with pytest.raises(BadInput, match="missing"):
        question_of({}, (), 0.0)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.1.1:7554/orders", None),
        ("http://127.0.0.1:7554/orders", None),
        ("/orders", None),
        ("http://127.0.2.1:7554/orders", "127.0.2.1:7554 is the gateway of LPAR2"),
        ("http://127.0.1.1:9000/orders", "is the instance orders/127.0.1.1:orders:9000 itself"),
        ("http://example.test/orders", "example.test:80 is no gateway known here"),
        ("http://[::1]:7554/orders", "::1:7554 is no gateway known here"),
        ("https://127.0.1.1:7554/orders", "answers http, not https"),
        ("/orders#part", "never sent"),
    ],
)
def test_remarks_on_the_url(url: str, says: str | None) -> None:
    found = asked(url, a_snapshot(ONE, an_instance("gateway", 7554, "127.0.2.1", lpar="LPAR2")))
    assert (says in " ".join(found.path.details)) if says else found.path.details == []


# --- service


def test_an_unknown_service_and_what_is_near() -> None:
    found = asked("/ordres/api/v1")
    assert ends(found) == (404, "ZWEAO404E", [])
    assert found.service is not None
    assert (found.service.known, found.service.nearest, found.instances) == (False, ["orders"], None)
    assert "lower case" in " ".join(asked("/Orders/api/v1").service.details)  # type: ignore[union-attr]
    assert asked("/zzz/api/v1").service.nearest == []  # type: ignore[union-attr]


def test_a_service_of_plexmeshs_own_is_registered_and_not_routed() -> None:
    found = asked("/launcher/api/v1", a_snapshot(an_instance("launcher", 7550)))
    assert found.service is not None
    assert "never routed" in found.service.says
    assert ends(found) == (404, "ZWEAO404E", [])


def test_what_each_discovery_node_lists_beside_what_is_known_here() -> None:
    words = [
        NodeWord("http://127.0.1.1:7553", instances={ONE.instance: "UP", "new": "STARTING"}, stale=True),
        NodeWord(NODE, trouble="is silent: no answer within 1 s"),
    ]
    snapshot = a_snapshot(ONE, TWO, an_instance("discovery", 7553, "127.0.2.1", lpar="LPAR2"))
    step = asked("/orders/api/v1", snapshot, heard=Heard(words)).service
    assert step is not None
    first, second = step.nodes
    assert (first.reachable, first.lpar, first.statuses) == (True, "", {"UP": 1, "STARTING": 1})
    assert (first.unheard, first.missing) == (["new"], [TWO.instance])
    assert "from its disk; not heard of here: new" in first.says
    assert (second.reachable, second.lpar, second.statuses) == (False, "LPAR2", {})
    assert second.says == f"Discovery of LPAR2 ({NODE}) is silent: no answer within 1 s."
    assert step.details == [first.says, second.says]


def test_a_gateway_without_discovery_says_so() -> None:
    report = Report(Meters(), why_not_ready=["no whole snapshot"], watch=WatchState("", "", "it answered 503"))
    found = explain(Question("/orders/api/v1"), PLACE, EMPTY, report, NOTHING)
    assert found.service is not None
    assert "follows no discovery node now (it answered 503)" in " ".join(found.service.details)
    assert found.path.details == ["This gateway is not ready: no whole snapshot."]


def test_wrong_registrations_are_told() -> None:
    wrong = an_instance("orders", 9000, routes={"api/v1": "/x y"})
    step = asked("/orders/api/v1", a_snapshot(wrong)).service
    assert step is not None
    assert "Wrong in its registration" in step.details[0]


# --- instances


def test_of_each_instance_the_registrys_word_this_gateways_and_the_others() -> None:
    words = [
        GatewayWord("http://127.0.2.1:7554", "LPAR2", views={ONE.instance: View("UP", "out", "Connection refused")}),
        GatewayWord("http://127.0.3.1:7554", "LPAR3"),
        GatewayWord("http://127.0.4.1:7554", "LPAR4", trouble="is silent"),
    ]
    snapshot = a_snapshot(ONE, TWO, owners={"LPAR2@1": "dead"})
    found = asked("/orders/api/v1", snapshot, heard=Heard((), words))
    assert found.instances is not None
    assert found.service is not None
    assert [(each.reachable, each.known) for each in found.service.gateways] == [
        (True, True), (True, False), (False, False),
    ]  # fmt: skip
    first, second = found.instances.instances
    assert first["says"] == (
        f"{ONE.instance} of LPAR1 at http://127.0.1.1:9000: the registry says UP; this gateway says fine; the gateway "
        "of LPAR2 says out (Connection refused); the gateway of LPAR3 has not heard of it; its lease is held by "
        "discovery of LPAR1, which is alive."
    )
    assert [each["view"] for each in first["elsewhere"]] == ["out", ""]
    assert "the registry says DOWN; this gateway says not a candidate (its status is DOWN)" in second["says"]
    assert "discovery of LPAR2, which is dead" in second["says"]
    assert (found.instances.known, found.instances.usable) == (2, 1)


def test_thousands_of_instances_are_not_all_told() -> None:
    many = [an_instance("orders", 9000 + number, gen=1) for number in range(150)]
    found = asked("/orders/api/v1", a_snapshot(*many))
    assert found.instances is not None
    assert found.request is not None
    assert len(found.instances.instances) == 100
    assert found.instances.details[-1] == "50 more are not shown."
    assert found.request.details[-1] == "145 more."
    assert (found.instances.usable, len(found.answer.instances)) == (150, 150)


# --- route


def test_the_rule_that_applies_and_those_that_nearly_did() -> None:
    found = asked("/orders/api/v1/admin/x")
    assert found.route is not None
    assert (found.route.gateway_url, found.route.service_url) == ("api/v1/admin", "/admin")
    assert [(each.gateway_url, each.common, each.why) for each in found.route.others] == [
        ("api/v1", 2, "applies too, but a longer rule wins")
    ]
    assert found.request is not None
    assert found.request.urls == ["http://127.0.1.1:9000/admin/x"]


@pytest.mark.parametrize(
    ("path", "common", "why"),
    [
        ("/orders", 0, "the path ends where it goes on with 'api'"),
        ("/orders/", 0, "the path ends where it goes on with 'api'"),
        ("/orders/api/", 1, "the path ends where it goes on with 'v1'"),
        ("/orders/api/v2/x", 1, "the path has 'v2' where it has 'v1'"),
        ("/orders/api/v10", 1, "the path has 'v10' where it has 'v1'"),
        ("/orders/API/v1", 0, "the path has 'API' where it has 'api': upper and lower case differ"),
        ("/orders//api/v1", 0, "the path has an empty segment, two slashes, where it has 'api'"),
    ],
)
def test_why_a_rule_does_not_apply(path: str, common: int, why: str) -> None:
    found = asked(path)
    assert ends(found) == (404, "ZWEAO404E", [])
    assert found.route is not None
    assert found.request is None
    miss = next(each for each in found.route.others if each.gateway_url == "api/v1")
    assert (miss.common, miss.why) == (common, why)


def test_the_nearest_rule_is_told_first() -> None:
    snapshot = a_snapshot(an_instance("orders", routes={"ui/v1": "/", "api/v2": "/", "api/v1/admin": "/"}))
    found = asked("/orders/api/v1/items", snapshot)
    assert found.route is not None
    assert [each.gateway_url for each in found.route.others] == ["api/v1/admin", "api/v2", "ui/v1"]


@pytest.mark.parametrize(
    ("path", "turned"),
    [
        ("/api/v1/orders/items/7", "/orders/api/v1/items/7"),
        ("/api/v1/orders", "/orders/api/v1"),
        ("/api/v1/admin/orders/x", "/orders/api/v1/admin/x"),
        ("/api/v2/orders/items", ""),
        ("/api/v1/others", ""),
        ("/orders/api/v2", ""),
    ],
)
def test_a_path_in_the_order_of_version_1(path: str, turned: str) -> None:
    snapshot = a_snapshot(an_instance("orders", routes={"api/v1": "/", "api/v1/admin": "/"}))
    found = asked(path, snapshot)
    assert found.answer.status == 404
    assert found.route is not None
    assert found.route.turned == turned
    if turned:
        assert ends(asked(turned, snapshot))[0] is None


SEGMENTS = st.sampled_from(["api", "v1", "v2", "ui", "", "API", "x"])


@given(st.lists(SEGMENTS, max_size=5), st.lists(st.sampled_from(["api/v1", "api", "ui/v1", "api/v1/x"]), min_size=1))
def test_exactly_the_rules_that_match_are_said_to_apply(segments: list[str], declared: list[str]) -> None:
    snapshot = a_snapshot(an_instance("orders", routes=dict.fromkeys(declared, "/")))
    upstream = snapshot.upstreams[b"orders"]
    path = "/".join(["/orders", *segments]).encode()
    won = routes.match(path, upstream.routes)
    missed = near_misses.misses(path, upstream, won)
    apply = {each.gateway_url for each in missed if "applies too" in each.why} | ({won.gateway_url} if won else set())
    assert apply == {each.gateway_url for each in upstream.routes if routes.match(path, (each,))}
    assert len(missed) == len(upstream.routes) - (won is not None)


# --- request and answer


def test_what_an_instance_is_asked_for_keeps_the_query() -> None:
    found = asked("/orders/./api/v1/a%2Fb?x=/../%7e")
    assert found.request is not None
    assert found.request.target == "/orders/a%2Fb?x=/../%7e"


def test_no_instance_that_can_be_called() -> None:
    found = asked("/orders/api/v1", a_snapshot(TWO, an_instance("orders", 9443, "no host", secure=True)))
    assert ends(found) == (503, "ZWEAG510E", [])
    assert found.request is None
    assert found.instances is not None
    assert found.instances.says == "0 of 2 may be called."


def test_the_best_that_there_are_are_chosen_from() -> None:
    ones = [Candidate(view, "", view) for view in ("fine", "out", "trial", "unproven", "ejected", "new word")]
    assert [each.view for each in best(ones)] == ["fine", "trial"]
    assert [each.view for each in best(ones[3:])] == ["ejected", "new word"]
    assert [each.view for each in best([ones[1], ones[3]])] == ["unproven"]
    assert [each.view for each in best([ones[1]])] == ["out"]
    assert [each.view for each in best(ones, panic=True)] == ["fine", "trial", "ejected"]
    assert best([]) == []


def test_forwarded_to_those_that_are_fine() -> None:
    three = [an_instance("orders", port) for port in (9000, 9001, 9002)]
    out = {three[0].key: Judgement("out", "Connection refused")}
    found = asked("/orders/api/v1", a_snapshot(*three), health=out)
    assert ends(found) == (None, "", [three[1].instance, three[2].instance])
    assert found.answer.says == "The call is forwarded to one of 2 instances."
    assert found.instances is not None
    assert found.instances.says == "3 of 3 may be called, 2 of them fine as this gateway sees it."


def test_with_all_of_them_out_it_is_tried_and_most_likely_fails() -> None:
    found = asked("/orders/api/v1", a_snapshot(ONE), health={ONE.key: Judgement("out", "Connection refused")})
    assert ends(found) == (503, "ZWEAG510E", [ONE.instance])


def test_a_service_that_takes_no_encoded_characters() -> None:
    strict = a_snapshot(an_instance("orders", metadata={"apiml.enableUrlEncodedCharacters": "false"}))
    assert ends(asked("/orders/api/v1/a%2Cb", strict)) == (400, "ZWEAG701E", [])
    assert ends(asked("/orders/api/v1/a", strict))[0] is None
    place = Place("LPAR1", "127.0.1.1", 7554, encoded_slashes=False)
    assert ends(asked("/orders/api/v1/a%2fb", place=place)) == (400, "ZWEAG702E", [])
    assert ends(asked("/orders/api/v1/a%2fb"))[0] is None


def test_a_service_whose_calls_stay_in_the_lpar() -> None:
    metadata = {"plexmesh.scope": "lpar"}
    both = [an_instance("orders", 9000, f"127.0.{n}.1", lpar=f"LPAR{n}", metadata=metadata) for n in (1, 2)]
    assert ends(asked("/orders/api/v1", a_snapshot(*both)))[2] == [both[0].instance]
    alone = asked("/orders/api/v1", a_snapshot(both[1]))
    assert ends(alone) == (503, "ZWEAG510E", [])
    assert "in LPAR1" in alone.answer.says


def test_a_service_that_is_called_elsewhere() -> None:
    outside = an_instance("orders", metadata={"apiml.service.externalUrl": "http://orders.test:8080"})
    found = asked("/orders/api/v1", a_snapshot(outside))
    assert found.request is not None
    assert found.instances is not None
    assert found.request.urls == ["http://orders.test:8080/"]
    assert "in place of 1 registered instance" in found.instances.says


def test_another_domain_is_called_at_its_gateway() -> None:
    there = an_instance("gateway", 7554, "127.0.9.1", metadata={"apiml.service.apimlId": "plex2"})
    found = asked("/plex2/orders/api/v1", a_snapshot(there))
    assert found.request is not None
    assert found.instances is not None
    assert found.request.urls == ["http://127.0.9.1:7554/orders/api/v1"]
    assert found.instances.says == "Calls go to http://127.0.9.1:7554."
    out = asked("/plex2/orders/api/v1", a_snapshot(there), health={there.key: Judgement("out", "Connection refused")})
    assert ends(out)[:2] == (503, "ZWEAG510E")


def test_calls_of_users_stay_at_one_instance() -> None:
    sticky = a_snapshot(an_instance("orders", metadata={"apiml.lb.type": "authentication"}))
    token = b"apimlAuthenticationToken=e30.eyJzdWIiOiJhZGEifQ.x"  # {"sub":"ada"}
    assert "this one has none" in asked("/orders/api/v1", sticky).answer.details[0]
    found = asked("/orders/api/v1", sticky, headers=((b"Cookie", b"a=b; " + token), (b"X-InstanceId", b"1")))
    assert "has a user's token" in found.answer.details[0]
    assert "x-instanceid" in found.answer.details[1]


def test_a_service_that_wants_credentials() -> None:
    def of(scheme: str) -> Explanation:
        return asked(
            "/orders/api/v1", a_snapshot(an_instance("orders", metadata={"apiml.authentication.scheme": scheme}))
        )

    assert ends(of("safIdt")) == (503, "ZWEAO503E", [])
    assert "safIdt" in of("safIdt").answer.says
    assert ends(of("zoweJwt"))[0] is None
    assert "X-Zowe-Auth-Failure" in of("zoweJwt").answer.details[0]
    assert ends(of("bypass"))[0] is None
