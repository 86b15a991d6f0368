"""Real Eureka servers as peers (`eurekaPeers`): each is told what clients say here, and asked once what it knows.

For each one a task that waits until its outbox has a batch due, posts it, and gives the outcome back to the outbox; and
one that takes in the server's list when this node starts, trying until it gets it. What they say to us comes in by
Eureka's API.

A server that cannot be reached, is busy or refuses is said once for each reason, and once when it is there again.

Source: Netflix Eureka, PeerEurekaNodes and PeerAwareInstanceRegistryImpl.syncUp; the deadlines are Netflix's (Spring
Cloud's 200 ms are too short for a server that has just started).

Not here: what is sent and when (`discovery.eureka.outbox`), what is taken in (`discovery.eureka.inbound`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass
from math import inf
from typing import Any, Final, Literal

import aiohttp
import msgspec
from yarl import URL

from discovery import clock
from discovery.config import DiscoveryConfig
from discovery.driver import Driver
from discovery.eureka.batch import PATH, decode_responses, encode_items
from discovery.eureka.inbound import Inbound, listed
from discovery.eureka.outbox import Failure, Loss, Outbox
from discovery.eureka.render import JSON
from discovery.hearer import Action
from discovery.registry import Registry
from shared import net
from shared.errors import BadInput
from shared.events import Events
from shared.lifecycle import Lifecycle

CONNECT_S, READ_S = 1.0, 5.0
BATCH_TIMEOUT: Final = aiohttp.ClientTimeout(total=10.0, sock_connect=CONNECT_S, sock_read=READ_S)
LIST_TIMEOUT: Final = aiohttp.ClientTimeout(total=60.0, sock_connect=CONNECT_S, sock_read=READ_S)
LIST_PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Between two tries to get a server's list; the last for as long as it takes."""

SLICE = 100
"""Instances of a list that are taken in without a pause."""

HEADERS: Final = {"Content-Type": JSON, "Accept": JSON, "DiscoveryIdentity-Name": "DefaultServer"}
"""Eureka's rate limiter lets its own servers pass by that name."""

State = Literal["unmet", "up", "failing"]

_instance = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True)
class EurekaPeer:
    """What people see of one: `why` it fails, how much is to be told, how much was given up, by why."""

    url: str
    state: State
    why: str
    queued: int
    dropped: dict[Loss, int]
    batches: int
    items: int


class Failed(Exception):
    def __init__(self, how: Failure, why: str) -> None:
        super().__init__(why)
        self.how = how


class Replicator:
    """`heard` is `discovery.hearer.Hearer`."""

    def __init__(self, config: DiscoveryConfig, registry: Registry, driver: Driver, events: Events) -> None:
        self._session = aiohttp.ClientSession(connector=net.to_ours(config), headers=HEADERS)
        urls = [URL(each) for each in config.eureka_peers]
        others = [url for url in urls if (url.host, url.port) != (config.host, config.port)]
        self._peers = [Peer(url, self._session, registry, driver, events) for url in others]
        self._tasks: list[asyncio.Task[None]] = []

    def heard(self, action: Action, key: str, now: float, status: str = "") -> None:
        for peer in self._peers:
            if peer.outbox.heard(action, key, now, status):
                peer.wake()

    def peers(self) -> list[EurekaPeer]:
        return [peer.seen() for peer in self._peers]

    def spawn(self, lifecycle: Lifecycle) -> None:
        for peer in self._peers:
            self._tasks.append(lifecycle.spawn(f"eureka to {peer.url}", peer.run))
            self._tasks.append(lifecycle.spawn(f"eureka from {peer.url}", peer.learn))

    async def last(self, at_most_s: float) -> None:
        """This node stops: tell what is still to be told, but no longer than that."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                await asyncio.gather(*(peer.last() for peer in self._peers))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()


class Peer:
    def __init__(
        self, url: URL, session: aiohttp.ClientSession, registry: Registry, driver: Driver, events: Events
    ) -> None:
        """`url` ends with a slash; a user in it is for the server only and never shown."""
        self.url = str(url.with_user(None))
        self.outbox = Outbox(registry)
        self._to = url
        self._session = session
        self._inbound = Inbound(registry)
        self._driver = driver
        self._events = events
        self._state: State = "unmet"
        self._why = ""
        self._batches = 0
        self._items = 0
        self._wake = asyncio.Event()
        self._stepped = asyncio.Event()

    def seen(self) -> EurekaPeer:
        box = self.outbox
        return EurekaPeer(self.url, self._state, self._why, box.queued, dict(box.dropped), self._batches, self._items)

    def wake(self) -> None:
        self._wake.set()

    # --- what it is told

    async def run(self) -> None:
        self.outbox.failed("refused", clock.now())  # what was on the way when this task failed, if it did
        while True:
            await self._due()
            await self._send()
            self._stepped.set()

    async def last(self) -> None:
        while self.outbox.queued and self._state != "failing":
            self.outbox.hurry()
            self._stepped.clear()
            self.wake()
            await self._stepped.wait()

    async def _due(self) -> None:
        while (due := self.outbox.due_at()) > (now := clock.now()):
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if due == inf else due - now):
                    await self._wake.wait()

    async def _send(self) -> None:
        items = self.outbox.take(clock.now())
        if not items:
            return
        try:
            body = await self._call("POST", PATH, BATCH_TIMEOUT, encode_items(items))
            responses = decode_responses(body, len(items))
        except (Failed, BadInput) as failed:
            self.outbox.failed(failed.how if isinstance(failed, Failed) else "refused", clock.now())
            self._note(str(failed))
            return
        self._batches += 1
        self._items += len(items)
        self._note()
        for newer in self.outbox.answered(responses, clock.now()):
            self._inbound.take(newer, clock.now())
        self._driver.perform()

    # --- what it knows

    async def learn(self) -> None:
        """Take in its list, as soon as it can be had."""
        await self._driver.covered()
        failures = 0
        while (instances := await self._list()) is None:
            await asyncio.sleep(LIST_PAUSES_S[min(failures, len(LIST_PAUSES_S) - 1)])
            failures += 1
        taken = 0
        for begin in range(0, len(instances), SLICE):
            taken += sum(map(self._take, instances[begin : begin + SLICE]))
            self._driver.perform()
            await asyncio.sleep(0)
        self._events.emit("eureka_peer.listed", url=self.url, instances=taken)

    async def _list(self) -> list[msgspec.Raw] | None:
        """None: not now."""
        try:
            return listed(await self._call("GET", "apps/", LIST_TIMEOUT))
        except (Failed, BadInput) as failed:
            if self._state == "unmet":
                self._note(str(failed))
            return None

    def _take(self, instance: msgspec.Raw) -> bool:
        try:
            found = _instance.decode(instance)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        return self._inbound.take(found, clock.now())

    # --- inside

    async def _call(self, method: str, path: str, timeout: aiohttp.ClientTimeout, body: bytes | None = None) -> bytes:
        """Raises Failed."""
        try:
            async with self._session.request(
                method, self._to.joinpath(path), data=body, timeout=timeout, allow_redirects=False
            ) as answer:
                said = await answer.read()
        except aiohttp.ConnectionTimeoutError as error:
            raise Failed("unreachable", f"no connection within {CONNECT_S} s") from error
        except TimeoutError as error:
            raise Failed("busy", f"no answer within {READ_S} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Failed("unreachable", _reason(error)) from error
        if answer.status == 503:
            raise Failed("busy", "answered 503")
        if answer.status // 100 != 2:
            raise Failed("refused", f"answered {answer.status}")
        return said

    def _note(self, why: str = "") -> None:
        """Each change once."""
        state: State = "failing" if why else "up"
        if (state, why) == (self._state, self._why):
            return
        self._state, self._why = state, why
        if why:
            self._events.emit("eureka_peer.failing", url=self.url, reason=why)
        else:
            self._events.emit("eureka_peer.up", url=self.url)


def _reason(error: Exception) -> str:
    """Without what differs from one time to the next: it is said once."""
    if isinstance(error, aiohttp.ClientConnectorSSLError | aiohttp.ClientConnectorCertificateError):
        return str(error)
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
    return str(error) or type(error).__name__
