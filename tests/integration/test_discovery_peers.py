"""The peer path between real nodes: who is listened to, what is told to whom, and what is said about it."""

from __future__ import annotations

import http.client
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from discovery import auth, messages
from discovery.auth import Signer, Stale, Verifier
from discovery.keyring import KeyRing, new_key, parse
from discovery.messages import Ping, Pong, Sender
from tests.fakes import until
from tests.integration.discovery_rig import LPAR1, LPAR2, PORT, DiscoveryNode, running
from tests.integration.launcher_rig import poll

KINDS = ("ping", "ask", "found", "push", "sync", "touch")
NOBODY = Sender("LPAR9@1", "http://127.0.75.255:7553")
PING = messages.encode("PLEX1", NOBODY, Ping(0, []))

Answer = tuple[int, dict[str, str], bytes]


def post(header: str | None, body: bytes, kind: str = "ping") -> Answer:
    """One signed or unsigned request to the node of LPAR1."""
    connection = http.client.HTTPConnection(LPAR1, PORT, timeout=10)
    try:
        connection.request("POST", f"/peer/v1/{kind}", body, {auth.MAC: header} if header is not None else {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def ring(folder: Path) -> KeyRing:
    return parse((folder / "volume" / "gossip.key").read_text())


def greeted(keys: KeyRing) -> Signer:
    """A signer that LPAR1 has given a nonce."""
    signer = Signer()
    header, mac = signer.sign(keys, "POST", "/peer/v1/ping", b"")
    status, headers, body = post(header, b"")
    assert (status, body) == (401, b"")
    signer.challenged(keys, mac, headers[auth.NONCE])
    return signer


@pytest.fixture
def node(tmp_path: Path) -> Iterator[DiscoveryNode]:
    """One node that holds the instance `secret-1`."""
    alone = DiscoveryNode(tmp_path, "LPAR1", LPAR1, LPAR1)
    with running(alone):
        alone.register("secret-1")
        yield alone


def test_a_stranger_is_told_nothing(node: DiscoveryNode) -> None:
    assert (node.data / "volume" / "gossip.key").stat().st_mode & 0o777 == 0o600
    known = ring(node.data).ids[0]
    wrong, _ = Signer().sign(parse(new_key()), "POST", "/peer/v1/ping", b"")
    denied = 'messages_denied_total{why="stranger"}'
    assert node.metric(denied) == 0
    answers = {
        (status, auth.NONCE in headers, body)
        for kind in KINDS
        for header in (None, "", "a:b:c:d", wrong, f"{known}:{'0' * 48}:1:{'0' * 64}")
        for status, headers, body in (post(header, PING, kind),)
    }
    ((status, nonce_given, body),) = answers  # the same whatever is asked, and however
    assert (status, nonce_given) == (403, False)
    assert b"secret-1" not in body
    assert b"LPAR1@" not in body
    assert node.metric(denied) == len(KINDS) * 5


def test_a_recorded_request_is_taken_only_once_and_never_by_the_next_boot(node: DiscoveryNode) -> None:
    keys = ring(node.data)
    signer = greeted(keys)
    header, mac = signer.sign(keys, "POST", "/peer/v1/ping", PING)
    status, headers, body = post(header, PING)
    assert status == 200
    auth.check_answer(keys, mac, 200, headers[auth.MAC], body)
    assert isinstance(messages.decode("PLEX1", body).body, Pong)
    for _ in range(2):
        assert post(header, PING)[::2] == (401, b"")
    unused, _ = signer.sign(keys, "POST", "/peer/v1/ping", PING)
    assert post(unused, PING, kind="sync")[0] == 403
    node.kill()
    node.started()
    assert post(header, PING)[::2] == (401, b"")
    assert post(unused, PING)[::2] == (401, b"")


def test_what_cannot_be_read_is_answered_with_the_reason(node: DiscoveryNode) -> None:
    keys = ring(node.data)
    signer = greeted(keys)
    for body, reason in (
        (messages.encode("PLEX2", NOBODY, Ping(0, [])), b"sysplex 'PLEX2', this node is in 'PLEX1'"),
        (messages.encode("PLEX1", NOBODY, Pong(0, [])), b"expected a request"),
        (b"\xff nonsense", b"peer message: "),
    ):
        header, mac = signer.sign(keys, "POST", "/peer/v1/ping", body)
        status, headers, said = post(header, body)
        auth.check_answer(keys, mac, status, headers[auth.MAC], said)
        assert status == 400
        assert reason in said


def test_keys_are_changed_under_way_and_a_bad_file_is_said_once(tmp_path: Path) -> None:
    nodes = [
        DiscoveryNode(tmp_path, lpar, host, LPAR1, LPAR2, keys_s=0.1)
        for lpar, host in (("LPAR1", LPAR1), ("LPAR2", LPAR2))
    ]
    with running(*nodes):
        first, second = nodes
        file = tmp_path / "volume" / "gossip.key"
        old, new = file.read_text().strip(), new_key()
        for step, text in enumerate((f"{old}\n{new}\n", f"{new}\n{old}\n", f"{new}\n"), 1):
            replace(file, text)
            for node in nodes:
                poll("the ring is changed", lambda node=node, step=step: len(node.events("keys.changed")) == step)
            first.register(f"i{step}")
            poll("both go on speaking", lambda step=step: f"i{step}" in second.instances())
        header, _ = Signer().sign(parse(old), "POST", "/peer/v1/ping", b"")
        assert post(header, b"")[0] == 403
        greeted(parse(new))
        replace(file, "gone wrong\n")
        for node in nodes:
            assert "line 1" in node.awaited("keys.refused")["reason"]
        replace(file, "gone wrong\n")
        second.register("i4")
        poll("the old ring stays", lambda: "i4" in first.instances())
        for node in nodes:
            assert node.events("owner.changed") == []
            assert [each for each in node.events("peer.failed") if "403" in each["reason"]] == []
            assert len(node.events("keys.refused")) == 1


def replace(file: Path, text: str) -> None:
    """At once, so that no half of it is read."""
    aside = file.with_suffix(".aside")
    aside.write_text(text)
    aside.replace(file)


def test_a_bad_key_file_at_start_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume" / "gossip.key").write_text("abc\n")
    node = DiscoveryNode(tmp_path, "LPAR1", LPAR1, LPAR1)
    node.start()
    assert node.process is not None
    assert node.process.wait(30) == 2
    said = node.log.read_text().strip()
    assert said.startswith("plexmesh: ")
    assert "gossip.key: cannot use the gossip keys: line 1: expected a key of 64 hex digits" in said
    assert "\n" not in said


def test_a_node_of_another_sysplex_is_told_so_once_and_both_go_on_alone(tmp_path: Path) -> None:
    ours = DiscoveryNode(tmp_path, "LPAR1", LPAR1, LPAR1)
    other = DiscoveryNode(tmp_path, "LPAR2", LPAR2, LPAR1, LPAR2, sysplex="OTHER")
    with running(ours):
        ours.register("i1")
        with running(other):
            failure = other.awaited("peer.failed")
            assert failure["reason"] == "answered 400: peer message: sysplex 'OTHER', this node is in 'PLEX1'"
            assert failure["peer"] == ours.url
            failed = "message_failures_total"
            asked = other.metric(failed)
            poll("it has asked again", lambda: other.metric(failed) > asked)
            assert len(other.events("peer.failed")) == 1
            assert other.instances() == set()
            assert ours.peer_states() == {}


@asynccontextmanager
async def peer_of_protocol(number: int, keys: KeyRing) -> AsyncIterator[list[str]]:
    """Answers on LPAR2 as a node of that protocol version would; gives the paths asked for."""
    verifier, asked = Verifier(lambda: keys, b"a boot"), list[str]()

    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        try:
            mac = verifier.check("POST", request.path, request.headers[auth.MAC], body)
        except Stale as stale:
            return web.Response(status=401, headers={auth.NONCE: stale.nonce})
        asked.append(request.path)
        said = msgspec.msgpack.encode(["PLEX1", number, {"who": "knows"}])
        return web.Response(body=said, headers={auth.MAC: verifier.seal(mac, 200, said)})

    app = web.Application()
    app.router.add_post("/peer/v1/{kind}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, LPAR2, PORT).start()
    try:
        yield asked
    finally:
        await runner.cleanup()


async def test_a_peer_of_another_protocol_version_is_named_once(tmp_path: Path) -> None:
    key = new_key()
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume" / "gossip.key").write_text(key)
    node = DiscoveryNode(tmp_path, "LPAR1", LPAR1, LPAR1, LPAR2)
    async with peer_of_protocol(99, parse(key)) as asked:
        try:
            node.start()
            await until(lambda: len(asked) >= 4, "it is asked again and again")
            (failure,) = node.events("peer.failed")
            assert failure["reason"] == f"peer message: protocol 99, this node speaks {messages.PROTOCOL}"
            await until(lambda: node.events("node.covered"), "it takes itself to be alone")
        finally:
            node.kill()


def test_a_clock_an_hour_off_is_said_once_and_changes_nothing(tmp_path: Path) -> None:
    right = DiscoveryNode(tmp_path, "LPAR1", LPAR1, LPAR1, LPAR2)
    wrong = DiscoveryNode(tmp_path, "LPAR2", LPAR2, LPAR1, LPAR2, clock_offset_s=-3600)
    with running(right, wrong):
        right.awaited("clock.differs")
        wrong.awaited("clock.differs")
        right.register("i1", "i2")
        wrong.register("i2", "i3")
        for node in (right, wrong):
            poll("both have all", lambda node=node: node.instances() == {"i1", "i2", "i3"})
        assert wrong.eureka("DELETE", "ORDERS/i1") == 200
        assert right.eureka("DELETE", "ORDERS/i3") == 200
        for node in (right, wrong):
            poll("both have the same", lambda node=node: node.instances() == {"i2"})
            assert len(node.events("clock.differs")) == 1
            assert abs(abs(node.events("clock.differs")[0]["by_s"]) - 3600) <= 5


def test_a_node_that_leaves_is_not_suspected_and_takes_farewells_to_the_end(tmp_path: Path) -> None:
    leaving = DiscoveryNode(tmp_path, "LPAR1", LPAR1, LPAR1, LPAR2, drain_s=4)
    staying = DiscoveryNode(tmp_path, "LPAR2", LPAR2, LPAR1, LPAR2)
    with running(leaving, staying):
        leaving.register("i1", "i2")
        poll("the other has them", lambda: staying.instances() == {"i1", "i2"})
        assert leaving.process is not None
        leaving.process.terminate()
        assert staying.awaited("owner.changed")["state"] == "dead"
        assert staying.peer_states() == {leaving.url: "left"}
        assert leaving.eureka("DELETE", "ORDERS/i2") == 200
        assert leaving.process.wait(15) == 0
        assert staying.instances() == {"i1"}
        assert staying.eureka("PUT", "ORDERS/i1") == 200
        assert staying.awaited("lease.adopted")["key"] == "orders/i1"
        assert [each["state"] for each in staying.events("owner.changed")] == ["dead"]
