"""The proxy everyone writes first: an aiohttp handler that calls an aiohttp client. It knows routes and hop-by-hop
fields, gathers each answer before it sends it on, and has no health and no retries.

`python -P -m bench.gateway.naive HOST PORT PREFIX=URL…`
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping

import uvloop
from aiohttp import ClientSession, TCPConnector, WSMsgType, web
from multidict import CIMultiDict

HOP_BY_HOP = ("Connection", "Keep-Alive", "TE", "Transfer-Encoding", "Upgrade", "Host", "Content-Length")


def outgoing(request: web.Request) -> CIMultiDict[str]:
    headers = request.headers.copy()
    for name in HOP_BY_HOP:
        headers.popall(name, None)
    headers["X-Forwarded-For"] = request.remote or ""
    headers["X-Forwarded-Host"] = request.host
    headers["X-Forwarded-Proto"] = request.scheme
    return headers


class Naive:
    def __init__(self, routes: Mapping[str, str], session: ClientSession) -> None:
        self.routes = routes
        self.session = session

    def url(self, request: web.Request) -> str:
        for prefix, url in self.routes.items():
            if request.path_qs.startswith(prefix):
                return url + request.path_qs.removeprefix(prefix)
        raise web.HTTPNotFound

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade") == "websocket":
            return await self.tunnel(request)
        body = request.content if request.can_read_body else None
        headers = outgoing(request)
        if request.content_length:
            headers["Content-Length"] = str(request.content_length)
        async with self.session.request(request.method, self.url(request), headers=headers, data=body) as answer:
            return web.Response(status=answer.status, body=await answer.read(), content_type=answer.content_type)

    async def tunnel(self, request: web.Request) -> web.StreamResponse:
        client = web.WebSocketResponse(compress=False)
        async with self.session.ws_connect(self.url(request)) as upstream:
            await client.prepare(request)
            up = asyncio.create_task(self.pump(client, upstream))
            await self.pump(upstream, client)
            up.cancel()
        return client

    async def pump(self, source, target) -> None:  # type: ignore[no-untyped-def]
        async for message in source:
            if message.type is WSMsgType.TEXT:
                await target.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await target.send_bytes(message.data)


async def main(host: str, port: str, *routes: str) -> None:
    async with ClientSession(connector=TCPConnector(limit=0)) as session:
        naive = Naive(dict(route.split("=", 1) for route in routes), session)
        app = web.Application(client_max_size=0)
        app.router.add_route("*", "/{path:.*}", naive.handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, host, int(port), backlog=4096).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(*sys.argv[1:]))
