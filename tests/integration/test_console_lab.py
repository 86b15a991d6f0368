"""The Lab through a real gateway: who may give orders, where they go, and drills of a real sysplex to their end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.certificates import a_drawer
from tests.fakes import an_instance, until
from tests.integration import gateway_rig
from tests.integration.gateway_rig import INSTANCES, LPAR1, PORT, Answer, a_gateway, on_uvloop
from tests.integration.launcher_rig import VIPA_HOST, Rig, poll
from tests.integration.test_gateway_explain import serving

UP = INSTANCES[0]
HERE = f"{LPAR1}:{PORT}"
KILL = "/console/v1/lab/lpars/LPAR2/kill"
JSON = {"Content-Type": "application/json"}
KILLED = {"id": "LPAR2", "state": "failed", "address": "127.0.2.1"}
COMPONENT = {"name": "gateway", "state": "ready"}


class FakeUp:
    """It answers what it is told to, and knows what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, bytes]] = []
        self.status = 200
        self.body: Any = KILLED

    async def take(self, request: web.Request) -> web.Response:
        assert "Origin" not in request.headers
        self.asked.append((request.method, request.raw_path, await request.read()))
        if isinstance(self.body, str):
            return web.Response(status=self.status, text=self.body, content_type="text/html")
        return web.json_response(self.body, status=self.status)


@contextlib.asynccontextmanager
async def a_lab(environ: pytest.MonkeyPatch, **settings: Any) -> AsyncIterator[tuple[gateway_rig.Rig, FakeUp]]:
    """A gateway that an `up` has started."""
    up = FakeUp()
    environ.setenv("PLEXMESH_UP", f"http://{UP}:7550")
    async with serving(UP, web.route("*", "/{rest:.*}", up.take), port=7550), a_gateway(**settings) as rig:
        yield rig, up


async def say(rig: gateway_rig.Rig, method: str, path: str, body: bytes = b"{}", **fields: str | None) -> Answer:
    """As the console's own page does, unless `fields` say otherwise; None: without that field."""
    wanted = {"Host": HERE, "Origin": f"http://{HERE}", **JSON}
    for name, value in fields.items():
        wanted[name.replace("_", "-")] = value
    lines = "".join(f"{name}: {value}\r\n" for name, value in wanted.items() if value is not None)
    head = f"{method} {path} HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
    return await rig.ask(head.encode() + body)


def detail(answer: Answer) -> str:
    said = str(json.loads(answer.body)["detail"])
    assert "\n" not in said
    return said


# --- who may


REFUSED: dict[str, dict[str, str | None]] = {
    "a program": {"Origin": None},
    "a page of nowhere": {"Origin": "null"},
    "another site": {"Origin": "http://evil.test"},
    "another port here": {"Origin": f"http://{LPAR1}:8080"},
    "a rebound name": {"Host": "evil.test:7554", "Origin": "http://evil.test:7554"},
    "a form": {"Content-Type": "text/plain"},
    "a form with fields": {"Content-Type": "application/x-www-form-urlencoded"},
}


@on_uvloop
async def test_only_the_consoles_own_pages_give_orders() -> None:
    orders = [
        ("POST", KILL),
        ("POST", "/console/v1/lab/lpars/LPAR2/components/gateway/kill"),
        ("POST", "/console/v1/lab/drills"),
        ("DELETE", "/console/v1/lab/drills/r1"),
    ]
    with pytest.MonkeyPatch.context() as environ:
        async with a_lab(environ, cors_enabled=True) as (rig, up):
            for who, fields in REFUSED.items():
                for method, path in orders:
                    answer = await say(rig, method, path, **fields)
                    assert answer.status == 403, (who, method, path, answer.body)
                    assert detail(answer)
            assert up.asked == []
            assert (await say(rig, "POST", KILL)).status == 200
            assert len(up.asked) == 1


@on_uvloop
async def test_with_tls_orders_are_an_operators(tmp_path: Path) -> None:
    drawer = a_drawer(tmp_path / "volume" / "certificates")
    drawer.lpar("LPAR1", LPAR1)
    drawer.client("orders")
    drawer.operator("ada")
    url = f"https://{LPAR1}:{PORT}"
    with pytest.MonkeyPatch.context() as environ:
        async with a_lab(environ, tls=True, lpar="LPAR1", data=tmp_path) as (_, up), aiohttp.ClientSession() as session:
            said: dict[str, tuple[int, bool, str]] = {}
            for name in ("", "orders", "ada"):
                tls = ssl.create_default_context(cafile=drawer.folder / "ca.pem")
                if name:
                    tls.load_cert_chain(drawer.folder / f"{name}.pem", drawer.folder / f"{name}.key")
                async with session.get(f"{url}/console/v1/me", ssl=tls) as got:
                    me = await got.json()
                async with session.post(url + KILL, json={}, headers={"Origin": url}, ssl=tls) as got:
                    said[name] = got.status, me["operator"], me["name"]
                assert (me["needed"], me["login"], me["by"]) == (True, True, "certificate" if name else "")
            assert said == {"": (403, False, ""), "orders": (403, False, "orders"), "ada": (200, True, "ada")}
            assert len(up.asked) == 1


# --- where they go


@on_uvloop
async def test_an_order_is_passed_on_and_told_of_in_one_line() -> None:
    with pytest.MonkeyPatch.context() as environ:
        async with a_lab(environ) as (rig, up):
            answer = await say(rig, "POST", KILL)
            assert json.loads(answer.body) == {"done": "LPAR2 was killed: nothing of it runs"}
            up.body = COMPONENT
            answer = await say(rig, "POST", "/console/v1/lab/lpars/lpar2/components/gateway/start")
            assert json.loads(answer.body) == {"done": "gateway of LPAR2 is ready"}
            await say(rig, "POST", "/console/v1/lab/lpars/x%2Fdown/components/a%3Fb/pause")
            up.body = {"run": "r1"}
            answer = await say(rig, "POST", "/console/v1/lab/drills", b'{"drill":"lpar-crash"}')
            assert (answer.status, json.loads(answer.body)) == (202, {"run": "r1"})
            assert (await say(rig, "DELETE", "/console/v1/lab/drills/r1", b"")).status == 202
            assert up.asked == [
                ("POST", "/v1/lpars/LPAR2/kill", b"{}"),
                ("POST", "/v1/lpars/lpar2/components/gateway/start", b"{}"),
                ("POST", "/v1/lpars/x%2Fdown/components/a%3Fb/pause", b"{}"),
                ("POST", "/v1/drills", b'{"drill":"lpar-crash"}'),
                ("DELETE", "/v1/drills/r1", b""),
            ]


@on_uvloop
async def test_what_cannot_be_is_one_line() -> None:
    with pytest.MonkeyPatch.context() as environ:
        async with a_lab(environ) as (rig, up):
            for action in ("reload", "fence", "killl"):
                answer = await say(rig, "POST", f"/console/v1/lab/lpars/LPAR2/components/gateway/{action}")
                assert (answer.status, detail(answer)[:20]) == (404, f"{action}: unknown action"[:20])
            assert up.asked == []
            for status, said in ((404, "there is no LPAR 9"), (409, "it's <paused>"), (503, "its launcher\nis gone")):
                up.status, up.body = status, {"detail": said}
                answer = await say(rig, "POST", KILL)
                assert (answer.status, detail(answer)) == (status, " ".join(said.split()))
            up.status, up.body = 200, "<html>"
            answer = await say(rig, "POST", KILL)
            assert (answer.status, detail(answer)[:22]) == (503, "the order was given, a")
        environ.setenv("PLEXMESH_UP", f"http://{INSTANCES[1]}:7550")
        async with a_gateway() as rig:
            answer = await say(rig, "POST", KILL)
            assert (answer.status, detail(answer)[:20]) == (503, f"http://{INSTANCES[1]}:7550"[:20])


@on_uvloop
async def test_without_up_it_is_off_unless_configured_and_then_launchers_are_asked() -> None:
    pause = "/console/v1/lab/lpars/lpar2/components/sample/pause"
    with pytest.MonkeyPatch.context() as environ:
        environ.delenv("PLEXMESH_UP", raising=False)
        async with a_gateway() as rig:
            answer = await say(rig, "POST", pause)
            assert answer.status == 409
            assert "components.gateway.console.lab: true" in detail(answer)
        launcher = FakeUp()
        launcher.body = {"name": "sample", "state": "paused"}
        async with (
            serving(UP, web.post("/{rest:.*}", launcher.take), port=7550),
            a_gateway(console_lab=True) as rig,
        ):
            answer = await say(rig, "POST", pause)
            assert (answer.status, detail(answer)) == (404, "no launcher of an LPAR LPAR2 is registered")
            rig.discovery.put(an_instance("launcher", 7550, UP, lpar="LPAR2"))
            await until(lambda: bool(rig.gateway.path.snapshot.instances), "the launcher is known")
            answer = await say(rig, "POST", pause)
            assert json.loads(answer.body) == {"done": "sample of LPAR2 is paused"}
            assert launcher.asked == [("POST", "/v1/components/sample/pause", b"{}")]
            for path in (KILL, "/console/v1/lab/drills"):
                answer = await say(rig, "POST", path)
                assert (answer.status, detail(answer)[:37]) == (409, "Orders for whole LPARs and drills nee")
        environ.setenv("PLEXMESH_UP", f"http://{UP}:7550")
        async with a_gateway(console_lab=False) as rig:
            answer = await say(rig, "POST", KILL)
            assert (answer.status, detail(answer)[:24]) == (409, "The Lab is switched off ")


@on_uvloop
async def test_a_report_is_shown_in_a_sandbox() -> None:
    with pytest.MonkeyPatch.context() as environ:
        async with a_lab(environ) as (rig, up):
            up.body = "<script>1</script>"
            answer = await rig.get("/console/v1/lab/drills/r1/report")
            assert (answer.status, answer.body) == (200, b"<script>1</script>")
            policy = answer.header("Content-Security-Policy") or ""
            assert policy.startswith("sandbox allow-scripts; default-src 'none';")
            assert "frame-ancestors 'self'" in policy
            assert answer.header("Content-Type") == "text/html; charset=utf-8"
            up.status, up.body = 404, {"detail": "run r1 of lpar-crash has no report"}
            answer = await rig.get("/console/v1/lab/drills/r1/report")
            assert (answer.status, detail(answer)) == (404, "run r1 of lpar-crash has no report")


# --- drills of a real sysplex

SHORT = """
title: A sample is killed
load: {rate: 40, calls: {GET /sample/api/v1/hello: 1}}
steps:
  - wait: 1
  - kill: victim sample
  - wait: 1.5
expect:
  - failed: {how: error}
  - steps_done: {}
"""

LONG = """
title: A sample is stopped for long
load: {rate: 10, calls: {GET /sample/api/v1/hello: 1}}
steps:
  - stop: victim sample
  - wait: 600
expect:
  - steps_done: {}
"""

CONSOLE = f"http://{VIPA_HOST}:7554"


@pytest.fixture(scope="module")
def sysplex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = Rig(tmp_path_factory.mktemp("lab"))
    rig.tree["components"] = {"discovery": {}, "gateway": {}, "caching": {"enabled": False}, "sample": {}}
    (rig.folder / "drills").mkdir()
    (rig.folder / "drills" / "short.yaml").write_text(SHORT)
    (rig.folder / "drills" / "long.yaml").write_text(LONG)
    try:
        rig.up()
        yield rig
    finally:
        rig.close()


def ask(method: str, path: str, body: object = None) -> tuple[int, bytes, dict[str, str]]:
    """As a page of the console at the sysplex address."""
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(CONSOLE + path, data, {**JSON, "Origin": CONSOLE}, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return answer.status, answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), dict(error.headers)


def start(drill: str) -> str:
    status, body, _ = ask("POST", "/console/v1/lab/drills", {"drill": drill})
    assert status == 202, body
    return str(json.loads(body)["run"])


def messages(within_s: float = 15.0) -> Iterator[tuple[str, Any]]:
    """What the console's stream says, until the deadline."""
    deadline = time.monotonic() + within_s
    with urllib.request.urlopen(f"{CONSOLE}/console/v1/stream", timeout=10) as stream:
        event = ""
        while time.monotonic() < deadline:
            name, _, data = stream.readline().decode().rstrip("\n").partition(": ")
            if name == "event":
                event = data
            elif name == "data":
                yield event, json.loads(data)


def seen_to_its_end(drill: str) -> tuple[str, dict[str, Any], list[str]]:
    """Started once somebody watches: the run, the sections of the document at its end, the lines of the timeline."""
    document: dict[str, Any] = {}
    lines: list[str] = []
    run = ""
    for event, data in messages():
        entries = {"whole": data, "change": data.get("set", {}) if event == "change" else {}}.get(event, {})
        for section, some in entries.items():
            document.setdefault(section, {}).update(some)
        lines += [each["text"] for each in data] if event == "news" else []
        if not run and document.get("lab", {}).get("", {}).get("drills"):
            run = start(drill)
        ended = document.get("runs", {}).get(run, {}).get("state") not in (None, "running")
        if ended and any(line.startswith(f"drill {drill} passed") for line in lines):
            return run, document, lines
    raise AssertionError(f"not seen to its end: {document.get('runs')} {lines[-5:]}")


def test_a_drill_is_seen_from_its_start_to_its_report(sysplex: Rig) -> None:
    run, document, lines = seen_to_its_end("short")
    assert (document["runs"][run]["state"], document["runs"][run]["phase"]) == ("passed", "plexmesh")
    assert [each["passed"] for each in document["runs"][run]["verdicts"]] == [True, True]
    slices = [each for each in document["slices"].values() if each["run"] == run]
    assert f"0 of {sum(each['ok'] for each in slices)} calls" == document["runs"][run]["verdicts"][0]["measured"]
    assert {lpar for each in slices for lpar in each["served"]} == {"LPAR1", "LPAR2"}
    assert "kill LPAR2 sample" in [each["text"] for each in document["moments"].values() if each["kind"] == "step"]
    assert {"drill short begins: A sample is killed", "drill short: kill LPAR2 sample"} <= set(lines)
    status, page, headers = ask("GET", f"/console/v1/lab/drills/{run}/report")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"Passed" in page
    assert b"--progress" not in page


def test_one_at_a_time_and_one_that_is_stopped_mends(sysplex: Rig) -> None:
    run = start("long")
    status, body, _ = ask("POST", "/console/v1/lab/drills", {"drill": "short"})
    assert (status, json.loads(body)["detail"]) == (409, f"long is running (run {run}): one drill at a time")
    sysplex.wait_for("LPAR2", "sample", "stopped")
    assert ask("DELETE", f"/console/v1/lab/drills/{run}")[0] == 202
    up = str(sysplex.tree["plexmesh"]["address"])

    def state() -> str:
        with urllib.request.urlopen(f"http://{up}/v1/drills/{run}", timeout=10) as answer:
            return str(json.loads(answer.read())["run"]["state"])

    poll("it has ended", lambda: state() == "interrupted")
    assert sysplex.component("LPAR2", "sample")["state"] == "ready"
    assert ask("GET", f"/console/v1/lab/drills/{run}/report")[0] == 404
    assert ask("DELETE", f"/console/v1/lab/drills/{run}")[0] == 409


def test_a_drill_does_not_outlive_up(sysplex: Rig) -> None:
    def drilling() -> list[int]:
        return [pid for pid, line in sysplex.processes().items() if "--progress" in line]

    start("long")
    poll("it runs", drilling)
    os.kill(sysplex.started[-1].pid, signal.SIGKILL)
    poll("it has gone", lambda: not drilling())


def test_the_command_tells_its_progress_in_lines(tmp_path: Path) -> None:
    """What it cannot do is told as always, on standard error."""
    rig = Rig(tmp_path)
    rig.write()
    done = rig.call("drill", "partition", "--progress", "--no-control")
    assert done.returncode == 1
    assert done.stdout.splitlines()[0].startswith('{"type":"begun","drill":"partition",')
    assert done.stderr == "plexmesh: partition needs --target compose\n"
