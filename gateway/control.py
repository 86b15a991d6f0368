"""What a gateway's parent and its workers say to one another, and how a message looks on the way.

    to a worker      Begin, then any of Order, Ask, Leave, Drain, Led (a user's instance), Proven (a token)
    from a worker    Told (its report), Alive when that has not changed, Said (an event), Asked (it got SIGTERM),
                     Seek and Chose (of a user's instance), Shown (a token)

A frame is the length in four bytes, then the message in msgpack. Messages grow by fields with defaults only: after a
reload an older parent talks to newer workers.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from gateway.login.passing import Outcome
from gateway.report import Report

MAX_FRAME_BYTES = 64 * 1024 * 1024
"""Far above a report of 2000 services; a frame that claims more is a defect."""

LENGTH = struct.Struct("!I")

C = TypeVar("C")


class Begin(msgspec.Struct, tag=True, frozen=True):
    number: int
    config: dict[str, Any]
    """A GatewayConfig, by `packed`."""
    own: str
    """Where the own pages are, see `gateway.inner`."""
    place: Literal["in", "out"]
    patience_s: float | None
    """Open the own port without a snapshot after so long; None: never."""


class Order(msgspec.Struct, tag=True, frozen=True):
    """Enter or leave the sysplex address; answered by Told."""

    place: Literal["in", "out"]


class Ask(msgspec.Struct, tag=True, frozen=True):
    """Answered by Told with the same number."""

    number: int


class Leave(msgspec.Struct, tag=True, frozen=True):
    """Off the sysplex address; from now on answers say `Connection: close`."""


class Drain(msgspec.Struct, tag=True, frozen=True):
    """No new connections; end when nothing is left, or after so long. A later one counts."""

    within_s: float


class Led(msgspec.Struct, tag=True, frozen=True):
    """The instance of the user with that key; empty: there is none. Answers Seek, or is news."""

    key: str
    instance: str


class Seek(msgspec.Struct, tag=True, frozen=True):
    key: str


class Chose(msgspec.Struct, tag=True, frozen=True):
    """`instance` is the user's from now on, in place of `left` if he had one."""

    key: str
    instance: str
    left: str


class Shown(msgspec.Struct, tag=True, frozen=True):
    """Is this token good? Answered by Proven with the same number."""

    number: int
    token: str


class Proven(msgspec.Struct, tag=True, frozen=True):
    number: int
    outcome: Outcome


class Told(msgspec.Struct, tag=True, frozen=True):
    report: Report
    answer_to: int = 0


class Alive(msgspec.Struct, tag=True, frozen=True):
    pass


class Said(msgspec.Struct, tag=True, frozen=True):
    event: str
    fields: dict[str, Any]


class Asked(msgspec.Struct, tag=True, frozen=True):
    """Somebody sent this worker a SIGTERM: it would like to be replaced."""


ToWorker = Begin | Order | Ask | Leave | Drain | Led | Proven
FromWorker = Told | Alive | Said | Asked | Seek | Chose | Shown

_encoder = msgspec.msgpack.Encoder(enc_hook=str)


def frame(message: ToWorker | FromWorker) -> bytes:
    body = _encoder.encode(message)
    return LENGTH.pack(len(body)) + body


def packed(config: object) -> dict[str, Any]:
    """A config dataclass as plain data."""
    fields: dict[str, Any] = msgspec.to_builtins(config, enc_hook=str)
    return fields


def unpacked(fields: dict[str, Any], cls: type[C]) -> C:
    return msgspec.convert(fields, cls, dec_hook=_as_path)


def _as_path(wanted: type, value: object) -> object:
    if wanted is Path:
        return Path(str(value))
    raise NotImplementedError(wanted)
