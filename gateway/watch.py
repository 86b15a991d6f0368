"""Following the registry: one stream from one discovery node, the own LPAR's while it lives.

    own node ──died, silent, refused──► next node ──► … ──► own node again
       ▲                                   │
       └──────── reachable again ──────────┘

A new stream goes on from the token of the last mark, which holds at every node: moving from one to another costs what
has changed meanwhile, and `fold.Fold` never shows a gap. While no node answers, the last snapshot stays in force:
requests go on. A stream without a byte for `watch_silence_s` is dead (discovery sends a mark at least every 5 s).

Drawing and adopting a snapshot costs more the more instances there are, so in a storm of changes not every mark is
shown: a mark that comes too early (`Pace`) waits, and a later one takes its place. What is shown is always a set that
the sender had, at most a few drawings late.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import aiohttp
import msgspec

from gateway import sse
from gateway.config import GatewayConfig
from gateway.fold import Fold, OutOfStep
from gateway.meters import Meters
from gateway.outside import settings_of
from gateway.snapshot import Snapshot
from shared.errors import Unavailable
from shared.events import Events
from shared.net import to_ours
from shared.wire import Del, Mark, Owner, Put, WatchEvent

log = logging.getLogger("plexmesh.gateway")

CONNECT_S = 1.0
PAUSES_S = (0.2, 0.2, 0.2, 0.5, 1.0, 2.0)
"""Between rounds over all nodes, longer as long as none gives a stream."""

DECODERS: dict[str, msgspec.json.Decoder[WatchEvent]] = {
    "put": msgspec.json.Decoder(Put),
    "del": msgspec.json.Decoder(Del),
    "owner": msgspec.json.Decoder(Owner),
    "mark": msgspec.json.Decoder(Mark),
}

TROUBLE = (aiohttp.ClientError, OSError, Unavailable, OutOfStep, sse.TooLong, msgspec.DecodeError)
"""A node that cannot be followed: it does not answer, or does not make sense. The next one is tried."""


class Pace:
    """When the next snapshot may be drawn: drawing takes at most `share` of the time. Seconds, monotonic."""

    def __init__(self, share: float = 0.2, every_s: float = 0.0) -> None:
        """`every_s`: not more often than that, either."""
        self._share = share
        self.every_s = every_s
        self._next = 0.0

    def left_s(self, now: float) -> float:
        return max(self._next - now, 0.0)

    def drew(self, begun: float, now: float) -> None:
        self._next = now + max((now - begun) * (1 / self._share - 1), self.every_s)


class Watch:
    def __init__(self, config: GatewayConfig, meters: Meters, events: Events, publish: Callable[[Snapshot], None]):
        self._config = config
        self._meters = meters
        self._events = events
        self._publish = publish
        self._fold = Fold(settings_of(config.services, config.static, config.apiml_id))
        self._go_home = False
        self._pace = Pace(every_s=config.registry_fetch_s)
        self._waiting: Mark | None = None
        """The last mark that is not shown yet."""
        self.whole = False
        """A first whole snapshot has come."""
        self.following = ""
        """The node whose stream is read now, empty when there is none."""
        self.trouble = ""
        """Why the last stream ended, or could not be had."""

    def configure(self, config: GatewayConfig) -> None:
        """What it says of services holds from now on."""
        snapshot = self._fold.configure(settings_of(config.services, config.static, config.apiml_id))
        if self.whole:
            self._publish(snapshot)

    def why_not_ready(self) -> list[str]:
        if self.whole:
            return []
        nodes = ", ".join(self._config.discovery) or "none configured"
        return [f"no whole snapshot from discovery yet ({nodes}){': ' + self.trouble if self.trouble else ''}"]

    async def run(self) -> None:
        """Follow for ever."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=self._config.watch_silence_s)
        calls = to_ours(self._config)
        async with aiohttp.ClientSession(connector=calls, timeout=timeout) as session:
            rounds = 0
            while True:
                rounds = 0 if await self._round(session) else rounds + 1
                await asyncio.sleep(PAUSES_S[min(rounds, len(PAUSES_S) - 1)])

    async def _round(self, session: aiohttp.ClientSession) -> bool:
        """Try each node in order until one gives a stream; True when that has ended."""
        for node in self._config.discovery:
            self._go_home = False
            try:
                await self._follow(session, node)
            except OutOfStep as error:
                self._meters.watch_out_of_step += 1
                self._lost(node, str(error))
                return True
            except TROUBLE as error:
                self._lost(node, _reason(error))
                if self._go_home:
                    return True
            else:
                return True
        return False

    def _lost(self, node: str, why: str) -> None:
        if self.following:
            self._events.emit("watch.lost", node=node, why=why)
        elif why != self.trouble:
            log.info("watch.refused", extra={"fields": {"node": node, "why": why}})
        self.following, self.trouble = "", why

    async def _follow(self, session: aiohttp.ClientSession, node: str) -> None:
        headers = {"Accept": "text/event-stream"}
        if self._fold.token:
            headers["Last-Event-ID"] = self._fold.token
        async with session.get(f"{node}/v1/watch", headers=headers) as answer:
            if answer.status == 400:
                self._fold.forget()  # of another make, it does not know this token
            if answer.status != 200:
                raise Unavailable(f"it answered {answer.status}")
            self._meters.watch_connects += 1
            self._fold.begin()
            home = asyncio.create_task(self._look_home(session, node, answer))
            try:
                await self._read(answer, node)
            finally:
                home.cancel()
        raise Unavailable("the own node is back" if self._go_home else "the stream ended")

    async def _read(self, answer: aiohttp.ClientResponse, node: str) -> None:
        parser = sse.Parser()
        self._waiting = None
        while not answer.content.at_eof():
            for message in parser.feed(await self._chunk(answer.content)):
                decoder = DECODERS.get(message.event)
                if decoder is not None:
                    self._take(decoder.decode(message.data))
            if not self._pace.left_s(time.monotonic()):
                self._show(node)
        if not self._pace.every_s:
            self._show(node)

    async def _chunk(self, content: aiohttp.StreamReader) -> bytes:
        """What has come; nothing when it is time to show what waits."""
        left_s = None if self._waiting is None else self._pace.left_s(time.monotonic())
        try:
            async with asyncio.timeout(left_s) as timer:
                return await content.readany()
        except TimeoutError:
            if timer.expired():
                return b""
            raise

    def _take(self, event: WatchEvent) -> None:
        if isinstance(event, Mark):
            whole = event.whole or (self._waiting is not None and self._waiting.whole)
            self._waiting = msgspec.structs.replace(event, whole=whole)
        else:
            self._fold.apply(event)

    def _show(self, node: str) -> None:
        begun, mark = time.monotonic(), self._waiting
        if mark is None:
            return
        self._waiting = None
        snapshot = self._fold.apply(mark)
        if snapshot is not None:
            self._arrived(snapshot, node)
        self._pace.drew(begun, time.monotonic())

    def _arrived(self, snapshot: Snapshot, node: str) -> None:
        if self.following != node:
            self.following, self.trouble = node, ""
            self._events.emit("watch.following", node=node, instances=len(snapshot.instances))
        self.whole = True
        self._publish(snapshot)

    async def _look_home(self, session: aiohttp.ClientSession, node: str, answer: aiohttp.ClientResponse) -> None:
        """While following another LPAR's node: when the own one is ready again, end the stream."""
        home = self._config.discovery[0]
        while node != home:
            await asyncio.sleep(self._config.watch_home_s)
            if await _ready(session, home):
                self._go_home = True
                answer.close()
                return


async def _ready(session: aiohttp.ClientSession, node: str) -> bool:
    try:
        async with session.get(f"{node}/application/ready", timeout=aiohttp.ClientTimeout(total=CONNECT_S)) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, OSError):
        return False


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it is silent"
    return str(error) or type(error).__name__
