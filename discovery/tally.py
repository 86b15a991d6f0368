"""Count and checksum of what is visible, per service: those of any set of services follow at once.

Kept up to date by every change, so that a mark costs nothing of the registry's size.

Source: the checksum is `shared.wire.checksum`, an XOR over records.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from discovery.view import Change, Held
from shared.wire import checksum

Services = frozenset[str] | None
"""Which services a watcher wants; None: all."""


class Sum(NamedTuple):
    size: int
    checksum: int


class Tally:
    def __init__(self, visible: Iterable[Held] = ()) -> None:
        self._services: dict[str, list[int]] = {}
        self._all = [0, 0]
        for _, record in visible:
            self._add(record.service, 1, checksum(0, record.key, record.gen, record.rev))

    def note(self, change: Change) -> str:
        """Take in a change; returns its service."""
        _, before, after = change
        service, size, part = "", 0, 0
        if before is not None:
            record = before[1]
            service, size, part = record.service, -1, checksum(0, record.key, record.gen, record.rev)
        if after is not None:
            record = after[1]
            service, size, part = record.service, size + 1, checksum(part, record.key, record.gen, record.rev)
        self._add(service, size, part)
        return service

    def of(self, services: Services) -> Sum:
        if services is None:
            return Sum(*self._all)
        size = parts = 0
        for service in services:
            held = self._services.get(service, (0, 0))
            size += held[0]
            parts ^= held[1]
        return Sum(size, parts)

    def _add(self, service: str, size: int, part: int) -> None:
        held = self._services.get(service)
        if held is None:
            held = self._services[service] = [0, 0]
        held[0] += size
        held[1] ^= part
        if not held[0]:
            del self._services[service]
        self._all[0] += size
        self._all[1] ^= part
