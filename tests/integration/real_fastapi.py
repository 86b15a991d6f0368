"""A user's FastAPI service, for uvicorn. What it answers is what the others beside it answer (`real_services_rig`)."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import RedirectResponse, StreamingResponse

import plexmesh

WAIT_S = 10.0

service = plexmesh.Service("fastapi", routes={"api/v1": "/", "ws/v1": "/"}, drain_s=0)
app = FastAPI(title="Orders", lifespan=service.lifespan)
app.add_middleware(plexmesh.asgi.Prefix)
released: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)


@app.get("/hello/{name}")
async def hello(name: str, request: Request) -> dict[str, object]:
    return {
        "service": "fastapi",
        "name": name,
        "query": dict(request.query_params),
        "prefix": request.headers.get("X-Forwarded-Prefix"),
        "host": request.headers.get("X-Forwarded-Host"),
    }


@app.post("/echo")
async def echo(request: Request) -> Response:
    return Response(await request.body(), headers={"Content-Type": request.headers["Content-Type"]})


@app.get("/moved")
async def moved(to: str) -> RedirectResponse:
    return RedirectResponse(to, 302)


@app.get("/moved/whole")
async def moved_whole(request: Request) -> RedirectResponse:
    return RedirectResponse(request.url_for("hello", name="whole"), 302)


@app.get("/cookie")
async def cookie(path: str, response: Response) -> None:
    response.set_cookie("seat", "12a", path=path)


@app.get("/account/seat")
async def account(request: Request) -> dict[str, str]:
    return request.cookies


@app.get("/stream/{id}")
async def stream(id: str) -> StreamingResponse:
    async def pieces() -> AsyncIterator[str]:
        yield "data: first\n\n"
        await asyncio.wait_for(released[id].wait(), WAIT_S)
        yield "data: last\n\n"

    return StreamingResponse(pieces(), media_type="text/event-stream")


@app.post("/release/{id}")
async def release(id: str) -> None:
    released[id].set()


@app.websocket("/socket")
async def socket(socket: WebSocket) -> None:
    await socket.accept(subprotocol="echo.v1" if "echo.v1" in socket.scope["subprotocols"] else None)
    while (message := await socket.receive())["type"] == "websocket.receive":
        if message.get("text") == "close":
            await socket.close(4001, "enough")
            return
        await socket.send({**message, "type": "websocket.send"})
