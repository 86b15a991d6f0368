"""What has changed in the last three minutes, each instance once, in its newest form (Eureka's `apps/delta`).

The version is a hash of the content: two answers have one version exactly when they say the same, on whichever node.
That is what clients need (one skips a delta whose version and hash it has seen, even from another server).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from discovery.eureka import document
from discovery.record import Record
from discovery.registration import unpack
from discovery.view import Change

RETENTION_S = 180.0


class Entry(NamedTuple):
    at: float
    action: str
    record: Record
    """The newest record; of an instance that is gone, its last."""


class DeltaLog:
    """Entries by key, oldest first."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def note(self, changes: Iterable[Change], now: float) -> None:
        for change in changes:
            if change.after is not None:
                entry = Entry(now, self._action(change), change.after[1])
            elif change.before is not None:
                entry = Entry(now, "DELETED", change.before[1])
            self._entries.pop(change.key, None)
            self._entries[change.key] = entry
        self._forget(now)

    def current(self, now: float) -> list[Entry]:
        self._forget(now)
        return list(self._entries.values())

    def _forget(self, now: float) -> None:
        while self._entries:
            key = next(iter(self._entries))
            if now - self._entries[key].at <= RETENTION_S:
                return
            del self._entries[key]

    @staticmethod
    def _action(change: Change) -> str:
        """MODIFIED is Eureka's word for an override set or cleared; all else, a second register too, is ADDED."""
        if change.before is None or change.after is None:
            return "ADDED"
        before, after = unpack(change.before[1].body), unpack(change.after[1].body)
        return "MODIFIED" if before.override != after.override else "ADDED"


def version(entries: Iterable[Entry]) -> int:
    """A positive signed 64-bit number."""
    said = sorted(f"{entry.record.key}\0{entry.record.rev}\0{entry.action}" for entry in entries)
    digest = hashlib.blake2b("\n".join(said).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1 or 1


def documents(entries: Iterable[Entry], now_ms: int) -> list[document.Document]:
    return [
        document.instance(unpack(entry.record.body), entry.action, now_ms if entry.action == "DELETED" else 0)
        for entry in entries
    ]
