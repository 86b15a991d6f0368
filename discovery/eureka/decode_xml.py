"""A register body in XML → the same fields as its JSON form has (`discovery.eureka.decode`).

    <port enabled="true">80</port>   → "port": {"@enabled": "true", "$": "80"}
    <dataCenterInfo class="…">       → "dataCenterInfo": {"@class": "…", …}
    <metadata><k__1>v</k__1>         → "metadata": {"k_1": "v"}

Names inside metadata are un-escaped as XStream does; a lone `_` stands for itself. Documents with a DTD are refused:
nothing a client has to say needs one, and entities can be made to grow without bound.

Source: Netflix Eureka, XStream's XmlFriendlyNameCoder and the converters of InstanceInfo.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

_ESCAPE = re.compile(r"__|_-|_\.([0-9a-fA-F]{4})")


def fields(body: bytes) -> dict[str, Any]:
    """Raises ValueError: it is no XML, or another document."""
    try:
        root: Element = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise ValueError(str(error) or type(error).__name__) from error
    if _name(root) != "instance":
        raise ValueError(f"expected <instance>, got <{_name(root)}>")
    return {_name(each): SPECIAL.get(_name(each), _text)(each) for each in root}


def _port(element: Element) -> dict[str, Any]:
    enabled = element.get("enabled")
    return {"$": _text(element)} | ({"@enabled": enabled} if enabled is not None else {})


def _map(element: Element) -> dict[str, Any]:
    return {_unescaped(_name(each)): _text(each) for each in element}


def _data_center(element: Element) -> dict[str, Any]:
    inside = {_name(each): _map(each) if _name(each) == "metadata" else _text(each) for each in element}
    java_class = element.get("class")
    return inside | ({"@class": java_class} if java_class else {})


def _text(element: Element) -> str:
    if len(element):
        raise ValueError(f"{_name(element)}: expected text, got <{_name(element[0])}>")
    return (element.text or "").strip()


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _unescaped(name: str) -> str:
    return _ESCAPE.sub(_character, name).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _character(found: re.Match[str]) -> str:
    if found[1]:
        return chr(int(found[1], 16))
    return "_" if found[0] == "__" else "$"


SPECIAL: dict[str, Callable[[Element], Any]] = {
    "port": _port,
    "securePort": _port,
    "leaseInfo": _map,
    "metadata": _map,
    "dataCenterInfo": _data_center,
}
"""How elements are read that hold more than text."""
