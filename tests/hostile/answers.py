"""Answers cut from the bytes a client got, read as strictly as requests are.

The method that was asked with decides whether there is a body (RFC 9112, 6.3); `ended` says that the connection has
ended, which is the end of a body of no told length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.hostile.grammar import CONTROL, Fault, Fields, Unreadable, chunks_of, fields_of, framing_of, head_of, values

STATUS = re.compile(rb"[1-9][0-9]{2}\Z")


@dataclass(frozen=True)
class Answer:
    """`size` is all its bytes; `until_close` that only the connection's end ended it."""

    status: int
    reason: bytes
    minor: int
    fields: Fields
    body: bytes
    size: int
    until_close: bool = False

    def value(self, name: bytes) -> bytes:
        """All values of a field, by commas."""
        return b", ".join(values(self.fields, name))

    @property
    def closes(self) -> bool:
        return self.value(b"connection").lower() == b"close" or self.until_close


def cut_answer(data: bytes, method: bytes, *, ended: bool = False) -> Answer | None:
    """The first answer of the bytes, which may be an interim one; None when it is not whole. Raises Unreadable."""
    lines = head_of(data)
    if lines is None:
        return None
    faults: list[Fault] = []
    status, reason, minor = _status_line(lines[0], faults)
    fields = fields_of(lines[1:], faults)
    length = framing_of(fields, minor, faults)
    bare = status < 200 or status == 204
    if bare and length is not None:
        faults.append(Fault.SURPLUS)
    if faults:
        raise Unreadable(*faults)
    size = sum(len(line) + 2 for line in lines) + 2
    if bare or status == 304 or method == b"HEAD":
        return Answer(status, reason, minor, fields, b"", size)
    if length == -1:
        chunks = chunks_of(data, size)
        return Answer(status, reason, minor, fields, chunks.body, chunks.end) if chunks else None
    if length is None:
        return Answer(status, reason, minor, fields, data[size:], len(data), until_close=True) if ended else None
    end = size + length
    return Answer(status, reason, minor, fields, data[size:end], end) if len(data) >= end else None


def _status_line(line: bytes, faults: list[Fault]) -> tuple[int, bytes, int]:
    version, _, rest = line.partition(b" ")
    status, space, reason = rest.partition(b" ")
    if not space:
        faults.append(Fault.LINE)
    if version not in (b"HTTP/1.1", b"HTTP/1.0"):
        faults.append(Fault.VERSION)
    if CONTROL.search(reason):
        faults.append(Fault.REASON)
    if not STATUS.match(status):
        faults.append(Fault.STATUS)
        return 0, reason, 1
    return int(status), reason, 0 if version.endswith(b"0") else 1
