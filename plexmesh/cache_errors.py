"""What can come of a call to the cache, besides its answer.

    CacheError
    ├── Exists           `create` found an entry; `etag` is its
    ├── Missing          there is no such entry
    ├── Changed          it is not the one of that ETag; `etag` is that of the one there, None when none is
    ├── Refused          the call itself is not right: `status` (400 input, 401 name, 413 too large, …) and why
    │   └── Full         the caching service, or this caller's part of it, takes no more
    ├── Unavailable      not now: certainly nothing was changed
    └── OutcomeUnknown   the write `write_id` may or may not have been applied, now or a little later

A time-out is never told as absence, and what is not known never as a failure.
"""

from __future__ import annotations


class CacheError(Exception):
    pass


class Exists(CacheError):
    def __init__(self, key: str, etag: str | None) -> None:
        super().__init__(f"there is an entry {key!r}")
        self.etag = etag


class Missing(CacheError):
    pass


class Changed(CacheError):
    def __init__(self, key: str, etag: str | None) -> None:
        super().__init__(f"the entry {key!r} is not the one expected")
        self.etag = etag


class Refused(CacheError):
    def __init__(self, status: int, why: str) -> None:
        super().__init__(f"{status}: {why}")
        self.status = status


class Full(Refused):
    pass


class Unavailable(CacheError):
    pass


class OutcomeUnknown(CacheError):
    def __init__(self, write_id: str, why: str) -> None:
        super().__init__(f"the outcome of the write {write_id} is not known: {why}")
        self.write_id = write_id
