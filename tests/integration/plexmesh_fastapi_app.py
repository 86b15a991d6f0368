"""A user's FastAPI service, for uvicorn; each worker process tells its pid in the metadata."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request

import plexmesh

service = plexmesh.Service("orders", routes={"api/v1": "/"}, metadata={"pid": str(os.getpid())}, drain_s=0.5)


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.opened = "the user's own"
    async with service.lifespan(app):
        yield


app = FastAPI(title="Orders", lifespan=lifespan)
app.add_middleware(plexmesh.asgi.Prefix)


@app.get("/hello")
async def hello(request: Request) -> dict[str, str]:
    return {"pid": str(os.getpid()), "state": request.app.state.opened, "self": str(request.url_for("hello"))}


@app.get("/items/")
async def items() -> list[str]:
    return ["one"]


@app.post("/orders")
async def order() -> dict[str, str]:
    return {"pid": str(os.getpid())}
