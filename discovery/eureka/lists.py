"""Eureka's lists as bytes that are ready: whole, delta, one application, one virtual address.

    changes ──note──▶ pieces wanted, counts, delta log            GET ──▶ bytes of last time, if nothing has changed
                                                                      └─▶ make what is wanted, put together, pack

Each instance is encoded when it is first asked for in a dialect, and again when it has changed; who asks often costs
little. Hash, version and content of one answer are of one moment. Many pieces are made in slices with a turn for
everybody else between two, packing is done beside the loop, and all who ask for the same at that time share one making.

A list that is costly to make is given out again for a few times as long as its making took, though something has
changed: making lists never takes more than a fifth of the time, however often one is asked for and whatever changes. A
small one is always made anew. A dialect nobody has asked for in a minute is let go.

Source: Netflix Eureka, ResponseCacheImpl, which keeps answers for up to 30 s instead.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Literal, NamedTuple

from discovery import clock
from discovery.eureka import document
from discovery.eureka.delta import DeltaLog
from discovery.eureka.pieces import Pieces
from discovery.eureka.render import Dialect, application, listed, render
from discovery.eureka.vips import Address, Vips
from discovery.node import Node
from discovery.record import STATUS_OF, key_of
from discovery.registration import Registration, unpack
from discovery.view import Change, Held

FULL_VERSION, VIP_VERSION = 1, -1
"""Eureka's numbers in what is no delta; a client that sees -1 fetches all again the next time."""

UNASKED_S = 60.0
SWEEP_S = 20.0

SLICE = 100
"""Pieces made without a pause."""
PACKED_AT_ONCE = 32_768
"""Bytes that are packed without a pause."""
CHEAP_S = 0.001
"""Making a list that took no longer than this is no matter."""
WORTH = 4.0

What = Literal["apps", "delta"]


class Wish(NamedTuple):
    what: What
    dialect: Dialect
    packed: bool


class Made(NamedTuple):
    """`shown` tells what it is of; `cost_s` is what making it took."""

    body: bytes
    shown: object
    at: float
    cost_s: float


class Warm:
    """What is kept of one dialect."""

    def __init__(self, apps: Pieces, delta: Pieces) -> None:
        self.apps = apps
        self.delta = delta
        self.asked_at = 0.0


class Lists:
    def __init__(self, node: Node, worth: float = WORTH) -> None:
        """`worth`: what was costly to make is given out again for so many times as long as that took."""
        self.delta = DeltaLog()
        self._worth = worth
        self._node = node
        self._version = 0
        self._counts = Counter(_status(held) for held in node.view.all())
        self._warm: dict[Dialect, Warm] = {}
        self._vips: Vips | None = None
        self._vips_asked_at = 0.0
        self._made: dict[Wish, Made] = {}
        self._making: dict[Wish, asyncio.Task[bytes]] = {}

    def note(self, changes: Iterable[Change], now: float) -> None:
        """What is visible has changed."""
        changes = list(changes)
        self.delta.note(changes, now, self._node.wall_ms(now))
        self._version += 1
        for change in changes:
            self._count(change)
            for kept in self._kept():
                if change.after is None:
                    kept.drop(change.key)
                else:
                    kept.note(change.key)
            for warm in self._warm.values():
                warm.delta.note(change.key)
        self._forget(now)

    async def sweep_regularly(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self.sweep(clock.now())

    def sweep(self, now: float) -> None:
        """Let go of what has not been asked for in a while."""
        for dialect in [each for each, warm in self._warm.items() if now - warm.asked_at > UNASKED_S]:
            del self._warm[dialect]
            self._made = {wish: made for wish, made in self._made.items() if wish.dialect != dialect}
        if now - self._vips_asked_at > UNASKED_S:
            self._vips = None
        self._forget(now)

    @property
    def hashcode(self) -> str:
        """Of all that is visible."""
        return document.hashcode(self._counts)

    # --- what is asked for: bytes that are there, or will be

    def whole(self, what: What, dialect: Dialect, packed: bool, now: float) -> bytes | Awaitable[bytes]:
        """All instances, or the last changes of them."""
        self._forget(now)
        wish = Wish(what, dialect, packed)
        made = self._made.get(wish)
        warm = self._warmed(dialect, now)
        if made is not None and self._holds(made, what, now):
            return made.body
        making = self._making.get(wish)
        if making is None:
            pieces = warm.apps if what == "apps" else warm.delta
            if pieces.wanted <= SLICE:
                begun = time.thread_time()  # what others took of the processor meanwhile is no cost of the list's
                pieces.make(SLICE)
                body, shown = self._list(what, dialect, pieces)
                if not packed or len(body) <= PACKED_AT_ONCE:
                    body = pack(body) if packed else body
                    return self._keep(wish, Made(body, shown, now, time.thread_time() - begun))
            making = asyncio.get_running_loop().create_task(self._make(wish, pieces))
            self._making[wish] = making
            making.add_done_callback(lambda _: self._making.pop(wish, None))
        return asyncio.shield(making)

    def app(self, service: str, dialect: Dialect, packed: bool, now: float) -> bytes | Awaitable[bytes] | None:
        """One application; None: it has no instance."""
        keys = [record.key for _, record in self._node.view.of(service)]
        if not keys:
            return None
        pieces = self._warmed(dialect, now).apps

        def body() -> bytes:
            there = [key for key in keys if key in self._node.view]
            return application(service.upper(), (pieces.one(key) for key in there), dialect.media)

        return self._given(pieces, len(keys), body, packed)

    def vip(self, address: Address, dialect: Dialect, packed: bool, now: float) -> bytes | Awaitable[bytes]:
        """The instances that go by a virtual address, of all applications; there may be none."""
        self._vips_asked_at = now
        vips = self._vips = self._vips or Vips(self._keys(), self._registration)
        pieces = self._warmed(dialect, now).apps

        def body() -> bytes:
            held = [each for key in vips.at(address) if (each := self._node.view.get(key))]
            apps: dict[str, list[bytes]] = {}
            for _, record in held:
                apps.setdefault(record.service.upper(), []).append(pieces.one(record.key))
            hashcode = document.hashcode(Counter(map(_status, held)))
            return listed(sorted(apps.items()), VIP_VERSION, hashcode, dialect.media)

        return self._given(vips, vips.wanted, body, packed)

    def instance(self, key: str, dialect: Dialect) -> bytes | None:
        """One instance, live; None: it is not there."""
        held = self._node.view.get(key)
        if held is None:
            return None
        return render("instance", document.instance(unpack(held[1].body)), dialect.media)

    def anywhere(self, instance: str) -> str | None:
        """The key of an instance with that id, whatever its application."""
        keys = (key_of(service, instance) for service in self._node.view.services())
        return next((key for key in keys if key in self._node.view), None)

    # --- inside

    def _kept(self) -> list[Pieces | Vips]:
        """What follows each change of what is visible."""
        kept: list[Pieces | Vips] = [warm.apps for warm in self._warm.values()]
        return kept if self._vips is None else [*kept, self._vips]

    def _count(self, change: Change) -> None:
        if change.before is not None:
            self._counts[_status(change.before)] -= 1
        if change.after is not None:
            self._counts[_status(change.after)] += 1

    def _forget(self, now: float) -> None:
        for key in self.delta.forget(now):
            for warm in self._warm.values():
                warm.delta.drop(key)

    def _warmed(self, dialect: Dialect, now: float) -> Warm:
        warm = self._warm.get(dialect)
        if warm is None:
            apps = Pieces(dialect, self._keys(), lambda key: document.instance(self._registration(key)))
            delta = Pieces(dialect, self.delta.entries, lambda key: self.delta.entries[key].document())
            warm = self._warm[dialect] = Warm(apps, delta)
        warm.asked_at = now
        return warm

    def _keys(self) -> list[str]:
        return [record.key for _, record in self._node.view.all()]

    def _registration(self, key: str) -> Registration:
        held = self._node.view.get(key)
        assert held is not None, f"{key} is listed and not visible"
        return unpack(held[1].body)

    def _shown(self, what: What) -> object:
        return self._version if what == "apps" else (self.delta.version, self.hashcode)

    def _holds(self, made: Made, what: What, now: float) -> bool:
        if made.shown == self._shown(what):
            return True
        return made.cost_s > CHEAP_S and now - made.at < self._worth * made.cost_s

    def _list(self, what: What, dialect: Dialect, pieces: Pieces) -> tuple[bytes, object]:
        version = FULL_VERSION if what == "apps" else self.delta.version
        return listed(pieces.apps(), version, self.hashcode, dialect.media), self._shown(what)

    async def _make(self, wish: Wish, pieces: Pieces) -> bytes:
        while pieces.wanted > SLICE:
            pieces.make(SLICE)
            await asyncio.sleep(0)
        begun = time.perf_counter()
        pieces.make(SLICE)
        body, shown = self._list(wish.what, wish.dialect, pieces)
        if wish.packed:
            body = await asyncio.to_thread(pack, body)
        return self._keep(wish, Made(body, shown, clock.now(), time.perf_counter() - begun))

    def _keep(self, wish: Wish, made: Made) -> bytes:
        self._made[wish] = made
        return made.body

    def _given(
        self, kept: Pieces | Vips, needed: int, body: Callable[[], bytes], packed: bool
    ) -> bytes | Awaitable[bytes]:
        """A list that is put together each time; `needed`: as much of `kept` as may have to be made for it."""
        if needed > SLICE and kept.wanted > SLICE:
            return self._given_later(kept, body, packed)
        if isinstance(kept, Vips):
            kept.make(SLICE)
        made = body()
        if packed and len(made) > PACKED_AT_ONCE:
            return asyncio.to_thread(pack, made)
        return pack(made) if packed else made

    async def _given_later(self, kept: Pieces | Vips, body: Callable[[], bytes], packed: bool) -> bytes:
        while kept.wanted:
            kept.make(SLICE)
            await asyncio.sleep(0)
        made = body()
        return await asyncio.to_thread(pack, made) if packed else made


def pack(body: bytes) -> bytes:
    """gzip, quickly."""
    packer = zlib.compressobj(level=1, wbits=31)
    return packer.compress(body) + packer.flush()


def _status(held: Held) -> str:
    return STATUS_OF[held[1].state]
