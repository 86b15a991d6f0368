"""`python -P -m bench.registry.watcher HOST PORT` (from the environment): one watch stream, and when it told of what.

Cheap on purpose, so that it measures the node and not itself: the timed changes are found in the bytes of an event by
their name, nothing is decoded. A stream that the node cuts is taken up again, as a gateway does.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from array import array
from typing import Any

import httptools
import uvloop

from bench.registry import control

PUT = re.compile(rb'"service":"change","instance":"c(\d+)"')
DEL = re.compile(rb'"change/c(\d+)"')
REQUEST = b"GET /v1/watch HTTP/1.1\r\nHost: %b\r\nAccept: text/event-stream\r\n%b\r\n"
AGAIN_S = 0.1


class Notes:
    def __init__(self) -> None:
        self.changes = array("q")
        self.token = b""
        self.streams = 0
        self.bytes = 0
        self.following = False
        """A mark has come: the stream is past the whole set."""

    def event(self, event: bytes, now_ns: int) -> None:
        if b'"service":"change"' in event:
            for number in PUT.findall(event):
                self.changes.extend((int(number), 1, now_ns))
        elif event.startswith(b"event: del"):
            for number in DEL.findall(event):
                self.changes.extend((int(number), 0, now_ns))
        elif event.startswith(b"id: "):
            self.token = event[4 : event.index(b"\n")]
            self.following = True

    # --- asked by the parent

    def state(self) -> dict[str, Any]:
        return {"following": self.following, "streams": self.streams, "bytes": self.bytes}

    def take(self) -> dict[str, Any]:
        taken, self.changes = self.changes.tolist(), array("q")
        return {"changes": taken}


class Stream(asyncio.Protocol):
    """One stream, resumed by the last token; `ended` when the node has cut it."""

    def __init__(self, host: str, notes: Notes) -> None:
        self.ended = asyncio.Event()
        self._host = host
        self._notes = notes
        self._parser = httptools.HttpResponseParser(self)
        self._rest = b""
        notes.streams += 1
        notes.following = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        token = b"Last-Event-ID: %b\r\n" % self._notes.token if self._notes.token else b""
        transport.write(REQUEST % (self._host.encode(), token))  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._notes.bytes += len(body)
        *events, self._rest = (self._rest + body).split(b"\n\n")
        now_ns = time.monotonic_ns()
        for event in events:
            self._notes.event(event, now_ns)

    def on_message_complete(self) -> None:
        self.ended.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.ended.set()


async def main(host: str, port: int) -> None:
    notes = Notes()
    await control.listen({"state": notes.state, "take": notes.take})
    while True:
        transport, stream = await asyncio.get_running_loop().create_connection(lambda: Stream(host, notes), host, port)
        await stream.ended.wait()
        transport.abort()
        await asyncio.sleep(AGAIN_S)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(os.environ["WATCH_HOST"], int(os.environ["WATCH_PORT"])))
