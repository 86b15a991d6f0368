"""In which words a store refuses.

    PlexmeshError
    ├── NotFound
    │   └── Missing          404   no such entry
    ├── Conflict
    │   └── Exists           409   create found one
    ├── Changed              412   it is not the one that the condition names
    ├── TooLarge
    │   └── ValueTooLong     413   the record could not hold it
    ├── Full                 507   as many entries or bytes as `size` or the owner's quota allows
    │   └── VolumeFull       507   the store takes no more
    ├── Corrupt              500   this one record is damaged, or another name has its key
    ├── Unavailable          503   not now, and certainly not applied
    └── OutcomeUnknown       504   the write may or may not be applied, now or a little later

Their texts name keys and owners, never a value.
"""

from __future__ import annotations

from hashlib import blake2b

from caching.entries import Name
from shared.errors import Conflict, NotFound, PlexmeshError, TooLarge


class Missing(NotFound):
    pass


class Exists(Conflict):
    def __init__(self, name: Name, etag: str) -> None:
        super().__init__(f"There is a {name}")
        self.etag = etag


class Changed(PlexmeshError):
    """`etag` is that of what is there now; None: nothing is."""

    status = 412

    def __init__(self, name: Name, etag: str | None) -> None:
        super().__init__(f"The {name} is not the one expected: {'it was changed' if etag else 'it is not there'}")
        self.etag = etag


class ValueTooLong(TooLarge):
    pass


class Full(PlexmeshError):
    status = 507


class VolumeFull(Full):
    pass


class Corrupt(PlexmeshError):
    key: bytes = b""
    """Where the record stands, once that is known."""

    @property
    def digest(self) -> str:
        """Of the key, for logs: a key may say more than a log should hold."""
        return blake2b(self.key, digest_size=8).hexdigest()


class OutcomeUnknown(PlexmeshError):
    status = 504


def missing(name: Name) -> Missing:
    return Missing(f"There is no {name}")
