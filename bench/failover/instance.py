"""One instance behind the proxies: a process of its own, so that `kill -9` and SIGSTOP are real.

`python -P -m bench.failover.instance NAME HOST PORT FOLDER BEHAVIOUR`: behaves well until SIGUSR1, then as told:

    well          answers 200 after `WORK_S`
    refusing      answers 503 at once
    slow          answers 200 after `SLOW_S` more
    narrow        does one call after another, each `NARROW_S`, in the order they came
    unreachable   its kernel drops every packet that comes in, for connections there are and for new ones, unanswered

Calls have a number, `?n=`, which goes to FOLDER/NAME.calls as it is read, with a minus if it is refused. What has none
is answered well whatever happens to calls, the health page for one: a process whose database is gone looks like that.

Source of the dropping: Linux, socket(7), SO_ATTACH_FILTER: what a filter on a TCP socket drops is not acknowledged.
"""

from __future__ import annotations

import array
import asyncio
import ctypes
import os
import re
import signal
import socket
import struct
import sys
from typing import Any

import httptools
import uvloop

WORK_S = 0.002
SLOW_S = 0.3
NARROW_S = 0.015
NUMBER = re.compile(rb"[?&]n=(\d+)")
PR_SET_PDEATHSIG = 1
SO_ATTACH_FILTER = 26
"""linux/socket.h; `shared.net` has it too, but takes half a second to import, and each trial starts instances."""

DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)
"""Classic BPF: return 0 bytes of every packet."""


class Instance:
    def __init__(self, name: str, behaviour: str, calls: int) -> None:
        """`calls`: descriptor of the file that the numbers go to."""
        self.name = name
        self.behaviour = "well"
        self.connections: set[Connection] = set()
        self.listener: Any = None
        self._becomes = behaviour
        self._calls = calls
        self._busy_until = 0.0

    def switch(self) -> None:
        self.behaviour = self._becomes
        if self.behaviour == "unreachable":
            for sock in (self.listener, *(each.transport.get_extra_info("socket") for each in self.connections)):
                drop_all(sock)

    def take(self, url: bytes, now: float) -> tuple[int, float]:
        """Status of the answer, and after how many seconds."""
        found = NUMBER.search(url)
        if found is None:
            return 200, 0.0
        refused = self.behaviour == "refusing"
        os.write(self._calls, b"%b%b\n" % (b"-" if refused else b"", found[1]))
        match self.behaviour:
            case "refusing":
                return 503, 0.0
            case "slow":
                return 200, WORK_S + SLOW_S
            case "narrow":
                self._busy_until = max(self._busy_until, now) + NARROW_S
                return 200, self._busy_until - now
        return 200, WORK_S


class Connection(asyncio.Protocol):
    """One request at a time, as proxies send them."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self._instance.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._instance.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._url = b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_message_complete(self) -> None:
        status, delay_s = self._instance.take(self._url, self._loop.time())
        keep = self._parser.should_keep_alive()
        if delay_s:
            self._loop.call_later(delay_s, self._answer, status, keep)
        else:
            self._answer(status, keep)

    def _answer(self, status: int, keep: bool) -> None:
        if self.transport.is_closing():
            return
        name = self._instance.name.encode()
        body = b'{"instance":"%b"}' % name
        self.transport.write(
            b"HTTP/1.1 %d %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\nX-Instance: %b\r\n\r\n%b"
            % (status, b"OK" if status == 200 else b"No", len(body), name, body)
        )
        if not keep:
            self.transport.close()


def drop_all(sock: Any) -> None:
    """From now on, whatever comes in for this socket is lost."""
    program = array.array("B", DROP_ALL)
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", 1, program.buffer_info()[0]))


async def main(name: str, host: str, port: str, folder: str, behaviour: str) -> None:
    # Not SIGTERM as for the others: a stopped process would keep that for later.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    loop = asyncio.get_running_loop()
    calls = os.open(f"{folder}/{name}.calls", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    instance = Instance(name, behaviour, calls)
    loop.add_signal_handler(signal.SIGUSR1, instance.switch)
    server = await loop.create_server(lambda: Connection(instance), host, int(port), backlog=4096)
    instance.listener = server.sockets[0]
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(*sys.argv[1:]))
