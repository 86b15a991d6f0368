"""What a browser is told: the document and how it changes, the timeline, and when it has to go to another gateway."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from gateway.console import collector
from gateway.sse import Parser
from shared.events import Event
from tests.fakes import an_instance, until
from tests.integration.gateway_rig import INSTANCES, LPAR1, PORT, Rig, a_gateway, on_uvloop
from tests.integration.test_gateway_explain import serving

NODE = INSTANCES[0]


class Watcher:
    """A browser, as far as it reads."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer
        self._parser = Parser()
        self.document: dict[str, dict[str, dict[str, Any]]] = {}
        self.lines: list[dict[str, Any]] = []
        self.heard: list[str] = []
        self.hello: dict[str, Any] = {}
        self.ended = False

    async def read(self) -> None:
        async for data in self._answer.content.iter_any():
            for message in self._parser.feed(data):
                self._take(message.event, msgspec.json.decode(message.data))
        self.ended = True

    def _take(self, event: str, data: Any) -> None:
        self.heard.append(event)
        match event:
            case "hello":
                self.hello = data
            case "whole":
                self.document = data
            case "change":
                for section, entries in data.get("set", {}).items():
                    self.document.setdefault(section, {}).update(entries)
                for section, keys in data.get("drop", {}).items():
                    for key in keys:
                        del self.document[section][key]
            case "news":
                self.lines += data

    def entry(self, section: str, key: str) -> dict[str, Any]:
        return self.document.get(section, {}).get(key, {})


@contextlib.asynccontextmanager
async def watching(host: str = LPAR1) -> AsyncIterator[Watcher]:
    url = f"http://{host}:{PORT}/console/v1/stream"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        watcher = Watcher(answer)
        task = asyncio.create_task(watcher.read())
        try:
            yield watcher
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def of(rig: Rig) -> collector.Collector:
    return rig.gateway._desk._site.collector  # type: ignore


@on_uvloop
async def test_a_browser_gets_the_whole_and_then_what_changes() -> None:
    async with a_gateway(lpar="LPAR1") as rig, watching() as watcher:
        await until(lambda: watcher.document, "the document has come")
        assert watcher.hello["lpar"] == "LPAR1"
        assert watcher.heard[:2] == ["hello", "whole"]
        one = an_instance("orders", 9000, INSTANCES[1], metadata={"apiml.service.title": "Orders"})
        rig.discovery.put(one)
        await until(lambda: watcher.entry("instances", one.key), "it is shown")
        assert watcher.entry("services", "orders")["title"] == "Orders"
        rig.discovery.put(an_instance("orders", 9000, INSTANCES[1], status="OUT_OF_SERVICE", rev=2))
        await until(lambda: watcher.entry("instances", one.key)["status"] == "OUT_OF_SERVICE", "its status is shown")
        rig.discovery.remove(one.key)
        await until(lambda: not watcher.entry("instances", one.key), "it has gone")
        await until(lambda: "beat" in watcher.heard, "silence means something")


@on_uvloop
async def test_facts_that_change_nothing_do_not_keep_a_browser_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "OWN_S", 0.01)
    monkeypatch.setattr(collector, "LOOK_S", 0.01)
    async with a_gateway(lpar="LPAR1"), watching() as watcher:
        await until(lambda: watcher.heard.count("beat") > 1, "it is told that nothing has happened")


@on_uvloop
async def test_how_this_gateway_sees_an_instance_and_why_is_shown_and_told() -> None:
    async with a_gateway(lpar="LPAR1") as rig, watching() as watcher:
        one = an_instance("orders", 9000, INSTANCES[1])
        rig.discovery.put(one, an_instance("gateway", PORT, LPAR1))
        await until(lambda: watcher.entry("gateways", "LPAR1").get("reachable"), "the gateway is shown")
        assert (await rig.get("/orders/api/v1")).status == 503
        await until(lambda: watcher.entry("instances", one.key).get("view") == "UNREACHABLE", "the view is shown")
        assert "connection refused" in watcher.entry("instances", one.key)["seen"]["LPAR1"]["why"]
        await until(lambda: any("connection refused" in each["text"] for each in watcher.lines), "it is told")
        await until(lambda: watcher.entry("gateways", "LPAR1").get("errorsPerS"), "failed calls are counted")


@on_uvloop
async def test_other_processes_are_asked_and_followed_and_forgotten() -> None:
    node = an_instance("discovery", 7553, NODE, lpar="LPAR2")
    told = asyncio.Event()
    opened: list[str] = []

    async def info(_: web.Request) -> web.Response:
        return web.json_response({"started": 12.5})

    async def summary(_: web.Request) -> web.Response:
        return web.json_response({"node": "LPAR2", "instances": 7})

    async def peers(_: web.Request) -> web.Response:
        return web.json_response({"peers": [{"origin": "LPAR1@1", "state": "suspect"}]})

    async def events(request: web.Request) -> web.StreamResponse:
        opened.append(request.headers["Last-Event-ID"])
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        event = Event(3, 99.0, "node.leaving", {"origin": "LPAR2@1"})
        await response.write(b"data: %b\n\n" % msgspec.json.encode(event))
        await told.wait()
        return response

    routes = (
        web.get("/application/info", info), web.get("/application/events", events),
        web.get("/v1/summary", summary), web.get("/v1/peers", peers),
    )  # fmt: skip
    async with serving(NODE, *routes), a_gateway(lpar="LPAR1") as rig, watching() as watcher:
        rig.discovery.put(node)
        await until(lambda: watcher.entry("nodes", "LPAR2").get("reachable"), "its facts are shown")
        assert watcher.entry("nodes", "LPAR2")["peers"] == {"LPAR1": "suspect"}
        await until(lambda: watcher.lines, "its events are told")
        (line,) = [each for each in watcher.lines if each["event"] == "node.leaving"]
        assert (line["id"], line["lpar"], line["from"]) == ("LPAR2/discovery@12.500/3", "LPAR2", "discovery")
        told.set()
        await until(lambda: len(opened) > 1, "a stream that ended is opened again")
        assert opened[:2] == ["0", "3"]
        rig.discovery.remove(node.key)
        await until(lambda: not watcher.entry("nodes", "LPAR2"), "it has gone")


@on_uvloop
async def test_one_that_cannot_be_reached_has_the_reason_in_its_place() -> None:
    async with a_gateway(lpar="LPAR1") as rig, watching() as watcher:
        rig.discovery.put(an_instance("gateway", 7554, INSTANCES[2], lpar="LPAR3"))
        await until(lambda: watcher.entry("gateways", "LPAR3").get("reachable") is False, "it is tried")
        assert watcher.entry("gateways", "LPAR3")["why"] == "connection refused"


@on_uvloop
async def test_nothing_is_collected_while_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "LINGER_S", 0.1)
    async with a_gateway(lpar="LPAR1") as rig:
        assert not of(rig).document
        rig.discovery.put(an_instance("discovery", 7553, NODE, lpar="LPAR2"))
        for _ in range(2):
            async with watching():
                await until(lambda: of(rig)._feeds, "processes are followed")
            await until(lambda: not of(rig)._feeds, "nobody is followed any more")


@on_uvloop
async def test_a_gateway_that_leaves_sends_its_browsers_away() -> None:
    async with a_gateway(lpar="LPAR1") as rig, watching() as watcher:
        await until(lambda: watcher.document, "the document has come")
        stopping = asyncio.create_task(rig.gateway.stop())
        await until(lambda: watcher.ended, "the stream has ended")
        await stopping
