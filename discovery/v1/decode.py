"""Bodies and parameters of /v1 in. What is wrong is named: the field, the value, what was expected."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from discovery.limits import MAX_METADATA_KEY_CHARS, MAX_METADATA_VALUE_CHARS
from discovery.v1.shapes import EXPECTED, Beats, NewInstance, NewInstances
from shared.errors import BadInput, nearest

Shape = TypeVar("Shape")

MAX_SHOWN = 80


class _Probe(msgspec.Struct):
    instances: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_probe = msgspec.json.Decoder(_Probe)
_one = msgspec.json.Decoder(NewInstance)
_many = msgspec.json.Decoder(NewInstances)
_beats = msgspec.json.Decoder(Beats)

_AT = re.compile(r"(.*?)(?: - at `(?:key` in `)?\$(.*)`)?")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]|(\[\.\.\.\])")


def instances(data: bytes) -> tuple[list[NewInstance], bool]:
    """Those of {"instances": […]}, or one by itself; True: it was a list. Raises BadInput."""
    many = b'"instances"' in data
    try:
        if many and _probe.decode(data).instances is msgspec.UNSET:
            many = False
        found = _many.decode(data).instances if many else [_one.decode(data)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refusal(error, data, NewInstances if many else NewInstance) from error
    for index, each in enumerate(found):
        fault = each.fault()
        if fault is not None:
            where = f"instances[{index}].{fault}" if many else fault
            raise BadInput(f"{where}: {shown(getattr(each, fault))}, expected {EXPECTED[fault]}")
    return found, many


def keys(data: bytes) -> list[str]:
    """Raises BadInput."""
    try:
        return _beats.decode(data).keys
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refusal(error, data, Beats) from error


def known_only(query: Iterable[str], known: Sequence[str]) -> None:
    """Raises BadInput: an unknown parameter."""
    for name in query:
        if name not in known:
            expected = f"one of {', '.join(known)}" if known else "no parameters here"
            raise BadInput(f"{name}: an unknown parameter, expected {expected}{nearest(name, known)}")


def number(name: str, text: str, low: float, high: float) -> float:
    """Raises BadInput."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise BadInput(f"{name}: {shown(text)}, expected a number from {low:g} to {high:g}")
    return value


def whole(name: str, text: str, low: int, high: int) -> int:
    """Raises BadInput."""
    if not (text.isascii() and text.isdigit() and len(text) <= 20 and low <= int(text) <= high):
        raise BadInput(f"{name}: {shown(text)}, expected a whole number from {low} to {high}")
    return int(text)


def shown(value: object) -> str:
    """A value in an error, as JSON, shortened."""
    try:
        text = msgspec.json.encode(value).decode()
    except (TypeError, UnicodeError):
        text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}… ({len(text)} characters)"


def _refusal(error: Exception, data: bytes, shape: type[msgspec.Struct]) -> BadInput:
    """msgspec says where and what it expected; the value and our own words are added."""
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as malformed:
        return BadInput(f"body: expected JSON: {malformed}")
    found = _AT.fullmatch(str(error))
    text, path = (found.group(1), found.group(2) or "") if found else (str(error), "")
    field, value = _locate(document, path, of_key="at `key`" in str(error))
    named = re.match(r"Object (missing required|contains unknown) field `(.*)`$", text)
    if named is None:
        expected = EXPECTED.get(_last(path, "at `key`" in str(error)), text.removeprefix("Expected ").replace("`", ""))
        return BadInput(f"{field or 'body'}: {shown(value)}, expected {expected}")
    name = named.group(2)
    where = f"{field}.{name}" if field else name
    if named.group(1) == "missing required":
        return BadInput(f"{where}: missing, expected {EXPECTED.get(name, 'a value')}")
    fields = NewInstance if field or shape is NewInstance else shape
    known = fields.__struct_fields__
    given = value.get(name) if isinstance(value, dict) else None
    return BadInput(f"{where}: {shown(given)}, an unknown field, expected {', '.join(known)}{nearest(name, known)}")


def _last(path: str, of_key: bool) -> str:
    """The name under which EXPECTED knows what stands at the end of a path."""
    steps = _STEP.findall(path)
    if not steps:
        return ""
    name, number, anywhere = steps[-1]
    if of_key:
        return "metadata key"
    if anywhere:
        return "metadata value"
    if number:
        return "key" if path.startswith(".keys") else ""
    return str(name)


def _locate(value: Any, path: str, of_key: bool) -> tuple[str, Any]:
    """The field as people write it, and what stands there; for `[...]`, some value of a map, the first bad one."""
    field = ""
    for name, number, anywhere in _STEP.findall(path):
        if name:
            field = f"{field}.{name}" if field else name
            value = value.get(name) if isinstance(value, dict) else None
        elif number:
            field += f"[{number}]"
            value = value[int(number)]
        elif anywhere and isinstance(value, dict):
            key = next((each for each, held in value.items() if not _is_metadata(held)), "")
            field += f".{key}"
            value = value.get(key)
    if of_key and isinstance(value, dict):
        value = next((each for each in value if not 1 <= len(each) <= MAX_METADATA_KEY_CHARS), None)
    return field, value


def _is_metadata(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_METADATA_VALUE_CHARS
