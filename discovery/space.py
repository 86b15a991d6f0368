"""One origin's log, as its writer or as a reader holds it.

`items` has each instance once, in the order of `seq`: a write takes the key out and puts it in at the end, so the part
after a position is read from the end and costs only what it returns. A reader's copy is right up to `max_seq`: deltas
are applied only when they continue it, so what is lost, doubled or overtaken on the way does no harm.

Tombstones are collected by the writer alone, which raises `gc_seq`; readers follow that number, not a clock. A reader
whose position lies before `gc_seq` may have missed a tombstone: it is sent the whole log (`reset`).

Source: scuttlebutt's per-peer versions; acknowledged delta intervals (Almeida, Shoker, Baquero 2018).
"""

from __future__ import annotations

import msgspec

from discovery.record import Record

MAX_DELTA_RECORDS = 1000


class Delta(msgspec.Struct, frozen=True, array_like=True):
    """The records of `origin` with `from_seq < seq <= to_seq`, ascending; with `reset`, all there are to `to_seq`."""

    origin: str
    from_seq: int
    gc_seq: int
    to_seq: int
    reset: bool
    records: list[Record]


class Space:
    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.items: dict[str, Record] = {}
        self.max_seq = 0
        self.gc_seq = 0

    def get(self, key: str) -> Record | None:
        return self.items.get(key)

    def write(self, record: Record) -> Record:
        """Append, as the writer; returns the record with its place."""
        self.max_seq += 1
        placed = record.at(self.max_seq)
        self.items.pop(placed.key, None)
        self.items[placed.key] = placed
        return placed

    def delta_since(self, seq: int, limit: int = MAX_DELTA_RECORDS) -> Delta | None:
        """What a reader at position `seq` lacks, at most `limit` records of it; None when nothing."""
        if seq >= self.max_seq and self.gc_seq <= seq:
            return None
        reset = seq < self.gc_seq
        newer: list[Record] = []
        for record in reversed(self.items.values()):
            if record.seq <= seq and not reset:
                break
            newer.append(record)
        newer.reverse()
        if reset or len(newer) <= limit:
            return Delta(self.origin, seq, self.gc_seq, self.max_seq, reset, newer)
        return Delta(self.origin, seq, self.gc_seq, newer[limit - 1].seq, False, newer[:limit])

    def apply(self, delta: Delta) -> list[str] | None:
        """Take a delta in, as a reader; returns the instances it touched, or None: it does not continue this copy."""
        if delta.reset:
            return self._reset(delta)
        if delta.from_seq > self.max_seq:
            return None
        touched = []
        for record in delta.records:
            if record.seq > self.max_seq:
                self.items.pop(record.key, None)
                self.items[record.key] = record
                touched.append(record.key)
        self.max_seq = max(self.max_seq, delta.to_seq)
        return touched + self.collect(delta.gc_seq)

    def _reset(self, delta: Delta) -> list[str]:
        if delta.to_seq < self.max_seq:
            return []
        touched = list(self.items.keys() | {record.key for record in delta.records})
        self.items = {record.key: record for record in delta.records}
        self.max_seq = delta.to_seq
        self.gc_seq = delta.gc_seq
        return touched

    def collect(self, gc_seq: int) -> list[str]:
        """Forget tombstones at or before `gc_seq`; returns whose."""
        if gc_seq <= self.gc_seq:
            return []
        self.gc_seq = gc_seq
        old = []
        for record in self.items.values():
            if record.seq > gc_seq:
                break
            if record.tombstone:
                old.append(record.key)
        for key in old:
            del self.items[key]
        return old
