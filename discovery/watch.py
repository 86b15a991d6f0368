"""The watch stream: what is visible, pushed to gateways as it changes (`GET /v1/watch`, server-sent events).

A stream begins with owners that are not alive, the whole set as puts, and a `mark` with `whole`; then come changes,
each batch ended by a mark. A mark's id is the token (how far each log goes), its checksum covers the visible set at
that token; one comes at least every `MARK_S`, so a silent stream is a dead one. Batches are encoded once for all
watchers. A watcher that lags by more than its buffer is cut off: it comes back and gets the whole set.

Shapes: `shared.wire`. Source: WHATWG server-sent events.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

import msgspec

from discovery.node import Node
from discovery.registry import seen_by_watchers
from discovery.view import Change, Held
from shared.wire import Del, Instance, Mark, Owner, OwnerState, Put, WatchEvent, checksum

BATCH_S = 0.010
MARK_S = 5.0
MAX_RECORDS = 200
MAX_BYTES = 64 * 1024


class Watcher:
    """One stream's buffer; `cut` when it lagged too far or the node is closing."""

    def __init__(self, buffer_bytes: int) -> None:
        self._free = buffer_bytes
        self._frames: list[bytes] = []
        self._news = asyncio.Event()
        self.cut = False

    def feed(self, frame: bytes) -> None:
        self._free -= len(frame)
        if self._free < 0:
            self.close()
        else:
            self._frames.append(frame)
            self._news.set()

    def close(self) -> None:
        self.cut = True
        self._news.set()

    async def frames(self) -> AsyncIterator[bytes]:
        while not self.cut:
            await self._news.wait()
            self._news.clear()
            frames, self._frames = self._frames, []
            if frames:
                data = b"".join(frames)
                yield data
                self._free += len(data)


class Watch:
    def __init__(self, node: Node, buffer_bytes: int) -> None:
        self._node = node
        self._buffer_bytes = buffer_bytes
        self._watchers: set[Watcher] = set()
        self._checksum = 0
        self._changed: dict[str, Held | None] = {}
        self._owners: dict[str, OwnerState] = {}
        self._flush: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._watchers)

    @contextlib.contextmanager
    def watcher(self) -> Iterator[Watcher]:
        """A new stream, already holding the whole set."""
        watcher = Watcher(self._buffer_bytes + self._whole_size())
        for frame in self._whole():
            watcher.feed(frame)
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    def changed(self, changes: Iterable[Change]) -> None:
        for change in changes:
            for held in (change.before, change.after):
                if held is not None:
                    self._checksum = checksum(self._checksum, change.key, held[1].gen, held[1].rev)
            self._changed[change.key] = change.after
        self._flush_soon()

    def owner_changed(self, origin: str, state: OwnerState) -> None:
        self._owners[origin] = state
        self._flush_soon()

    async def mark_regularly(self) -> None:
        while True:
            await asyncio.sleep(MARK_S)
            if self._watchers:
                self._feed(self._frame(self._mark()))

    def close(self) -> None:
        for watcher in self._watchers:
            watcher.close()

    def _flush_soon(self) -> None:
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(BATCH_S, self._flush_now)

    def _flush_now(self) -> None:
        self._flush = None
        changed, self._changed = self._changed, {}
        owners, self._owners = self._owners, {}
        if not self._watchers:
            return
        events: list[WatchEvent] = [Owner(origin, state) for origin, state in owners.items()]
        events += _puts([held for held in changed.values() if held is not None])
        events += _dels([key for key, held in changed.items() if held is None])
        self._feed(b"".join(self._frame(event) for event in [*events, self._mark()]))

    def _feed(self, frame: bytes) -> None:
        for watcher in self._watchers:
            watcher.feed(frame)

    def _whole(self) -> Iterator[bytes]:
        for origin, state in self._node.owners().items():
            if state != "alive":
                yield self._frame(Owner(origin, state))
        for put in _puts(list(self._node.view.all())):
            yield self._frame(put)
        yield self._frame(self._mark(whole=True))

    def _whole_size(self) -> int:
        return sum(len(record.body) for _, record in self._node.view.all()) * 4 + MAX_BYTES

    def _mark(self, whole: bool = False) -> Mark:
        token = ",".join(f"{origin}:{seq}" for origin, seq in sorted(self._node.positions().items()))
        return Mark(token, len(self._node.view), self._checksum, whole)

    def _frame(self, event: WatchEvent) -> bytes:
        token = f"id: {event.token}\n" if isinstance(event, Mark) else ""
        name = type(event).__name__.lower()
        return f"{token}event: {name}\ndata: ".encode() + msgspec.json.encode(event) + b"\n\n"


def _puts(held: Sequence[Held]) -> list[WatchEvent]:
    """Batches of at most MAX_RECORDS instances and about MAX_BYTES."""
    puts: list[WatchEvent] = []
    batch: list[Instance] = []
    size = 0
    for each in held:
        body_bytes = len(each[1].body) + 200
        if batch and (len(batch) == MAX_RECORDS or size + body_bytes > MAX_BYTES):
            puts.append(Put(batch))
            batch, size = [], 0
        batch.append(seen_by_watchers(each))
        size += body_bytes
    return [*puts, Put(batch)] if batch else puts


def _dels(keys: Sequence[str]) -> list[WatchEvent]:
    return [Del(list(keys[start : start + MAX_RECORDS])) for start in range(0, len(keys), MAX_RECORDS)]
