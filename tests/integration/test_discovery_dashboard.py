"""The page of a node at real nodes: what it answers, what it makes of hostile words, and how it sees a killed node."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from discovery.config import DiscoveryConfig
from discovery.dashboard.finder import SLICE, WAITING_MAX, Finder
from discovery.dashboard.matrix import Sighting
from discovery.dashboard.sight import ANSWER_BYTES, Sight
from discovery.limits import Busy
from discovery.registration import Registration
from discovery.registry import Registry
from shared import simulated
from tests.fakes import Behave, Caller, RawInstance, a_node, answer, answering
from tests.fakes import running as running_parts
from tests.integration.discovery_rig import PORT, DiscoveryNode, running
from tests.integration.launcher_rig import poll

HOST1, HOST2 = (f"127.0.{third}.{os.getpid() % 250 + 1}" for third in (130, 131))
CONSOLE = '<a href="http://127.0.0.1:7554/">Console</a>'

HARD = {
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}

SCRIPT = "<script>alert(1)<|script>"


def two_nodes(folder: Path) -> list[DiscoveryNode]:
    hosts = (("LPAR1", HOST1), ("LPAR2", HOST2))
    return [DiscoveryNode(folder, lpar, host, HOST1, HOST2) for lpar, host in hosts]


def get(node: DiscoveryNode, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """With the headers, their names in lower case; redirects are not followed."""
    connection = http.client.HTTPConnection(node.host, PORT, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def state(node: DiscoveryNode, query: str = "") -> dict[str, Any]:
    found: dict[str, Any] = node.get(f"/dashboard/state{query}")
    return found


def instances(node: DiscoveryNode, query: str = "") -> dict[str, dict[str, Any]]:
    return {each["instance"]: each for each in state(node, query)["instances"]["rows"]}


def overridden(node: DiscoveryNode, instance: str) -> dict[str, Any] | None:
    row = instances(node)[instance]
    return row if "override" in row else None


def seen(node: DiscoveryNode) -> dict[str, tuple[str, list[str]]]:
    """By name: how its row came about, and how it sees each, in order of the columns."""
    lines = state(node)["mesh"]["lines"]
    return {each["place"]["name"]: (each["answered"], [cell["state"] for cell in each["cells"]]) for each in lines}


def test_the_page_works_alone_and_is_hard_to_abuse(tmp_path: Path) -> None:
    node = DiscoveryNode(tmp_path, "LPAR1", HOST1, HOST1, sysplex="<b>PLEX")
    with running(node):
        status, headers, body = get(node, "/")
        page = body.decode()
        assert status == 200
        assert simulated.IN_ONE_LINE in page
        assert "&lt;b&gt;PLEX" in page
        assert "<b>PLEX" not in page
        noscript = page.partition("<noscript>")[2].partition("</noscript>")[0]
        assert set(re.findall(r'href="([^"]+)"', noscript)) == {"/v1/instances", "/v1/peers", "/v1/guards"}
        assert CONSOLE in page
        assert "://" not in page.replace(node.url, "").replace(CONSOLE, ""), "no external resource"
        for path in re.findall(r'(?:src|href)="(/[^"]+)"', page):
            assert get(node, path)[0] == 200, path
        media = {"dashboard.js": "text/javascript", "dashboard.css": "text/css", "icon.svg": "image/svg+xml"}
        paths = {f"/dashboard/static/{name}": of for name, of in media.items()}
        for path, of in {"/": "text/html", "/dashboard/state": "application/json", **paths}.items():
            status, headers, _ = get(node, path)
            assert status == 200
            assert headers["content-type"].startswith(of)
            assert headers.items() >= HARD.items(), path
        assert get(node, "/dashboard/state")[1]["cache-control"] == "no-store"
        status, headers, _ = get(node, "/lastn")
        assert (status, headers["location"]) == (302, "/#events")
        for path in ("/v1/instances", "/eureka/apps", "/application/ready"):
            assert "content-security-policy" not in get(node, path)[1], path


def test_what_is_not_there_or_not_understood_is_refused(tmp_path: Path) -> None:
    node = DiscoveryNode(tmp_path, "LPAR1", HOST1, HOST1)
    with running(node):
        for path in ("/dashboard/static/none.js", "/dashboard/static/..%2Fpage.py", "/dashboard/static/../page.py"):
            assert get(node, path)[0] == 404, path
        for path in ("/dashboard/state?last=0", "/dashboard/state?last=x", "/dashboard/state?x=1"):
            assert get(node, path)[0] == 400, path
        assert get(node, f"/dashboard/state?q={'x' * 256}")[0] == 400
        for path in ("/", "/dashboard/state", "/lastn", "/dashboard/static/icon.svg"):
            for method in ("POST", "PUT", "DELETE"):
                assert get(node, path, method)[0] == 405, (method, path)
            assert get(node, path, "HEAD")[2] == b""


def test_hostile_words_come_out_as_data(tmp_path: Path) -> None:
    node = DiscoveryNode(tmp_path, "LPAR1", HOST1, HOST1)
    hostile = {
        "instanceId": SCRIPT,
        "app": "ORDERS",
        "hostName": '"><img src=x onerror=alert(1)>',
        "ipAddr": "192.0.2.1",
        "port": {"$": 8080, "@enabled": "true"},
        "dataCenterInfo": {"name": "MyOwn"},
        "leaseInfo": {"durationInSecs": 60},
        "homePageUrl": "javascript:alert(1)",
        "statusPageUrl": "JAVASCRIPT:alert(1)//http://a.test/",
        "healthCheckUrl": "https://a.test/health",
        "metadata": {"zos.lpar": "</script><script>alert(1)</script>"},
    }
    with running(node):
        assert node.eureka("POST", "ORDERS", {"instance": hostile}) == 204
        row = instances(node)[SCRIPT]
        assert row["lpar"] == "</script><script>alert(1)</script>"
        assert row["addresses"] == [{"text": '"><img src=x onerror=alert(1)>:8080'}]
        assert row["links"] == {"health": "https://a.test/health"}
        assert SCRIPT in [each["instance"] for each in state(node)["came"]]
        assert b"javascript" not in get(node, "/dashboard/state")[2].lower()
        assert b"alert" not in get(node, "/")[2]


def test_two_nodes_and_what_becomes_of_one(tmp_path: Path) -> None:
    nodes = two_nodes(tmp_path)
    with running(*nodes):
        first, second = nodes
        both = {"LPAR1": ["itself", "alive"], "LPAR2": ["alive", "itself"]}
        for node, answered in ((first, ("this node", "answered")), (second, ("answered", "this node"))):
            expected = dict(zip(both, zip(answered, both.values(), strict=True), strict=True))
            poll(f"{node.lpar} shows both", lambda node=node, expected=expected: seen(node) == expected)
        second.register("i1", lease_s=60)
        first.register("i2", lease_s=60)
        poll("it is at the other", lambda: "i1" in instances(first))
        rows = instances(first)
        assert (rows["i1"]["owner"], "left_s" in rows["i1"]) == ("LPAR2", False)
        assert 50 < rows["i2"]["left_s"] <= 60
        assert first.eureka("PUT", "ORDERS/i1/status?value=OUT_OF_SERVICE") == 200
        for node in nodes:
            row = poll(f"{node.lpar} shows it", lambda node=node: overridden(node, "i1"))
            assert (row["status"], row["said"], row["override"]) == ("OUT_OF_SERVICE", "UP", "OUT_OF_SERVICE")
        found = state(first, "?q=OUT_OF_SERVICE")["instances"]
        assert ([each["instance"] for each in found["rows"]], found["matching"]) == (["i1"], 1)
        poll("both nodes and both instances count", lambda: state(first)["node"]["instances"] == 4)

        second.kill()
        gone = {"LPAR1": ("this node", ["itself", "dead"]), "LPAR2": ("not asked", [])}
        poll("it is dead", lambda: seen(first) == gone)
        assert instances(first)["i1"]["owner"] in ("LPAR1", "LPAR2")
        events = [each["event"] for each in state(first)["events"]]
        assert events[0] != "node.started"
        assert "owner.changed" in events

        second.started()
        poll("it is back", lambda: seen(first)["LPAR2"] == ("answered", ["alive", "itself"]))


def test_who_came_and_who_went(tmp_path: Path) -> None:
    node = DiscoveryNode(tmp_path, "LPAR1", HOST1, HOST1)
    with running(node):
        node.register(*(f"i{number}" for number in range(30)))
        assert node.eureka("DELETE", "ORDERS/i7") == 200
        node.register("short", lease_s=1)
        poll("its lease has run out", lambda: "short" not in instances(node))
        found = state(node)
        assert [(each["instance"], each["why"]) for each in found["went"]] == [
            ("short", "its lease ran out"),
            ("i7", "deregistered"),
        ]
        assert len(found["came"]) == 20
        came = [each["instance"] for each in state(node, "?last=1000")["came"] if each["service"] == "orders"]
        assert came == ["short", *(f"i{number}" for number in reversed(range(30)))]


def test_eureka_servers_and_refused_definitions_are_shown(tmp_path: Path) -> None:
    definitions = tmp_path / "defs" / "orders.yml"
    definitions.parent.mkdir()
    definitions.write_text("services:\n  - serviceId: orders\n    instanceBaseUrls: ['nonsense']\n")
    nobody = f"http://{HOST2}:8761/eureka/"
    settings = {"eureka_peers": nobody, "static_api_definitions_directories": definitions.parent, "static_s": 0.1}
    node = DiscoveryNode(tmp_path, "LPAR1", HOST1, HOST1, **settings)
    with running(node):
        (refused,) = poll("the refusal is shown", lambda: state(node)["refused"])
        assert (Path(refused["file"]).name, refused["line"]) == ("orders.yml", 3)
        assert "nonsense" in refused["why"]
        (server,) = poll("the server fails", lambda: [each for each in state(node)["servers"] if each["why"]])
        assert (server["url"], server["state"], server["why"]) == (nobody, "failing", "Connection refused")
        definitions.unlink()
        poll("the refusal is gone", lambda: not state(node)["refused"])


def test_of_many_instances_some_are_shown(tmp_path: Path) -> None:
    node = DiscoveryNode(tmp_path, "LPAR1", HOST1, HOST1)
    many = [{"service": f"s{number % 7}", "host": f"h{number}", "port": 80, "lease_s": 600} for number in range(1000)]
    with running(node):
        status, body = post(node, {"instances": many})
        assert status == 200, body
        listed = poll("they are there", lambda: (found := state(node)["instances"])["total"] == 1001 and found)
        assert (len(listed["rows"]), listed["matching"]) == (500, 1001)
        assert listed["sizes"]["s0"] == 143
        one = state(node, "?q=h777:")["instances"]
        assert [each["service"] for each in one["rows"]] == ["s0"]


def post(node: DiscoveryNode, body: object) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(node.host, PORT, timeout=10)
    try:
        connection.request("POST", "/v1/instances", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_a_node_that_stops_while_somebody_looks_leaves_nothing_behind(tmp_path: Path) -> None:
    nodes = two_nodes(tmp_path)
    with running(*nodes):
        first, _ = nodes
        assert len(state(first)["mesh"]["lines"]) == 2
        assert first.stop() == 0
        assert b"Traceback" not in first.log.read_bytes()
        assert b"Unclosed" not in first.log.read_bytes()


# --- asking the others


async def silent(caller: Caller) -> None:
    while await caller.head():
        pass


def sent_to(url: str) -> Behave:
    async def behave(caller: Caller) -> None:
        while await caller.head():
            await caller.send(answer(b"", "302 Found", f"Location: {url}\r\n".encode()))

    return behave


async def test_peers_are_asked_seldom_and_need_not_answer() -> None:
    seen = {"address": "http://b", "origin": "B@1", "state": "alive", "state_s": 1.0, "suspected_by": [], "lag": 0}
    told = json.dumps({"node": "A@1", "peers": [{**seen, "more": 1}], "positions": {}}).encode()
    behaviours = {
        "good": answering(told),
        "silent": silent,
        "no JSON": answering(b"<html>"),
        "of another kind": answering(b'{"node": "A@1", "peers": [{"address": 1}]}'),
        "large": answering(told + b" " * ANSWER_BYTES),
        "sent on": sent_to(f"http://{HOST1}:9100/v1/peers"),
    }
    peers = {name: RawInstance(HOST1, 9100 + number, each) for number, (name, each) in enumerate(behaviours.items())}
    addresses = [f"http://{each.host}:{each.port}" for each in peers.values()]
    nobody = f"http://{HOST1}:9099"
    sight = Sight(DiscoveryConfig(host=HOST2))
    async with running_parts(*peers.values()):
        try:
            found = await sight.of([*addresses, nobody])
            again = await sight.of(addresses[:2])
            assert found == {
                addresses[0]: msgspec.json.decode(told, type=Sighting),
                **dict.fromkeys([*addresses[1:], nobody]),
            }
            assert again == {each: found[each] for each in addresses[:2]}
            assert [len(each.heads) for each in peers.values()] == [1] * len(peers)
        finally:
            await sight.close()


# --- a search of a large registry


def large(services: int, each: int) -> Registry:
    registry = Registry(a_node())
    for number in range(services * each):
        service = f"S{number % services}"
        registry.register(Registration(app=service, instance=f"i{number}", host="h", ip="192.0.2.1"), 0.0)
    return registry


async def test_a_search_lets_others_have_their_turn() -> None:
    services, each = 40, 100
    finder = Finder(large(services, each).node.view, lambda: 0)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    search = await finder.find("")
    counting.cancel()
    assert search.total == services * each
    assert turns >= services * each // SLICE


async def test_what_was_found_is_used_again_until_something_changes() -> None:
    heard = 0
    registry = large(1, 3)
    finder = Finder(registry.node.view, lambda: heard)
    first = await finder.find("i")
    assert await finder.find("i") is first
    assert await finder.find("i1") is not first
    heard = 1
    assert await finder.find("i") is first  # not older than a second
    deadline = asyncio.get_running_loop().time() + 5
    while await finder.find("i") is first:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.05)


async def test_too_many_who_wait_are_sent_away() -> None:
    finder = Finder(large(20, 100).node.view, lambda: 0)
    waiting = [asyncio.create_task(finder.find(f"{number}")) for number in range(WAITING_MAX)]
    await asyncio.sleep(0)
    with pytest.raises(Busy, match="50 wait"):
        await finder.find("one more")
    found = await asyncio.gather(*waiting)
    assert {each.total for each in found} == {2000}
    assert (await finder.find("i")).total == 2000
