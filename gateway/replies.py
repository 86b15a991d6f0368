"""The answers a gateway gives in its own name, in Zowe's form of an error body.

    400 ZWEAO400E  404 ZWEAO404E  405 ZWEAO405E  500 ZWEAO500E  503 ZWEAO503E, any other status ZWEAG510E
    400 ZWEAG701E, ZWEAG702E for encoded characters and slashes, 403 ZWEAT403E for a page of another origin

A 503 has two meanings: ZWEAG510E when no instance could be called at all, ZWEAO503E when one was called and failed.
The content is escaped for HTML, because consoles of others show it as it is.
"""

from __future__ import annotations

import html
from http import HTTPStatus

from gateway.answer_heads import ALL_HARDENED
from shared import zowe
from shared.zowe import Message

KEY = "org.zowe.apiml."

NUMBERED = zowe.COMMON | {
    500: Message(
        "ZWEAO500E", KEY + "common.internalServerError", "The gateway has a defect.", "Tell its administrator."
    ),
    503: Message(
        "ZWEAO503E",
        KEY + "common.serviceUnavailable",
        "The service could not be called.",
        "Try again; check that its instances run.",
    ),
}
ENCODED_CHARACTER = Message(
    "ZWEAG701E",
    KEY + "gateway.requestContainEncodedCharacter",
    "The service does not accept encoded characters in a path.",
    "Call it without them, or let the service allow them.",
)
ENCODED_SLASH = Message(
    "ZWEAG702E",
    KEY + "gateway.requestContainEncodedSlash",
    "This gateway does not accept encoded slashes in a path.",
    "Call it without them, or let the gateway allow them.",
)
FORBIDDEN = Message(
    "ZWEAT403E",
    "org.zowe.apiml.security.forbidden",
    "The call is not allowed.",
    "Have the service or the gateway allow it.",
)
OTHER = Message(
    "ZWEAG510E",
    KEY + "gateway.responseStatusError",
    "The request could not be carried out.",
    "Check the request and the service's instances.",
)


BY_NUMBER = {each.number: each for each in (OTHER, ENCODED_CHARACTER, ENCODED_SLASH, FORBIDDEN)}


def error_body(status: int, content: str, number: str = "") -> bytes:
    """`number` picks another entry than the status's own: ZWEAG510E for "no instance can be called"."""
    message = BY_NUMBER.get(number) or NUMBERED.get(status, OTHER)
    return zowe.body(message, html.escape(content))


def error_answer(
    status: int, content: str, *, number: str = "", close: bool, body_wanted: bool = True, extra: bytes = b""
) -> bytes:
    """A whole answer as bytes. The answer to HEAD has the head only; `extra` are lines of it."""
    body = error_body(status, content, number)
    lines = [
        b"HTTP/1.1 %d %s\r\n" % (status, phrase(status)),
        b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body),
        ALL_HARDENED + extra,
        b"Connection: close\r\n\r\n" if close else b"\r\n",
    ]
    return b"".join([*lines, body] if body_wanted else lines)


def phrase(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b"Unknown"
