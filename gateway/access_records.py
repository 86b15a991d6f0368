"""One exchange as a line of the access log.

Two forms:

    json       one object a line, pure ASCII; what is empty is left out, so a field that is there says something
    combined   what Apache and nginx call combined, then request id, instance, seconds and the number of exchanges the
               line stands for:
               127.0.0.1 - - [10/Oct/2000:13:55:36 +0000] "GET /orders/api/v1/x HTTP/1.1" 200 22 "-" "curl/8"
               "lpar1-5f-1" "LPAR2/orders:9000" 0.001234 1

What clients send is not trusted: every quote, backslash, control character and byte beyond ASCII is escaped, in json as
JSON does it and in combined as `\\xHH`, the way nginx does it. So no raw quote ends a field early, and no line can be
forged. There is no field for a body, a cookie or an Authorization; a query string is written as it came.

Sources: Apache's mod_log_config (`combined`), nginx's log module (`combined`, its escaping); RFC 8259 for JSON.

Not here: which exchanges are recorded (`access_sampling`), the file (`access_file`), when it is written (`access_log`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from json import JSONEncoder

import msgspec

MAX_METHOD_BYTES = 32
MAX_TARGET_BYTES = 2048
MAX_AGENT_BYTES = 256
MAX_REFERER_BYTES = 1024

CUT = 0
"""The status of an answer that broke off, or of a client that left before there was one."""


class AccessRecord(msgspec.Struct, gc=False):
    """How an exchange went. Bytes are as they came; what is not known is empty."""

    began: float
    """Monotonic seconds; made a time of day when the line is written."""
    client: bytes
    """Its address."""
    method: bytes
    target: bytes
    minor: int
    """Of the client's version, 1.0 or 1.1."""
    status: int
    """Of the answer's head, or CUT."""
    received_bytes: int
    """Of the request's body."""
    sent_bytes: int
    """Of the answer's body."""
    seconds: float
    first_byte_s: float
    """Until the head of the answer; -1 when there was none of an instance."""
    service: str
    route: bytes
    instance: bytes
    """Of the last try, as in X-Plexmesh-Path."""
    tries: int
    reason: str
    """A short word for what went wrong, or empty."""
    request_id: bytes
    trace_id: bytes
    user_agent: bytes
    referer: bytes
    stands_for: int = 1
    """Exchanges: this one, and those like it that were left out before it."""

    def shorten(self) -> None:
        """Keep no more than is written, so that long heads do not wait in memory."""
        if len(self.target) > MAX_TARGET_BYTES:
            self.target = self.target[:MAX_TARGET_BYTES]
        if len(self.user_agent) > MAX_AGENT_BYTES:
            self.user_agent = self.user_agent[:MAX_AGENT_BYTES]
        if len(self.referer) > MAX_REFERER_BYTES:
            self.referer = self.referer[:MAX_REFERER_BYTES]
        if len(self.method) > MAX_METHOD_BYTES:
            self.method = self.method[:MAX_METHOD_BYTES]


Line = Callable[[AccessRecord, float], bytes]
"""(a record, wall seconds at monotonic zero) → its line, with its end."""


def failed(status: int) -> bool:
    """Broken off, or the fault of this side: never left out by sampling."""
    return status >= 500 or status == CUT


# --- json


class _Json(msgspec.Struct, omit_defaults=True, gc=False):
    time: str
    client: str
    method: str
    target: str
    version: str
    status: int
    received_bytes: int
    sent_bytes: int
    seconds: float
    tries: int
    stands_for: int
    first_byte_s: float | None = None
    service: str = ""
    route: str = ""
    instance: str = ""
    reason: str = ""
    request_id: str = ""
    trace_id: str = ""
    user_agent: str = ""
    referer: str = ""


_encode = msgspec.json.Encoder().encode
_encode_ascii = JSONEncoder(separators=(",", ":")).encode


def json_line(record: AccessRecord, wall_s: float) -> bytes:
    began = record.began + wall_s
    fields = _Json(
        time=f"{_second(int(began))}.{int(began % 1 * 1000):03d}Z",
        client=_text(record.client),
        method=_text(record.method),
        target=_text(record.target),
        version="1.1" if record.minor else "1.0",
        status=record.status,
        received_bytes=record.received_bytes,
        sent_bytes=record.sent_bytes,
        seconds=round(record.seconds, 6),
        tries=record.tries,
        stands_for=record.stands_for,
        first_byte_s=round(record.first_byte_s, 6) if record.first_byte_s >= 0 else None,
        service=record.service,
        route=_text(record.route),
        instance=_text(record.instance),
        reason=record.reason,
        request_id=_text(record.request_id),
        trace_id=_text(record.trace_id),
        user_agent=_text(record.user_agent),
        referer=_text(record.referer),
    )
    line = _encode(fields)
    if not line.isascii() or b"\x7f" in line:
        line = _encode_ascii(msgspec.to_builtins(fields)).encode("ascii")
    return line + b"\n"


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


@lru_cache(maxsize=16)
def _second(wall_s: int) -> str:
    return f"{datetime.fromtimestamp(wall_s, UTC):%Y-%m-%dT%H:%M:%S}"


# --- combined

CLEAN = bytes(byte for byte in range(0x20, 0x7F) if byte not in b'"\\')
ESCAPES = {byte: f"\\x{byte:02X}" for byte in range(256) if byte not in CLEAN}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""Not strftime's, which follow the locale."""


def combined_line(record: AccessRecord, wall_s: float) -> bytes:
    request = "-"
    if record.method:
        request = f"{_escaped(record.method)} {_escaped(record.target)} HTTP/{'1.1' if record.minor else '1.0'}"
    return (
        f"{_word(record.client)} - - [{_common_second(int(record.began + wall_s))}] "
        f'"{request}" {record.status:03d} {record.sent_bytes} '
        f'"{_escaped(record.referer)}" "{_escaped(record.user_agent)}" '
        f'"{_escaped(record.request_id)}" "{_escaped(record.instance)}" {record.seconds:.6f} {record.stands_for}\n'
    ).encode("ascii")


def _word(value: bytes) -> str:
    """For the one field that is not in quotes."""
    return _escaped(value).replace(" ", "\\x20")


def _escaped(value: bytes) -> str:
    if value.translate(None, CLEAN):
        return value.decode("latin-1").translate(ESCAPES)
    return value.decode("ascii") or "-"


@lru_cache(maxsize=16)
def _common_second(wall_s: int) -> str:
    at = datetime.fromtimestamp(wall_s, UTC)
    return f"{at.day:02d}/{MONTHS[at.month - 1]}/{at:%Y:%H:%M:%S} +0000"


FORMS: Mapping[str, Line] = {"json": json_line, "combined": combined_line}
