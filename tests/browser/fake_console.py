"""A gateway's console without a mesh: the real pages and static files, and a stream that says what a test wants.

    fake = FakeConsole(sysplex(lpars=2)).open()
    fake.set("components", "LPAR2/gateway", state="failed")     changes fields of an entry, or adds it
    fake.drop("instances", KEY)
    fake.news(line("LPAR2's gateway ended", tone="bad"))
    fake.quiet = True                                           connected, but says nothing
    fake.close(); fake.lpar = "LPAR2"; fake.open()              gone, then another gateway on the same address
    fake.me["needed"] = True                                    with TLS: orders need an operator
    fake.orders                                                 [(method, path, body)] of everything else that was asked
    fake.answers["POST", "/console/v1/lab/drills"] = 202, {"run": "r1"}

By hand: python -m tests.browser.fake_console [--lpars 2] [--each 2] [--hz 0] [--host 127.0.110.1] [--port 7654]
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import threading
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

import jinja2
from aiohttp import web

from gateway.console.swagger import SwaggerUi
from shared import simulated
from tests.browser.fake_document import Document, sysplex

CONSOLE = Path(__file__).parents[2] / "gateway" / "console"
POLICY = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
HOST = f"127.0.110.{os.getpid() % 250 + 1}"

Message = tuple[str, Any]


def line(text: str, **fields: Any) -> dict[str, Any]:
    """Of the timeline, now, from LPAR1's gateway, unless told otherwise."""
    number = next(_numbers)
    return {
        "id": f"LPAR1/gateway@1795702504/{number}",
        "time": time.time(),
        "lpar": "LPAR1",
        "from": "gateway",
        "kind": "other",
        "tone": "info",
        "service": "",
        "instance": "",
        "event": "test.said",
        "text": text,
        **fields,
    }


_numbers = itertools.count(1)


class FakeConsole:
    """It runs in a thread of its own, since Playwright's synchronous calls hold up the one of the test."""

    def __init__(self, document: Document, host: str = HOST, port: int = 0, lpar: str = "LPAR1") -> None:
        self.document = document
        self.lines: list[dict[str, Any]] = []
        self.lpar = lpar
        self.quiet = False
        self.orders: list[tuple[str, str, Any]] = []
        self.answers: dict[tuple[str, str], tuple[int, Any]] = {}
        self.me: dict[str, Any] = {"name": "", "by": "", "operator": False, "needed": False, "login": False}
        self.streams_begun = 0
        self._host, self._port = host, port
        self._followers: set[asyncio.Queue[Message]] = set()
        self._streaming: list[asyncio.Transport] = []
        self._loop = asyncio.new_event_loop()
        self._runner: web.AppRunner | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}"

    @property
    def streams(self) -> int:
        """Open now."""
        return len(self._followers)

    def open(self) -> Self:
        self._do(self._open())
        return self

    def close(self) -> None:
        """As when the gateway is killed: every connection ends."""
        self._do(self._close())

    def end(self) -> None:
        self.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def set(self, section: str, key: str, **fields: Any) -> None:
        self.change({section: {key: {**self.document[section].get(key, {}), **fields}}})

    def drop(self, section: str, *keys: str) -> None:
        self.change({}, {section: list(keys)})

    def change(self, entries: Document, drop: dict[str, list[str]] | None = None) -> None:
        """Several at once, in one message; entries are whole."""
        self._do(self._change(entries, drop or {}))

    def news(self, *lines: dict[str, Any]) -> None:
        self._do(self._news(list(lines)))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _change(self, entries: Document, drop: dict[str, list[str]]) -> None:
        for section, keys in drop.items():
            for key in keys:
                self.document[section].pop(key, None)
        for section, some in entries.items():
            self.document.setdefault(section, {}).update(some)
        self._say("change", {"set": entries, "drop": drop})

    async def _news(self, lines: list[dict[str, Any]]) -> None:
        self.lines += lines
        self._say("news", lines)

    def _say(self, name: str, data: Any) -> None:
        for follower in self._followers:
            follower.put_nowait((name, data))

    async def _open(self) -> None:
        app = web.Application()
        app.add_routes(
            [
                web.get("/console/v1/stream", self._stream),
                web.get("/console/v1/me", self._who),
                web.route("*", "/console/v1/{rest:.*}", self._order),
                web.route("*", "/gateway/api/v1/auth/{rest}", self._order),
                *SwaggerUi().routes(),
                web.get("/", self._page),
                web.get("/console/{rest:.*}", self._page),
                web.get("/static/{name}", self._asset),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def _close(self) -> None:
        self._say("end", None)
        if self._runner is not None and (server := self._runner.server) is not None:
            await self._runner.cleanup()
            await asyncio.sleep(0.02)  # who was being let in at the last moment is in by now
            latecomers = [each.transport for each in server.connections if each.transport is not None]
            for transport in (*latecomers, *self._streaming):  # a stream may still have something to write
                transport.abort()
            self._streaming.clear()
            await asyncio.sleep(0.02)
        self._runner = None

    async def _page(self, request: web.Request) -> web.Response:
        loader = jinja2.FileSystemLoader(CONSOLE / "templates")
        page = jinja2.Environment(loader=loader, autoescape=True).get_template("page.html")
        context = {"sysplex": "PLEX1", "lpar": self.lpar, "simulated": simulated.IN_ONE_LINE}
        return web.Response(text=page.render(context), content_type="text/html", headers=HEADERS)

    async def _asset(self, request: web.Request) -> web.Response:
        path = CONSOLE / "static" / request.match_info["name"]
        if not path.is_file():
            raise web.HTTPNotFound
        return web.Response(body=path.read_bytes(), content_type=TYPES[path.suffix], headers=HEADERS)

    async def _who(self, _: web.Request) -> web.Response:
        return web.json_response(self.me)

    async def _order(self, request: web.Request) -> web.Response:
        path = unquote(request.path)
        text = await request.text()
        self.orders.append((request.method, path, json.loads(text) if text else None))
        status, body = self.answers.get((request.method, path), (200, {"done": "done"}))
        kind = "application/json" if status < 400 else "application/problem+json"
        if isinstance(body, str):
            return web.Response(status=status, text=body, content_type="text/html")
        return web.json_response(body, status=status, content_type=kind)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        self.streams_begun += 1
        if request.transport is not None:
            self._streaming.append(request.transport)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        follower: asyncio.Queue[Message] = asyncio.Queue()
        for message in (("hello", self._hello()), ("whole", self.document), ("news", self.lines)):
            follower.put_nowait(message)
        self._followers.add(follower)
        try:
            await self._follow(follower, response)
        except ConnectionError:
            pass  # it went
        finally:
            self._followers.discard(follower)
        return response

    async def _follow(self, follower: asyncio.Queue[Message], response: web.StreamResponse) -> None:
        while True:
            try:
                name, data = await asyncio.wait_for(follower.get(), 1)
            except TimeoutError:
                name, data = "beat", {}
            if name == "end":
                return
            if not self.quiet:
                await response.write(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())

    def _hello(self) -> dict[str, str]:
        address = f"{self._host}:{self._port}"
        process = f"{self.lpar}/gateway@1795702504"
        return {"sysplex": "PLEX1", "lpar": self.lpar, "url": self.url, "address": address, "process": process}


HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}


def churn(fake: FakeConsole, rng: random.Random) -> None:
    """One change as a busy mesh makes it: a fifth of the instances have other rates."""
    some = rng.sample(sorted(fake.document["instances"]), k=max(len(fake.document["instances"]) // 5, 1))
    entries = {}
    for key in some:
        entry = fake.document["instances"][key]
        seen = {lpar: {**view, "perS": rng.uniform(0, 30)} for lpar, view in entry["seen"].items()}
        entries[key] = {**entry, "seen": seen}
    gateways = {
        lpar: {**entry, "perS": rng.uniform(50, 90), "inFlight": rng.randrange(9)}
        for lpar, entry in fake.document["gateways"].items()
    }
    fake.change({"instances": entries, "gateways": gateways})


def main() -> None:
    options = argparse.ArgumentParser()
    for name, kind, default in (
        ("lpars", int, 2),
        ("each", int, 2),
        ("hz", float, 0),
        ("host", str, "127.0.110.1"),
        ("port", int, 7654),
    ):
        options.add_argument(f"--{name}", type=kind, default=default)
    chosen = options.parse_args()
    fake = FakeConsole(sysplex(chosen.lpars, chosen.each), chosen.host, chosen.port).open()
    print(fake.url, flush=True)
    rng = random.Random(1)
    while True:
        time.sleep(1 / chosen.hz if chosen.hz else 60)
        if chosen.hz:
            churn(fake, rng)


if __name__ == "__main__":
    main()
