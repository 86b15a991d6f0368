"""Eureka's documents as JSON or XML.

JSON when the Accept header names it, else XML: most clients but Java's send no Accept and read XML. The two differ in
little: attributes (`enabled`, `class`) for the JSON keys that begin with `@`, a list as repeated elements, and
`overriddenstatus` in lower case. Element names are escaped as XStream does: `_` doubled, `$` as `_-`, any other
character that a name cannot hold (and all beyond ASCII) as `_.` and four hex digits; `versions__delta` is already so.
"""

from __future__ import annotations

import re
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import msgspec

from discovery.eureka.document import EMPTY_MAP, Document

JSON, XML = "application/json", "application/xml"

RENAMED = {"overriddenStatus": "overriddenstatus"}
VERBATIM = {"versions__delta", "apps__hashcode"}
PORTS = {"port", "securePort"}

# Characters XML 1.0 cannot carry at all.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def media_type(accept: str | None) -> str:
    return JSON if accept and "json" in accept.lower() else XML


def render(root: str, document: Document, media: str) -> bytes:
    """`root` wraps the document: applications, application or instance."""
    if media == JSON:
        return msgspec.json.encode({root: document})
    parts: list[str] = []
    _element(root, document, parts)
    return "".join(parts).encode()


def _element(name: str, value: Any, parts: list[str]) -> None:
    if isinstance(value, list):
        for each in value:
            _element(name, each, parts)
        return
    tag = RENAMED.get(name, name) if name in VERBATIM else _escaped_name(RENAMED.get(name, name))
    if not isinstance(value, dict):
        parts.append(f"<{tag}>{_text(value)}</{tag}>")
        return
    attributes = _attributes(name, value)
    parts.append(f"<{tag}{''.join(f' {key[1:]}={quoteattr(_clean(str(value[key])))}' for key in attributes)}>")
    for key, below in value.items():
        if key == "$" and name in PORTS:
            parts.append(_text(below))
        elif key not in attributes:
            _element(key, below, parts)
    parts.append(f"</{tag}>")


def _attributes(name: str, value: dict[str, Any]) -> list[str]:
    """The keys that are attributes in XML. A key of a client's metadata never is, whatever it is called."""
    if name == "metadata":
        return ["@class"] if value == EMPTY_MAP else []
    return [key for key in value if key in ("@class", "@enabled")]


def _escaped_name(name: str) -> str:
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


def _text(value: Any) -> str:
    return escape(_clean(str(value)))


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
