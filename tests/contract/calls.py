"""The calls of the `Storage` port in the words of its tests: each one a line."""

from __future__ import annotations

import itertools

from caching.conditions import ABSENT, ANY, PRESENT, Condition
from caching.entries import Content, Entry, Name
from caching.expiry import Rule
from caching.storage import Storage
from caching.writes import Clear, Delete, Evict, Put

_ids = itertools.count(1)


def new_id() -> str:
    return f"w{next(_ids)}"


async def put(
    storage: Storage,
    owner: str,
    key: str,
    value: bytes,
    condition: Condition = ANY,
    *,
    map: str | None = None,
    ttl_ms: int | None = None,
    write_id: str | None = None,
    type: str = "",
) -> Entry:
    name = Name(owner, key, map)
    return await storage.write(Put(name, Content(value, type), write_id or new_id(), condition, ttl_ms))


async def create(storage: Storage, owner: str, key: str, value: bytes) -> Entry:
    return await put(storage, owner, key, value, ABSENT)


async def replace(storage: Storage, owner: str, key: str, value: bytes) -> Entry:
    return await put(storage, owner, key, value, PRESENT)


async def put_item(storage: Storage, owner: str, map: str, key: str, value: bytes) -> Entry:
    return await put(storage, owner, key, value, map=map)


async def delete(storage: Storage, owner: str, key: str, condition: Condition = PRESENT) -> None:
    await storage.write(Delete(Name(owner, key), condition))


async def get(storage: Storage, owner: str, key: str) -> Entry:
    return await storage.get(Name(owner, key))


async def entries(storage: Storage, owner: str) -> list[Entry]:
    return await storage.page(owner, limit=100_000)


async def items(storage: Storage, owner: str, map: str) -> list[Entry]:
    return await storage.page(owner, map=map, limit=100_000)


async def maps(storage: Storage, owner: str) -> dict[str, list[Entry]]:
    return {map: await items(storage, owner, map) for map in await storage.maps(owner)}


async def clear(storage: Storage, owner: str) -> int:
    return await storage.write(Clear(owner))


async def evict(storage: Storage, owner: str, map: str, rule: Rule) -> int:
    return await storage.write(Evict(owner, map, rule))
