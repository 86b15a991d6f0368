"""What went between this node and its peers, counted: plain numbers, read by `discovery.metrics`."""

from __future__ import annotations

from collections import Counter
from typing import Literal

Direction = Literal["out", "in"]
"""Who asked: `out` are this node's calls, `in` those it answers."""

Failed = Literal["silent", "refused", "unusable"]

Denied = Literal["stranger", "stale"]


class Traffic:
    def __init__(self) -> None:
        self.messages: Counter[tuple[Direction, str]] = Counter()
        self.sent_bytes: Counter[tuple[Direction, str]] = Counter()
        self.received_bytes: Counter[tuple[Direction, str]] = Counter()
        self.failures: Counter[tuple[str, Failed]] = Counter()
        self.denied: Counter[Denied] = Counter()
        self.unreadable = 0

    def called(self, kind: str, sent: int, received: int) -> None:
        """A call was answered; bodies in bytes."""
        self._count(("out", kind), sent, received)

    def answered(self, kind: str, sent: int, received: int) -> None:
        """A peer's call was answered; bodies in bytes."""
        self._count(("in", kind), sent, received)

    def failed(self, kind: str, how: Failed) -> None:
        self.failures[kind, how] += 1

    def _count(self, which: tuple[Direction, str], sent: int, received: int) -> None:
        self.messages[which] += 1
        self.sent_bytes[which] += sent
        self.received_bytes[which] += received
