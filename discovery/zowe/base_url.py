"""The base URL of a static instance: where it is and what its paths begin with.

A port is mandatory, so that nobody has to guess; all else than scheme, host, port and path would be lost, and is
refused.

Source: RFC 3986; Zowe's `instanceBaseUrls`.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

EXPECTED = "http:// or https://, a host, a port and a path, such as https://lpar1.example.test:9443/stock"

HOST = re.compile(r"[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\]")
PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
"""What a gateway can ask for."""


class BadUrl(ValueError):
    """Its text ends the sentence that the URL begins."""


class BaseUrl(NamedTuple):
    """`host` without the brackets an IPv6 address has in a URL, `authority` with them."""

    text: str
    secure: bool
    host: str
    authority: str
    port: int
    path: str


def parse(text: str) -> BaseUrl:
    """Raises BadUrl."""
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise BadUrl("is no URL") from error
    if parts.scheme not in ("http", "https"):
        raise BadUrl("is neither http nor https")
    place, _, _ = parts.netloc.rpartition(":")
    port = _port(parts)
    if port is None:
        raise BadUrl("has no host" if not parts.hostname else "has no port")
    if not HOST.fullmatch(place):
        raise BadUrl("has no host" if not place else "has a host that is none")
    if not PATH.fullmatch(parts.path) or text != f"{text[: len(parts.scheme)]}://{parts.netloc}{parts.path}":
        raise BadUrl("has more than that, or a path that nobody can ask for")
    return BaseUrl(text, parts.scheme == "https", place.strip("[]"), place, port, parts.path)


def _port(parts: SplitResult) -> int | None:
    """Raises BadUrl."""
    try:
        port = parts.port
    except ValueError as error:
        raise BadUrl("has a port that is none") from error
    if port == 0:
        raise BadUrl("has a port that is none")
    return port


def joined(base: str, relative: str) -> str:
    """With one slash between them."""
    return f"{base.rstrip('/')}/{relative.lstrip('/')}" if relative else base
