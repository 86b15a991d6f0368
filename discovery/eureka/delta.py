"""What has changed in the last three minutes, each instance once, in its newest form (Eureka's `apps/delta`).

The version is a hash of the content, kept up with each change: two answers have one version exactly when they say the
same, on whichever node. That is what clients need (one skips a delta whose version and hash it has seen, even from
another server).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from discovery.eureka import document
from discovery.record import Record
from discovery.registration import unpack
from discovery.view import Change, Held

RETENTION_S = 180.0


class Entry(NamedTuple):
    """`record` is the newest; of an instance that is gone, its last, and `gone_ms` is when (else 0)."""

    at: float
    action: str
    record: Record
    gone_ms: int
    mark: int

    def document(self) -> document.Document:
        registration = unpack(self.record.body)
        if self.gone_ms:
            registration = msgspec.structs.replace(registration, updated_ms=self.gone_ms)
        return document.instance(registration, self.action, self.gone_ms)


class DeltaLog:
    """Entries by key, oldest first."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self._marks = 0

    @property
    def version(self) -> int:
        """A positive signed 64-bit number."""
        return self._marks >> 1 or 1

    def note(self, changes: Iterable[Change], now: float, wall_ms: int) -> None:
        for change in changes:
            self._drop(change.key)
            if change.after is not None:
                entry = _entry(now, _action(change), change.after, 0)
            elif change.before is not None:
                entry = _entry(now, "DELETED", change.before, wall_ms)
            self.entries[change.key] = entry
            self._marks ^= entry.mark

    def forget(self, now: float) -> list[str]:
        """Drop what is too old; returns whose entries went."""
        old = []
        for key, entry in self.entries.items():
            if now - entry.at <= RETENTION_S:
                break
            old.append(key)
        for key in old:
            self._drop(key)
        return old

    def _drop(self, key: str) -> None:
        entry = self.entries.pop(key, None)
        if entry is not None:
            self._marks ^= entry.mark


def _action(change: Change) -> str:
    """MODIFIED is Eureka's word for an override set or cleared; all else, a second register too, is ADDED."""
    if change.before is None or change.after is None:
        return "ADDED"
    before, after = unpack(change.before[1].body), unpack(change.after[1].body)
    return "MODIFIED" if before.override != after.override else "ADDED"


def _entry(at: float, action: str, held: Held, gone_ms: int) -> Entry:
    origin, record = held
    said = f"{record.key}\0{origin}\0{record.rev}\0{action}\0{gone_ms}".encode()
    mark = int.from_bytes(hashlib.blake2b(said, digest_size=8).digest(), "big")
    return Entry(at, action, record, gone_ms, mark)
