"""One YAML text as plain values, each with the line it stands in.

Values are dicts, lists, text and None. A scalar stays as it is written (`1.10` is a version, not a number), but for
null, and for true and false in capitals. Keys are text, each once in a mapping. There is one document.

The text may be anybody's, so it is read event by event, without recursion, and what is nested too deeply or repeats
itself through aliases is refused before it takes memory.

Source: YAML 1.1, as Zowe's files use it.

Not here: what the values should be (`discovery.zowe.definitions`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import yaml

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_SIZE = 2 * MAX_BYTES
"""Values and their characters, with each alias counted as what it stands for: only aliases can make it so much."""

NULLS = frozenset(("", "~", "null", "Null", "NULL"))
CAPITALS = frozenset(("True", "TRUE", "False", "FALSE"))

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Path = tuple[str | int, ...]
"""Keys and indices, from the root."""


class Malformed(Exception):
    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


class Tree(NamedTuple):
    """A mapping's value has the line of its key."""

    root: Any
    lines: dict[Path, int]

    def line(self, path: Path) -> int:
        """Of what stands there, or of the nearest thing around it."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path, 1)

    def at(self, path: Path) -> Any:
        """None where there is nothing."""
        found = self.root
        for step in path:
            if isinstance(found, dict):
                found = found.get(step)
            elif isinstance(found, list) and isinstance(step, int) and step < len(found):
                found = found[step]
            else:
                return None
        return found


def field(path: Path) -> str:
    """As people write it: `services[0].routes[1].gatewayUrl`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def grown(data: bytes) -> Tree:
    """Raises Malformed."""
    if len(data) > MAX_BYTES:
        raise Malformed(1, f"more than {MAX_BYTES} bytes, expected at most that")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Malformed(data.count(b"\n", 0, error.start) + 1, "not UTF-8 text") from error
    growth = _Growth()
    try:
        for event in yaml.parse(text, Loader=Loader):
            growth.take(event)
    except yaml.reader.ReaderError as error:
        raise Malformed(text.count("\n", 0, error.position) + 1, f"not YAML: {error.reason}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        last = len(text.splitlines())  # what is missing at the end is missed in a line that is not there
        line = min(mark.line + 1, last) if mark else 1
        raise Malformed(line, f"not YAML: {error.problem or error.context}") from error
    return Tree(growth.root, growth.lines)


class _Open:
    """A collection whose end has not come. `key` is that of the next value of a mapping; `height` how deep it goes."""

    def __init__(self, value: dict[str, Any] | list[Any], path: Path, anchor: str | None, before: int) -> None:
        self.value = value
        self.path = path
        self.anchor = anchor
        self.before = before
        self.height = 1
        self.key: str | None = None


class _Anchored(NamedTuple):
    value: Any
    size: int
    height: int


class _Growth:
    def __init__(self) -> None:
        self.root: Any = None
        self.lines: dict[Path, int] = {}
        self._open: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._size = 0
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        assert event.start_mark is not None
        line = event.start_mark.line + 1
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise Malformed(line, "a second document, expected one")
            case yaml.ScalarEvent():
                value = _scalar(event)
                self._place(value, line)
                self._count(len(event.value), line)
                self._remember(event.anchor, _Anchored(value, 1 + len(event.value), 0))
            case yaml.AliasEvent():
                known = self._known(event.anchor or "", line)
                self._deepen(known.height, line)
                self._count(known.size, line)
                self._place(known.value, line)
            case yaml.SequenceStartEvent():
                self._enter([], event.anchor, line)
            case yaml.MappingStartEvent():
                self._enter({}, event.anchor, line)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                closed = self._open.pop()
                self._remember(closed.anchor, _Anchored(closed.value, self._size - closed.before, closed.height))

    def _enter(self, value: dict[str, Any] | list[Any], anchor: str | None, line: int) -> None:
        before = self._size
        path = self._place(value, line)
        self._open.append(_Open(value, path, anchor, before))
        self._deepen(0, line)

    def _place(self, value: Any, line: int) -> Path:
        """Where it was placed; a key has no place of its own."""
        self._count(1, line)
        if not self._open:
            self.root = value
            return self._at((), line)
        within = self._open[-1]
        if isinstance(within.value, list):
            within.value.append(value)
            return self._at((*within.path, len(within.value) - 1), line)
        if within.key is None:
            within.key = self._key(within, value, line)
            return ()
        key, within.key = within.key, None
        within.value[key] = value
        return (*within.path, key)

    def _key(self, within: _Open, value: Any, line: int) -> str:
        key = "" if value is None else value
        if not isinstance(key, str):
            raise Malformed(line, f"{field(within.path) or 'file'}: a key is a collection, expected a text")
        path = (*within.path, key)
        if path in self.lines:
            raise Malformed(line, f"{field(path)}: is there already, in line {self.lines[path]}; expected once")
        self.lines[path] = line
        return key

    def _at(self, path: Path, line: int) -> Path:
        self.lines[path] = line
        return path

    def _deepen(self, height: int, line: int) -> None:
        """Something of that height comes into the innermost open collection."""
        if len(self._open) + height > MAX_DEPTH:
            raise Malformed(line, f"nested too deeply, expected at most {MAX_DEPTH} levels")
        for around, each in enumerate(reversed(self._open)):
            each.height = max(each.height, height + 1 + around)

    def _count(self, more: int, line: int) -> None:
        self._size += more
        if self._size > MAX_SIZE:
            raise Malformed(line, "too large with all its aliases, expected less repetition")

    def _remember(self, anchor: str | None, anchored: _Anchored) -> None:
        if anchor is not None:
            self._anchors[anchor] = anchored

    def _known(self, anchor: str, line: int) -> _Anchored:
        if anchor not in self._anchors:
            raise Malformed(line, f"*{anchor}: stands for nothing, or for what it is in; expected &{anchor} before it")
        return self._anchors[anchor]


def _scalar(event: yaml.ScalarEvent) -> str | None:
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in NULLS:
        return None
    return text.lower() if text in CAPITALS else text
