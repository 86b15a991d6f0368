"""Which gateway a command asks, and the asking: small, synchronous, quick to import.

It is the one a URL names, if that belongs to the sysplex here; else the first that is ready.
"""

from __future__ import annotations

import http.client
import re
import time
import urllib.parse
from collections.abc import Mapping
from http import HTTPStatus

import msgspec

from launcher.control import connected
from shared import wire
from shared.errors import ConfigError, Unavailable

ASK_S = 5.0
"""A gateway that explains gives others a second to answer."""

CALL_S = 75.0
"""A gateway waits a minute for an instance's answer, unless it is told otherwise."""

MAX_REFUSAL_BYTES = 65_536

GATEWAY = re.compile(r"(?:(https?)://)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})/?\Z")
NETLOC = re.compile(r"https?://([^/?#]+)", re.IGNORECASE)
WHOLE_URL = re.compile(r"https?://[^/?#]", re.IGNORECASE)


class Called(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A call that was made; without a status it was not answered, for the reason `trouble`."""

    status: int | None = None
    reason: str = ""
    path: str = ""
    """X-Plexmesh-Path."""
    time_ms: float = 0.0
    """To the answer's head."""
    number: str = ""
    content: str = ""
    """Of the message, if the body is one in Zowe's form."""
    trouble: str = ""


class _Message(msgspec.Struct, rename="camel"):
    message_number: str = ""
    message_content: str = ""


class _Refusal(msgspec.Struct):
    messages: list[_Message] = []


def named(url: str) -> str:
    """The base of `--gateway`. Raises ConfigError."""
    found = GATEWAY.match(url)
    if found is None or not 0 < int(found[3]) < 65536:
        raise ConfigError(f"--gateway: expected http://host:port, got {url!r}")
    return f"{found[1] or 'http'}://{found[2]}:{found[3]}"


def chosen(status: wire.SysplexStatus, url: str = "") -> str:
    """The base of the gateway to ask about that URL. Raises Unavailable."""
    found = [each for lpar in status.lpars for each in lpar.components if each.name == "gateway" and each.url]
    wanted = NETLOC.match(url)
    for each in found:
        if wanted and each.url and each.url.partition("://")[2] == wanted[1].lower():
            return each.url
    ready = [each.url for each in found if each.url and each.state == "ready"]
    if not ready:
        raise Unavailable(f"no gateway of {status.sysplex.url} is ready")
    return ready[0]


def checked(url: str) -> str:
    """Of a call: a path or a whole URL. Raises ConfigError."""
    if not url.startswith("/") and not WHOLE_URL.match(url):
        raise ConfigError(f"URL: expected a path that begins with /, or http://host/path, got {url!r}")
    return url


def get(base: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> bytes:
    """What the gateway says of itself at that path. Raises ConfigError for what it refuses, and Unavailable."""
    target = f"{path}?{urllib.parse.urlencode(query, errors='replace')}" if query else path
    connection = _connection(base, ASK_S)
    try:
        connection.request("GET", target, headers=dict(headers))
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"{base} does not answer: {error}") from error
    finally:
        connection.close()
    if answer.status in (400, 414, 431):
        raise ConfigError(_message(body).message_content or f"{base} answers {answer.status}")
    if answer.status != 200:
        raise Unavailable(f"{base}{path} answers {answer.status} {_message(body).message_content}".rstrip())
    return body


def call(base: str, target: str, headers: Mapping[str, str]) -> Called:
    """GET that, for real."""
    connection = _connection(base, CALL_S)
    began = time.monotonic()
    try:
        connection.request("GET", target, headers=dict(headers))
        answer = connection.getresponse()
        took_ms = round((time.monotonic() - began) * 1000, 1)
        message = _message(answer.read(MAX_REFUSAL_BYTES)) if _refuses(answer) else _Message()
    except (http.client.InvalidURL, UnicodeError):
        return Called(trouble="it cannot even be sent like this")
    except (OSError, http.client.HTTPException) as error:
        return Called(trouble=f"it was not answered: {str(error) or type(error).__name__}")
    finally:
        connection.close()
    return Called(
        status=answer.status,
        reason=_reason(answer),
        path=answer.headers.get("X-Plexmesh-Path", ""),
        time_ms=took_ms,
        number=message.message_number,
        content=message.message_content,
    )


def _connection(base: str, within_s: float) -> http.client.HTTPConnection:
    return connected(base, within_s)


def _refuses(answer: http.client.HTTPResponse) -> bool:
    return answer.status >= 400 and answer.headers.get_content_type() == "application/json"


def _reason(answer: http.client.HTTPResponse) -> str:
    known = {each.value: each.phrase for each in HTTPStatus}
    return answer.reason or known.get(answer.status, "")


def _message(body: bytes) -> _Message:
    """The first; contents are escaped for HTML, which a terminal is not."""
    import html

    try:
        messages = msgspec.json.decode(body, type=_Refusal).messages
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Message()
    first = messages[0] if messages else _Message()
    return _Message(first.message_number, html.unescape(first.message_content))
