"""The servers that the websocket suite talks to: an echo server (the `websockets` package), and a raw one for what that
package cannot do: other protocols, bytes in one segment with the 101, half-closed connections.

Both keep how each connection ended, by the `id` in its query.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from tests.fakes import Caller, RawInstance

SUBPROTOCOLS = [Subprotocol("chat.v2"), Subprotocol("chat.v1")]
MAX_MESSAGE_BYTES = 2 << 20
TOLD = ("Origin", "Cookie", "Authorization", "User-Agent", "X-Custom", "Sec-WebSocket-Protocol")


class Servers:
    """`ends` has, by id: the close code and reason as the echo server saw them; the bytes the raw server got."""

    def __init__(self) -> None:
        self.ends: dict[str, object] = {}

    @contextlib.asynccontextmanager
    async def echo(self, host: str, port: int) -> AsyncIterator[None]:
        server = serve(
            self._talk, host, port, select_subprotocol=_subprotocol, max_size=MAX_MESSAGE_BYTES,
            process_request=_refusal, process_response=_with_cookie, ping_interval=None, close_timeout=2,
            server_header=None,
        )  # fmt: skip
        async with server:
            yield

    async def _talk(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        url = urlsplit(connection.request.path)
        _, kind, *arguments = url.path.split("/")
        try:
            match kind:
                case "close":
                    await connection.close(int(arguments[0]), arguments[1])
                case "drop":
                    await connection.send("last words")
                    await connection.recv()
                    connection.transport.abort()
                case "ping":
                    pong = await connection.ping(arguments[0])
                    await pong
                    await connection.send("ponged")
                case "fragments":
                    await connection.send(iter(["one ", "", "two ", "three"]))
                case "big":
                    await connection.send(bytes(range(256)) * (int(arguments[0]) // 256))
                case "burst":
                    for number in range(int(arguments[0])):
                        await connection.send(f"message {number}")
                case "request":
                    await connection.send(json.dumps({name: connection.request.headers.get(name) for name in TOLD}))
                    await connection.send(url.path)
                case "first":
                    await connection.send("hello")
            if kind not in ("close", "drop", "burst", "fragments"):
                async for message in connection:
                    await connection.send(message)
        except ConnectionClosed:
            pass
        await connection.close()
        await connection.wait_closed()
        self.ends[parse_qs(url.query)["id"][0]] = (connection.close_code, connection.close_reason)

    def raw(self, host: str, port: int) -> RawInstance:
        return RawInstance(host, port, self._switch)

    async def _switch(self, caller: Caller) -> None:
        """Answers 101 to any protocol with a greeting in the same segment, then echoes until the caller has ended.
        At /ends it ends its own side first, and listens."""
        head = (await caller.head()).decode()
        url = urlsplit(head.split(" ")[1])
        id = parse_qs(url.query)["id"][0]
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:-2])
        upgrade = f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {fields['Upgrade']}\r\n\r\n"
        await caller.send(upgrade.encode() + b"\x81\x07welcome")
        if url.path == "/ends":
            caller.writer.write_eof()
            self.ends[id] = await caller.reader.read()
            return
        got = b""
        try:
            while data := await caller.reader.read(65_536):
                got += data
                await caller.send(data)
            await caller.send(b"\x81\x03bye")
        except ConnectionError:
            pass
        self.ends[id] = got


def _subprotocol(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return next((each for each in SUBPROTOCOLS if each in offered), None)


async def _refusal(connection: ServerConnection, request: Request) -> Response | None:
    _, kind, *arguments = urlsplit(request.path).path.split("/")
    if kind != "refuse":
        return None
    await asyncio.sleep(0)
    response = connection.respond(int(arguments[0]), f"refused with {arguments[0]}\n")
    if arguments[0] == "401":
        response.headers["WWW-Authenticate"] = 'Basic realm="ws"'
    return response


async def _with_cookie(_: ServerConnection, request: Request, response: Response) -> None:
    if request.path.startswith("/request"):
        response.headers["Set-Cookie"] = "seen=1; Path=/"
