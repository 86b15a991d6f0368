"""The short way for clients: the same bytes give the same answers as through aiohttp, however they come."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiohttp import web

from discovery import clock
from discovery.api import Api
from discovery.auth import Verifier
from discovery.config import DiscoveryConfig
from discovery.desk import Desk
from discovery.driver import Driver
from discovery.entrance import Entrance
from discovery.eureka.api import EurekaApi
from discovery.eureka.call import call_of, manner_of
from discovery.eureka.lists import Lists
from discovery.keyring import new_key, parse
from discovery.node import Node
from discovery.peer_stream import peers_way
from discovery.policy import Policy
from discovery.registration import Registration
from discovery.registry import Registry
from discovery.traffic import Traffic
from discovery.watch import Watch
from shared import problem
from shared.answer import Answer
from shared.doorway import Doorway, short_ways
from shared.events import Events
from shared.net import listen
from tests.fakes import a_node, until

HOST, PORT = f"127.0.78.{os.getpid() % 250 + 1}", 7553
BODY_BYTES = 20_000
RING = parse(new_key())


# --- a node's clients' side, in this process, over real sockets


class Breaking(Registry):
    def register_all(self, given: Sequence[Registration], *rest: Any) -> Any:
        if given[0].service == "broken":
            raise ZeroDivisionError
        return super().register_all(given, *rest)


class Front:
    def __init__(self, node: Node | None = None, **settings: Any) -> None:
        settings = {"body_bytes": BODY_BYTES, "instances_per_service": 60} | settings
        self.config = DiscoveryConfig(host=HOST, **settings)
        self.node = node or a_node(now=clock.now())
        self.lists = Lists(self.node)
        self.watch = Watch(self.node, 1000)
        self.driver = Driver(self.node, nobody, self.watch, [self.lists], Events(logging.getLogger("test")))
        registry = Breaking(self.node, self.config.instances_per_service)
        self.api = Api(self.config, self.driver, registry, self.watch)
        self.eureka = EurekaApi(self.config, registry, self.driver, self.lists)

    @asynccontextmanager
    async def open(self, idle_s: float = 60.0) -> AsyncIterator[Doorway]:
        app = web.Application(middlewares=[problem.middleware()], client_max_size=BODY_BYTES)
        app.add_routes([*self.api.routes(), *self.eureka.routes()])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        assert runner.server is not None
        entrance = Entrance("PLEX1", nobody, Verifier(lambda: RING, bytes(32)), Traffic(), 1 << 20)
        doorway = Doorway(
            runner.server, {**peers_way(entrance), **short_ways(Desk(self.api, self.eureka), runner.server)}, idle_s
        )
        server = await asyncio.get_running_loop().create_server(doorway, sock=listen(HOST, PORT))
        try:
            yield doorway
        finally:
            server.close()
            doorway.close()
            await runner.cleanup()


def nobody(*_: object) -> Any:
    raise AssertionError("nothing is sent here")


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    made = Front()
    async with made.open():
        yield made


def post(path: str, body: object, *lines: str, version: str = "1.1") -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"POST /v1/{path} HTTP/{version}", "Host: x", f"Content-Length: {len(data)}", *lines]
    return "\r\n".join([*head, "", ""]).encode() + data


def eureka(method: str, path: str, *lines: str, body: bytes | None = None) -> bytes:
    head = [f"{method} {path} HTTP/1.1", "Host: x", *lines]
    if body is not None:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + (body or b"")


MAIL = {
    "instanceId": "m-1",
    "app": "MAIL",
    "hostName": "h.test",
    "ipAddr": "192.0.2.1",
    "dataCenterInfo": {"name": "MyOwn"},
    "vipAddress": "mail,smtp",
    "lastDirtyTimestamp": "5",
}


def register(*lines: str, **more: Any) -> bytes:
    return eureka("POST", "/eureka/apps/MAIL", *lines, body=json.dumps({"instance": MAIL | more}).encode())


def an(service: str, id: str = "i1", **more: Any) -> dict[str, Any]:
    return {"service": service, "instance": id, "host": "h.test", "port": 8080, **more}


BEAT = post("heartbeats", {"keys": ["kept/i1", "none/i1"]})
GET = b"GET /v1/guards HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /v1/nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
LEAVES = re.compile(rb"Connection: close|HTTP/1\.0")


async def say(*parts: bytes) -> list[bytes]:
    """The answers, until the other end closes. What follows a GET is said when that is answered."""
    reader, writer = await asyncio.open_connection(HOST, PORT)
    heard = b""
    with suppress(ConnectionError):
        for part in parts:
            writer.write(part)
            await writer.drain()
            if part == GET:
                heard += await reader.read(65536)
            await asyncio.sleep(0)
        while data := await asyncio.wait_for(reader.read(65536), 10):
            heard += data
    writer.close()
    return re.split(rb"(?=HTTP/1\.[01] \d)", heard)[1:]


Plain = tuple[bytes, list[bytes], bytes]


def plain(answer: bytes) -> Plain:
    """Status line, fields and body, without those fields that say when and by which way it was made."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *fields = head.split(b"\r\n")
    return status, sorted(each for each in fields if not each.startswith((b"Date: ", b"Server: "))), body


def quick(answer: bytes) -> bool:
    """aiohttp names itself, but when it just asks for the body."""
    return b"\r\nServer: " not in answer and b" 100 " not in answer


async def both(said: bytes) -> tuple[list[Plain], int]:
    """What both ways answer, and how many of the answers came by the short one."""
    if not LEAVES.search(said):
        said += LAST
    short, (_, *long) = await say(said), await say(GET, said)
    assert [plain(each) for each in short] == [plain(each) for each in long]
    assert not any(map(quick, long))
    return [plain(each) for each in short], sum(map(quick, short))


async def beaten(status: int) -> None:
    """Wait until a heartbeat is answered so."""
    async with asyncio.timeout(10):
        while int((await say(BEAT + LAST))[0].split()[1]) != status:
            pass


# --- the same, both ways


@pytest.mark.parametrize(
    ("said", "status", "by_short"),
    [
        (BEAT, 200, 1),
        (post("instances", an("kept", gen=5)), 200, 1),
        (post("instances", {"instances": [an("kept", gen=5)]}), 200, 1),
        (post("instances", an("kept", gen=4)), 410, 1),
        (post("instances", {"instances": [an("many", f"i{n}") for n in range(61)]}), 409, 1),
        (post("instances", an("broken")), 500, 1),
        (post("instances", b"{"), 400, 1),
        (post("instances", b""), 400, 1),
        (post("instances", b"\xff\0\r\n\r\n"), 400, 1),
        (post("instances", an("kept", prt=1)), 400, 1),
        (post("instances", an("kept", port="x")), 400, 1),
        (post("heartbeats", {"keys": [1]}), 400, 1),
        (post("heartbeats", {"key": "a/b"}), 400, 1),
        (post("heartbeats", b" " * (BODY_BYTES - 1)), 400, 1),
        (post("heartbeats", b" " * BODY_BYTES), 400, 0),
        (post("heartbeats", b" " * (BODY_BYTES + 1)), 413, 0),
        (post("heartbeats?x=1", {"keys": []}), 400, 0),
        (post("heartbeats/", {"keys": []}), 404, 0),
        (post("elsewhere", {"keys": []}), 404, 0),
        (BEAT.replace(b"POST", b"PUT"), 405, 0),
        (BEAT.replace(b"POST /", b"POST http://x/"), 200, 0),
        (BEAT.replace(b"Host", b"CONNECTION: Keep-Alive\r\nX_Y: \xc3\r\nHost"), 200, 0),
        (BEAT.replace(b"Host", b"CONNECTION: Keep-Alive\r\nAccept:*/*\r\nHost"), 200, 1),
        (BEAT.replace(b"Host", b"Host: y\r\nHost"), 400, 0),
        (BEAT.replace(b"Host", b"Content-Length: 1\r\nHost"), 400, 0),
        (BEAT.replace(b"Host", b" Host"), 400, 0),
        (BEAT.replace(b"Host:", b"Host :"), 400, 0),
        (BEAT.replace(b"Length: ", b"Length: +"), 400, 0),
        (BEAT.replace(b"Length: ", b"Length: 0"), 200, 1),
        (BEAT.replace(b"HTTP/1.1", b"HTTP/1.0"), 200, 0),
        (BEAT.replace(b"HTTP/1.1", b"HTTP/2.0"), 400, 0),
        (BEAT.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\n"), 400, 0),
        (BEAT.replace(b"Host", b"Connection: close\r\nHost"), 200, 0),
        (BEAT.replace(b"Host", b"Transfer-Encoding: chunked\r\nHost"), 400, 0),
        (BEAT.replace(b"Host", b"Content-Encoding: gzip\r\nHost"), 400, 0),
        (BEAT.replace(b"Host", b"X-Long: " + b"x" * 5000 + b"\r\nHost"), 200, 0),
        (BEAT.replace(b"Host", b"X-Long: " + b"x" * 20_000 + b"\r\nHost"), 400, 0),
        (
            b"POST /v1/heartbeats HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            b'b\r\n{"keys":[]}\r\n0\r\n\r\n',
            200,
            0,
        ),
        (b"POST /v1/heartbeats HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0),
        (b"POST /v1/heartbeats\r\n\r\n", 400, 0),
    ],
)
async def test_both_ways_answer_alike(front: Front, said: bytes, status: int, by_short: int) -> None:
    await say(post("instances", an("kept", gen=5), "Connection: close"))
    answers, count = await both(said)
    assert (int(answers[0][0].split()[1]), count) == (status, by_short)


@pytest.mark.parametrize(
    ("said", "status", "by_short"),
    [
        (register("Content-Type: application/json"), 204, 1),
        (register("Content-Type: application/json;charset=UTF-8", "Accept: application/json"), 204, 1),
        (register(), 204, 1),
        (register("Content-Type: text/plain"), 415, 1),
        (register(ipAddr=""), 400, 1),
        (eureka("POST", "/eureka/apps/MAIL", body=b""), 400, 1),
        (eureka("POST", "/eureka/apps/MAIL", "Accept: application/json", body=b"{"), 400, 1),
        (eureka("PUT", "/eureka/apps/MAIL/m-1?status=UP&lastDirtyTimestamp=5"), 200, 1),
        (eureka("PUT", "/eureka/v2/apps//mail/m%2D1/", "Content-Type: application/json", "Content-Length: 0"), 200, 1),
        (eureka("PUT", "/v2/apps/mail/m-1", "Accept: application/json"), 200, 1),
        (eureka("PUT", "/eureka/apps/MAIL/m-1?lastDirtyTimestamp=6"), 404, 1),
        (eureka("PUT", "/eureka/apps/MAIL/m-1?lastDirtyTimestamp=now"), 400, 1),
        (eureka("PUT", "/eureka/apps/MAIL/m-1?lastDirtyTimestamp=4", "x-netflix-discovery-replication: true"), 409, 1),
        (eureka("PUT", "/eureka/apps/MAIL/m-2"), 404, 1),
        (eureka("PUT", "/eureka/apps/MAIL/m-1/status?value=Up"), 400, 1),
        (eureka("PUT", "/eureka/apps/MAIL/m-1/metadata?a=1"), 200, 1),
        (eureka("DELETE", "/eureka/apps/MAIL/m-2"), 404, 1),
        (eureka("GET", "/eureka/apps/"), 200, 1),
        (eureka("GET", "/eureka/apps", "Accept: application/json", "Accept-Encoding: gzip"), 200, 1),
        (eureka("GET", "/eureka/apps", "X-Eureka-Accept: compact", "Accept-Encoding: identity"), 200, 1),
        (eureka("GET", "/eureka/apps/delta"), 200, 1),
        (eureka("GET", "/eureka/apps/MAIL"), 200, 1),
        (eureka("GET", "/eureka/apps/NOBODY"), 404, 1),
        (eureka("GET", "/eureka/apps/MAIL/m-1", "Accept: application/json"), 200, 1),
        (eureka("GET", "/eureka/vips/smtp"), 200, 1),
        (eureka("GET", "/eureka/svips/smtp"), 200, 1),
        (eureka("GET", "/eureka/instances/m-1"), 200, 1),
        (eureka("GET", "/eureka/serverinfo/statusoverrides"), 200, 1),
        (eureka("GET", "/eureka/status", "Accept: application/json"), 200, 1),
        (eureka("PUT", "/eureka/asg/some/status?value=ENABLED"), 400, 1),
        (eureka("GET", "/eureka/elsewhere"), 404, 1),
        (eureka("DELETE", "/eureka/apps"), 405, 1),
        (eureka("GET", "/eureka/apps#x"), 200, 0),
        (eureka("PATCH", "/eureka/apps"), 405, 0),
        (eureka("GET", "/eureka/apps", "Connection: close"), 200, 0),
        (eureka("HEAD", "/eureka/apps/NOBODY"), 404, 0),
    ],
)
async def test_both_ways_answer_eurekas_calls_alike(front: Front, said: bytes, status: int, by_short: int) -> None:
    await say(register("Connection: close"))
    answers, count = await both(said)
    assert (int(answers[0][0].split()[1]), count) == (status, by_short)


@pytest.mark.parametrize("path", ["apps", "apps/delta", "apps/MAIL", "vips/smtp"])
async def test_long_lists_are_made_in_turns_and_answered_alike(path: str) -> None:
    front = Front(instances_per_service=1000)
    call = call_of("POST", "/eureka/apps/MAIL", "", manner_of(lambda _: ""))
    for n in range(450):
        answer = front.eureka.answer(call, json.dumps({"instance": MAIL | {"instanceId": f"m-{n}"}}).encode())
        assert isinstance(answer, Answer)
        assert answer.status == 204
    async with front.open():
        for accept in ("application/json", "*/*"):
            answers, count = await both(eureka("GET", f"/eureka/{path}", f"Accept: {accept}") * 2)
            assert count == 2
            assert all(answer[2].count(b"instanceId") in (450, 900) for answer in answers[:2])


async def test_after_the_short_way_aiohttp_does_the_rest(front: Front) -> None:
    await say(post("instances", an("kept", gen=5), "Connection: close"))
    for rest in (GET, GET.replace(b"GET", b"HEAD"), BEAT.replace(b"POST", b"PUT")):
        _, count = await both(BEAT * 3 + rest + BEAT)
        assert count == 3
    heard = await say(BEAT * 3 + b"nonsense\r\n\r\n")
    assert [int(each.split()[1]) for each in heard] == [200, 200, 200, 400]


async def test_an_expected_hundred_is_given(front: Front) -> None:
    answers, count = await both(BEAT.replace(b"Host", b"Expect: 100-continue\r\nHost"))
    assert [each[0].split()[1] for each in answers] == [b"100", b"200", b"404"]
    assert count == 0


@pytest.mark.parametrize("size", [1, 7, 64])
async def test_requests_in_pieces_are_answered_alike(front: Front, size: int) -> None:
    said = BEAT * 2 + post("heartbeats", {"keys": ["a/b"]}) + LAST
    pieces = [said[at : at + size] for at in range(0, len(said), size)]
    assert [plain(each) for each in await say(*pieces)] == [plain(each) for each in (await say(GET, said))[1:]]


async def test_both_ways_say_what_is_stale() -> None:
    before = a_node(now=clock.now())
    Registry(before).register(Registration(app="OLD", instance="i1", host="h", ip="h"), clock.now())
    node = Node(
        "A",
        "http://a",
        [],
        sysplex="PLEX1",
        now=clock.now(),
        wall_ms=clock.wall_ms(),
        rng=random.Random(1),
        image=before.image(clock.now()),
    )
    async with Front(node).open():
        answers, count = await both(post("heartbeats", {"keys": []}))
    assert count == 1
    assert b"X-Plexmesh-Stale: true" in answers[0][1]


@pytest.mark.parametrize("path", ["apps/", "apps/delta", "apps/MAIL", "vips/smtp"])
async def test_lists_wait_for_a_joining_node_and_then_say_that_they_may_be_stale(path: str) -> None:
    hold_s = 0.5
    front = Front(a_node(now=clock.now(), seeds=["http://b"], policy=Policy(hold_s=hold_s)))
    assert not front.node.covered
    async with front.open():
        await say(register("Connection: close"))
        begun = clock.now()
        asked = [asyncio.create_task(both(eureka("GET", f"/eureka/{path}"))) for _ in range(3)]
        (beat,) = await say(eureka("PUT", "/eureka/apps/MAIL/m-1", "Connection: close"))
        assert beat.startswith(b"HTTP/1.1 200 ")
        assert not any(each.done() for each in asked), "heartbeats do not wait"
        for answers, count in await asyncio.gather(*asked):
            assert count == 1
            assert answers[0][0] == b"HTTP/1.1 200 OK"
            assert b"X-Plexmesh-Stale: true" in answers[0][1]
    assert clock.now() - begun >= hold_s


async def test_both_ways_hold_the_same_pace() -> None:
    front = Front(registrations_per_s=0.001, registrations_burst=1)
    async with front.open():
        assert (await both(post("heartbeats", {"keys": []})))[1] == 1
        short = await say(post("instances", an("first")) + post("instances", an("second")) + LAST)
        long = await say(GET, post("instances", an("second")) + LAST)
    for refused in (short[1], long[1]):
        status, fields, body = plain(refused)
        assert (status, json.loads(body)["status"]) == (b"HTTP/1.1 429 Too Many Requests", 429)
        assert any(re.fullmatch(rb"Retry-After: \d+", each) for each in fields)
    assert plain(short[1])[2] == plain(long[1])[2]


async def test_both_ways_count_the_requests_in_flight() -> None:
    front = Front(in_flight_max=1)
    async with front.open():
        reader, writer = await asyncio.open_connection(HOST, PORT)
        for _ in range(2):
            writer.write(BEAT[:-1])
            await beaten(503)
            answers, count = await both(BEAT)
            assert (answers[0][0], count) == (b"HTTP/1.1 503 Service Unavailable", 1)
            assert b"Retry-After: 1" in answers[0][1]
            other_reader, other = await asyncio.open_connection(HOST, PORT)
            other.write(BEAT[:-1])
            assert await other_reader.readline() == b"HTTP/1.1 503 Service Unavailable\r\n"
            other.close()
            writer.write(BEAT[-1:])
            assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 OK\r\n")
            assert (await both(BEAT))[0][0][0] == b"HTTP/1.1 200 OK"
        writer.write(BEAT[:-1])
        await beaten(503)
        writer.close()
        await beaten(200)


@pytest.mark.parametrize("said", [b"", b"P", b"POST /v1/heart", BEAT[:-1]])
async def test_who_does_not_say_what_it_wants_is_sent_away(said: bytes) -> None:
    async with Front().open(idle_s=0.02) as doorway:
        assert await say(said) == []
        await until(lambda: not doorway.streams)
