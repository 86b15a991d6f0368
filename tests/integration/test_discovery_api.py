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
from tests.integration.discovery_rig import DiscoveryNode, running
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


async def test_xml_registrations(client: aiohttp.ClientSession) -> None:
    body = (
        "<instance><instanceId>x-1</instanceId><hostName>h.test</hostName><app>XML</app><ipAddr>192.0.2.1</ipAddr>"
        '<port enabled="true">8080</port><dataCenterInfo class="x"><name>MyOwn</name></dataCenterInfo>'
        "<metadata><zone.name>north</zone.name><k__1>v</k__1></metadata></instance>"
    )
    headers = {"Content-Type": "application/xml; charset=utf-8"}
    async with client.post("/eureka/apps/XML", data=body, headers=headers) as answer:
        assert (answer.status, await answer.read()) == (204, b"")
    async with client.get("/eureka/apps/XML/x-1", headers=JSON) as answer:
        instance = (await answer.json())["instance"]
    assert instance["metadata"] == {"zone.name": "north", "k_1": "v"}
    assert instance["port"] == {"$": 8080, "@enabled": "true"}


async def test_bodies_may_be_packed(client: aiohttp.ClientSession) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    body = gzip.compress(json.dumps(document("PACKED")).encode())
    async with client.post("/eureka/apps/PACKED", data=body, headers=headers) as answer:
        assert answer.status == 204
    async with client.get("/eureka/apps/PACKED") as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    ("accept", "kind", "begins"),
    [
        ("application/json", "application/json", b'{"error":"cannot parse request body: '),
        ("*/*", "application/xml", b"<error><message>cannot parse request body: "),
    ],
)
async def test_what_cannot_be_parsed(client: aiohttp.ClientSession, accept: str, kind: str, begins: bytes) -> None:
    headers = {"Content-Type": "application/json", "Accept": accept}
    async with client.post("/eureka/apps/X", data=b"{", headers=headers) as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (400, kind)
        assert (await answer.read()).startswith(begins)


async def test_overrides_are_an_operators_word_over_the_instances_own(client: aiohttp.ClientSession) -> None:
    await register(client, "RULED", lastDirtyTimestamp="5")
    url = "/eureka/apps/RULED/i1"
    await client.put(f"{url}/status?value=OUT_OF_SERVICE&lastDirtyTimestamp=7")
    async with client.get(url, headers=JSON) as answer:
        ruled = (await answer.json())["instance"]
    assert [ruled[each] for each in ("status", "overriddenStatus", "lastDirtyTimestamp")] == [
        "OUT_OF_SERVICE", "OUT_OF_SERVICE", "7",
    ]  # fmt: skip
    async with client.get("/eureka/serverinfo/statusoverrides") as answer:
        assert (await answer.json())["i1"] == "OUT_OF_SERVICE"
    await client.delete(f"{url}/status?value=UP")
    async with client.get(url, headers=JSON) as answer:
        assert (await answer.json())["instance"]["status"] == "UP"


async def test_virtual_addresses_and_ids_are_found_whatever_the_application(client: aiohttp.ClientSession) -> None:
    await register(client, "POST", "post-1", vipAddress="mail,smtp", secureVipAddress="mails")
    for path, ids in (("vips/smtp", ["post-1"]), ("svips/mails", ["post-1"]), ("vips/nothing", [])):
        async with client.get(f"/eureka/{path}", headers=JSON) as answer:
            assert answer.status == 200
            found = (await answer.json())["applications"]
        assert found["versions__delta"] == "-1"
        assert [each["instanceId"] for app in found["application"] for each in app["instance"]] == ids
    async with client.get("/eureka/instances/post-1", headers=JSON) as answer:
        assert (await answer.json())["instance"]["app"] == "POST"


async def test_the_compact_form(client: aiohttp.ClientSession) -> None:
    await register(client, "SMALL", metadata={"a": "1"})
    for path in ("apps", "apps/delta", "apps/SMALL"):
        async with client.get(f"/eureka/{path}", headers=JSON | {"X-Eureka-Accept": "compact"}) as answer:
            text = await answer.text()
        assert "SMALL" in text
        assert "metadata" not in text
        assert "leaseInfo" not in text


async def test_what_the_server_says_of_itself(client: aiohttp.ClientSession) -> None:
    async with client.get("/eureka/status", headers=JSON) as answer:
        found = await answer.json()
    assert set(found) >= {"generalStats", "applicationStats"}
    assert found["applicationStats"]["registered-replicas"] == ""
    async with client.get("/eureka/status") as answer:
        assert ET.fromstring(await answer.read()).tag == "com.netflix.eureka.util.StatusInfo"


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


def test_heartbeats_by_get_can_be_switched_off(tmp_path: Path) -> None:
    node = DiscoveryNode(tmp_path, "LPAR1", HOST.replace("127.0.70.", "127.0.71."), heartbeat_by_get="false")
    with running(node):
        node.register("i1", lease_s=1)
        path = "ORDERS/i1?status=UP&lastDirtyTimestamp="
        poll("it ran out, read or not", lambda: node.eureka("GET", path) == 404)
