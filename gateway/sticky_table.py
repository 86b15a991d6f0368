"""What one data path remembers of users, and how it asks for what it does not.

    known      the instance is taken at once
    unknown    asked for once, whoever else of that user waits with it; after `sticky_read_s` they go without
    chosen     remembered and told on; nobody waits for that

What is known is asked for again after `sticky_recheck_s`: another gateway may have led the user elsewhere.

Not here: who is asked (`sticky_records`, in the gateway's parent), what a record is (`sticky`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from cachetools import TTLCache

from gateway.config import GatewayConfig
from gateway.meters import Meters

Heard = Callable[[str], None]
"""Told the instance's id; empty: there is none, or nobody answered."""


class Keeper(Protocol):
    """Where the records are kept."""

    def seek(self, key: str) -> bool:
        """Ask. False: nobody can be asked. The answer comes by `found`."""

    def chose(self, key: str, instance: str, left: str) -> None:
        """To be kept, in place of `left`."""


class Nowhere:
    """No keeper: what is chosen is remembered here, and lost with us."""

    def seek(self, key: str) -> bool:
        return False

    def chose(self, key: str, instance: str, left: str) -> None:
        pass


class StickyTable:
    def __init__(self, config: GatewayConfig, meters: Meters) -> None:
        self.keeper: Keeper = Nowhere()
        self._meters = meters
        self._read_s = config.sticky_read_s
        self._known: TTLCache[str, str] = TTLCache(config.sticky_users, config.sticky_recheck_s)
        self._waiting: dict[str, list[Heard]] = {}

    def known(self, key: str) -> str:
        """The instance's id, or empty."""
        return self._known.get(key, "")

    def seek(self, key: str, heard: Heard) -> None:
        """`heard` is called exactly once, at once or later."""
        waiting = self._waiting.get(key)
        if waiting is not None:
            waiting.append(heard)
        elif self.keeper.seek(key):
            self._meters.sticky_reads += 1
            self._waiting[key] = [heard]
            asyncio.get_running_loop().call_later(self._read_s, self.found, key, "")
        else:
            heard("")

    def found(self, key: str, instance: str) -> None:
        """An answer, or news."""
        if instance:
            self._known[key] = instance
        for heard in self._waiting.pop(key, ()):
            heard(self._known.get(key, ""))

    def chose(self, key: str, instance: str, left: str) -> None:
        if left:
            self._meters.sticky_moved += 1
        else:
            self._meters.sticky_chosen += 1
        self._known[key] = instance
        self.keeper.chose(key, instance, left)
