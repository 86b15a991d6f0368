"""One discovery process as its clients meet it: Eureka's answers to the letter, the watch stream, its readiness."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from shared.wire import Del, Instance, Mark, Put, checksum
from tests.fakes import until
from tests.integration.launcher_rig import poll, request

HOST = f"127.0.70.{os.getpid() % 250 + 1}"
URL = f"http://{HOST}:7553"
JSON = {"Accept": "application/json"}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[bytes]]:
    data = tmp_path_factory.mktemp("discovery")
    process = start(data)
    try:
        poll("it is ready", ready)
        yield process
    finally:
        process.kill()
        process.wait()


def start(data: Path, **environ: str) -> subprocess.Popen[bytes]:
    place = {"PLEXMESH_HOST": HOST, "PLEXMESH_DATA": str(data), "PLEXMESH_DISCOVERY": URL}
    with (data / "log").open("ab") as log:
        return subprocess.Popen([sys.executable, "-P", "-m", "discovery"], env=os.environ | place | environ, stderr=log)


def ready() -> bool:
    try:
        return request(f"{URL}/application/ready")[0] == 200
    except OSError:
        return False


@pytest.fixture
async def client(node: object) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(URL, auto_decompress=False, headers={"Accept-Encoding": "identity"}) as session:
        yield session


def document(app: str, instance: str = "i1", **more: Any) -> dict[str, Any]:
    return {
        "instance": {
            "instanceId": instance,
            "app": app,
            "hostName": "h.test",
            "ipAddr": "192.0.2.1",
            "port": {"$": 8080, "@enabled": "true"},
            "dataCenterInfo": {"name": "MyOwn"},
            "leaseInfo": {"durationInSecs": 60},
            **more,
        }
    }


async def register(client: aiohttp.ClientSession, app: str, instance: str = "i1", **more: Any) -> None:
    async with client.post(f"/eureka/apps/{app}", json=document(app, instance, **more)) as answer:
        assert (answer.status, await answer.read()) == (204, b"")


async def test_the_life_of_an_instance(client: aiohttp.ClientSession) -> None:
    await register(client, "LIFE")
    async with client.put("/eureka/apps/life/i1?status=UP&lastDirtyTimestamp=") as answer:
        assert (answer.status, await answer.read()) == (200, b"")
        assert answer.headers["X-Plexmesh-Owner"].startswith("LPAR1@")
    async with client.get("/eureka/v2/apps/LIFE/i1/", headers=JSON) as answer:
        assert (await answer.json())["instance"]["status"] == "UP"
    async with client.delete("/eureka/apps/LIFE/i1") as answer:
        assert (answer.status, await answer.read()) == (200, b"")
    for method in ("PUT", "DELETE", "GET"):
        async with client.request(method, "/eureka/apps/LIFE/i1") as answer:
            assert (answer.status, await answer.read(), answer.headers.get("Content-Type")) == (404, b"", None)


async def test_lists_are_xml_unless_json_is_asked_for(client: aiohttp.ClientSession) -> None:
    await register(client, "FORMS", metadata={"a_b": "1"})
    async with client.get("/eureka/apps/") as answer:
        assert answer.headers["Content-Type"] == "application/xml"
        root = ET.fromstring(await answer.read())
    assert "FORMS" in [name.text for name in root.findall("application/name")]
    async with client.get("/eureka/apps/", headers=JSON) as answer:
        assert answer.headers["Content-Type"] == "application/json"
        listed = (await answer.json())["applications"]
    assert listed["versions__delta"] == "1"
    assert listed["apps__hashcode"].startswith("UP_")


async def test_answers_are_compressed_only_when_that_is_allowed(client: aiohttp.ClientSession) -> None:
    await register(client, "ZIP")
    async with client.get("/eureka/apps/ZIP", headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(await answer.read()).startswith(b"<application>")
    async with client.get("/eureka/apps/ZIP", headers={"Accept-Encoding": "identity"}) as answer:
        assert "Content-Encoding" not in answer.headers


async def test_the_delta_says_what_went(client: aiohttp.ClientSession) -> None:
    await register(client, "GONE")
    await client.delete("/eureka/apps/GONE/i1")
    async with client.get("/eureka/apps/delta", headers=JSON) as answer:
        delta = (await answer.json())["applications"]
    (gone,) = [app for app in delta["application"] if app["name"] == "GONE"]
    assert gone["instance"][0]["actionType"] == "DELETED"
    assert 0 < int(delta["versions__delta"]) < 2**63


async def test_a_get_with_a_heartbeats_parameters_is_one(client: aiohttp.ClientSession) -> None:
    await register(client, "BEATS", lastDirtyTimestamp="5")
    url = "/eureka/apps/BEATS/i1?status=UP&lastDirtyTimestamp="
    async with client.get(url + "5") as answer:
        assert answer.status == 200
        assert (await answer.read()).startswith(b"<instance>")
    async with client.get(url + "6") as answer:  # a newer state than ours: register again
        assert (answer.status, await answer.read()) == (404, b"")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/eureka/apps/NOBODY", 404),
        ("GET", "/eureka/instances/nobody", 404),
        ("PATCH", "/eureka/apps", 405),
        ("PUT", "/eureka/apps/BEATS/i1/status?value=Up", 400),
        ("PUT", "/eureka/apps/BEATS/i1?lastDirtyTimestamp=now", 400),
        ("GET", "/eureka/elsewhere", 404),
    ],
)
async def test_wrong_calls(client: aiohttp.ClientSession, method: str, path: str, status: int) -> None:
    async with client.request(method, path) as answer:
        assert answer.status == status


async def test_xml_registrations_are_refused_with_a_word(client: aiohttp.ClientSession) -> None:
    async with client.post(
        "/eureka/apps/X", data=b"<instance/>", headers={"Content-Type": "application/xml"}
    ) as answer:
        assert answer.status == 415
        assert "json" in await answer.text()


class Fold:
    """A watcher that keeps what it hears."""

    def __init__(self) -> None:
        self.instances: dict[str, Instance] = {}
        self.marks: list[Mark] = []

    async def follow(self, client: aiohttp.ClientSession) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_read=10)
        async with client.get("/v1/watch", timeout=timeout) as answer:
            assert answer.headers["Content-Type"] == "text/event-stream"
            buffer = b""
            async for data in answer.content.iter_any():
                *frames, buffer = (buffer + data).split(b"\n\n")
                for frame in frames:
                    self.take(dict(line.split(b": ", 1) for line in frame.split(b"\n")))

    def take(self, frame: dict[bytes, bytes]) -> None:
        match frame[b"event"]:
            case b"put":
                for each in msgspec.json.decode(frame[b"data"], type=Put).instances:
                    self.instances[each.key] = each
            case b"del":
                for key in msgspec.json.decode(frame[b"data"], type=Del).keys:
                    self.instances.pop(key, None)
            case b"mark":
                mark = msgspec.json.decode(frame[b"data"], type=Mark)
                assert frame[b"id"].decode() == mark.token
                self.marks.append(mark)
                parts = 0
                for each in self.instances.values():
                    parts = checksum(parts, each.key, each.gen, each.rev)
                assert (mark.count, mark.checksum) == (len(self.instances), parts)


async def test_a_watcher_sees_each_change_and_its_sum_is_right(client: aiohttp.ClientSession) -> None:
    fold = Fold()
    following = asyncio.create_task(fold.follow(client))
    for number in range(20):
        await register(client, "WATCHED", f"i{number}")
        if number % 3 == 0:
            await client.delete(f"/eureka/apps/WATCHED/i{number}")
    wanted = {f"watched/i{number}" for number in range(20) if number % 3}
    await until(lambda: {key for key in fold.instances if key.startswith("watched/")} == wanted)
    following.cancel()
    await asyncio.wait([following])
    assert fold.marks[0].whole
    assert not any(mark.whole for mark in fold.marks[1:])


async def test_large_sets_come_in_small_puts(client: aiohttp.ClientSession) -> None:
    for number in range(450):
        await register(client, "MANY", f"i{number}")
    async with client.get("/v1/watch") as answer:
        data = b""
        while b"event: mark" not in data:
            data += await answer.content.readany()
    puts = [msgspec.json.decode(f.partition(b"data: ")[2], type=Put) for f in data.split(b"\n\n") if b"event: put" in f]
    assert sum(len(put.instances) for put in puts) >= 450
    assert all(len(put.instances) <= 200 for put in puts)
    assert all(len(frame) <= 70_000 for frame in data.split(b"\n\n"))


async def test_the_registry_as_json(client: aiohttp.ClientSession) -> None:
    await register(client, "SEEN", metadata={"zone": "north"})
    async with client.get("/v1/instances?service=SEEN") as answer:
        (seen,) = (await answer.json())["instances"]
    assert (seen["service"], seen["instance"], seen["metadata"]) == ("seen", "i1", {"zone": "north"})
    async with client.get("/v1/services") as answer:
        assert (await answer.json())["services"]["seen"] == {"UP": 1}
    async with client.get("/v1/summary") as answer:
        assert (await answer.json())["node"] == "LPAR1"
    async with client.get("/v1/nothing") as answer:
        assert answer.status == 404
        assert answer.content_type == "application/problem+json"
    async with client.get("/application/metrics") as answer:
        assert 'plexmesh_discovery_instances{status="UP"}' in await answer.text()


def test_a_second_node_on_the_same_address_says_so_and_exits_2(node: object, tmp_path: Path) -> None:
    second = start(tmp_path)
    assert second.wait(timeout=10) == 2
    text = (tmp_path / "log").read_text()
    assert f"{HOST}:7553 is in use" in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("environ", "text"),
    [
        ({"PLEXMESH_DISCOVERY_PROT": "1"}, "PLEXMESH_DISCOVERY_PROT: unknown variable (did you mean"),
        ({"PLEXMESH_DISCOVERY_PORT": "http"}, "PLEXMESH_DISCOVERY_PORT: expected int"),
        ({"PLEXMESH_CONFIG": "/nowhere.yaml"}, "/nowhere.yaml: cannot be read"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exits_2(tmp_path: Path, environ: dict[str, str], text: str) -> None:
    process = start(tmp_path, **environ)
    assert process.wait(timeout=10) == 2
    log = (tmp_path / "log").read_text()
    assert text in log
    assert len(log.splitlines()) == 1


def test_it_ends_in_order_on_sigterm(tmp_path: Path) -> None:
    host = HOST.replace("127.0.70.", "127.0.71.")
    process = start(tmp_path, PLEXMESH_HOST=host, PLEXMESH_DISCOVERY=f"http://{host}:7553")
    poll("it registered itself", lambda: "registered as UP" in (tmp_path / "log").read_text())
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    events = [json.loads(line)["event"] for line in (tmp_path / "log").read_text().splitlines()]
    assert "node.leaving" in events
    assert not [event for event in events if "failed" in event]
