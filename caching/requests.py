"""What a request asks for: body, condition, time to live, the write's id, a page.

    body               {"key", "value"[, "ttlSeconds"]}; raw bodies have `?ttlSeconds=` or `X-Cache-TTL`
    If-Match           replace or delete only one of these
    If-None-Match: *   create only
    Idempotency-Key    the write's id, for who may have to repeat it; made here for all others

Every complaint says what was expected, and holds no part of a value.

Source: RFC 9110, sections 8.8.3 and 13.1; Zowe's Caching Service for the body.
"""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from caching.conditions import ABSENT, Condition, matching
from caching.entries import Content
from shared.errors import BadInput

LONGEST_TTL_S = 365 * 86_400
PAGE = 1000
"""Entries of a page, at most and unless told."""

ETAG = re.compile(r'\s*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|\Z)')
WRITE_ID = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,64}\Z")
TYPE = re.compile(r"[\x20-\x7e]{1,255}\Z")


class Request(msgspec.Struct):
    """Of either way in, read but not understood. Names of `fields` are in lower case, lines of one name joined."""

    owner: str
    fields: Mapping[str, str]
    query: Mapping[str, str]
    names: Mapping[str, str]
    """The parts of the path: key, map, rule."""
    body: bytes
    target: str
    write_id: str = ""

    def name(self, part: str) -> str:
        return _text(self.names[part], "The path")


class Pair(msgspec.Struct, rename={"ttl_s": "ttlSeconds"}):
    """A body. What else is in it (the original's serviceId, created) is not looked at."""

    key: str | None = None
    value: str | None = None
    ttl_s: int | None = None


class Given(NamedTuple):
    key: str
    content: Content
    ttl_ms: int | None


BOOT = secrets.token_hex(8)
"""What the ids made by this process begin with; a number for each follows."""
_numbers = itertools.count()
_pair = msgspec.json.Decoder(Pair)


def pair(request: Request) -> Given:
    try:
        body = _pair.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"The body is not a JSON object with key and value as text: {error}") from error
    if not body.key:
        raise BadInput("The body names no key")
    if body.value is None:
        raise BadInput("The body has no value")
    return Given(body.key, Content(body.value.encode()), _ttl_ms(body.ttl_s))


def raw(request: Request) -> Given:
    kind = request.fields.get("content-type", "application/octet-stream")
    if not TYPE.match(kind):
        raise BadInput("Content-Type has to be at most 255 printable ASCII characters")
    ttl = request.query.get("ttlSeconds", request.fields.get("x-cache-ttl"))
    ttl_s = None if ttl is None else int(ttl) if ttl.isdecimal() and len(ttl) < 12 else -1
    return Given(request.name("key"), Content(request.body, kind), _ttl_ms(ttl_s))


def _ttl_ms(seconds: int | None) -> int | None:
    if seconds is None:
        return None
    if not 1 <= seconds <= LONGEST_TTL_S:
        raise BadInput(f"ttlSeconds has to be a whole number from 1 to {LONGEST_TTL_S}")
    return seconds * 1000


def write_id(request: Request) -> str:
    given = request.fields.get("idempotency-key")
    if given is None:
        return f"{BOOT}{next(_numbers):x}"
    if not WRITE_ID.match(given):
        raise BadInput("Idempotency-Key has to be 1 to 64 visible ASCII characters without quotes and backslashes")
    return given


def condition(request: Request) -> Condition | None:
    """Of the header fields. Raises BadInput when they are no condition of a write."""
    match, none_match = request.fields.get("if-match"), request.fields.get("if-none-match")
    if match is None and none_match is None:
        return None
    if match is not None and none_match is not None:
        raise BadInput("If-Match and If-None-Match exclude each other")
    if match is None:
        if none_match != "*":
            raise BadInput("If-None-Match of a write has to be *")
        return ABSENT
    return Condition("present") if match == "*" else matching(*etags(match, "If-Match"))


def unchanged(request: Request, etag: str) -> bool:
    """By If-None-Match of a read."""
    given = request.fields.get("if-none-match")
    return given is not None and (given == "*" or etag in etags(given, "If-None-Match"))


def etags(field: str, header: str) -> list[str]:
    """Without their quotes. A weak one is one of nobody's."""
    found, start = [], 0
    while start < len(field):
        if (each := ETAG.match(field, start)) is None:
            raise BadInput(f'{header} has to be * or a list of ETags in quotes, such as "7.a1b2"')
        found += [] if each[1] else [each[2]]
        start = each.end()
    return found


class Page(NamedTuple):
    prefix: str
    after: str | None
    limit: int


def page(request: Request) -> Page | None:
    """None: all of it is asked for."""
    query = request.query
    known_only(query, ("prefix", "after", "limit"))
    if not query:
        return None
    limit = query.get("limit", str(PAGE))
    if not limit.isdecimal() or not 1 <= int(limit[:9]) <= PAGE:
        raise BadInput(f"limit has to be a whole number from 1 to {PAGE}")
    after = query.get("after")
    return Page(_text(query.get("prefix", ""), "prefix"), None if after is None else _text(after, "after"), int(limit))


def known_only(query: Mapping[str, str], known: Iterable[str]) -> None:
    """A misspelled parameter must not mean "all"."""
    for each in query:
        if each not in known:
            raise BadInput(f"Unknown query parameter {each!r}; there is {', '.join(known) or 'none'}")


def _text(given: str, what: str) -> str:
    try:
        given.encode()
    except UnicodeEncodeError as error:
        raise BadInput(f"{what} is not UTF-8") from error
    return given
