"""Bytes from outside, random or spoiled: a peer's message is decoded or BadInput, and nothing else ever comes of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discovery.messages import (
    PROTOCOL,
    Ask,
    Entry,
    Envelope,
    Fact,
    Found,
    Ping,
    Pong,
    Push,
    PushReply,
    Refused,
    Reply,
    Request,
    Sender,
    Sync,
    SyncReply,
    Touch,
    TouchReply,
    decode,
    encode,
)
from discovery.record import LEFT, UP, Record
from discovery.space import Delta
from shared.errors import BadInput

SENDER = Sender("LPAR2@7", "http://127.0.2.1:7553")
FACTS = [Fact("LPAR1@5", "http://127.0.1.1:7553", 2, "suspect", ["LPAR3"])]
RECORDS = [
    Record("orders", "orders/1", 65536, 99, 4, UP, 30, b"\x81\xa1a\x01"),
    Record("orders", "orders/2", 65536, 98, 5, LEFT, 30, b""),
]
DELTAS = [Delta("LPAR2@7", 3, 0, 5, False, 5, RECORDS)]
DIGEST = [Entry("LPAR2@7", 5, 0, 2**64 - 1), Entry("LPAR1@5", 9, 1, 12, 3.5)]
BODIES: list[Request | Reply] = [
    Ping(1_790_000_000_000, FACTS),
    Pong(1_790_000_000_000, FACTS),
    Ask("http://127.0.3.1:7553"),
    Found("http://127.0.3.1:7553", "silent"),
    Push(DELTAS, FACTS),
    PushReply({"LPAR2@7": (5, 0)}),
    Sync(True, DIGEST, FACTS, {"LPAR1": 4}),
    SyncReply(False, DIGEST, FACTS, {"LPAR1": 4}, DELTAS),
    Touch(["orders/1"]),
    TouchReply([]),
    Refused("full", "16 nodes"),
]
MESSAGES = [encode("PLEX1", SENDER, body) for body in BODIES]


def read(data: bytes) -> Envelope | None:
    """None for BadInput; any other error is the test's."""
    try:
        return decode("PLEX1", data)
    except BadInput:
        return None


@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
def test_every_message_comes_back(body: Request | Reply) -> None:
    assert decode("PLEX1", encode("PLEX1", SENDER, body)) == Envelope("PLEX1", PROTOCOL, SENDER, body)


@given(st.binary(max_size=200))
def test_random_bytes(data: bytes) -> None:
    read(data)


@given(st.sampled_from(MESSAGES), st.data())
@settings(max_examples=500)
def test_spoiled_messages(message: bytes, data: st.DataObject) -> None:
    spoiled = bytearray(message)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(spoiled) - 1))
        match data.draw(st.sampled_from(("change", "cut", "insert"))):
            case "change":
                spoiled[place] = data.draw(st.integers(0, 255))
            case "cut":
                del spoiled[place : place + data.draw(st.integers(1, 8))]
            case _:
                spoiled[place:place] = data.draw(st.binary(max_size=8))
        if not spoiled:
            break
    read(bytes(spoiled))


@pytest.mark.parametrize("message", MESSAGES, ids=[type(body).__name__ for body in BODIES])
def test_every_truncation_is_bad_input(message: bytes) -> None:
    assert [length for length in range(len(message)) if read(message[:length])] == []


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=8),
    st.sampled_from(["ping", "pong", "push", "sync", "synced", "touch", "alive", "PLEX1", PROTOCOL]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=8), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=30,
)


@given(values)
def test_any_value_in_the_place_of_a_body(value: Any) -> None:
    read(msgspec.msgpack.encode(["PLEX1", PROTOCOL, ["LPAR2@7", "http://127.0.2.1:7553"], value]))


@given(st.sampled_from(MESSAGES), st.data())
@settings(max_examples=500)
def test_any_value_in_any_place(message: bytes, data: st.DataObject) -> None:
    whole = msgspec.msgpack.decode(message)
    part = whole
    while True:
        place = data.draw(st.integers(0, len(part) - 1))
        if isinstance(part[place], list) and part[place] and data.draw(st.booleans()):
            part = part[place]
        else:
            part[place] = data.draw(values)
            break
    read(msgspec.msgpack.encode(whole))


@given(values)
def test_one_bad_record_leaves_the_good_ones(value: Any) -> None:
    """Whatever stands in a record's place: the message is read, and all its other records are there."""
    whole = msgspec.msgpack.decode(encode("PLEX1", SENDER, Push(DELTAS, FACTS)))
    whole[3][1][0][6].insert(1, value)
    envelope = read(msgspec.msgpack.encode(whole))
    assert envelope is not None
    assert isinstance(envelope.body, Push)
    first, placeholder, last = envelope.body.deltas[0].records
    assert (first, last) == tuple(RECORDS)
    assert not placeholder.live or isinstance(value, list)


def test_deep_nesting() -> None:
    for opening in (b"\x91", b"\x81\xa1a"):
        read(opening * 100_000)
        read(msgspec.msgpack.encode(["PLEX1", PROTOCOL])[:-1] + opening * 100_000)
        whole = msgspec.msgpack.encode(["PLEX1", PROTOCOL, ["LPAR2@7", "http://127.0.2.1:7553"], None])
        read(whole[:-1] + opening * 100_000 + b"\xc0")
