"""What discovery nodes say to each other: msgpack arrays, so adding a field at the end stays readable.

    Push    the newest records of the sender's own log, and what a sync showed the receiver lacks; answered by positions
    Sync    the sender's digest; answered by the receiver's digest and the records the sender lacks
    Touch   instances that beat at the sender though the receiver owns their lease

Any message may be lost, doubled or overtaken. A digest has one entry per origin, not per instance: its size does not
depend on the registry's.
"""

from __future__ import annotations

import msgspec

from discovery.space import Delta
from shared.errors import BadInput

PROTOCOL = 1


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """How far the sender's copy of an origin's log goes; seconds that origin has been dead for (negative: alive)."""

    origin: str
    max_seq: int
    gc_seq: int
    dead_s: float = -1.0


class Push(msgspec.Struct, frozen=True, array_like=True, tag="push"):
    deltas: list[Delta]


class PushReply(msgspec.Struct, frozen=True, array_like=True, tag="pushed"):
    """The receiver's position in each pushed log; a position before what was sent means a gap: send from there."""

    positions: dict[str, int]


class Sync(msgspec.Struct, frozen=True, array_like=True, tag="sync"):
    """`address` is where the sender itself answers; `covered`: it has seen all that some covered node had."""

    address: str
    covered: bool
    digest: list[Entry]


class SyncReply(msgspec.Struct, frozen=True, array_like=True, tag="synced"):
    covered: bool
    digest: list[Entry]
    deltas: list[Delta]


class Touch(msgspec.Struct, frozen=True, array_like=True, tag="touch"):
    keys: list[str]


class TouchReply(msgspec.Struct, frozen=True, array_like=True, tag="touched"):
    """Those the receiver does not know (any more)."""

    unknown: list[str]


Request = Push | Sync | Touch
Reply = PushReply | SyncReply | TouchReply


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """Every message names the sysplex, the protocol and the sender's origin (a node's boot)."""

    sysplex: str
    protocol: int
    origin: str
    body: Request | Reply


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Envelope)


def encode(sysplex: str, origin: str, body: Request | Reply) -> bytes:
    return _encoder.encode(Envelope(sysplex, PROTOCOL, origin, body))


def decode(sysplex: str, data: bytes) -> Envelope:
    """Raises BadInput: not a message, of another protocol version, or of another sysplex."""
    try:
        envelope = _decoder.decode(data)
    except msgspec.DecodeError as error:
        raise BadInput(f"peer message: {error}") from error
    if envelope.protocol != PROTOCOL:
        raise BadInput(f"peer message: protocol {envelope.protocol}, this node speaks {PROTOCOL}")
    if envelope.sysplex != sysplex:
        raise BadInput(f"peer message: sysplex {envelope.sysplex!r}, this node is in {sysplex!r}")
    return envelope


def node_of(origin: str) -> str:
    """`LPAR1@1790000000000` → `LPAR1`."""
    return origin.rpartition("@")[0]


def epoch_of(origin: str) -> int:
    """`LPAR1@1790000000000` → 1790000000000; 0 where there is none."""
    epoch = origin.rpartition("@")[2]
    return int(epoch) if epoch.isdigit() else 0
