"""An event's fields as texts for a sentence.

They may be a stranger's, service ids above all: each is cut, and what cannot be seen in a line of text is replaced.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

VALUE_CHARS = 160
KEY_CHARS = 512
TEXT_CHARS = 400
COUNT_MAX = 10**12
DEPTH = 3
"""Of lists within lists."""
NAMES = 5
"""Of a list in a sentence."""


class Facts(dict[str, str]):
    """An event's fields as tidy texts, a missing one as "?", and what follows from them:

    lpar      of who says it, or whom `up` speaks of
    who       "LPAR1's gateway"
    place     "sample at 127.0.2.1:7560", of the field `instance`
    peer_name the node of `owner`, `origin` or `peer`
    """

    def __init__(self, lpar: str, component: str, fields: Mapping[str, object]) -> None:
        super().__init__({str(name): tidy(value) for name, value in fields.items()})
        self.raw = fields
        if "text" in fields:
            self["text"] = tidy(fields["text"], TEXT_CHARS)
        self["lpar"] = tidy(lpar or fields.get("lpar", ""))
        who = tidy(component)
        self["who"] = f"{self['lpar']}'s {who}" if self["lpar"] else who
        if (fields.get("worker") or 1) != 1:
            self["who"] += f" (worker {self['worker']})"
        self["place"] = place(self.key) if self.key else "?"
        self["peer_name"] = _node(self.raw.get("owner") or self.raw.get("origin") or self.raw.get("peer"))

    def __missing__(self, name: str) -> str:
        return "?"

    @property
    def key(self) -> str:
        """Of the one instance it is about, else empty."""
        several = self.raw.get("instances")
        one = several[0] if isinstance(several, list | tuple) and len(several) == self.count == 1 else None
        named = one or self.raw.get("instance") or self.raw.get("key")
        return tidy(named, KEY_CHARS) if isinstance(named, str) and "/" in named else ""

    @property
    def service(self) -> str:
        service = self.raw.get("service")
        return tidy(service) if isinstance(service, str) and service else self.key.partition("/")[0]

    @property
    def count(self) -> int:
        count = self.raw.get("count")
        return int(count) if isinstance(count, int) and 0 < count < COUNT_MAX else 1

    def number(self, name: str) -> float | None:
        value = self.raw.get(name)
        return float(value) if isinstance(value, int | float) and abs(value) < COUNT_MAX else None

    def seconds(self, name: str) -> str:
        """As in "0.6 s", or nothing."""
        value = self.number(name)
        return "" if value is None else f"{value:.1f} s" if value < 100 else f"{value:.0f} s"

    def why(self, otherwise: str = "") -> str:
        """As in ": connection refused", or nothing."""
        reason = self.get("why") or self.get("reason") or otherwise
        return f": {reason}" if reason else ""


def tidy(value: object, most: int = VALUE_CHARS, depth: int = DEPTH) -> str:
    """One line of at most `most` characters in which everything can be seen."""
    match value:
        case None:
            text = ""
        case bool():
            text = "yes" if value else "no"
        case int() | float():
            text = f"{value:.15g}" if isinstance(value, float) or abs(value) < COUNT_MAX else "a huge number"
        case str():
            text = value[: most + 1]
        case Mapping() | list() | tuple() if not depth:
            text = "…"
        case Mapping():
            text = _listed([f"{tidy(key)} {tidy(each, most, depth - 1)}" for key, each in value.items()])
        case list() | tuple():
            text = _listed([tidy(each, most, depth - 1) for each in value[: NAMES + 1]], len(value))
        case _:
            text = str(value)
    return cut("".join(_seen(each) for each in text), most)


def _listed(texts: list[str], count: int = 0) -> str:
    more = max(count, len(texts)) - NAMES
    return ", ".join(texts[:NAMES]) + (f" and {more} more" if more > 0 else "")


def _seen(char: str) -> str:
    """Control characters, marks of direction and what is no character are not to be had in a line."""
    if char.isprintable():
        return char
    return " " if char.isspace() or unicodedata.category(char)[0] == "Z" else "\N{REPLACEMENT CHARACTER}"


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def place(key: str) -> str:
    """`sample/127.0.2.1:sample:7560` → "sample at 127.0.2.1:7560"; any other id as it is."""
    service, _, instance = key.partition("/")
    parts = instance.rsplit(":", 2)
    if len(parts) == 3 and parts[1].lower() == service.lower() and parts[2].isdecimal():
        return cut(f"{service} at {parts[0]}:{parts[2]}", VALUE_CHARS)
    return cut(f"{service} ({instance})" if instance else service, VALUE_CHARS)


def _node(origin: object) -> str:
    """`LPAR1@1790000000000` → LPAR1."""
    return tidy(origin.rpartition("@")[0] or origin) if isinstance(origin, str) and origin else "?"
