"""The writes as calls of one Lua script (`script.lua`), and what its answers mean.

The script decides; what is here gives it its arguments and turns its words into outcomes and refusals, the same for
which other backends have `caching.writes`.

Source: Redis' documentation of EVALSHA. A script is known by the SHA-1 of its text; a server that was started anew has
forgotten it and says NOSCRIPT, having done nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from caching.backends.redis.keys import Keys, member
from caching.backends.redis.records import decode
from caching.conditions import Condition
from caching.entries import Entry, Name, size_of
from caching.limits import Limit
from caching.refusals import Changed, Corrupt, Exists, Full, ValueTooLong, missing
from caching.writes import Delete, Put
from shared.errors import PlexmeshError

TEXT = files(__package__).joinpath("script.lua").read_bytes()
SHA = hashlib.sha1(TEXT, usedforsecurity=False).hexdigest().encode()

LONGEST_VALUE = 64 * 1024 * 1024
"""A server takes 512 MB; longer than this it would keep everybody waiting."""

Command = tuple[bytes | str | int, ...]


def _call(keys: Keys, what: str, owner: str, now_ms: int, *more: bytes | str | int) -> Command:
    return ("EVALSHA", SHA, 2, keys.usage(owner), keys.owners, what, keys.base(owner), now_ms, *more)


def put(keys: Keys, write: Put, limit: Limit, now_ms: int) -> Command:
    name, content = write.name, write.content
    expires: int | str = "" if write.ttl_ms is None else now_ms + write.ttl_ms
    most: int | str = "" if limit.owner_entries is None else limit.owner_entries
    return _call(
        keys, "put", name.owner, now_ms, member(name), content.value, content.type, write.write_id, expires,
        size_of(name, content), LONGEST_VALUE, most, limit.owner_bytes, int(limit.eviction == "removeOldest"),
        *_condition(write.condition),
    )  # fmt: skip


def delete(keys: Keys, write: Delete, now_ms: int) -> Command:
    return _call(keys, "delete", write.name.owner, now_ms, member(write.name), *_condition(write.condition))


def clear(keys: Keys, owner: str, now_ms: int) -> Command:
    return _call(keys, "clear", owner, now_ms)


def drop(keys: Keys, owner: str, entries: Sequence[Entry], now_ms: int) -> Command:
    """Remove those, where they are still the ones given."""
    pairs = [each for entry in entries for each in (member(entry.name), entry.etag)]
    return _call(keys, "drop", owner, now_ms, *pairs)


def sweep(keys: Keys, base: bytes, at_most: int, now_ms: int) -> Command:
    """`base`: of an owner, as the set of all owners has it."""
    return ("EVALSHA", SHA, 2, base + b"u", keys.owners, "sweep", base, now_ms, at_most)


def _condition(condition: Condition) -> tuple[str | int, ...]:
    return (condition.kind, len(condition.etags), *condition.etags)


# --- its answers


def stored(write: Put, now_ms: int, limit: Limit, said: Sequence[Any]) -> Entry:
    """The entry a Put came to. Raises what refuses it."""
    if said[0] == b"stored":
        expires = None if write.ttl_ms is None else now_ms + write.ttl_ms
        return Entry(write.name, write.content, now_ms, int(said[1]), write.write_id, expires, said[2] == b"1")
    if said[0] == b"again" and (entry := decode(write.name, said[1])) is not None:
        return entry
    raise refusal(write.name, limit, said)


def removed(name: Name | None, limit: Limit, said: Sequence[Any]) -> int:
    """How many there were. Raises what refuses it."""
    if said[0] == b"removed":
        return int(said[1])
    assert name is not None, said
    raise refusal(name, limit, said)


def refusal(name: Name, limit: Limit, said: Sequence[Any]) -> PlexmeshError:
    word = bytes(said[0])
    if word == b"exists":
        return Exists(name, said[1].decode())
    if word == b"missing":
        return missing(name)
    if word == b"changed":
        return Changed(name, said[1].decode() or None)
    if word == b"long":
        return ValueTooLong(f"Key and value may have {LONGEST_VALUE} bytes at most")
    if word == b"full":
        what = "items of lists" if name.map is not None else "entries"
        if said[1] == b"entries":
            return Full(f"Service {name.owner!r} has all {limit.owner_entries} {what} it may (storage.quotaEntries)")
        return Full(f"Service {name.owner!r} may use {limit.owner_bytes} bytes (storage.quotaBytes)")
    return Corrupt(f"the script answered {word[:40]!r}")
