"""The port: what the API asks of a store, and in which words a store refuses.

    PlexmeshError
    ├── NotFound
    │   └── Missing          404   no such entry
    ├── Conflict
    │   └── Exists           409   create found one
    ├── TooLarge
    │   └── ValueTooLong     413   the record could not hold it
    ├── Full                 507   as many entries as `size` allows
    │   └── VolumeFull       507   the volume takes no more
    ├── Corrupt              500   this one record is damaged, or another name has its key
    ├── Unavailable          503   not now, and certainly not applied
    └── OutcomeUnknown       504   the write may or may not be applied, now or a little later

Every method may raise Unavailable; writes OutcomeUnknown too. A time-out is never told as absence.

Not here: what a write decides (`caching.writes`), the same for every backend.
"""

from __future__ import annotations

from typing import Protocol

from caching.entries import Entry
from caching.expiry import Rule
from shared.errors import Conflict, NotFound, PlexmeshError, TooLarge


class Missing(NotFound):
    pass


class Exists(Conflict):
    pass


class ValueTooLong(TooLarge):
    pass


class Full(PlexmeshError):
    status = 507


class VolumeFull(Full):
    pass


class Corrupt(PlexmeshError):
    key: bytes = b""
    """Where the record stands, once that is known."""


class OutcomeUnknown(PlexmeshError):
    status = 504


class Storage(Protocol):
    """One open store. Owners never see each other's entries; lists are maps of items with a space of their own."""

    async def open(self) -> None:
        """Raises ConfigError when it never can, Unavailable when it can not yet: call again."""

    async def close(self) -> None: ...

    def why(self) -> list[str]:
        """The reasons it cannot answer reads just now; none when it can. Asked, not remembered."""

    def remarks(self) -> list[str]:
        """What an operator should know though it answers: health is yellow by them."""

    def details(self) -> dict[str, object]:
        """What it is, for the health page."""

    async def create(self, owner: str, key: str, value: bytes) -> Entry:
        """Raises Exists, Full, ValueTooLong."""

    async def get(self, owner: str, key: str) -> Entry:
        """Raises Missing."""

    async def replace(self, owner: str, key: str, value: bytes) -> Entry:
        """Raises Missing, ValueTooLong."""

    async def delete(self, owner: str, key: str) -> None:
        """Raises Missing."""

    async def entries(self, owner: str) -> list[Entry]: ...

    async def clear(self, owner: str) -> int:
        """Delete every entry of the owner (its lists stay); how many there were."""

    async def put_item(self, owner: str, map: str, key: str, value: bytes) -> Entry:
        """Create or replace. Raises Full, ValueTooLong."""

    async def items(self, owner: str, map: str) -> list[Entry]: ...

    async def maps(self, owner: str) -> dict[str, list[Entry]]: ...

    async def evict(self, owner: str, map: str, rule: Rule) -> int:
        """Drop the items that the rule calls past; how many there were."""
