"""Eureka's documents as JSON or XML.

JSON when the Accept header names it, else XML. The two differ in little: attributes (`enabled`, `class`) for the JSON
keys that begin with `@`, a list as repeated elements, and `overriddenstatus` in lower case. Element names are escaped
as XStream does: `_` doubled, `$` as `_-`, any other character that a name cannot hold (and all beyond ASCII) as `_.`
and four hex digits; `versions__delta` is already so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple
from xml.sax.saxutils import escape, quoteattr

import msgspec

from discovery.eureka.document import EMPTY_MAP, Document

JSON, XML = "application/json", "application/xml"

RENAMED = {"overriddenStatus": "overriddenstatus"}
VERBATIM = {"versions__delta", "apps__hashcode"}
PORTS = {"port", "securePort"}

# What text may hold without being escaped; and characters XML 1.0 cannot carry at all.
_PLAIN = re.compile("[\t\n\r\x20-%'-;=?-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_encode = msgspec.json.Encoder().encode


class Dialect(NamedTuple):
    """In what form instances are listed; `compact` leaves out what most clients do not need."""

    media: str
    compact: bool = False


def media_type(accept: str | None) -> str:
    return JSON if accept and "json" in accept.lower() else XML


def render(root: str, document: Document, media: str) -> bytes:
    """`root` wraps the document: applications, application or instance."""
    return _encode({root: document}) if media == JSON else element(root, document)


def piece(document: Document, media: str) -> bytes:
    """An instance as it stands in a list."""
    return _encode(document) if media == JSON else element("instance", document)


def listed(apps: Iterable[tuple[str, Iterable[bytes]]], version: int, hashcode: str, media: str) -> bytes:
    """A list of applications from (name, pieces), as `render` would make it."""
    begin, between, end = _AROUND_LIST[media]
    parts = [begin % (version, hashcode.encode())]
    for name, pieces in apps:
        parts += (*_app(name, pieces, media), between)
    if between and len(parts) > 1:
        parts.pop()
    return b"".join((*parts, end))


def application(name: str, pieces: Iterable[bytes], media: str) -> bytes:
    """One application from its pieces, as `render` would make it."""
    parts = _app(name, pieces, media)
    return b"".join((b'{"application":', *parts, b"}") if media == JSON else parts)


_AROUND_LIST = {
    JSON: (b'{"applications":{"versions__delta":"%d","apps__hashcode":"%b","application":[', b",", b"]}}"),
    XML: (
        b"<applications><versions__delta>%d</versions__delta><apps__hashcode>%b</apps__hashcode>",
        b"",
        b"</applications>",
    ),
}


def _app(name: str, pieces: Iterable[bytes], media: str) -> tuple[bytes, bytes, bytes]:
    """In parts, for the caller to join: nothing large is to be copied more often than need be."""
    if media == JSON:
        return b'{"name":%b,"instance":[' % _encode(name), b",".join(pieces), b"]}"
    return f"<application><name>{_text(name)}</name>".encode(), b"".join(pieces), b"</application>"


def element(name: str, value: Any) -> bytes:
    parts: list[str] = []
    _element(name, value, parts)
    return "".join(parts).encode()


def _element(name: str, value: Any, parts: list[str]) -> None:
    tag = _tag(name)
    if not isinstance(value, dict):
        parts.append(f"<{tag}>{_text(str(value))}</{tag}>")
        return
    attributes = _attributes(name, value)
    parts.append(f"<{tag}{''.join(f' {key[1:]}={_quoted(str(value[key]))}' for key in attributes)}>")
    for key, below in value.items():
        if key == "$" and name in PORTS:
            parts.append(str(below))
        elif isinstance(below, list):
            for each in below:
                _element(key, each, parts)
        elif key not in attributes:
            _element(key, below, parts)
    parts.append(f"</{tag}>")


def _attributes(name: str, value: dict[str, Any]) -> list[str]:
    """The keys that are attributes in XML. A key of a client's metadata never is, whatever it is called."""
    if name == "metadata":
        return ["@class"] if value == EMPTY_MAP else []
    return [key for key in value if key in ("@class", "@enabled")]


@lru_cache(maxsize=4096)
def _tag(name: str) -> str:
    name = RENAMED.get(name, name)
    if name in VERBATIM:
        return name
    return "".join(_escaped_character(character, index) for index, character in enumerate(name))


def _escaped_character(character: str, index: int) -> str:
    if character == "_":
        return "__"
    if character == "$":
        return "_-"
    if character.isascii() and (character.isalpha() or (index and (character.isdigit() or character in "-."))):
        return character
    utf16 = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"_.{unit.hex()}" for unit in (utf16[:2], utf16[2:]) if unit)


def _text(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else escape(_clean(text))


def _quoted(text: str) -> str:
    return f'"{text}"' if '"' not in text and _PLAIN.fullmatch(text) else quoteattr(_clean(text))


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
