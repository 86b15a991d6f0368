"""What the caching services say of themselves, a cache for each LPAR: the document's section `caches`.

    LPAR1 → {lpar, url, reachable, colour, why, backend, simulated, durable, shared, linearizable, ackedLoss, remark,
             entries, size, place, identity: {colour, why}, perS: {create: 0.4}, errorsPerS}

Of the health page the storage's part and the identity's are read, of the metrics the counter of operations; no key and
no value is ever asked for. One that does not answer keeps what was known of its storage. What cannot be read is null.

Not here: how an instance's health page is made (`caching.health`, which this meets on the wire).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

import aiohttp
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from gateway.console.facts import tidy
from gateway.fetching import TROUBLE, NotUsable, whole
from gateway.snapshot import Snapshot
from shared.wire import Instance

SERVICE = "cachingservice"
OPERATIONS = "plexmesh_caching_operations_total"
ERRORS = {"unavailable", "unknown", "full", "error"}
"""Outcomes that are the storage's fault, not the caller's."""

TIMEOUT = aiohttp.ClientTimeout(total=1.0)
MAX_BYTES = 1 << 18
NOTHING: dict[str, Any] = dict.fromkeys(
    ("backend", "simulated", "durable", "shared", "linearizable", "ackedLoss", "remark", "entries", "size", "identity")
)
QUIET: dict[str, Any] = {"perS": {}, "errorsPerS": 0.0}


class Read(NamedTuple):
    """An instance's operations at a time (monotonic seconds): by (kind, outcome); and its entry of the section."""

    at: float
    operations: Mapping[tuple[str, str], float]
    entry: dict[str, Any]


Before = dict[str, Read]
"""By LPAR, what was read the last time; kept by whoever asks, and changed here."""


class Capabilities(msgspec.Struct, frozen=True, rename="camel"):
    shared: bool | None = None
    durable: bool | None = None
    linearizable: bool | None = None
    acked_loss: str | None = None
    simulated: str | None = None
    remark: str | None = None


class Storage(msgspec.Struct, frozen=True, rename="camel"):
    """Details of the health's part `storage`. The place is a data set, the master of a Redis, or etcd's endpoints."""

    colour: str = "red"
    why: list[str] = []
    backend: str | None = None
    capabilities: Capabilities = Capabilities()
    entries: int | None = None
    size: int | None = None
    quota_entries: int | None = None
    data_set: str | None = None
    master: str | None = None
    endpoints: list[str] = []


class Identity(msgspec.Struct, frozen=True):
    colour: str = "green"
    why: list[str] = []


class StoragePart(msgspec.Struct, frozen=True):
    details: Storage = Storage()


class IdentityPart(msgspec.Struct, frozen=True):
    details: Identity = Identity()


class Components(msgspec.Struct, frozen=True):
    storage: StoragePart
    identity: IdentityPart = IdentityPart()


class Health(msgspec.Struct, frozen=True):
    components: Components


async def caches(session: aiohttp.ClientSession, snapshot: Snapshot, before: Before) -> dict[str, dict[str, Any]]:
    """Ask each; nobody is waited for longer than a second."""
    found = {each.lpar: each for each in snapshot.instances.values() if each.service == SERVICE and each.lpar}
    for lpar in before.keys() - found.keys():
        del before[lpar]
    entries = await asyncio.gather(*(_cache(session, lpar, each, before) for lpar, each in sorted(found.items())))
    return {entry["lpar"]: entry for entry in entries}


async def _cache(session: aiohttp.ClientSession, lpar: str, instance: Instance, before: Before) -> dict[str, Any]:
    url = instance.url
    try:
        health, metrics = await asyncio.gather(
            _get(session, f"{url}/application/health"), _get(session, f"{url}/application/metrics")
        )
        told, counted = health_told(health), operations(metrics.decode(errors="replace"))
    except TROUBLE as error:
        return unreachable(lpar, url, _reason(error), before.get(lpar))
    now = time.monotonic()
    last = before.get(lpar)
    entry = {"lpar": lpar, "url": url, "reachable": True, **told, **rates(last, counted, now)}
    before[lpar] = Read(now, counted, entry)
    return entry


async def _get(session: aiohttp.ClientSession, url: str) -> bytes:
    """Its body, whatever the status: a storage that is down says so with 503. Raises any of `TROUBLE`."""
    async with session.get(url, timeout=TIMEOUT, allow_redirects=False) as answer:
        return await whole(answer, MAX_BYTES)


def _reason(error: Exception) -> str:
    match error:
        case TimeoutError():
            return f"no answer within {TIMEOUT.total:g} s"
        case aiohttp.ClientConnectorError():
            return f"it cannot be reached: {os.strerror(error.errno) if error.errno else error.os_error}"
        case NotUsable():
            return f"it {error}"
        case msgspec.DecodeError():
            return "its health page is not a caching service's"
    return tidy(str(error) or type(error).__name__)


# --- reading


def health_told(page: bytes) -> dict[str, Any]:
    """The storage and the identity as the section shows them. Raises msgspec.DecodeError."""
    components = msgspec.json.decode(page, type=Health).components
    storage, identity = components.storage.details, components.identity.details
    promise = storage.capabilities
    return {
        "colour": tidy(storage.colour),
        "why": [tidy(each) for each in storage.why],
        "backend": _text(storage.backend),
        "simulated": _text(promise.simulated),
        "durable": promise.durable,
        "shared": promise.shared,
        "linearizable": promise.linearizable,
        "ackedLoss": _text(promise.acked_loss),
        "remark": _text(promise.remark),
        "entries": storage.entries,
        "size": storage.size if storage.size is not None else storage.quota_entries,
        "place": tidy(storage.data_set or storage.master or ", ".join(storage.endpoints)),
        "identity": {"colour": tidy(identity.colour), "why": [tidy(each) for each in identity.why]},
    }


def _text(value: str | None) -> str | None:
    return None if value is None else tidy(value, 400)


def operations(page: str) -> dict[tuple[str, str], float]:
    """(kind, outcome) → how many so far. Raises ValueError."""
    lines = [line for line in page.splitlines() if line.startswith(OPERATIONS)]
    return {
        (tidy(sample.labels.get("kind", "")), sample.labels.get("outcome", "")): sample.value
        for family in text_string_to_metric_families("\n".join([*lines, ""]))
        for sample in family.samples
    }


def rates(last: Read | None, counted: Mapping[tuple[str, str], float], now: float) -> dict[str, Any]:
    """Calls a second since `last`, by kind. A counter that is smaller now began again with a new process."""
    if last is None or now <= last.at:
        return QUIET
    per_s: defaultdict[str, float] = defaultdict(float)
    errors = 0.0
    for (kind, outcome), count in counted.items():
        before = last.operations.get((kind, outcome), 0.0)
        each = (count - before if count >= before else count) / (now - last.at)
        per_s[kind] += each
        errors += each if outcome in ERRORS else 0.0
    return {"perS": {kind: round(each, 2) for kind, each in sorted(per_s.items())}, "errorsPerS": round(errors, 2)}


def unreachable(lpar: str, url: str, why: str, last: Read | None) -> dict[str, Any]:
    known = last.entry if last is not None else {**NOTHING, "place": ""}
    now = {"reachable": False, "colour": "red", "why": [why], "entries": None, **QUIET}
    return {**known, "lpar": lpar, "url": url, **now}
