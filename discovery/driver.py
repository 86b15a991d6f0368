"""Drives the node: calls `tick` at its deadlines and performs its effects, in order.

One task waits for the next deadline; `perform` wakes it only when a step has moved it forward. A `Send` becomes a task
of its own (the node allows one message of a kind per peer, so there are few); everything else is done at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from cachetools import LRUCache

from discovery import clock
from discovery.effects import Changed, OwnerChanged, Said, Send
from discovery.messages import Envelope, Reply, Request, Sender
from discovery.node import Node
from discovery.peers import KINDS, PEERS_MAX, PeerFailure
from discovery.view import Change
from discovery.watch import Watch
from shared.errors import BadInput
from shared.events import Events

log = logging.getLogger("plexmesh.discovery")

Call = Callable[[str, Sender, Request], Awaitable[tuple[Sender, Reply]]]

SHORTEST_PAUSE_S = 0.001
"""The loop's timers count milliseconds: a shorter pause would be none."""

OF_EACH_LEASE = {"lease.expired", "lease.adopted"}
"""There may be thousands at once: only in the log; `discovery.bulletin` tells of them together."""

NEVER = float("-inf")
"""Earlier than any deadline: nobody waits, so nobody is woken."""


class Follower(Protocol):
    """Somebody who keeps up with what is visible."""

    def note(self, changes: Iterable[Change], now: float) -> None: ...


class Driver:
    """`lag_s` is by how much the last tick came late, `worst_lag_s` the most so far; `said` counts events by name."""

    def __init__(self, node: Node, call: Call, watch: Watch, followers: Iterable[Follower], events: Events) -> None:
        self.node = node
        self.lag_s = 0.0
        self.worst_lag_s = 0.0
        self.said: Counter[str] = Counter()
        self._call = call
        self._watch = watch
        self._followers = list(followers)
        self._events = events
        self._wake = asyncio.Event()
        self._due = 0.0
        self._waiting_for = NEVER
        self._stepped = asyncio.Event()
        self._covered = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()
        self._failures: LRUCache[str, dict[str, str]] = LRUCache(PEERS_MAX)

    async def run(self) -> None:
        self.perform()
        while True:
            now = clock.now()
            if now >= self._due:
                self._note_lag(now - self._due)
                self.node.tick(now)
                self.perform()
                await asyncio.sleep(0)
                continue
            self._wake.clear()
            self._waiting_for = self._due
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(self._due - now, SHORTEST_PAUSE_S)):
                    await self._wake.wait()
            self._waiting_for = NEVER

    async def close(self) -> None:
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def covered(self) -> None:
        """Wait until lists may be served, but no longer than the policy's `hold_s`."""
        if self._covered.is_set():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.node.policy.hold_s):
                await self._covered.wait()

    def look_at(self, address: str) -> None:
        """Probe that peer now: a connection to it has ended."""
        self.node.look_at(address, clock.now())
        self.perform()

    def depart(self) -> None:
        """Begin to say goodbye."""
        self.node.depart(clock.now())
        self.perform()

    async def told(self, at_most_s: float) -> None:
        """Wait until every peer that is there has what this node has to tell, but no longer than that."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                while not self.node.told:
                    self._stepped.clear()
                    await self._stepped.wait()

    def receive(self, envelope: Envelope) -> tuple[Sender, Reply]:
        """This node's answer to a peer. Raises BadInput."""
        if not isinstance(envelope.body, Request):
            raise BadInput("peer message: expected a request, got a reply")
        reply = self.node.receive(envelope.sender, envelope.body, clock.now())
        self.perform()
        return self.node.sender, reply

    def perform(self) -> None:
        """Do what the last step asks for; to be called after every step."""
        for effect in self.node.ready():
            match effect:
                case Send(address, message):
                    task = asyncio.get_running_loop().create_task(self._send(address, message))
                    self._sending.add(task)
                    task.add_done_callback(self._sending.discard)
                case Changed(changes):
                    for follower in self._followers:
                        follower.note(changes, clock.now())
                    self._watch.changed(changes)
                case OwnerChanged(origin, state):
                    self._watch.owner_changed(origin, state)
                    self._events.emit("owner.changed", owner=origin, state=state, **self.node.evidence(origin))
                case Said(event, fields):
                    self.said[event] += 1
                    self._say(event, fields)
        if self.node.covered:
            self._covered.set()
        self._stepped.set()
        self._due = self.node.next_deadline()
        if self._due < self._waiting_for:
            self._wake.set()

    async def _send(self, address: str, message: Request) -> None:
        kind = KINDS[type(message)]
        try:
            sender, reply = await self._call(address, self.node.sender, message)
        except PeerFailure as failure:
            self._say_failure(address, kind, str(failure))
            self.node.failed(address, message, failure.refused, clock.now())
        else:
            self._failures.get(address, {}).pop(kind, None)
            self.node.replied(address, message, sender, reply, clock.now())
        self.perform()

    def _say(self, event: str, fields: dict[str, object]) -> None:
        if event in OF_EACH_LEASE:
            log.info(event, extra={"fields": fields})
        else:
            self._events.emit(event, **fields)

    def _say_failure(self, address: str, kind: str, reason: str) -> None:
        """Once for each reason, not once for each probe or each kind of message."""
        said = self._failures.get(address, {})
        if reason not in said.values():
            self._events.emit("peer.failed", peer=address, reason=reason)
        self._failures[address] = said | {kind: reason}

    def _note_lag(self, lag_s: float) -> None:
        self.lag_s = lag_s
        self.worst_lag_s = max(self.worst_lag_s, lag_s)
