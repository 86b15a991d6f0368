"""What a snapshot makes of registrations beyond the plain ones: services outside the registry, services that are called
elsewhere, gateways of other domains, instances that drain, policies; and that a wrong one harms its own service alone.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.fold import Fold
from gateway.outside import settings_of
from gateway.policy import PLAIN
from gateway.snapshot import AS_REGISTERED, MAX_WEIGHT, WEIGHT, Settings, Snapshot, Upstream, snapshot_of
from shared.wire import Instance, Mark, Put, checksum
from tests.fakes import an_instance

ORDERS = an_instance()
EXTERNAL = "apiml.service.externalUrl"


def shown(*instances: Instance, settings: Settings = AS_REGISTERED, fold: Fold | None = None) -> Snapshot:
    """The whole set, as a stream that begins says it."""
    fold = fold or Fold(settings)
    fold.begin()
    parts = 0
    for each in instances:
        parts = checksum(parts, each.key, each.gen, each.rev)
    fold.apply(Put(list(instances)))
    snapshot = fold.apply(Mark("t", len(instances), parts, whole=True))
    assert snapshot is not None
    return snapshot


def upstream(*instances: Instance, settings: Settings = AS_REGISTERED) -> Upstream:
    return shown(*instances, settings=settings).upstreams[instances[0].service.encode()]


def authorities(upstream: Upstream) -> list[bytes]:
    return [each.authority for each in upstream.endpoints]


# --- services outside the registry

STATIC = settings_of({}, {"billing": {"urls": ["http://10.0.0.7:80", "http://10.0.0.8:80"], "retries": 1}}, "")


def test_a_static_service_is_there_beside_the_registrys() -> None:
    snapshot = shown(ORDERS, settings=STATIC)
    assert set(snapshot.upstreams) == {b"orders", b"billing"}
    billing = snapshot.upstreams[b"billing"]
    assert authorities(billing) == [b"10.0.0.7:80", b"10.0.0.8:80"]
    assert billing.known == 2
    assert billing.policy.retries == 1
    assert {each.key for each in billing.endpoints} < snapshot.endpoints.keys()
    assert {each.key for each in billing.endpoints} < snapshot.instances.keys()


def test_it_stays_whatever_the_registry_says() -> None:
    fold = Fold(STATIC)
    before = shown(ORDERS, fold=fold).upstreams[b"billing"]
    after = shown(fold=fold)
    assert set(after.upstreams) == {b"billing"}
    assert after.upstreams[b"billing"] is before, "it did not change"


def test_instances_of_the_registry_join_it_and_leave_it() -> None:
    fold = Fold(STATIC)
    registered = an_instance("billing", 9000)
    assert len(shown(registered, fold=fold).upstreams[b"billing"].endpoints) == 3
    assert len(shown(fold=fold).upstreams[b"billing"].endpoints) == 2


def test_another_configuration_holds_for_the_instances_that_are_known() -> None:
    """And what is drawn piece by piece is what is drawn at once."""
    fold = Fold(STATIC)
    before = shown(ORDERS, fold=fold)
    plain = fold.configure(AS_REGISTERED)
    assert set(plain.upstreams) == {b"orders"}
    assert plain.token == before.token
    assert plain == replace(snapshot_of({ORDERS.key: ORDERS}, {}), token=before.token)
    again = fold.configure(STATIC)
    assert again == before
    assert shown(ORDERS, an_instance("stock", 9001), fold=fold).upstreams.keys() > again.upstreams.keys()


# --- called elsewhere


def test_a_service_can_be_called_at_another_url() -> None:
    one = an_instance(metadata={EXTERNAL: "http://Proxy.example:8080/x", "plexmesh.retries": "1"})
    two = an_instance(host="127.0.40.2")
    found = upstream(one, two)
    assert authorities(found) == [b"proxy.example:8080"]
    assert found.known == 2
    assert found.policy.retries == 1
    (endpoint,) = found.endpoints
    assert endpoint.service == "orders"
    assert endpoint.probe_url == ""
    assert endpoint.key in shown(one, two).endpoints


def test_one_with_tls_is_called_with_tls() -> None:
    (endpoint,) = upstream(an_instance(metadata={EXTERNAL: "https://proxy.example"})).endpoints
    assert (endpoint.secure, endpoint.port, endpoint.url) == (True, 443, "https://proxy.example:443")


def test_where_the_url_is_none_nobody_can_be_called_and_it_says_so() -> None:
    found = upstream(an_instance(metadata={EXTERNAL: "http://[::1"}))
    assert (found.endpoints, found.known) == ((), 1)
    assert found.faults == (f"{EXTERNAL}: http://[::1 names nobody who can be called",)


def test_without_an_instance_that_is_up_it_is_not_called_there_either() -> None:
    assert upstream(an_instance(metadata={EXTERNAL: "http://proxy"}, status="DOWN")).endpoints == ()


HOSTILE_URLS = [
    "http://[::1", "http://[abc]/", "http://]", "http://a:99999", "http://a:x", "http://", "http:///x", "//a", "a",
    "http://u:p@a", "http://a\u2100b", "http://a b", "http://a\r\nX: 1", "javascript:1", "http://" + "a" * 300,
    "http://" + "x" * 1_000_000,
]  # fmt: skip


@pytest.mark.parametrize("url", HOSTILE_URLS, ids=range(len(HOSTILE_URLS)))
def test_a_url_that_is_none_harms_nobody_but_who_said_it(url: str) -> None:
    evil = an_instance("evil", 9001, metadata={EXTERNAL: url})
    snapshot = shown(ORDERS, evil)
    assert authorities(snapshot.upstreams[b"orders"]) == [b"127.0.40.1:9000"]
    assert snapshot.upstreams[b"orders"].faults == ()
    for each in snapshot.upstreams[b"evil"].endpoints:
        assert each.authority == b"127.0.40.1:9001", "as if it had said nothing"
    assert len(snapshot.upstreams[b"evil"].faults) == 1
    assert len(snapshot.upstreams[b"evil"].faults[0]) < 1000


# --- other domains

APIML_ID = "apiml.service.apimlId"


def a_gateway(domain: str, number: int = 1, **more: object) -> Instance:
    metadata = {APIML_ID: domain}
    if "url" in more:
        metadata[EXTERNAL] = str(more.pop("url"))
    return an_instance("gateway", 7554, f"127.0.41.{number}", metadata=metadata, **more)  # type: ignore[arg-type]


def test_a_gateway_of_another_domain_is_called_by_its_domain() -> None:
    snapshot = shown(ORDERS, a_gateway("Apiml2"), settings=Settings(apiml_id="apiml1"))
    assert set(snapshot.upstreams) == {b"orders", b"apiml2"}
    found = snapshot.upstreams[b"apiml2"]
    assert authorities(found) == [b"127.0.41.1:7554"]
    (route,) = found.routes
    assert (route.prefix, route.target, route.gateway_url) == (b"/apiml2", b"", "")
    assert found.endpoints[0].service == "apiml2"
    assert found.endpoints[0].key in snapshot.endpoints


def test_all_gateways_of_a_domain_are_called_those_that_are_up() -> None:
    gateways = [a_gateway("apiml2", 1, status="DOWN"), a_gateway("apiml2", 2), a_gateway("apiml2", 3)]
    found = shown(*gateways).upstreams[b"apiml2"]
    assert authorities(found) == [b"127.0.41.2:7554", b"127.0.41.3:7554"]
    assert found.known == 3
    lone = shown(gateways[0]).upstreams[b"apiml2"]
    assert (lone.endpoints, lone.known) == ((), 1)


def test_a_domain_is_called_below_the_url_it_is_known_by() -> None:
    gateways = [a_gateway("apiml2", number, url="http://dvipa.example:7554") for number in (1, 2)]
    assert authorities(shown(*gateways).upstreams[b"apiml2"]) == [b"dvipa.example:7554"]
    (secure,) = shown(a_gateway("apiml2", url="https://dvipa.example")).upstreams[b"apiml2"].endpoints
    assert secure.url == "https://dvipa.example:443"


NO_DOMAINS = [
    "", " ", "apiml1", "APIML1", "gateway", "console", "discovery", "static", "a/b", "..", "a%2fb", "\u00e4", "a\r\nb",
    "x" * 65,
]  # fmt: skip


@pytest.mark.parametrize("domain", NO_DOMAINS)
def test_what_is_no_other_domain(domain: str) -> None:
    assert set(shown(ORDERS, a_gateway(domain), settings=Settings(apiml_id="apiml1")).upstreams) == {b"orders"}


def test_a_service_of_that_name_comes_before_the_domain() -> None:
    fold = Fold()
    both = shown(ORDERS, a_gateway("orders"), fold=fold)
    assert authorities(both.upstreams[b"orders"]) == [b"127.0.40.1:9000"]
    alone = shown(a_gateway("orders"), fold=fold)
    assert authorities(alone.upstreams[b"orders"]) == [b"127.0.41.1:7554"]
    again = shown(ORDERS, a_gateway("orders"), fold=fold)
    assert authorities(again.upstreams[b"orders"]) == [b"127.0.40.1:9000"]


def test_a_domain_goes_with_its_last_gateway() -> None:
    fold = Fold()
    shown(a_gateway("apiml2"), fold=fold)
    assert not shown(fold=fold).upstreams


@pytest.mark.parametrize("url", HOSTILE_URLS, ids=range(len(HOSTILE_URLS)))
def test_a_domain_with_a_url_that_is_none_harms_nobody(url: str) -> None:
    snapshot = shown(ORDERS, a_gateway("apiml2", url=url))
    assert authorities(snapshot.upstreams[b"orders"]) == [b"127.0.40.1:9000"]
    for each in snapshot.upstreams[b"apiml2"].endpoints:
        assert each.authority.isascii()
        assert b"\r" not in each.authority
        assert b"@" not in each.authority


# --- drained


def test_one_that_is_out_of_service_is_no_candidate_and_known_to_drain() -> None:
    draining = an_instance(host="127.0.40.2", status="OUT_OF_SERVICE")
    snapshot = shown(ORDERS, draining)
    found = snapshot.upstreams[b"orders"]
    assert [each.key for each in found.endpoints] == [ORDERS.key]
    assert [each.key for each in found.drained] == [draining.key]
    assert list(snapshot.drained) == [draining.key]
    assert draining.key not in snapshot.endpoints


@pytest.mark.parametrize("status", ["DOWN", "STARTING", "UNKNOWN"])
def test_others_that_are_not_up_do_not_drain(status: str) -> None:
    assert not shown(ORDERS, an_instance(host="127.0.40.2", status=status)).drained  # type: ignore[arg-type]


def test_what_cannot_be_called_does_not_drain() -> None:
    evil = an_instance(host="127.0.40.3\r\n", status="OUT_OF_SERVICE")
    assert not shown(ORDERS, evil).drained


def test_one_that_is_about_to_end_says_so() -> None:
    leaving = an_instance(status="OUT_OF_SERVICE", metadata={"plexmesh.leaving": "true"})
    assert upstream(leaving).drained[0].leaving
    assert not upstream(ORDERS).endpoints[0].leaving


# --- policies


def test_the_first_that_is_up_says_the_policy() -> None:
    down = an_instance(host="127.0.40.1", status="DOWN", metadata={"plexmesh.picker": "random"})
    first = an_instance(host="127.0.40.2", metadata={"plexmesh.picker": "peakEwma"})
    other = an_instance(host="127.0.40.3", metadata={"plexmesh.picker": "ringHash"})
    assert upstream(other, down, first).policy.picker == "peakEwma"
    assert upstream(down).policy.picker == "random", "with none up, the first of all"


@pytest.mark.parametrize(
    ("metadata", "special"),
    [
        ({}, False),
        ({"plexmesh.affinity": "lpar", "plexmesh.retries": "1"}, False),
        ({"plexmesh.picker": "ringHash"}, True),
        ({"plexmesh.sticky": "cookie"}, True),
        ({"apiml.lb.type": "authentication"}, True),
        ({"plexmesh.maxCalls": "5"}, True),
        ({"apiml.enableUrlEncodedCharacters": "false"}, True),
    ],
)
def test_most_services_need_no_second_look(metadata: dict[str, str], special: bool) -> None:
    assert upstream(an_instance(metadata=metadata)).special is special


@pytest.mark.parametrize(
    ("text", "weight", "wrong"),
    [
        ("", WEIGHT, False), ("1", 1, False), ("250", 250, False), (str(MAX_WEIGHT), MAX_WEIGHT, False),
        ("0", WEIGHT, True), ("-5", WEIGHT, True), ("10001", WEIGHT, True), ("1.5", WEIGHT, True),
        ("\u0663", WEIGHT, True), ("9" * 99, WEIGHT, True),
    ],
)  # fmt: skip
def test_weights(text: str, weight: int, wrong: bool) -> None:
    found = upstream(an_instance(metadata={"plexmesh.weight": text}))
    assert found.endpoints[0].weight == weight
    assert [fault.partition(":")[0] for fault in found.faults] == ["plexmesh.weight"] * wrong


def test_faults_of_routes_policy_and_weight_are_told_together_and_of_that_service_alone() -> None:
    evil = an_instance("evil", 9001, routes={"../orders/api/v1": "/"}, metadata={
        "plexmesh.picker": "fastest", "plexmesh.weight": "heavy", "apiml.routes.a.b": "c",
    })  # fmt: skip
    snapshot = shown(ORDERS, evil)
    assert len(snapshot.upstreams[b"evil"].faults) == 4
    assert snapshot.upstreams[b"evil"].policy == PLAIN
    assert snapshot.upstreams[b"orders"].faults == ()
    assert snapshot.upstreams[b"orders"] == upstream(ORDERS)


@given(
    st.dictionaries(
        st.sampled_from(
            [EXTERNAL, APIML_ID, "plexmesh.weight", "plexmesh.picker", "apiml.routes.a.gatewayUrl", "zos.lpar"]
        ),
        st.one_of(st.text(max_size=30), st.text(st.sampled_from("http:/[]@.%#?a1 \r\n\u2100"), max_size=20)),
    ),
    st.sampled_from(["evil", "gateway"]),
)
def test_no_metadata_whatever_ends_the_watch(metadata: dict[str, str], service: str) -> None:
    snapshot = shown(ORDERS, an_instance(service, 9001, metadata=metadata))
    assert authorities(snapshot.upstreams[b"orders"]) == [b"127.0.40.1:9000"]
    for endpoint in snapshot.endpoints.values():
        assert b"\r" not in endpoint.authority + endpoint.path_name
        assert b"\n" not in endpoint.authority + endpoint.path_name
