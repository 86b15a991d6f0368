"""Searches the registry for the page, however large it is, without keeping anybody waiting.

One search at a time, in slices with a turn for everybody else between two. What was found is used again while nothing
has changed, and for a second in any case, so any number of open pages cost one walk a second for each text searched
for.

Not here: what matches (`discovery.dashboard.search`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from cachetools import LRUCache

from discovery import clock
from discovery.dashboard.search import Search
from discovery.limits import Busy
from discovery.view import View

SLICE = 1000
"""Instances looked at in one go, about a millisecond; a service's are never parted."""

FRESH_S = 1.0
TEXTS = 16
WAITING_MAX = 50


class Found(NamedTuple):
    search: Search
    heard: int
    at: float


class Finder:
    def __init__(self, view: View, heard: Callable[[], int]) -> None:
        """`heard` grows with every change of the view."""
        self._view = view
        self._heard = heard
        self._found: LRUCache[str, Found] = LRUCache(TEXTS)
        self._one_at_a_time = asyncio.Lock()
        self._waiting = 0

    async def find(self, text: str) -> Search:
        """Raises Busy."""
        if self._waiting >= WAITING_MAX:
            raise Busy(f"dashboard: {self._waiting} wait for an answer, expected at most {WAITING_MAX}")
        self._waiting += 1
        try:
            async with self._one_at_a_time:
                found = self._found.get(text)
                if found is None or not self._fresh(found):
                    found = self._found[text] = await self._walk(text)
                return found.search
        finally:
            self._waiting -= 1

    def _fresh(self, found: Found) -> bool:
        return found.heard == self._heard() or clock.now() - found.at < FRESH_S

    async def _walk(self, text: str) -> Found:
        heard, search = self._heard(), Search(text)
        pause_at = SLICE
        for service in self._view.services():
            search.look_at(self._view.of(service))
            if search.total >= pause_at:
                pause_at = search.total + SLICE
                await asyncio.sleep(0)
        return Found(search, heard, clock.now())
