"""Requests cut from the bytes of one connection, or what is wrong with them.

A request is cut only when it is whole and every byte of it is of the grammar. Targets: any visible ASCII but "#", and
in a path no backslash; characters that RFC 3986 would have percent-encoded otherwise (braces, a bar) are let pass, as
every server does.

Not here: field lines and chunks (`grammar`), whether it may be passed on (`passing`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.hostile.grammar import (
    HOST,
    NAME,
    Chunks,
    Fault,
    Fields,
    Unreadable,
    chunks_of,
    fields_of,
    framing_of,
    head_of,
    values,
)  # fmt: skip

VERSION = re.compile(rb"HTTP/1\.[01]\Z")
TARGET = re.compile(rb"(?:https?://[^/?#@\\]+(?:/[^?#\\]*)?|/[^?#\\]*)(?:\?[^#]*)?\Z", re.IGNORECASE)
VISIBLE = re.compile(rb"[\x21-\x7e]+\Z")


@dataclass(frozen=True)
class Head:
    """`length` as in `framing_of`; `size` is that of the head in bytes."""

    method: bytes
    target: bytes
    minor: int
    fields: Fields
    length: int | None
    size: int

    def values(self, name: bytes) -> list[bytes]:
        return values(self.fields, name)


@dataclass(frozen=True)
class Request:
    """A whole request; `size` is all its bytes."""

    head: Head
    body: bytes
    size: int
    trailers: Fields = ()
    extended: bool = False

    @property
    def method(self) -> bytes:
        return self.head.method

    @property
    def target(self) -> bytes:
        return self.head.target


def cut_head(data: bytes) -> Head | None:
    """The head that the bytes begin with; None when it is not whole yet. Raises Unreadable."""
    lines = head_of(data)
    if lines is None:
        return None
    faults: list[Fault] = []
    method, target, minor = _request_line(lines[0], faults)
    fields = fields_of(lines[1:], faults)
    _check_host(fields, minor, faults)
    length = framing_of(fields, minor, faults)
    if faults:
        raise Unreadable(*faults)
    return Head(method, target, minor, fields, length, sum(len(line) + 2 for line in lines) + 2)


def _request_line(line: bytes, faults: list[Fault]) -> tuple[bytes, bytes, int]:
    parts = line.split(b" ")
    if len(parts) != 3:
        faults.append(Fault.LINE)
        return b"", b"", 1
    method, target, version = parts
    if not NAME.match(method):
        faults.append(Fault.METHOD)
    if not _is_target(method, target):
        faults.append(Fault.TARGET)
    if not VERSION.match(version):
        faults.append(Fault.VERSION)
    return method, target, 0 if version.endswith(b"0") else 1


def _is_target(method: bytes, target: bytes) -> bool:
    if target == b"*":
        return method == b"OPTIONS"
    return bool(VISIBLE.match(target) and TARGET.match(target))


def _check_host(fields: Fields, minor: int, faults: list[Fault]) -> None:
    hosts = values(fields, b"host")
    if not hosts and minor == 1:
        faults.append(Fault.NO_HOST)
    if len(hosts) > 1:
        faults.append(Fault.HOSTS)
    if not all(HOST.match(host) for host in hosts):
        faults.append(Fault.HOST)


def cut(data: bytes) -> Request | None:
    """The first request of the bytes; None when it is not whole yet. Raises Unreadable."""
    head = cut_head(data)
    if head is None:
        return None
    if head.length == -1:
        chunks = chunks_of(data, head.size)
        return _chunked(head, chunks) if chunks else None
    end = head.size + (head.length or 0)
    return Request(head, data[head.size : end], end) if len(data) >= end else None


def _chunked(head: Head, chunks: Chunks) -> Request:
    return Request(head, chunks.body, chunks.end, chunks.trailers, chunks.extended)


def read(data: bytes) -> tuple[list[Request], bytes, tuple[Fault, ...]]:
    """(the whole requests up to the first fault, the bytes after them, the faults there)."""
    found: list[Request] = []
    try:
        while data and (request := cut(data)) is not None:
            found.append(request)
            data = data[request.size :]
    except Unreadable as unreadable:
        return found, data, unreadable.faults
    return found, data, ()
