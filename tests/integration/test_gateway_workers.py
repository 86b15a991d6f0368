"""A parent and its workers: the load is shared, what dies is replaced and said, a reload loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import yaml

from gateway.config import GatewayConfig
from tests.fakes import Caller, FakeDiscovery, RawInstance, an_instance, answer, answering, running, until
from tests.integration.gateway_crew_rig import (
    DISCOVERY,
    GET,
    HOST,
    INSTANCE,
    PORT,
    VIPA_HOST,
    CrewRig,
    Load,
    a_crew,
    lives,
    signalled,
    spawned,
)  # fmt: skip
from tests.integration.gateway_rig import Client, on_uvloop, started

HELD = b"GET /orders/api/v1/held HTTP/1.1\r\nHost: g\r\n\r\n"
UPGRADE = (
    b"GET /orders/ws/v1/ HTTP/1.1\r\nHost: g\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def hold_some(caller: Caller) -> None:
    """Answers, but `held` only after a moment; an upgrade becomes an echo."""
    while head := await caller.head():
        if b"Upgrade:" in head:
            await caller.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            while data := await caller.reader.read(1000):
                await caller.send(data)
            return
        if b"Content-Length: 2" in head:
            await caller.reader.readexactly(2)
        if b"/held" in head:
            await asyncio.sleep(1.5)
        await caller.send(answer(b"ok"))


# --- serving


@on_uvloop
async def test_workers_share_the_load_and_the_metrics_are_exactly_the_calls_made(tmp_path: Path) -> None:
    async with a_crew(tmp_path) as rig:
        orders = ("requests_total", 'upstream="orders"', 'route="api/v1"', 'status="2xx"')
        for count in range(1, 31):
            assert (await rig.ask(GET)).body == b"ok"
            assert await rig.metric(*orders) == count
        clients = [await Client.to(HOST, PORT) for _ in range(40)]
        async with asyncio.timeout(5):
            while sum(connections := [each["connections"] for each in await rig.workers()]) < 40:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert min(connections) >= 5, connections
        for client in clients:
            client.close()
        assert await rig.metric("request_seconds_count", 'upstream="orders"') == 30
        assert await rig.metric("workers") == 2


@on_uvloop
async def test_own_pages_come_from_the_parent_and_see_what_any_worker_sees(tmp_path: Path) -> None:
    async with a_crew(tmp_path) as rig:
        assert json.loads((await rig.get("/application/info")).body)["pid"] == rig.process.pid
        rig.discovery.put(an_instance("gone", 9, "127.0.64.1"))
        async with asyncio.timeout(5):
            while (await rig.get("/gone/api/v1/")).status != 503:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        upstreams = json.loads((await rig.get("/gateway/v1/upstreams")).body)["upstreams"]
        views = {each["service"]: each["instances"][0]["view"] for each in upstreams}
        assert views == {"orders": "fine", "gone": "UNREACHABLE"}


@on_uvloop
async def test_what_the_pages_show_is_routed_by_every_worker(tmp_path: Path) -> None:
    async with a_crew(tmp_path) as rig:
        for number in range(10):
            service = f"late{number}"
            rig.discovery.put(an_instance(service, 9000, INSTANCE, lpar="LPAR2"))
            async with asyncio.timeout(5):
                while service not in (await rig.get("/gateway/v1/upstreams")).body.decode():
                    pass
            for _ in range(6):
                assert (await rig.get(f"/{service}/api/v1/")).status == 200


@on_uvloop
async def test_the_sysplex_address_is_left_and_entered_by_all(tmp_path: Path) -> None:
    async with a_crew(tmp_path) as rig:
        assert (await rig.ask(GET, VIPA_HOST)).status == 200
        assert await place(rig, "out") == "out"
        with pytest.raises(ConnectionRefusedError):
            await Client.to(VIPA_HOST, PORT)
        assert await place(rig, "in") == "in"
        assert (await rig.ask(GET, VIPA_HOST)).status == 200


async def place(rig: CrewRig, state: str) -> str:
    body = json.dumps({"state": state}).encode()
    got = await rig.ask(b"PUT /gateway/v1/vipa HTTP/1.1\r\nHost: g\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    return str(json.loads(got.body)["state"])


# --- dying


@on_uvloop
async def test_a_killed_worker_takes_only_its_calls_with_it_and_is_replaced(tmp_path: Path) -> None:
    async with a_crew(tmp_path) as rig:
        before = await rig.pids()
        load = Load(HOST)
        async with load.running():
            await load.more(100)
            victim = min(before)
            signalled(victim, signal.SIGKILL)
            await until(lambda: rig.said("worker.died"))
            await load.more(2 * load.callers)
            cut = len(load.failed)
            after = await rig.serving(2, without=victim)
            await load.more(100)
        assert len(after & before) == 1
        assert len(load.failed) == cut, load.failed
        assert cut <= 2 * load.callers, "its calls, and those that came while it fell"
        died = rig.said("worker.died")
        assert [(each["pid"], each["how"]) for each in died] == [(victim, "killed by SIGKILL")]
        assert len(rig.said("worker.started")) == 3


@on_uvloop
async def test_counters_do_not_go_down_when_a_worker_dies(tmp_path: Path) -> None:
    async with a_crew(tmp_path, behave=hold_some) as rig:
        for _ in range(30):
            await rig.ask(GET)
        sockets = [await Client.to(HOST, PORT) for _ in range(6)]
        for each in sockets:
            assert (await each.ask(UPGRADE)).status == 101
        assert await rig.metric("tunnels") == 6
        counted = await rig.metric("requests_total", 'upstream="orders"')
        assert counted >= 30
        for victim in await rig.pids():
            signalled(victim, signal.SIGKILL)
            await rig.serving(2, without=victim)
        assert await rig.metric("requests_total", 'upstream="orders"') == counted
        assert await rig.metric("tunnels") == 0, "what is open now is not in the sum of the dead"
        assert await rig.metric("endpoints ") == 1
        for each in sockets:
            each.close()


@on_uvloop
async def test_a_stopped_worker_is_killed_and_replaced(tmp_path: Path) -> None:
    async with a_crew(tmp_path) as rig:
        victim = min(await rig.pids())
        signalled(victim, signal.SIGSTOP)
        began = time.monotonic()
        await until(lambda: len(rig.said("worker.died")) == 1)
        assert 1.5 < time.monotonic() - began < 5.5
        assert rig.said("worker.died")[0]["how"] == "killed: it was silent for too long"
        await rig.serving(2, without=victim)


@on_uvloop
async def test_workers_survive_that_all_of_them_were_stopped_for_long(tmp_path: Path) -> None:
    """A pause of the whole gateway, or of the machine, is nobody's silence."""
    async with a_crew(tmp_path) as rig:
        processes = [rig.process.pid, *[each.pid for each in rig.children()]]
        pids = await rig.pids()
        for pid in processes:
            signalled(pid, signal.SIGSTOP)
        await asyncio.sleep(4.5)  # longer than silence is suffered
        for pid in processes:
            signalled(pid, signal.SIGCONT)
        await asyncio.sleep(1.5)  # the parent has looked after them
        assert await rig.pids() == pids
        assert not rig.said("worker.died")


@on_uvloop
async def test_workers_die_with_their_parent(tmp_path: Path) -> None:
    async with a_crew(tmp_path) as rig:
        workers = rig.children()
        assert len(workers) == 2
        workers[0].suspend()  # so that it cannot find out by itself
        rig.process.kill()
        began = time.monotonic()
        await until(lambda: not any(map(lives, workers)))
        assert time.monotonic() - began < 1
        with pytest.raises(ConnectionRefusedError):
            await Client.to(HOST, PORT)


@on_uvloop
async def test_one_that_dies_young_again_and_again_is_not_started_without_pause(tmp_path: Path) -> None:
    async with a_crew(tmp_path) as rig:
        stop = time.monotonic() + 4.0
        while time.monotonic() < stop:
            for child in rig.children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            await asyncio.sleep(0.02)
        starts = len(rig.said("worker.started"))
        assert 4 <= starts <= 16, starts  # pauses of 0, 0.2, 0.4, 0.8 and 1.6 s fit in, for two
        await rig.serving(2)


# --- the parent


@on_uvloop
async def test_the_parent_survives_without_descriptors(tmp_path: Path) -> None:
    async with a_crew(tmp_path) as rig:
        victim = min(await rig.pids())
        few = psutil.Process(rig.process.pid).num_fds()
        limits = resource.prlimit(rig.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(rig.process.pid, resource.RLIMIT_NOFILE, (few, limits[1]))
        clients = [await Client.to(HOST, PORT) for _ in range(20)]
        for client in clients:
            await client.send(b"GET /application/info HTTP/1.1\r\nHost: g\r\n\r\n")
        await until(lambda: len(rig.said("pages.paused")) > 3)
        assert (await rig.ask(GET)).body == b"ok", "calls need nothing of the parent"
        signalled(victim, signal.SIGKILL)
        await until(lambda: rig.said("worker.not_started"))
        resource.prlimit(rig.process.pid, resource.RLIMIT_NOFILE, limits)
        await rig.serving(2, without=victim)
        assert len(rig.said("pages.paused")) < 100, "it waits, and does not turn in circles"
        for client in clients:
            client.close()


ASK_UNIX = """
import socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.connect(chr(0) + sys.argv[1])
sock.settimeout(5)
try:
    sock.sendall(b"GET /application/live HTTP/1.1\\r\\nHost: g\\r\\n\\r\\n")
    print(sock.recv(12).decode())
except ConnectionError:
    pass
"""


def ask_pages_directly(rig: CrewRig, uid: int) -> str:
    """As a process of that user; empty when it is turned away."""
    names = [line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines()]
    name = next(each[1:] for each in names if each.startswith(f"@plexmesh-gateway-{rig.process.pid}-"))
    command = ["/usr/bin/python3", "-I", "-c", ASK_UNIX, name]
    return subprocess.run(command, user=uid, cwd="/", capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a process of another user")
@on_uvloop
async def test_other_users_reach_the_own_pages_through_a_worker_only(tmp_path: Path) -> None:
    async with a_crew(tmp_path, 1) as rig:
        assert await asyncio.to_thread(ask_pages_directly, rig, 0) == "HTTP/1.1 200"
        assert await asyncio.to_thread(ask_pages_directly, rig, 65534) == ""


# --- leaving


@on_uvloop
async def test_sigterm_lets_calls_end_and_ends_with_0(tmp_path: Path) -> None:
    async with a_crew(tmp_path, behave=hold_some, drain_s=3) as rig:
        workers = rig.children()
        async with await Client.to(HOST, PORT) as idle, await Client.to(HOST, PORT) as busy:
            assert (await idle.ask(GET)).body == b"ok"
            await busy.send(HELD)
            await until(lambda: True)
            rig.process.send_signal(signal.SIGTERM)
            answered = await busy.answer()
            assert (answered.body, answered.header("Connection")) == (b"ok", "close")
            assert await idle.ended()
        async with asyncio.timeout(5):
            assert await rig.process.wait() == 0
        assert not any(map(lives, workers))
        assert [each["cut"] for each in rig.said("gateway.drained")] == [0, 0]
        assert [each["how"] for each in rig.said("worker.ended")] == ["exit code 0", "exit code 0"]


@on_uvloop
async def test_a_websocket_is_closed_when_the_drain_is_over(tmp_path: Path) -> None:
    async with a_crew(tmp_path, behave=hold_some, drain_s=0.5) as rig, await Client.to(HOST, PORT) as client:
        assert (await client.ask(UPGRADE)).status == 101
        rig.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(ConnectionResetError):
            assert await client.reader.read() == b""
        async with asyncio.timeout(5):
            assert await rig.process.wait() == 0


@on_uvloop
async def test_a_signal_to_the_whole_group_is_the_parents(tmp_path: Path) -> None:
    """As a launcher or a terminal sends it: the order of leaving is the same."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        async with a_crew(tmp_path, behave=hold_some, drain_s=3) as rig, await Client.to(HOST, PORT) as busy:
            await busy.send(HELD)
            for pid in [*[each.pid for each in rig.children()], rig.process.pid]:
                signalled(pid, number)
            assert (await busy.answer()).body == b"ok"
            async with asyncio.timeout(5):
                assert await rig.process.wait() == 0
            assert not rig.said("worker.died")


@on_uvloop
async def test_a_terminals_signal_does_not_reach_a_worker_that_only_begins(tmp_path: Path) -> None:
    async with a_crew(tmp_path) as rig:
        before = await rig.pids()
        signalled(min(before), signal.SIGKILL)
        await until(lambda: len(rig.said("worker.started")) == 3)
        for number in (signal.SIGINT, signal.SIGHUP):
            signalled(rig.said("worker.started")[-1]["pid"], number)
        await rig.serving(2, without=min(before))
        assert len(rig.said("worker.died")) == 1


@on_uvloop
async def test_whoever_was_accepted_when_the_gateway_leaves_is_answered(tmp_path: Path) -> None:
    async with a_crew(tmp_path, drain_s=3) as rig:
        load = Load(HOST, pause_s=0)
        async with load.running():
            await load.more(100)
            rig.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(8):
                assert await rig.process.wait() == 0
        assert [each for each in load.failed if not each.startswith("ConnectionRefusedError")] == []


@on_uvloop
async def test_the_last_calls_are_in_the_access_log(tmp_path: Path) -> None:
    async with a_crew(tmp_path, 1, behave=hold_some, drain_s=0.3) as rig, await Client.to(HOST, PORT) as busy:
        log = tmp_path / "LPAR1" / "logs" / "gateway-access.log"
        await busy.send(HELD)  # it will be cut
        assert (await rig.ask(GET)).body == b"ok"
        rig.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            assert await rig.process.wait() == 0
        lines = log.read_text()
        assert "/orders/api/v1/x" in lines
        assert "/orders/api/v1/held" in lines


@on_uvloop
async def test_calls_in_the_queue_of_a_gateway_that_leaves_are_answered(tmp_path: Path) -> None:
    async with a_crew(tmp_path, 1, drain_s=3) as rig:
        (worker,) = rig.children()
        worker.suspend()
        clients = [await Client.to(HOST, PORT) for _ in range(150)]  # more than are accepted at a time
        for client in clients:
            await client.send(GET)
        rig.process.send_signal(signal.SIGTERM)
        await until(lambda: rig.said("gateway.leaving"))
        worker.resume()
        for client in clients:
            assert (await client.answer()).body == b"ok"
            client.close()


@on_uvloop
async def test_whoever_is_accepted_in_the_last_step_is_answered() -> None:
    config = GatewayConfig(host=HOST, port=PORT, vipa="", access_log="off")
    async with started(config) as gateway:
        sock = socket.create_connection((HOST, PORT), timeout=5)  # by the kernel; the gateway has not seen it yet
        with sock:
            sock.sendall(b"GET /application/live HTTP/1.1\r\nHost: g\r\n\r\n")
            await gateway.stop()
            assert sock.recv(12) == b"HTTP/1.1 200"


@on_uvloop
async def test_a_call_that_comes_late_while_the_gateway_leaves_is_waited_for(tmp_path: Path) -> None:
    async with a_crew(tmp_path, 1, behave=hold_some, drain_s=3) as rig:
        rig.discovery.registrations = True
        await until(lambda: rig.discovery.registered)
        rig.process.send_signal(signal.SIGTERM)
        await until(lambda: b"OUT_OF_SERVICE" in rig.discovery.registered[-1][2])
        assert (await rig.ask(GET)).header("Connection") == "close"  # and then no client is left
        async with await Client.to(HOST, PORT) as late:
            assert (await late.ask(HELD)).body == b"ok"


@on_uvloop
async def test_sigterm_to_a_worker_replaces_it_without_a_failed_call(tmp_path: Path) -> None:
    async with a_crew(tmp_path) as rig:
        before = await rig.pids()
        load = Load(HOST)
        async with load.running():
            await load.more(50)
            signalled(min(before), signal.SIGTERM)
            after = await rig.serving(2, without=min(before))
            await load.more(50)
        assert len(after & before) == 1
        assert not load.failed, load.failed
        await until(lambda: rig.said("worker.ended"))
        assert not rig.said("worker.died")


# --- reload


@pytest.mark.parametrize("host", [HOST, VIPA_HOST])
@on_uvloop
async def test_no_call_fails_in_a_reload_under_load(host: str, tmp_path: Path) -> None:
    async with a_crew(tmp_path) as rig:
        before = await rig.pids()
        load = Load(host)
        async with load.running():
            await load.more(100)
            got = await rig.put("/gateway/v1/reload")
            assert got.status == 200, got.body
            await load.more(100)
        assert not load.failed, load.failed
        assert not await rig.pids() & before
        calls = await rig.metric("requests_total", 'upstream="orders"', 'status="2xx"')
        assert calls == load.done
        await until(lambda: len(rig.said("worker.ended")) == 2)
        assert not rig.said("worker.died")


@on_uvloop
async def test_calls_and_websockets_of_a_replaced_worker_go_on(tmp_path: Path) -> None:
    async with a_crew(tmp_path, 1, behave=hold_some, reload_drain_s=3) as rig:
        async with await Client.to(HOST, PORT) as held, await Client.to(HOST, PORT) as tunnel:
            assert (await tunnel.ask(UPGRADE)).status == 101
            await held.send(HELD)
            assert (await rig.put("/gateway/v1/reload")).status == 200
            assert [each["state"] for each in await rig.workers()] == ["draining", "serving"]
            assert (await held.answer()).body == b"ok"
            tunnel.writer.write(b"still")
            assert await tunnel.reader.readexactly(5) == b"still"
            assert await rig.metric("tunnels") == 1
            with contextlib.suppress(ConnectionResetError):
                assert await tunnel.reader.read() == b""  # at the deadline
        assert await rig.metric("tunnels") == 0


@on_uvloop
async def test_a_reload_takes_up_the_configuration_as_it_is_now(tmp_path: Path) -> None:
    file = Configuration(tmp_path)
    async with a_crew(tmp_path, 0, environ=file.environ) as rig:
        await rig.serving(1)
        assert (await rig.ask(GET)).header("X-Plexmesh-Path")
        file.write(workers=2, pathHeader=False)
        assert (await rig.put("/gateway/v1/reload")).status == 200
        assert len(await rig.pids()) == 2
        assert {(await rig.ask(GET)).header("X-Plexmesh-Path") for _ in range(10)} == {None}
        file.write(workers=1, pathHeader=True)
        assert (await rig.put("/gateway/v1/reload")).status == 200
        assert len(await rig.pids()) == 1
        assert (await rig.ask(GET)).header("X-Plexmesh-Path")


@on_uvloop
async def test_a_wrong_configuration_is_refused_before_anything_is_replaced(tmp_path: Path) -> None:
    file = Configuration(tmp_path)
    async with a_crew(tmp_path, 0, environ=file.environ) as rig:
        before = await rig.serving(1)
        wrongs: list[tuple[dict[str, object], str]] = [
            ({"pathHaeder": True}, "pathHeader"), ({"workers": 0}, "workers"), ({"port": 7555}, "port cannot change"),
        ]  # fmt: skip
        for wrong, word in wrongs:
            file.write(**wrong)
            got = await rig.put("/gateway/v1/reload")
            assert got.status == 400
            assert word in got.content
        assert await rig.pids() == before
        assert len(rig.said("worker.started")) == 1


@on_uvloop
async def test_a_reload_that_cannot_succeed_leaves_the_old_workers(tmp_path: Path) -> None:
    """New workers never learn the registry: its node has gone."""
    async with a_crew(tmp_path) as rig:
        before = await rig.pids()
        await rig.discovery.stop()
        reload = asyncio.create_task(rig.put("/gateway/v1/reload"))
        await until(lambda: len(rig.said("worker.started")) == 3)
        assert (await rig.put("/gateway/v1/reload")).status == 409
        for child in rig.children():
            if child.pid not in before:
                child.kill()
        got = await reload
        assert got.status == 503
        assert "killed by SIGKILL" in got.content
        assert (await rig.ask(GET)).body == b"ok"
        assert await rig.pids() == before


class Configuration:
    """A plexmesh.yaml for the gateway."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "plexmesh.yaml"
        self.environ = {"PLEXMESH_CONFIG": str(self._path)}
        self.write()

    def write(self, **section: object) -> None:
        tree = {
            "components": {"gateway": section, "discovery": {}},
            "haInstances": {"LPAR1": {"hostname": HOST}},
            "plexmesh": {"sysplex": "PLEX1"},
        }
        self._path.write_text(yaml.safe_dump(tree))


# --- beginning


@on_uvloop
async def test_a_port_in_use_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    async with running(RawInstance(HOST, PORT, answering(b""))):
        rig = await spawned(tmp_path, FakeDiscovery(DISCOVERY), 2)
        assert await rig.process.wait() == 2
        assert f"{HOST}:{PORT} is in use" in rig.log.read_text()
        assert len(rig.log.read_text().splitlines()) == 1


@on_uvloop
async def test_a_second_gateway_of_the_same_user_is_refused_the_port(tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    async with a_crew(tmp_path) as rig:
        second = await spawned(tmp_path / "second", rig.discovery, 2)
        assert await second.process.wait() == 2
        assert f"{HOST}:{PORT} is in use" in second.log.read_text()


@pytest.mark.parametrize("workers", ["0", "some"])
@on_uvloop
async def test_a_wrong_number_of_workers_is_one_line_and_exit_code_2(workers: str, tmp_path: Path) -> None:
    rig = await spawned(tmp_path, FakeDiscovery(DISCOVERY), workers)
    assert await rig.process.wait() == 2
    (line,) = rig.log.read_text().splitlines()
    assert "components.gateway.workers: expected 1 to 64, or auto" in line
    assert workers in line


@on_uvloop
async def test_auto_is_one_worker_per_core(tmp_path: Path) -> None:
    async with a_crew(tmp_path, "auto", environ={}) as rig:
        await until(lambda: len(rig.children()) == len(psutil.Process().cpu_affinity() or []))


@on_uvloop
async def test_the_own_pages_say_what_is_missing_without_discovery(tmp_path: Path) -> None:
    rig = await spawned(tmp_path, FakeDiscovery(DISCOVERY), 2)
    try:
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(OSError):
                    got = await rig.get("/application/ready")
                    why = json.loads(got.body)["why"]
                    if got.status == 503 and len(why) == 1 and "no whole snapshot" in why[0]:
                        break
                await asyncio.sleep(0.02)
    finally:
        rig.process.kill()
        await rig.process.wait()
