"""What discovery nodes say to each other: msgpack arrays, so adding a field at the end stays readable.

    Ping    is this node there? answered by Pong; both carry what each knows of all members (`Fact`)
    Ask     please ping that node for me (SWIM's indirect probe); answered at once, its outcome comes as Found
    Found   what asking brought
    Push    the newest records of the sender's own log, and what a sync showed the receiver lacks; answered by positions
    Sync    the sender's digest; answered by the receiver's digest and the records the sender lacks
    Touch   instances that beat at the sender though the receiver owns their lease

Any message may be lost, doubled or overtaken. A digest has one entry per origin, not per instance: its size does not
depend on the registry's. A node that will not have the sender for a peer answers Refused.
"""

from __future__ import annotations

import functools
from typing import Any, Literal

import msgspec

from discovery.record import MAX_NAME_CHARS, POISON, Record
from discovery.space import Delta, Position
from shared.errors import BadInput

PROTOCOL = 2
DELTA_FIELDS = len(Delta.__struct_fields__)

MemberState = Literal["alive", "suspect", "dead", "left"]
Outcome = Literal["answered", "silent", "refused"]


class Fact(msgspec.Struct, frozen=True, array_like=True):
    """What is held of one boot of a node. `by`: the nodes whose own probes of it failed, while it is suspect."""

    origin: str
    address: str
    incarnation: int
    state: MemberState
    by: list[str] = []


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """How far the sender's copy of an origin's log goes, the audit sum of what it holds (0 while that is in parts), and
    for how many seconds that origin has been dead (negative: it is not)."""

    origin: str
    max_seq: int
    gc_seq: int
    sum64: int
    dead_s: float = -1.0


class Ping(msgspec.Struct, frozen=True, array_like=True, tag="ping"):
    """`wall_ms`: the sender's wall clock, looked at only to warn of one that is far off."""

    wall_ms: int
    facts: list[Fact]


class Pong(msgspec.Struct, frozen=True, array_like=True, tag="pong"):
    wall_ms: int
    facts: list[Fact]


class Ask(msgspec.Struct, frozen=True, array_like=True, tag="ask"):
    address: str


class Found(msgspec.Struct, frozen=True, array_like=True, tag="found"):
    address: str
    outcome: Outcome


class Push(msgspec.Struct, frozen=True, array_like=True, tag="push"):
    deltas: list[Delta]
    facts: list[Fact]


class PushReply(msgspec.Struct, frozen=True, array_like=True, tag="pushed"):
    """The receiver's position in each pushed log; a position before what was sent means a gap: send from there."""

    positions: dict[str, Position]


class Sync(msgspec.Struct, frozen=True, array_like=True, tag="sync"):
    """`covered`: the sender has seen all that some covered node had. `forgotten` maps a node to the last boot of it
    whose log everybody drops."""

    covered: bool
    digest: list[Entry]
    facts: list[Fact]
    forgotten: dict[str, int]


class SyncReply(msgspec.Struct, frozen=True, array_like=True, tag="synced"):
    covered: bool
    digest: list[Entry]
    facts: list[Fact]
    forgotten: dict[str, int]
    deltas: list[Delta]


class Touch(msgspec.Struct, frozen=True, array_like=True, tag="touch"):
    keys: list[str]


class TouchReply(msgspec.Struct, frozen=True, array_like=True, tag="touched"):
    """Those the receiver does not know (any more)."""

    unknown: list[str]


class Refused(msgspec.Struct, frozen=True, array_like=True, tag="refused"):
    """`why`: "full" (as many nodes as a mesh may have), "taken" (another node has the sender's name)."""

    why: Literal["full", "taken"]
    text: str


Request = Ping | Ask | Found | Push | Sync | Touch
Reply = Pong | PushReply | SyncReply | TouchReply | Refused


class Sender(msgspec.Struct, frozen=True, array_like=True):
    """Who speaks: a boot of a node, and where it answers."""

    origin: str
    address: str


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """Every message names the sysplex, the protocol and the sender."""

    sysplex: str
    protocol: int
    sender: Sender
    body: Request | Reply


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Envelope)
_prefix = msgspec.msgpack.Decoder(list[msgspec.Raw])
_text = msgspec.msgpack.Decoder(str)
_number = msgspec.msgpack.Decoder(int)


def encode(sysplex: str, sender: Sender, body: Request | Reply) -> bytes:
    return _encoder.encode(Envelope(sysplex, PROTOCOL, sender, body))


def decode(sysplex: str, data: bytes) -> Envelope:
    """Raises BadInput: not a message, of another protocol version, or of another sysplex."""
    try:
        _check(sysplex, data)
        try:
            return _decoder.decode(data)
        except msgspec.ValidationError:
            return _decoder.decode(_without_poison(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"peer message: {error}") from error


def _check(sysplex: str, data: bytes) -> None:
    """The protocol's number comes before all else: what follows may be shaped otherwise in another version."""
    parts = _prefix.decode(data)
    if len(parts) < 2:
        raise BadInput("peer message: too short")
    protocol, said = _number.decode(parts[1]), _text.decode(parts[0])
    if protocol != PROTOCOL:
        raise BadInput(f"peer message: protocol {protocol}, this node speaks {PROTOCOL}")
    if said != sysplex:
        raise BadInput(f"peer message: sysplex {said!r}, this node is in {sysplex!r}")


def _without_poison(data: bytes) -> bytes:
    """The same message with a placeholder for each record that cannot be read: one of them must not hold up a log."""
    message: Any = msgspec.msgpack.decode(data)
    body = message[3] if len(message) > 3 and isinstance(message[3], list) else []
    for part in body[1:]:
        for delta in part if isinstance(part, list) else []:
            if isinstance(delta, list) and len(delta) == DELTA_FIELDS and isinstance(delta[-1], list):
                delta[-1] = [_readable(record) for record in delta[-1]]
    return _encoder.encode(message)


def _readable(record: Any) -> Any:
    try:
        msgspec.convert(record, Record)
    except msgspec.ValidationError:
        fields = record if isinstance(record, list) else []
        key = fields[1] if len(fields) > 1 and isinstance(fields[1], str) and fields[1] else "?"
        seq = fields[4] if len(fields) > 4 and type(fields[4]) is int and fields[4] > 0 else 0
        return msgspec.to_builtins(Record("?", key[:MAX_NAME_CHARS], 0, 0, seq, POISON, 0, b""), builtin_types=(bytes,))
    return record


@functools.lru_cache(4096)
def node_of(origin: str) -> str:
    """`LPAR1@1790000000000` → `LPAR1`."""
    return origin.rpartition("@")[0]


@functools.lru_cache(4096)
def epoch_of(origin: str) -> int:
    """`LPAR1@1790000000000` → 1790000000000; 0 where there is none."""
    epoch = origin.rpartition("@")[2]
    return int(epoch) if epoch.isdigit() else 0
