"""Drives the node: calls `tick` at its deadlines and performs its effects, in order.

One task waits for the next deadline; `perform` wakes it when a step has moved it. A `Send` becomes a task of its own
(the node allows one message of a kind per peer, so there are at most three per peer); everything else is done at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from discovery.effects import Changed, OwnerChanged, Said, Send
from discovery.eureka.delta import DeltaLog
from discovery.messages import Envelope, Reply, Request
from discovery.node import Node
from discovery.peers import PeerFailure
from discovery.watch import Watch
from shared.errors import BadInput
from shared.events import Events

Call = Callable[[str, str, Request], Awaitable[tuple[str, Reply]]]


class Driver:
    def __init__(self, node: Node, call: Call, watch: Watch, delta: DeltaLog, events: Events) -> None:
        self.node = node
        self._call = call
        self._watch = watch
        self._delta = delta
        self._events = events
        self._wake = asyncio.Event()
        self._stepped = asyncio.Event()
        self._covered = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()
        self._failures: dict[str, str] = {}

    async def run(self) -> None:
        while True:
            self.node.tick(time.monotonic())
            self.perform()
            self._wake.clear()
            pause_s = max(self.node.next_deadline() - time.monotonic(), 0.0)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._wake.wait()

    async def close(self) -> None:
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def covered(self, at_most_s: float) -> None:
        """Wait until lists may be served, but no longer than that."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                await self._covered.wait()

    async def told(self, at_most_s: float) -> None:
        """Wait until every peer that is there has this node's last write, but no longer than that."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                while not self.node.told:
                    self._stepped.clear()
                    await self._stepped.wait()

    def receive(self, envelope: Envelope) -> Reply:
        """Raises BadInput."""
        if not isinstance(envelope.body, Request):
            raise BadInput("peer message: expected a request, got a reply")
        reply = self.node.receive(envelope.origin, envelope.body, time.monotonic())
        self.perform()
        return reply

    def perform(self) -> None:
        """Do what the last step asks for; to be called after every step."""
        for effect in self.node.ready():
            match effect:
                case Send(address, message):
                    task = asyncio.get_running_loop().create_task(self._send(address, message))
                    self._sending.add(task)
                    task.add_done_callback(self._sending.discard)
                case Changed(changes):
                    self._delta.note(changes, time.monotonic())
                    self._watch.changed(changes)
                case OwnerChanged(origin, state):
                    self._watch.owner_changed(origin, state)
                    self._events.emit("owner.changed", owner=origin, state=state)
                case Said(event, fields):
                    self._events.emit(event, **fields)
        if self.node.covered:
            self._covered.set()
        self._stepped.set()
        self._wake.set()

    async def _send(self, address: str, message: Request) -> None:
        try:
            origin, reply = await self._call(address, self.node.origin, message)
        except PeerFailure as failure:
            self._say_failure(address, str(failure))
            self.node.failed(address, message, failure.refused, time.monotonic())
        else:
            self._failures.pop(address, None)
            self.node.replied(address, origin, reply, time.monotonic())
        self.perform()

    def _say_failure(self, address: str, reason: str) -> None:
        """Once for each reason, not once for each probe."""
        if self._failures.get(address) != reason:
            self._events.emit("peer.failed", peer=address, reason=reason)
        self._failures[address] = reason
