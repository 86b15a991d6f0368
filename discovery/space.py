"""One origin's log, as its writer or as a reader holds it.

`items` has each instance once, in the order of `seq`: a write takes the key out and puts it in at the end, so the part
after a position is read from the end and costs only what it returns. A reader's copy is right up to its position:
deltas are applied only when they continue it, so what is lost, doubled or overtaken on the way does no harm.

A position is (max_seq, gc_seq). Tombstones are collected by the writer alone, which raises `gc_seq`; readers follow
that number, not a clock. A copy at (s, g) may be continued by a writer whose number is G when G <= s (no tombstone
after s is gone) or G = g (none has gone since). Otherwise it is sent the whole log anew, in parts: they are *staged*
beside the copy, which is replaced when the last part has come: an instance written again meanwhile moved to the end of
the log, and must not blink out.

A copy that was continued only in part is not the log as it was at that place: what was written again later lies beyond.
Up to `whole_seq` it has been whole. `sum64` is an audit: whole copies at equal positions have equal sums, or one is
wrong.

Source: scuttlebutt's per-peer versions; acknowledged delta intervals (Almeida, Shoker, Baquero 2018).
"""

from __future__ import annotations

import bisect
import itertools
import operator
import zlib
from collections.abc import Iterator

import msgspec

from discovery.record import Count, Name, Record

MAX_DELTA_RECORDS = 1000
MAX_DELTA_BYTES = 256 * 1024
RECORD_BYTES = 150
"""About what a record weighs besides its body."""

SUM_MULTIPLIER, SUM_STEP, SUM_MASK = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, (1 << 64) - 1

Position = tuple[int, int]
"""(max_seq, gc_seq)."""

START: Position = (0, 0)
NOWHERE: Position = (0, -1)
"""Asks for the whole log, whatever there is."""

_seq = operator.attrgetter("seq")


class Delta(msgspec.Struct, frozen=True, array_like=True):
    """The records of `origin` with `from_seq < seq <= to_seq`, ascending; `reset` begins the whole log anew, `end` is
    how far the log is known to go."""

    origin: Name
    from_seq: Count
    gc_seq: Count
    to_seq: Count
    reset: bool
    end: Count
    records: list[Record]


class Space:
    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.items: dict[str, Record] = {}
        self.max_seq = 0
        self.gc_seq = 0
        self.whole_seq = 0
        self._end = 0
        self.sum64 = 0
        self._tombs: dict[str, int] = {}
        self._stage: Space | None = None
        self._bulk: list[Record] = []

    def get(self, key: str) -> Record | None:
        return self.items.get(key)

    @property
    def position(self) -> Position:
        """From where this copy wants to be continued: its own end, or that of what is staged."""
        held = self._stage or self
        return held.max_seq, held.gc_seq

    @property
    def whole(self) -> bool:
        """Whether this is the log as it was at `max_seq`."""
        return self.whole_seq == self.max_seq and self._stage is None

    @property
    def staging(self) -> bool:
        return self._stage is not None

    @property
    def tombstones(self) -> int:
        return len(self._tombs)

    # --- the writer

    def write(self, record: Record, rev: int) -> Record:
        """Append; returns the record with its version and place."""
        placed = record.written(rev, self.max_seq + 1)
        self._place(placed)
        self.max_seq = self.whole_seq = self._end = placed.seq
        return placed

    # --- the sender

    def delta_since(self, position: Position, limit: int = MAX_DELTA_RECORDS) -> Delta | None:
        """What a reader at that position lacks, at most `limit` records of it; None when nothing."""
        seq, gc_seq = position
        if seq >= self.max_seq and gc_seq >= self.gc_seq:
            return None
        reset = gc_seq != self.gc_seq and (seq < self.gc_seq or gc_seq < 0)
        seq = 0 if reset else seq
        records, whole = self._after(seq, limit)
        to_seq = self.max_seq if whole else records[-1].seq
        return Delta(self.origin, seq, self.gc_seq, to_seq, reset, max(self._end, self.max_seq), records)

    def _after(self, seq: int, limit: int) -> tuple[list[Record], bool]:
        """The records after `seq`, at most `limit`, and whether that is all of them.

        A reader far behind is served from a list kept for that: a dict has no middle. What was written since it was
        made comes later, with a higher `seq`, as it would have if the reader had asked earlier.
        """
        if self.max_seq - seq <= 2 * limit or len(self.items) <= 2 * limit:
            newer = []
            for record in reversed(self.items.values()):
                if record.seq <= seq:
                    break
                newer.append(record)
            newer.reverse()
            cut = fitting(newer, limit)
            return newer[:cut], cut == len(newer)
        if not self._bulk or self._bulk[-1].seq <= seq:
            self._bulk = list(self.items.values())
        start = bisect.bisect_right(self._bulk, seq, key=_seq)
        part = self._bulk[start : start + limit]
        part = part[: fitting(part, limit)]
        end = next(reversed(self.items.values())).seq
        return part, part[-1].seq == end

    # --- the reader

    def apply(self, delta: Delta) -> list[str] | None:
        """Take a delta in; returns the instances it touched, or None: it does not continue this copy."""
        if self._stage is not None or (delta.reset and self.max_seq < delta.gc_seq):
            return self._apply_staged(delta)
        if not self._continued_by(delta):
            return None
        return self._take(delta)

    def distrust(self) -> None:
        """The audit failed: have the whole log sent again."""
        self._stage = Space(self.origin)
        self._stage.gc_seq, self._stage._end = NOWHERE[1], max(self._end, self.max_seq)

    def unstage(self) -> None:
        """Give up what was staged: whoever was sending it may be gone."""
        self._stage = None

    def tombstones_to(self, seq: int) -> Iterator[Record]:
        """Those at or before a place, oldest first."""
        return (self.items[key] for key, at in itertools.takewhile(lambda each: each[1] <= seq, self._tombs.items()))

    def collect(self, gc_seq: int) -> list[str]:
        """Forget tombstones at or before `gc_seq`; returns whose."""
        if gc_seq <= self.gc_seq:
            return []
        self.gc_seq = gc_seq
        self._bulk = []
        old = []
        for key, seq in self._tombs.items():
            if seq > gc_seq:
                break
            old.append(key)
        for key in old:
            del self._tombs[key]
            self.sum64 ^= _summand(self.items.pop(key))
        return old

    def _apply_staged(self, delta: Delta) -> list[str] | None:
        stage = self._stage
        if delta.reset and (stage is None or stage.gc_seq < delta.gc_seq):
            stage = Space(self.origin)
            stage.gc_seq, stage._end = delta.gc_seq, max(self._end, self.max_seq)
        if stage is None or not stage._continued_by(delta):
            return None
        self._stage = stage
        stage._take(delta)
        if not stage.whole:
            return []
        keys = self.items.keys() | stage.items.keys()
        touched = [key for key in keys if self.items.get(key) != stage.items.get(key)]
        self.items, self._tombs, self.sum64 = stage.items, stage._tombs, stage.sum64
        self.max_seq, self.gc_seq = stage.max_seq, stage.gc_seq
        self.whole_seq, self._end = stage.whole_seq, stage._end
        self._stage, self._bulk = None, []
        return touched

    def _continued_by(self, delta: Delta) -> bool:
        return delta.from_seq <= self.max_seq and (delta.gc_seq <= self.max_seq or delta.gc_seq == self.gc_seq)

    def _take(self, delta: Delta) -> list[str]:
        touched = []
        for record in delta.records:
            if record.seq > self.max_seq:
                self._place(record)
                touched.append(record.key)
        self.max_seq = max(self.max_seq, delta.to_seq)
        self._end = max(self._end, delta.end)
        if self.max_seq >= self._end:
            self.whole_seq = self.max_seq
        return touched + self.collect(delta.gc_seq)

    def _place(self, record: Record) -> None:
        before = self.items.pop(record.key, None)
        if before is not None:
            self.sum64 ^= _summand(before)
            self._tombs.pop(record.key, None)
        self.items[record.key] = record
        self.sum64 ^= _summand(record)
        if record.tombstone:
            self._tombs[record.key] = record.seq


def fitting(records: list[Record], limit: int) -> int:
    """How many of the first records fit into one message."""
    room = MAX_DELTA_BYTES
    for count, record in enumerate(records[:limit]):
        room -= len(record.body) + RECORD_BYTES
        if room < 0:
            return max(count, 1)
    return min(len(records), limit)


def _summand(record: Record) -> int:
    return ((zlib.crc32(record.key.encode()) + record.seq * SUM_STEP) * SUM_MULTIPLIER) & SUM_MASK
