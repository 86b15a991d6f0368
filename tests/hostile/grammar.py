"""HTTP/1.1's grammar, read as strictly as RFC 9112 allows and by regular expressions only.

What is not exactly of the grammar is a `Fault`; there is no leniency a recipient MAY show. All faults of a head are
told together, then reading stops: what follows a fault can be read in two ways.

Not here: start lines (`judge`, `answers`), what may be passed on (`passing`).
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

Fields = tuple[tuple[bytes, bytes], ...]


class Fault(enum.Enum):
    LINE = "the first line does not have its three parts with one space between"
    VERSION = "the version is not HTTP/1.0 or HTTP/1.1"
    METHOD = "the method is not a token"
    TARGET = "the target is none of the forms of a target"
    STATUS = "the status is not three digits from 100 on"
    REASON = "the reason holds a control character"
    BARE_LF = "a line ends with LF alone"
    BARE_CR = "there is a CR without LF"
    FOLD = "a field goes on in the next line"
    NAME = "a field's name is not a token followed by a colon"
    CONTROL = "a field's value holds a control character"
    NO_HOST = "there is no Host"
    HOSTS = "there is more than one Host"
    HOST = "the Host is not a host with an optional port"
    LENGTHS = "there is more than one Content-Length"
    LENGTH = "the Content-Length is not a number"
    BOTH = "there are a Content-Length and a Transfer-Encoding"
    CODING = "the Transfer-Encoding is not chunked alone"
    OLD_CODING = "there is a Transfer-Encoding in HTTP/1.0"
    SIZE = "a chunk's size is not a hexadecimal number with extensions"
    CHUNK = "a chunk does not end where its size says"
    SURPLUS = "there is a body or a framing field where there is none"


class Unreadable(Exception):
    """The bytes are not what they should be; `faults` has all that was seen up to there."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(fault.value for fault in faults))
        self.faults = faults


TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
NAME = re.compile(TOKEN + rb"\Z")
CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?\Z")
LENGTH = re.compile(rb"[0-9]{1,18}\Z")

CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})([ \t]*;[\t\x20-\x7e\x80-\xff]*)?\Z")
"""What an extension says is not looked at: it is dropped, and no byte of it can end the line."""


def head_of(data: bytes) -> list[bytes] | None:
    """The lines up to the first empty one; None when there is none yet. A bare LF or CR is a fault at once."""
    end = data.find(b"\r\n\r\n")
    head = data.removesuffix(b"\r") if end < 0 else data[:end]
    rest = head.replace(b"\r\n", b"")
    faults = [fault for sign, fault in ((b"\n", Fault.BARE_LF), (b"\r", Fault.BARE_CR)) if sign in rest]
    if faults:
        raise Unreadable(*faults)
    return None if end < 0 else head.split(b"\r\n")


def fields_of(lines: list[bytes], faults: list[Fault]) -> Fields:
    """Names as they came, values without the spaces around them."""
    found = []
    for line in lines:
        if line.startswith((b" ", b"\t")):
            faults.append(Fault.FOLD)
            continue
        name, colon, value = line.partition(b":")
        if not colon or not NAME.match(name):
            faults.append(Fault.NAME)
        elif CONTROL.search(value):
            faults.append(Fault.CONTROL)
        found.append((name, value.strip(b" \t")))
    return tuple(found)


def values(fields: Fields, name: bytes) -> list[bytes]:
    return [value for key, value in fields if key.lower() == name]


def framing_of(fields: Fields, minor: int, faults: list[Fault]) -> int | None:
    """Bytes of the body; -1 for chunked, None when nothing is said."""
    lengths, codings = values(fields, b"content-length"), values(fields, b"transfer-encoding")
    if len(lengths) > 1:
        faults.append(Fault.LENGTHS)
    if not all(LENGTH.match(each) for each in lengths):
        faults.append(Fault.LENGTH)
    if lengths and codings:
        faults.append(Fault.BOTH)
    if codings and [each.lower() for each in codings] != [b"chunked"]:
        faults.append(Fault.CODING)
    if codings and minor == 0:
        faults.append(Fault.OLD_CODING)
    if faults or not lengths:
        return -1 if codings else None
    return int(lengths[0])


@dataclass(frozen=True)
class Chunks:
    """A whole chunked body; `end` is where it ends, `extended` that a chunk had extensions."""

    body: bytes
    trailers: Fields
    extended: bool
    end: int


def chunks_of(data: bytes, at: int) -> Chunks | None:
    """The chunked body that begins `at`; None when it is not whole."""
    pieces: list[bytes] = []
    extended = False
    while (end := _line_end(data, at)) >= 0:
        line = CHUNK_LINE.match(data[at:end])
        if line is None:
            raise Unreadable(Fault.SIZE)
        size, at = int(line[1], 16), end + 2
        extended = extended or bool(line[2])
        if size == 0:
            return _trailers(data, at, b"".join(pieces), extended)
        after = data[at + size : at + size + 2]
        if not b"\r\n".startswith(after):
            raise Unreadable(Fault.CHUNK)
        if len(after) < 2:
            return None
        pieces.append(data[at : at + size])
        at += size + 2
    return None


def _line_end(data: bytes, at: int) -> int:
    end = data.find(b"\r\n", at)
    line = data[at:end] if end >= 0 else data[at:].removesuffix(b"\r")
    if b"\n" in line:
        raise Unreadable(Fault.BARE_LF)
    if b"\r" in line:
        raise Unreadable(Fault.BARE_CR)
    return end


def _trailers(data: bytes, at: int, body: bytes, extended: bool) -> Chunks | None:
    if data.startswith(b"\r\n", at):
        return Chunks(body, (), extended, at + 2)
    lines = head_of(data[at:])
    if lines is None:
        return None
    faults: list[Fault] = []
    trailers = fields_of(lines, faults)
    if faults:
        raise Unreadable(*faults)
    return Chunks(body, trailers, extended, at + sum(len(line) + 2 for line in lines) + 2)
