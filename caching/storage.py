"""The port: what the API asks of a store.

Every method may raise Unavailable; `write` OutcomeUnknown too (`caching.refusals`). A time-out is never told as
absence.

Not here: what a write decides (`caching.writes`), the same for every backend.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

from caching.capabilities import Capabilities
from caching.entries import Entry, Name, Usage
from caching.writes import Write

T = TypeVar("T")


class Storage(Protocol):
    """One open store. Owners never see each other's entries; lists are maps of items with a space of their own.

    What has expired is nowhere: not read, not listed, no obstacle to a create.
    """

    capabilities: Capabilities

    async def open(self) -> None:
        """Raises ConfigError when it never can, Unavailable when it can not yet: call again."""

    async def close(self) -> None: ...

    def why(self) -> list[str]:
        """The reasons it cannot answer reads just now; none when it can. Asked, not remembered."""

    def remarks(self) -> list[str]:
        """What an operator should know though it answers: health is yellow by them."""

    def details(self) -> Mapping[str, object]:
        """What it is, for the health page."""

    async def get(self, name: Name) -> Entry:
        """Raises Missing, Corrupt."""

    def get_now(self, name: Name) -> Entry | None:
        """As `get`, if it can be told without waiting; None: it has to be asked. Raises Missing, Corrupt."""

    async def write(self, write: Write[T]) -> T:
        """Its outcome, or what refuses it (`caching.writes`); once it has returned, every instance sees it."""

    async def page(
        self, owner: str, *, map: str | None = None, prefix: str = "", after: str | None = None, limit: int = 1000
    ) -> list[Entry]:
        """Entries of the cache, or items of a list, with keys that begin so, behind the key `after` (which need not be
        there), at most `limit`; fewer only at the end. In an order that stays the same; damaged ones are left out."""

    async def maps(self, owner: str) -> list[str]:
        """The names of the owner's lists that hold an item."""

    async def usage(self, owner: str) -> Usage: ...
