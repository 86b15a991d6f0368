"""What is visible as bytes: an instance's JSON, and the events of the watch stream around it.

An event holds at most `MAX_RECORDS` instances and about `MAX_BYTES`. An instance is encoded once and put into as many
events as there are audiences.

Shapes: `shared.wire`. Source: WHATWG HTML 9.2, server-sent events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from discovery.registration import unpack
from discovery.view import Held
from shared.wire import Mark, Owner, OwnerState

MAX_RECORDS = 200
MAX_BYTES = 60 * 1024
"""Of records in one event: with its frame it stays below 64 kB."""

_encode = msgspec.json.Encoder().encode


def encoded(held: Held) -> bytes:
    """One visible instance as JSON."""
    origin, record = held
    return _encode(unpack(record.body).seen_by_watchers(origin, record.gen, record.rev))


def puts(instances: Iterable[bytes]) -> Iterator[bytes]:
    """`put` events of instances that are JSON already; each event is made when it is asked for."""
    for batch in batches(instances):
        yield b'event: put\ndata: {"instances":[' + b",".join(batch) + b"]}\n\n"


def dels(keys: Iterable[str]) -> Iterator[bytes]:
    for batch in batches(_encode(key) for key in keys):
        yield b'event: del\ndata: {"keys":[' + b",".join(batch) + b"]}\n\n"


def owner(origin: str, state: OwnerState) -> bytes:
    return b"event: owner\ndata: " + _encode(Owner(origin, state)) + b"\n\n"


def mark(mark: Mark) -> bytes:
    return f"id: {mark.token}\nevent: mark\ndata: ".encode() + _encode(mark) + b"\n\n"


def comment(text: str) -> bytes:
    """Keeps a stream alive and says nothing."""
    return f": {text}\n\n".encode()


def batches(parts: Iterable[bytes]) -> Iterator[list[bytes]]:
    """At most MAX_RECORDS and MAX_BYTES each (a single part may be longer)."""
    batch: list[bytes] = []
    size = 0
    for part in parts:
        if batch and (len(batch) == MAX_RECORDS or size + len(part) > MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(part)
        size += len(part) + 1
    if batch:
        yield batch
