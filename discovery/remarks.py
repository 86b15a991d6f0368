"""Lines of the log that are worth saying once: clients repeat what is refused."""

from __future__ import annotations

import logging

from cachetools import LRUCache

KEPT = 1000
"""Lines that are not said again."""


class Remarks:
    def __init__(self, log: logging.Logger, event: str) -> None:
        self._log = log
        self._event = event
        self._said: LRUCache[str, bool] = LRUCache(KEPT)

    def say(self, why: str) -> None:
        if why not in self._said:
            self._said[why] = True
            self._log.info(self._event, extra={"fields": {"why": why}})
