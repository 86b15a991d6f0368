"""One trial: everything started afresh, calm, the fault, the rest of the load; then ended, and what was seen told.

A hung instance goes on before it is ended, so that it reads (and writes down) what its kernel took for it meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path

from bench.failover.calls import PATH, Load
from bench.failover.faults import Fault
from bench.failover.figures import Seen
from bench.failover.proxies import Address, Lane, Proxy, instance
from bench.failover.stalled import Stalled
from bench.gateway.process import Process

CALM_S = 2.0
READY_IN_S = 15.0
NAMES = ("one", "two", "three")
"""The first goes bad."""
READS_IN_S = 10.0
"""A hung one that goes on, whatever there is."""


@dataclass
class Trial:
    lane: Lane
    fault: Fault
    proxy: Process
    instances: tuple[Process, ...]
    helpers: tuple[Process, ...]
    hung: list[Process] = field(default_factory=list)
    attempts: list[float] = field(default_factory=list)
    """At an unreachable instance, in seconds since the start of the load."""

    async def start(self) -> None:
        await asyncio.gather(*(each.start() for each in (*self.instances, *self.helpers)))
        await self.proxy.start()
        await self._ready()

    async def _ready(self) -> None:
        """Until the proxy has brought an answer of each instance."""
        missing = {each.name for each in self.instances}
        try:
            async with asyncio.timeout(READY_IN_S):
                while missing:
                    missing.discard(await who(self.proxy.address))
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{self.proxy.name}: nothing from {missing}: {self.proxy.said()}") from None

    async def run(self, seconds: float) -> Load:
        """All calls have been made after it; some may not have ended yet."""
        load = Load(self.proxy.address, seconds)
        try:
            await load.open()
            load.begin()
            stalled = Stalled(self.instances[0].address)
            await asyncio.sleep(CALM_S)
            self.strike()
            if self.fault.unreachable:
                await stalled.watch(seconds)
                self.attempts = stalled.attempts
            else:
                await asyncio.sleep(seconds - CALM_S)
        except BaseException:
            load.close()
            raise
        return load

    def strike(self) -> None:
        for each in self.instances if self.fault.everywhere else self.instances[:1]:
            os.kill(each.pid, self.fault.signal)
            if self.fault.signal == signal.SIGSTOP:
                self.hung.append(each)

    async def finish(self, load: Load) -> Seen:
        """Until each call has ended, and all processes have."""
        try:
            await load.wait()
        finally:
            load.close()
            await self.stop()
        read = {each.name: numbers(self.lane.folder / f"{each.name}.calls") for each in self.instances}
        return Seen(load.calls, read, CALM_S, NAMES[0], self.fault.dead, self.attempts)

    async def stop(self) -> None:
        try:
            for each in self.hung:
                os.kill(each.pid, signal.SIGCONT)
                await has_read(each)
        finally:
            await asyncio.gather(*(each.stop() for each in (self.proxy, *self.helpers, *self.instances)))


def prepared(lane: Lane, fault: Fault, proxy: Proxy) -> Trial:
    addresses = [lane.instance(index) for index in range(fault.instances)]
    instances = tuple(
        instance(name, address, lane.cores.rest, lane.folder, fault.behaviour)
        for name, address in zip(NAMES, addresses, strict=False)
    )
    helpers = (proxy.helper(lane, addresses),) if proxy.helper else ()
    return Trial(lane, fault, proxy.make(lane, addresses), instances, helpers)


async def who(address: Address) -> str:
    """Which instance answers a call without a number; nobody if it is no good answer."""
    try:
        reader, writer = await asyncio.open_connection(*address)
        with contextlib.closing(writer):
            writer.write(f"GET {PATH} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode())
            head, _, _ = (await reader.read()).lower().partition(b"\r\n\r\n")
    except OSError:
        return ""
    named = head.partition(b"\r\nx-instance: ")[2].partition(b"\r\n")[0]
    return named.decode() if head.startswith(b"http/1.1 200") else ""


async def has_read(hung: Process) -> None:
    """Its kernel hands over connections in their order: behind the first answer all older ones have been accepted,
    behind the next they have been read."""
    async with asyncio.timeout(READS_IN_S):
        for _ in range(3):
            await who(hung.address)


def numbers(path: Path) -> list[int]:
    """Of the calls an instance read; negative: refused."""
    return [int(line) for line in path.read_text().split()]
