"""`naive.py HOST PORT`: the least that an aiohttp server does for the same calls: a dictionary and JSON, no checks."""

from __future__ import annotations

import asyncio
import sys

import msgspec
import uvloop
from aiohttp import web

held: dict[str, str] = {}


async def read(request: web.Request) -> web.Response:
    key = request.match_info["key"]
    body = msgspec.json.encode({"key": key, "value": held[key], "created": "1800000000000"})
    return web.Response(body=body, content_type="application/json")


async def write(request: web.Request) -> web.Response:
    body = msgspec.json.decode(await request.read())
    held[body["key"]] = body["value"]
    return web.Response(status=204)


async def main(host: str, port: int) -> None:
    app = web.Application()
    base = "/cachingservice/api/v1/cache"
    app.add_routes([web.get(f"{base}/{{key}}", read), web.put(base, write), web.post(base, write)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
