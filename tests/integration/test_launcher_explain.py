"""`plexmesh explain` and `plexmesh upstreams` as commands, asking a real gateway."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from gateway.config import GatewayConfig
from launcher.lock import FILE, Holder
from shared import wire
from tests.fakes import RawInstance, an_instance, answering, until
from tests.integration.gateway_rig import INSTANCES, LPAR1, LPAR2, PORT, Rig, a_gateway, on_uvloop, started
from tests.integration.launcher_rig import PROGRAM
from tests.integration.test_gateway_explain import REFUSING, UP, URL, serving


class Done:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


async def command(*args: str) -> Done:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PLEXMESH_") and key != "COLUMNS"}
    process = await asyncio.create_subprocess_exec(PROGRAM, *args, cwd="/", env=kept, stdout=PIPE, stderr=PIPE)
    out, err = await process.communicate()
    return Done(process.returncode or 0, out.decode(), err.decode())


@contextlib.asynccontextmanager
async def orders() -> AsyncIterator[Rig]:
    instance = RawInstance(INSTANCES[0], 9000, answering(b"ok"))
    async with a_gateway(instance) as rig:
        rig.discovery.put(an_instance("idle", 9001, INSTANCES[0], status="DOWN"))
        await until(lambda: len(rig.gateway.path.snapshot.instances) == 2)
        yield rig


@on_uvloop
async def test_the_command_prints_the_way_and_makes_the_call() -> None:
    async with orders():
        done = await command("explain", f"http://{LPAR1}:{PORT}/orders/api/v1/x?a=b&c=d", "--gateway", URL)
        assert done.code == 0, done.err
        lines = done.out.splitlines()
        steps = [line.split()[0] for line in lines[1:] if not line.startswith(" ")]
        assert steps == ["path", "service", "instances", "route", "request", "answer", "the"]
        assert "An instance is asked for /x?a=b&c=d." in done.out
        assert f"http://{INSTANCES[0]}:9000/x?a=b&c=d" in done.out
        assert "ui/v1 → /: the path has 'api' where it has 'ui'." in done.out
        assert lines[-1].startswith("the call   200 OK in ")
        assert "LPAR1/gateway > LPAR2/orders:9000; tries=1" in lines[-1]


@on_uvloop
async def test_the_commands_exit_code_is_the_calls() -> None:
    async with orders():
        paths = ("/orders/api/v1", "/orders/api/v2", "/idle/api/v1", "/orders/%zz", "/", "/application/none")
        codes = {}
        for path in paths:
            with_call, without = await asyncio.gather(
                command("explain", path, "--gateway", URL), command("explain", path, "--gateway", URL, "--no-call")
            )
            codes |= {(path, False): with_call.code, (path, True): without.code}
    assert codes == {
        ("/orders/api/v1", False): 0,
        ("/orders/api/v1", True): 0,
        ("/orders/api/v2", False): 1,
        ("/orders/api/v2", True): 1,
        ("/idle/api/v1", False): 1,
        ("/idle/api/v1", True): 1,
        ("/orders/%zz", False): 0,
        ("/orders/%zz", True): 0,
        ("/", False): 0,
        ("/", True): 0,
        ("/application/none", False): 1,
        ("/application/none", True): 0,  # which of its own pages there are is only known when one is asked for
    }


@on_uvloop
async def test_the_command_for_machines() -> None:
    async with orders() as rig:
        done = await command("explain", "/idle/api/v1", "--gateway", URL, "--json")
        call = done.json["call"]
        assert (done.code, done.json["answer"]["number"]) == (1, "ZWEAG510E")
        assert (call["status"], call["number"]) == (503, "ZWEAG510E")
        before = rig.gateway.path.requests
        done = await command("explain", "/orders/api/v1", "--gateway", URL, "--json", "--method", "delete")
        assert (done.code, done.json["call"], done.json["method"]) == (0, None, "DELETE")
        assert rig.gateway.path.requests == before + 1, "only the explanation was asked for"
        done = await command("explain", "/orders/api/v1/ä", "--gateway", URL, "--json")
        assert "cannot even be sent" in done.json["call"]["trouble"]
        assert done.json["answer"]["status"] == 400


@on_uvloop
async def test_header_fields_of_the_call_go_with_it() -> None:
    instance = RawInstance(INSTANCES[0], 9000, answering(b"ok"))
    async with a_gateway(instance, metadata={"apiml.lb.type": "authentication"}, sticky_read_s=0.05):
        token = "Cookie: apimlAuthenticationToken=e30.eyJzdWIiOiJhZGEifQ.x"
        done = await command("explain", "/orders/api/v1", "--gateway", URL, "-H", token, "-H", "X-Mine: 1")
        assert "The call has a user's token" in done.out
        assert b"\r\nX-Mine: 1\r\n" in instance.heads[-1]


@on_uvloop
async def test_upstreams_as_tables_and_for_machines() -> None:
    async with orders():
        done = await command("upstreams", "--gateway", URL)
        assert done.code == 0, done.err
        assert "api/v1 → /" in done.out
        assert "its status is DOWN" in done.out
        rows = [line.split() for line in done.out.splitlines() if line.startswith(f"{INSTANCES[0]}:orders")]
        assert rows[0][:5] == [f"{INSTANCES[0]}:orders:9000", "LPAR2", f"http://{INSTANCES[0]}:9000", "UP", "fine"]
        done = await command("upstreams", "ORDERS", "--gateway", URL, "--json")
        assert [each["service"] for each in done.json["upstreams"]] == ["orders"]
        done = await command("upstreams", "ordres", "--gateway", URL)
        assert (done.code, done.out) == (2, "")
        assert "did you mean 'orders'?" in done.err


@on_uvloop
async def test_what_the_commands_refuse_is_one_line() -> None:
    missing = f"http://{REFUSING}:{PORT}"
    for args, code, says in (
        (("explain", "orders/api/v1", "--gateway", URL), 2, "expected a path that begins with /"),
        (("explain", "ftp://h/", "--gateway", URL), 2, "expected a path that begins with /"),
        (("explain", "/x", "--gateway", "h"), 2, "--gateway: expected http://host:port"),
        (("explain", "/x", "-H", "a b: c"), 2, "--header: expected 'Name: value'"),
        (("explain", "/x", "-H", "Host: c"), 2, "neither frames nor steers"),
        (("explain", "/x", "--gateway", missing), 1, "does not answer"),
        (("upstreams", "--gateway", missing), 1, "does not answer"),
        (("explain", "/x", "--data", "/nonexistent"), 3, "no sysplex is running"),
        (("upstreams", "--data", "/nonexistent"), 3, "no sysplex is running"),
    ):
        done = await command(*args)
        assert (done.code, done.out) == (code, ""), (args, done.err)
        assert says in done.err
        assert done.err.count("\n") == 1, done.err
    async with orders():
        done = await command("explain", "http://ada:secret@h/", "--gateway", URL)
        assert (done.code, "without user information" in done.err) == (2, True)
        assert "secret" not in done.err


@on_uvloop
async def test_the_gateway_to_ask_is_the_one_in_the_url_else_the_first_that_is_ready(tmp_path: Path) -> None:
    states: dict[str, wire.ComponentState] = {REFUSING: "failed", LPAR1: "ready", LPAR2: "ready"}

    async def status(_: web.Request) -> web.Response:
        lpars = [
            wire.Lpar(
                id=f"LPAR{number}",
                state=state,
                address=host,
                components=[wire.Component(name="gateway", state=state, url=f"http://{host}:{PORT}")],
            )
            for number, (host, state) in enumerate(states.items())
        ]
        address = wire.SysplexAddress(url="http://127.0.0.1:7554", state="ready")
        return web.json_response(
            body=msgspec.json.encode(wire.SysplexStatus(sysplex=address, lpars=lpars, registry=[]))
        )

    def asked(done: Done) -> str:
        return str(done.json["gateway"]["url"])

    config = GatewayConfig(host=LPAR2, lpar="LPAR2", port=PORT, vipa="", discovery=(), access_log="off")
    folder = ("--data", str(tmp_path), "--json")
    with (tmp_path / FILE).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(msgspec.json.encode(Holder(os.getpid(), f"http://{UP}:7550", "PLEX1")))
        lock.flush()
        async with orders(), started(config), serving(UP, web.get("/v1/status", status), port=7550):
            assert asked(await command("explain", "/orders/api/v1", *folder)) == URL
            assert asked(await command("upstreams", *folder)) == URL
            there = f"http://{LPAR2}:{PORT}/orders/api/v1"
            assert asked(await command("explain", there, *folder)) == f"http://{LPAR2}:{PORT}"
            assert asked(await command("explain", "http://elsewhere.test/orders/api/v1", *folder)) == URL
            failed = await command("explain", f"http://{REFUSING}:{PORT}/orders/api/v1", *folder)
            assert (failed.code, "does not answer" in failed.err) == (1, True)
            states |= dict.fromkeys(states, "starting")
            nobody = await command("explain", "/orders/api/v1", *folder)
            assert (nobody.code, "no gateway of http://127.0.0.1:7554 is ready" in nobody.err) == (1, True)
