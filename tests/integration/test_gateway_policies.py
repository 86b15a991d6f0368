"""What a service's registration, the configuration and a call say of how it is called: what of it is kept, what is
refused, and that nobody else is harmed.

Addresses are those of `gateway_rig` and `gateway_crew_rig`.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fakes import Caller, FakeDiscovery, RawInstance, an_instance, answer, answering, running, until
from tests.integration.gateway_crew_rig import DISCOVERY, HOST, a_crew, spawned
from tests.integration.gateway_rig import INSTANCES, LPAR1, LPAR2, PORT, Answer, Rig, a_gateway, on_uvloop, started
from tests.integration.test_gateway_modes import POST, ask, get
from tests.integration.test_gateway_two import GATEWAYS, second_at, session, two, whos
from tests.unit.test_gateway_sticky import cookie

ORIGIN = "Origin: https://pages.test"
HARDENED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "X-XSS-Protection": "0",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}


def instance(n: int = 0, body: bytes = b"ok", extra: bytes = b"") -> RawInstance:
    """The n-th, which answers so."""

    async def behave(caller: Caller) -> None:
        while await caller.head():
            await caller.send(answer(body, extra=extra))

    return RawInstance(INSTANCES[n], 9000, behave)


def refusal(got: Answer) -> tuple[int, str]:
    return got.status, got.number


async def known(rig: Rig, service: str) -> None:
    await until(lambda: service.encode() in rig.gateway.path.snapshot.upstreams, f"{service} is known")


@contextlib.asynccontextmanager
async def beside(rig: Rig) -> AsyncIterator[None]:
    """Another service, `billing`, is well, before and after what the block does."""
    async with running(instance(2, b"bill")):
        rig.discovery.put(an_instance("billing", 9000, INSTANCES[2]))
        await known(rig, "billing")
        for _ in range(2):
            assert (await rig.get("/billing/api/v1/x")).body == b"bill"
            if _ == 0:
                yield


# --- where a call goes


@pytest.mark.parametrize("picker", ["leastRequests", "random"])
@on_uvloop
async def test_weights_are_shares(picker: str) -> None:
    async with two("LPAR1", "LPAR2", picker=picker, weights=(300, 100)):
        seen = await whos(LPAR1, 400)
        assert 250 < seen[INSTANCES[0]] < 350


@on_uvloop
async def test_a_call_names_its_instance() -> None:
    async with two("LPAR1", "LPAR2", "LPAR2") as it:
        for gateway in GATEWAYS:
            for host in INSTANCES:
                assert await whos(gateway, 4, f"X-InstanceId: {host}:orders:9000") == {host: 4}
            unknown = await ask(gateway, get("X-InstanceId: nobody"))
            assert (unknown.status, unknown.header("X-InstanceId")) == (404, None)
        await it.one(INSTANCES[0]).stop()
        heads = [len(each.heads) for each in it.instances[1:]]
        for gateway in GATEWAYS:
            for request in (get(), POST % (1, b"1")):
                named = request.replace(b"Host: g", f"Host: g\r\nX-InstanceId: {INSTANCES[0]}:orders:9000".encode())
                assert (await ask(gateway, named)).status == 503
        assert [len(each.heads) for each in it.instances[1:]] == heads, "no fail-over"
        await it.change(INSTANCES[1], 2, status="DOWN")
        down = await ask(LPAR1, get(f"X-InstanceId: {INSTANCES[1]}:orders:9000"))
        assert (down.status, "DOWN" in down.content) == (503, True)


@on_uvloop
async def test_a_call_is_sent_on_step_by_step_and_its_path_stays() -> None:
    domain = {"apiml.service.apimlId": "far"}
    orders = RawInstance(INSTANCES[0], 9000, answering(b"here"))
    async with a_gateway(orders) as rig, started(second_at(rig.discovery.url, apiml_id="far")) as second:
        rig.discovery.put(an_instance("gateway", PORT, LPAR2, lpar="LPAR2", metadata=domain))
        await until(lambda: b"far" in rig.gateway.path.snapshot.upstreams)
        await until(lambda: second.path.snapshot.endpoints)
        for steps, by in (("orders", 0), ("/ORDERS", 0), ("far/orders", 1)):
            before = second.path.requests
            got = await ask(LPAR1, get(f"X-Forward-To: {steps}", path="/any/path%20?q=1"))
            assert (got.status, got.body) == (200, b"here"), steps
            head = orders.heads[-1].decode()
            assert head.startswith("GET /any/path%20?q=1 HTTP/1.1\r\n")
            assert "x-forward-to" not in head.lower()
            assert second.path.requests - before == by, "the other one has had it"
        assert (await ask(LPAR1, get(path="/far/orders/api/v1/x"))).body == b"here"
        assert orders.heads[-1].startswith(b"GET /x HTTP/1.1\r\n")
        assert (await ask(LPAR1, get("X-Forward-To: nobody"))).status == 404
        assert (await ask(LPAR1, get("X-Forward-To: far/nobody"))).status == 404


@pytest.mark.parametrize(("drain_s", "leaving", "stays"), [("300", "", True), ("0", "", False), ("300", "true", False)])
@on_uvloop
async def test_a_session_stays_at_an_instance_that_is_taken_out_but_not_at_one_that_leaves(
    drain_s: str, leaving: str, stays: bool
) -> None:
    async with two("LPAR1", "LPAR2", sticky="cookie", sessionDrainS=drain_s) as it:
        first = await ask(LPAR1, get())
        out = first.body.decode()
        metadata = {"plexmesh.sticky": "cookie", "plexmesh.sessionDrainS": drain_s, "plexmesh.leaving": leaving}
        await it.change(out, 1, status="OUT_OF_SERVICE", metadata=metadata)
        for gateway in GATEWAYS:
            got = await ask(gateway, get(str(session(first))))
            assert got.status == 200
            assert (got.body == first.body) is stays
            assert (session(got) is None) is stays


@on_uvloop
async def test_a_caller_who_names_an_instance_is_told_which_one_answered() -> None:
    async with a_gateway(instance(), instance_id_header=True) as rig:
        id = f"{INSTANCES[0]}:orders:9000"
        assert (await rig.ask(get(f"X-InstanceId: {id}"))).header("X-InstanceId") == id
        assert (await rig.ask(get())).header("X-InstanceId") is None


@on_uvloop
async def test_an_external_url_is_called_in_place_of_the_instances() -> None:
    inside, outside = instance(0, b"inside"), instance(1, b"outside")
    async with running(outside), a_gateway(metadata={}) as rig, running(inside):
        external = {"apiml.service.externalUrl": f"http://{INSTANCES[1]}:9000"}
        rig.discovery.put(an_instance("orders", 9000, INSTANCES[0], metadata=external))
        await known(rig, "orders")
        assert {(await rig.ask(get())).body for _ in range(10)} == {b"outside"}
        assert f"Host: {INSTANCES[1]}:9000".encode() in outside.heads[-1]
        assert not inside.heads


@on_uvloop
async def test_a_service_of_the_configuration_needs_no_registry() -> None:
    urls = [f"http://{host}:9000" for host in INSTANCES[:2]]
    static = {"billing": {"urls": urls, "routes": {"api/v2": "/bills"}, "picker": "roundRobin"}}
    made = [instance(n, str(n).encode()) for n in range(2)]
    async with running(*made), a_gateway(static=static) as rig:
        answers = [(await rig.get("/billing/api/v2/7?a=b")).body for _ in range(10)]
        assert (answers.count(b"0"), answers.count(b"1")) == (5, 5)
        assert made[0].heads[-1].startswith(b"GET /bills/7?a=b HTTP/1.1\r\n")
        assert (await rig.get("/billing/api/v1/7")).status == 404
        await made[0].stop()
        assert {(await rig.get("/billing/api/v2/7")).body for _ in range(5)} == {b"1"}
        rig.discovery.put(an_instance("orders", 9000, INSTANCES[1]))
        await known(rig, "orders")
        assert (await rig.get("/billing/api/v2/7")).body == b"1"


# --- what is refused


@pytest.mark.parametrize("steering", [(), ("X-Forward-To: orders",), ("X-Plexmesh-Lpar: LPAR2",)])
@on_uvloop
async def test_encoded_characters_that_a_service_does_not_take(steering: tuple[str, ...]) -> None:
    picky = {"apiml.enableUrlEncodedCharacters": "false"}
    async with a_gateway(made := instance(), metadata=picky) as rig, beside(rig):
        for path in ("a%20b", "a%2Fb", "a;b", "a%5Cb", "%25"):
            assert refusal(await rig.ask(get(*steering, path=f"/orders/api/v1/{path}"))) == (400, "ZWEAG701E")
        assert not made.heads
        for path in ("%61", "a-b", "x?q=%20"):
            assert (await rig.ask(get(*steering, path=f"/orders/api/v1/{path}"))).status == 200
        assert (await rig.get("/billing/api/v1/a%20b")).status == 200


@on_uvloop
async def test_encoded_slashes_are_passed_on_unless_the_gateway_takes_none() -> None:
    async with a_gateway(made := instance()) as rig:
        assert (await rig.get("/orders/api/v1/a%2Fb")).status == 200
        assert made.heads[-1].startswith(b"GET /a%2Fb ")
    async with a_gateway(made := instance(), allow_encoded_slashes=False) as rig:
        for path in ("a%2Fb", "a%2fb"):
            assert refusal(await rig.get(f"/orders/api/v1/{path}")) == (400, "ZWEAG702E")
        assert not made.heads
        assert (await rig.get("/orders/api/v1/a%20b?q=%2F")).status == 200


@on_uvloop
async def test_pages_of_other_origins_may_not_call_unless_it_is_switched_on() -> None:
    willing = {"apiml.corsEnabled": "true"}
    asks = "Access-Control-Request-Method: GET"
    async with a_gateway(made := instance(), metadata=willing) as rig:
        assert refusal(await rig.ask(get(ORIGIN))) == (403, "ZWEAT403E")
        assert (await rig.ask(get(ORIGIN, asks).replace(b"GET /", b"OPTIONS /", 1))).status == 403
        assert not made.heads
        assert (await rig.ask(get("Origin: https://g"))).status == 200, "the gateway's own pages"
    async with a_gateway(made := instance(), cors_enabled=True) as rig, beside(rig):
        assert refusal(await rig.ask(get(ORIGIN))) == (403, "ZWEAT403E"), "the service is not willing"
        assert not made.heads


@on_uvloop
async def test_pages_of_other_origins_may_call_who_is_willing() -> None:
    willing = {"apiml.corsEnabled": "true", "apiml.corsAllowedMethods": "GET,PUT"}
    own = b"Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: X-A\r\nX-A: 1\r\n"
    async with a_gateway(made := instance(extra=own), metadata=willing, cors_enabled=True) as rig:
        got = await rig.ask(get(ORIGIN))
        assert (got.status, got.body) == (200, b"ok")
        assert got.header("Access-Control-Allow-Origin") == "https://pages.test"
        assert (got.header("Access-Control-Expose-Headers"), got.header("X-A")) == (None, "1")
        assert "Origin" in str(got.header("Vary"))
        heads = len(made.heads)
        asking = get(ORIGIN, "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: X-Mine")
        preflight = asking.replace(b"GET /", b"OPTIONS /", 1)
        async with await rig.connect() as client:
            got = await client.ask(preflight)
            assert (got.status, got.header("Access-Control-Allow-Headers")) == (204, "X-Mine")
            assert got.header("Access-Control-Allow-Methods") == "GET, PUT"
            assert len(made.heads) == heads, "it is answered here"
            assert (await client.ask(get(ORIGIN))).body == b"ok"
        refused = await rig.ask(preflight.replace(b"Method: PUT", b"Method: DELETE"))
        assert refusal(refused) == (403, "ZWEAT403E")
        assert (await rig.ask(get())).header("Access-Control-Allow-Origin") == "*", "a call without origin: as it came"


@on_uvloop
async def test_each_answer_has_the_security_headers_once() -> None:
    picky = {"apiml.enableUrlEncodedCharacters": "false"}
    async with a_gateway(instance(extra=b"x-frame-options: DENY\r\n"), metadata=picky) as rig, beside(rig):
        rig.discovery.put(an_instance("broken", 9001, INSTANCES[0]))
        await known(rig, "broken")
        for request, status in (
            (get(path="/billing/api/v1/x"), 200), (get(path="/no/api/v1"), 404), (get(path="/broken/api/v1"), 503),
            (get(ORIGIN), 403), (get(path="/orders/api/v1/%20"), 400),
        ):  # fmt: skip
            got = await rig.ask(request)
            assert (got.status, {name: got.header(name) for name in HARDENED}) == (status, HARDENED), request
        own = await rig.get("/gateway/v1/upstreams")
        assert all(own.header(name) for name in HARDENED), "pages of the gateway may be stricter"
        said = {name: (await rig.ask(get())).header(name) for name in HARDENED}
        assert said == HARDENED | {"X-Frame-Options": "DENY"}, "what the service says itself stays"


# --- how much


def of_user(name: str) -> bytes:
    return get(cookie({"sub": name}).split(b"\r\n")[1].decode())


@on_uvloop
async def test_each_caller_has_a_rate() -> None:
    async with a_gateway(made := instance(), metadata={"plexmesh.rateLimit": "3/1m"}) as rig, beside(rig):
        for request in (get(), of_user("ANN"), of_user("BEN")):
            answers = [await rig.ask(request) for _ in range(5)]
            assert [each.status for each in answers] == [200, 200, 200, 429, 429]
            assert [each.header("Retry-After") for each in answers[:3]] == [None] * 3
            assert 1 <= int(str(answers[3].header("Retry-After"))) <= 20, "one comes back each 20 s"
        assert len(made.heads) == 9


@on_uvloop
async def test_calls_beyond_the_limit_wait_and_more_are_refused_at_once() -> None:
    go_on = asyncio.Event()

    async def busy(caller: Caller) -> None:
        while await caller.head():
            await go_on.wait()
            await caller.send(answer(b"ok"))

    limited = {"plexmesh.maxCalls": "2", "plexmesh.maxQueue": "2", "plexmesh.queueMs": "500"}
    made = RawInstance(INSTANCES[0], 9000, busy)
    async with a_gateway(made, metadata=limited) as rig, beside(rig):
        inside = [asyncio.create_task(rig.ask(get())) for _ in range(2)]
        await until(lambda: len(made.heads) == 2)
        gate = rig.gateway.path.gates["orders"]
        waiting = [asyncio.create_task(rig.ask(get())), asyncio.create_task(rig.ask(POST % (2, b"hi")))]
        await until(lambda: gate.waiting == 2)
        assert busy_answer(await rig.ask(get()))
        assert (await rig.get("/billing/api/v1/x")).body == b"bill", "others are not concerned"
        assert not any(each.done() for each in (*inside, *waiting))
        assert len(made.heads) == 2
        go_on.set()
        assert [(await each).status for each in (*inside, *waiting)] == [200] * 4
        go_on.clear()
        inside = [asyncio.create_task(rig.ask(get())) for _ in range(2)]
        await until(lambda: len(made.heads) == 6)
        assert busy_answer(await rig.ask(get())), "it has waited for as long as it may"
        go_on.set()
        assert [(await each).status for each in inside] == [200] * 2
        assert len(made.heads) == 6


def busy_answer(got: Answer) -> bool:
    return (got.status, got.header("Retry-After")) == (503, "1")


# --- what is wrong


HOSTILE: dict[str, tuple[str, dict[str, str], str]] = {
    "bad routes": (
        "evil",
        {
            "apiml.routes.a.gatewayUrl": "../../orders/api/v1", "apiml.routes.b.gatewayUrl": "api/v1\r\nX-Evil: 1",
            "apiml.routes.c.gatewayUrl": "api//v1", "apiml.routes.d.gatewayUrl": "\u00e4" * 600,
        },
        "apiml.routes.",
    ),
    "a bomb of routes": ("evil", {f"apiml.routes.r{n}.gatewayUrl": f"api/v{n}" for n in range(10_000)}, "64 routes"),
    "a bomb of keys": (
        "evil", {f"plexmesh.key{n}": "x" * 50 for n in range(10_000)} | {"plexmesh.picker": "all"}, "plexmesh.picker"
    ),
    "wrong values": ("evil", {"plexmesh.maxCalls": "-1", "plexmesh.weight": "many"}, "plexmesh.maxCalls"),
    "another's prefix": ("evil", {"apiml.routes.a.gatewayUrl": "/../orders/api/v1"}, "dot segment"),
    "another's path as an id": ("orders/api/v1", {}, ""),
    "another's domain": ("gateway", {"apiml.service.apimlId": "orders"}, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@on_uvloop
async def test_a_hostile_registration_harms_itself_alone_and_is_shown(name: str) -> None:
    service, metadata, fault = HOSTILE[name]
    evil = instance(1, b"evil")
    async with a_gateway(instance(0)) as rig, running(evil), beside(rig):
        before = rig.discovery.mark().token
        rig.discovery.put(an_instance(service, 9000, INSTANCES[1], metadata=metadata))
        await until(lambda: rig.gateway.path.snapshot.token != before)
        rig.discovery.put(an_instance("later", 9000, INSTANCES[0]))
        await known(rig, "later")
        for path in ("/orders/api/v1", "/orders/api/v1/x", "/later/api/v1/x"):
            assert {(await rig.get(path)).body for _ in range(5)} == {b"ok"}
        found = json.loads((await rig.get("/gateway/v1/upstreams")).body)["upstreams"]
        faults = {each["service"]: each["faults"] for each in found}
        assert faults.pop("orders") == faults.pop("later") == faults.pop("billing") == []
        if fault:
            assert any(fault in each for each in faults[service])
            assert len(faults[service]) <= 128
        assert not evil.heads


def configured(folder: Path, **section: Any) -> dict[str, str]:
    """The environment of a gateway with this in its plexmesh.yaml."""
    tree = {
        "components": {"gateway": section, "discovery": {}},
        "haInstances": {"LPAR1": {"hostname": HOST}},
        "plexmesh": {"sysplex": "PLEX1"},
    }
    file = folder / "plexmesh.yaml"
    file.write_text(yaml.safe_dump(tree))
    return {"PLEXMESH_CONFIG": str(file)}


@on_uvloop
async def test_a_bad_configuration_is_refused_at_start_with_its_path(tmp_path: Path) -> None:
    environ = configured(tmp_path, services={"orders": {"picker": "best"}})
    rig = await spawned(tmp_path, FakeDiscovery(DISCOVERY), 0, environ)
    assert await rig.process.wait() == 2
    assert "components.gateway.services.orders.picker: expected one of leastRequests" in rig.log.read_text()


@on_uvloop
async def test_a_bad_reload_is_refused_with_its_path_and_keeps_what_is_in_force(tmp_path: Path) -> None:
    wrongs: list[tuple[dict[str, Any], str]] = [
        ({"services": {"orders": {"picker": "best"}}}, "components.gateway.services.orders.picker: expected one of"),
        ({"services": {"orders": {"stiky": "cookie"}}}, "components.gateway.services.orders.stiky: unknown key"),
        ({"static": {"b": {"urls": ["ftp://h"]}}}, "components.gateway.static.b.urls: expected http://host:port"),
        ({"without": ["ejecton"]}, "components.gateway.without: 'ejecton' is no guard (did you mean 'ejection'?)"),
    ]
    good = configured(tmp_path, services={"orders": {"rateLimit": "1000/1m"}})
    async with a_crew(tmp_path, 0, environ=good) as crew:
        before = await crew.serving(1)
        for wrong, words in wrongs:
            configured(tmp_path, **wrong)
            got = await crew.put("/gateway/v1/reload")
            assert (got.status, words in html.unescape(got.content)) == (400, True), got.content
        assert await crew.pids() == before
        assert (await crew.ask(get())).body == b"ok"
        (orders,) = json.loads((await crew.get("/gateway/v1/upstreams")).body)["upstreams"]
        assert "rateLimit" in orders["policy"], "the old one is in force"
        configured(
            tmp_path, services={"orders": {"maxCalls": 9}}, static={"billing": {"urls": ["http://127.0.42.9:1"]}}
        )
        assert (await crew.put("/gateway/v1/reload")).status == 200
        shown = json.loads((await crew.get("/gateway/v1/upstreams")).body)["upstreams"]
        policies = {each["service"]: each["policy"] for each in shown}
        assert policies == {"orders": {"maxCalls": 9}, "billing": {}}, "the pages show the new one"
