"""A user's aiohttp service, as `web.run_app` runs it. It knows no prefix: its paths begin as the gateway's do."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict

from aiohttp import WSMsgType, web
from yarl import URL

import plexmesh

WAIT_S = 10.0

released: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)


async def hello(request: web.Request) -> web.Response:
    return web.json_response(
        {
            "service": "aiohttp",
            "name": request.match_info["name"],
            "query": dict(request.query),
            "prefix": request.headers.get("X-Forwarded-Prefix"),
            "host": request.headers.get("X-Forwarded-Host"),
        }
    )


async def echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read(), headers={"Content-Type": request.headers["Content-Type"]})


async def moved(request: web.Request) -> web.Response:
    raise web.HTTPFound(request.query["to"])


async def moved_whole(request: web.Request) -> web.Response:
    """The address it was called at: its own."""
    raise web.HTTPFound(request.url.join(URL("/api/v1/hello/whole")))


async def cookie(request: web.Request) -> web.Response:
    response = web.Response()
    response.set_cookie("seat", "12a", path=request.query["path"])
    return response


async def account(request: web.Request) -> web.Response:
    return web.json_response(dict(request.cookies))


async def stream(request: web.Request) -> web.StreamResponse:
    """Chunked, and no event stream."""
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    await response.write(b"data: first\n\n")
    await asyncio.wait_for(released[request.match_info["id"]].wait(), WAIT_S)
    await response.write(b"data: last\n\n")
    return response


async def release(request: web.Request) -> web.Response:
    released[request.match_info["id"]].set()
    return web.Response()


async def socket(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(protocols=("echo.v1",))
    await socket.prepare(request)
    async for message in socket:
        if message.data == "close":
            await socket.close(code=4001, message=b"enough")
        elif message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        else:
            await socket.send_bytes(message.data)
    return socket


app = web.Application()
app.add_routes(
    [
        web.get("/api/v1/hello/{name}", hello),
        web.post("/api/v1/echo", echo),
        web.get("/api/v1/moved", moved),
        web.get("/api/v1/moved/whole", moved_whole),
        web.get("/api/v1/cookie", cookie),
        web.get("/api/v1/account/seat", account),
        web.get("/api/v1/stream/{id}", stream),
        web.post("/api/v1/release/{id}", release),
        web.get("/ws/v1/socket", socket),
    ]
)
service = plexmesh.Service("aiohttp", routes={"api/v1": "/api/v1", "ws/v1": "/ws/v1"}, drain_s=0)
app.cleanup_ctx.append(service.cleanup_ctx)
web.run_app(app, host=os.environ["HOST"], port=int(os.environ["PORT"]))
