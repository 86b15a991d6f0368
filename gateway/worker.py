"""`python -P -m gateway.worker FD`: one worker of a gateway, started by its parent and by nobody else.

It serves as `front` does, on sockets of its own, and knows nothing of the other workers. By the control channel, which
is descriptor FD, it hears how to begin and when to leave, and tells its report: five times a second while that changes,
else that it is alive, once a second. It lives no longer than its parent.

SIGTERM asks the parent for a replacement: whether the whole gateway is to end, the parent knows. SIGINT and SIGHUP come
from the terminal, to parent and workers at once, and mean the parent.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import resource
import signal
import socket
import sys
from typing import Any

from gateway import control
from gateway.channel import Channel
from gateway.config import GatewayConfig
from gateway.control import (
    Alive,
    Ask,
    Asked,
    Begin,
    Chose,
    Drain,
    Leave,
    Led,
    Order,
    Proven,
    Said,
    Seek,
    Shown,
    Told,
    ToWorker,
)
from gateway.front import Front
from gateway.inner import Dialer
from shared import log
from shared.events import Events
from shared.lifecycle import Lifecycle, run

BUSY_S = 0.2
IDLE_S = 1.0
FLUSH_S = 1.0


class Handed(Events):
    """Events for the parent, which logs and keeps them."""

    def __init__(self, channel: Channel[ToWorker]) -> None:
        super().__init__(logging.getLogger("plexmesh.gateway"))
        self._channel = channel
        self.news = asyncio.Event()

    def emit(self, event: str, /, **fields: object) -> None:
        self._channel.send(Said(event, fields))
        self.news.set()


class Parent:
    """Keeps the records of users for this worker, at the other end of the channel."""

    def __init__(self, channel: Channel[ToWorker]) -> None:
        self._channel = channel

    def seek(self, key: str) -> bool:
        return self._channel.send(Seek(key))

    def chose(self, key: str, instance: str, left: str) -> None:
        self._channel.send(Chose(key, instance, left))


class Doorman:
    """Knows which tokens are good, at the other end of the channel."""

    def __init__(self, channel: Channel[ToWorker]) -> None:
        self._channel = channel

    def ask(self, number: int, token: str) -> bool:
        return self._channel.send(Shown(number, token))


class Worker:
    def __init__(self, begin: Begin, config: GatewayConfig, channel: Channel[ToWorker]) -> None:
        self._channel = channel
        self._events = Handed(channel)
        self._front = Front(config, self._events, Dialer(begin.own).dial, wanted=begin.place)
        self._front.path.sticky.keeper = Parent(channel)
        self._front.path.logins.asking = Doorman(channel)
        self._patience_s = begin.patience_s
        self._draining: asyncio.Task[None] | None = None
        self._last = b""

    async def serve(self, lifecycle: Lifecycle) -> None:
        """Until drained, or the parent has gone."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._channel.send, Asked())
        self._front.begin(lifecycle)
        _leave_what_stays_alone()
        lifecycle.spawn("opening", self._open)
        lifecycle.spawn("reports", self._report_on)
        while not (self._draining and self._draining.done()):
            message = await self._next_message()
            if message is None:
                break
            await self._obey(message)
        self._tell()
        await self._channel.flush(FLUSH_S)
        self._front.close()

    async def _next_message(self) -> ToWorker | None:
        """None: the end, because all is drained or the parent has gone."""
        receiving = asyncio.ensure_future(self._channel.receive())
        ends = [receiving, self._draining] if self._draining else [receiving]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if receiving.done():
            return receiving.result()
        receiving.cancel()
        return None

    async def _obey(self, message: ToWorker) -> None:
        match message:
            case Order(place):
                await self._front.place(place)
                self._tell()
            case Ask(number):
                self._tell(number)
            case Led(key, instance):
                self._front.path.sticky.found(key, instance)
            case Proven(number, outcome):
                self._front.path.logins.found(number, outcome)
            case Leave():
                self._front.leave()
            case Drain(within_s):
                if self._draining is not None:
                    self._draining.cancel()
                self._draining = asyncio.create_task(self._front.drain(within_s))
                await asyncio.sleep(0)  # it has closed the port now
                self._tell()
            case Begin():
                pass

    async def _open(self) -> None:
        """The own port, with the first whole snapshot or when patience ends."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience_s):
                await self._front.whole.wait()
        self._front.open(shared=True)
        self._events.news.set()

    async def _report_on(self) -> None:
        while True:
            self._events.news.clear()
            if self._tell():
                await asyncio.sleep(BUSY_S)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(IDLE_S):
                    await self._events.news.wait()

    def _tell(self, answer_to: int = 0) -> bool:
        """Whether there was news."""
        data = control.frame(Told(self._front.report(), answer_to))
        if data == self._last:
            self._channel.send(Alive())
            return False
        self._channel.send_frame(data)
        if not answer_to:
            self._last = data
        return True


def _leave_what_stays_alone() -> None:
    """Connections are cycles of objects, so the collector has work; what there is from the beginning it need not look
    at each time (with a new connection for each request that was a third of all time)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


async def _main(lifecycle: Lifecycle, sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGHUP):
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)
    channel: Channel[ToWorker] = await Channel.over(sock, ToWorker)
    begin: Any = await channel.receive()
    if isinstance(begin, Begin):
        config = control.unpacked(begin.config, GatewayConfig)
        log.setup("gateway", config.lpar)
        await Worker(begin, config, channel).serve(lifecycle)
    channel.close()


def main(argv: list[str]) -> int:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the soft one is for programs that use select(2)
    sock = socket.socket(fileno=int(argv[1]))
    os.set_inheritable(sock.fileno(), False)
    return run(lambda lifecycle: _main(lifecycle, sock))


if __name__ == "__main__":
    sys.exit(main(sys.argv))
