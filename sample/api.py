"""The sample's handlers."""

from __future__ import annotations

import asyncio
import html

import msgspec
from aiohttp import WSMsgType, web
from aiohttp_sse import sse_response

from sample import openapi
from sample.config import SampleConfig
from shared import access, simulated
from shared.errors import BadInput

MAX_SLOW_S = 30.0
MAX_LINES = 10_000
LINE_S = 0.2

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>sample on {lpar}</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }}
footer {{ color: #666; font-size: .8rem; margin-top: 3rem }}</style></head>
<body><h1>Hello from {lpar}</h1><p>This page was made by <code>{instance}</code>.
Load it again: the next one may come from another LPAR.</p>
<footer>{simulated}</footer></body></html>
"""


class Delay(msgspec.Struct, frozen=True):
    """PUT /drill/delay."""

    seconds: float


class SampleApi:
    def __init__(self, config: SampleConfig) -> None:
        self._config = config
        self._delay_s = 0.0

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/v1/hello", self.hello),
            web.get(openapi.PATH, self.openapi),
            web.route("*", "/api/v1/echo", self.echo),
            web.get("/api/v1/slow", self.slow),
            web.route("*", "/api/v1/status/{code}", self.status),
            web.get("/api/v1/stream", self.stream),
            web.get("/ui/v1", self.page),
            web.get("/ui/v1/", self.page),
            web.get("/ws/v1/echo", self.socket),
            web.put("/drill/delay", self.delay),
        ]

    async def delay(self, request: web.Request) -> web.Response:
        """From now on hello and echo answer so many seconds late; no route of the gateway's leads here. With TLS
        it is an order, and for operators."""
        if self._config.tls:
            access.require(access.who(request.transport, self._config.access), "operator")
        try:
            delay = msgspec.json.decode(await request.read(), type=Delay)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadInput(f'expected {{"seconds": number}}: {error}') from error
        if not 0 <= delay.seconds <= MAX_SLOW_S:
            raise BadInput(f"seconds: expected a number from 0 to {MAX_SLOW_S:g}, got {delay.seconds:g}")
        self._delay_s = delay.seconds
        return _json(delay)

    async def hello(self, _: web.Request) -> web.Response:
        await asyncio.sleep(self._delay_s)
        return _json({"service": "sample", "lpar": self._config.lpar, "instance": self._config.instance})

    async def openapi(self, _: web.Request) -> web.Response:
        return _json(openapi.document())

    async def echo(self, request: web.Request) -> web.Response:
        body = await request.text()
        await asyncio.sleep(self._delay_s)
        return _json(
            {
                "lpar": self._config.lpar,
                "method": request.method,
                "path": request.path_qs,
                "headers": [[str(name), value] for name, value in request.headers.items()],
                "body": body,
            }
        )

    async def slow(self, request: web.Request) -> web.Response:
        pause_s = min(_number(request, "s", 1.0), MAX_SLOW_S)
        await asyncio.sleep(pause_s)
        return _json({"lpar": self._config.lpar, "slept_s": pause_s})

    async def status(self, request: web.Request) -> web.Response:
        code = request.match_info["code"]
        if not code.isdigit() or not 200 <= int(code) <= 599:
            raise BadInput(f"status: expected a code from 200 to 599, got {code!r}")
        return web.Response(status=int(code), text=f"{code} from {self._config.lpar}\n")

    async def stream(self, request: web.Request) -> web.StreamResponse:
        lines = min(int(_number(request, "n", 10)), MAX_LINES)
        async with sse_response(request) as stream:
            for line in range(lines):
                await stream.send(f"{line} from {self._config.lpar}")
                await asyncio.sleep(LINE_S)
        return stream

    async def page(self, _: web.Request) -> web.Response:
        text = PAGE.format(
            lpar=html.escape(self._config.lpar),
            instance=html.escape(self._config.instance),
            simulated=html.escape(simulated.IN_ONE_LINE),
        )
        return web.Response(text=text, content_type="text/html")

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(heartbeat=30)
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await socket.send_bytes(message.data)
        return socket


def _number(request: web.Request, name: str, default: float) -> float:
    given = request.query.get(name, "")
    try:
        number = float(given) if given else default
    except ValueError as error:
        raise BadInput(f"{name}: expected a number, got {given!r}") from error
    if not 0 <= number < 1e9:
        raise BadInput(f"{name}: expected a number from 0 up, got {given!r}")
    return number


def _json(body: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")
