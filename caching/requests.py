"""What a request asks for: body, condition, time to live, the write's id, a page.

    body               {"key", "value"[, "ttlSeconds"]}, or a raw one with `?ttlSeconds=`
    X-Cache-Form       pair: a raw body is kept as a pair's value
    X-Cache-TTL        the time to live of either, unless that says it
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
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from caching.conditions import ABSENT, Condition, matching
from caching.entries import Content
from shared.errors import BadInput

LONGEST_TTL_S = 365 * 86_400
PAGE = 1000
"""Entries of a page, at most and unless told."""

ETAGS = re.compile(r'(?:[ \t]*,)*[ \t]*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*(?:(?:,[ \t]*)+|\Z)')
"""One of a list, whose elements may be empty (RFC 9110, section 5.6.1)."""
WRITE_ID = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,64}\Z")
TYPE = re.compile(r"[\x20-\x7e]{1,255}\Z")
FORMS = ("raw", "pair")
NUMBER = re.compile(r"[0-9]{1,9}\Z")
BYTE = re.compile(r"^(.*) \(byte ([0-9]+)\)\Z")


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


class Pair(msgspec.Struct, rename={"ttl_s": "ttlSeconds"}):
    """A key and its value. What else is in a body (the original's serviceId, created) is not looked at."""

    key: Annotated[str, Meta(min_length=1)]
    value: str
    ttl_s: Annotated[int, Meta(ge=1, le=LONGEST_TTL_S)] | None = None


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
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"The body is not JSON with key and value as text: {_fault(error, request.body)}") from None
    usual_ms = _ttl_ms(request.fields, "x-cache-ttl")
    ttl_ms = usual_ms if body.ttl_s is None else body.ttl_s * 1000
    return Given(body.key, Content(body.value.encode()), ttl_ms)


def raw(request: Request) -> Given:
    kind = _type(request)
    usual_ms, ttl_ms = _ttl_ms(request.fields, "x-cache-ttl"), _ttl_ms(request.query, "ttlSeconds")
    return Given(request.names["key"], Content(request.body, kind), usual_ms if ttl_ms is None else ttl_ms)


def _type(request: Request) -> str:
    """Of a raw body; empty: it is put as a pair's value is, and has to be text."""
    form = request.fields.get("x-cache-form", "raw")
    if form not in FORMS:
        raise BadInput(f"X-Cache-Form has to be {' or '.join(FORMS)}")
    if form == "pair":
        try:
            request.body.decode()
        except UnicodeDecodeError as error:
            raise BadInput(f"The value of a pair is text: {_fault(error, request.body)}") from None
        return ""
    kind = request.fields.get("content-type", "application/octet-stream")
    if not TYPE.match(kind):
        raise BadInput("Content-Type has to be at most 255 printable ASCII characters")
    return kind


def _fault(error: Exception, body: bytes) -> str:
    """What is wrong with JSON, and where; nothing of what it says."""
    if isinstance(error, msgspec.ValidationError):
        return str(error)
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"no UTF-8 at {_place(body, _valid(body))}"
    if found := BYTE.match(str(error)):
        return f"{found[1]} at {_place(body, int(found[2]))}"
    return f"it is cut short, or has half of a surrogate pair; it ends at {_place(body, len(body))}"


def _valid(body: bytes) -> int:
    """How many bytes are UTF-8, from the first on."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return error.start
    return len(body)


def _place(body: bytes, byte: int) -> str:
    before = body[:byte]
    column = len(before.rpartition(b"\n")[2].decode(errors="replace")) + 1
    return f"line {before.count(10) + 1}, column {column} (byte {byte})"


def _ttl_ms(given: Mapping[str, str], name: str) -> int | None:
    if (text := given.get(name)) is None:
        return None
    if not NUMBER.match(text) or not 1 <= int(text) <= LONGEST_TTL_S:
        raise BadInput(f"{name} has to be a whole number from 1 to {LONGEST_TTL_S}")
    return int(text) * 1000


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
    """By If-None-Match of a read, which a weak one matches too."""
    given = request.fields.get("if-none-match")
    return given is not None and (given == "*" or etag in etags(given, "If-None-Match", weak=True))


def etags(field: str, header: str, *, weak: bool = False) -> list[str]:
    """Without their quotes. Weak ones are left out, unless they are as good."""
    found, start = [], 0
    while start < len(field) or not start:
        if (each := ETAGS.match(field, start)) is None:
            raise BadInput(f'{header} has to be * or a list of ETags in quotes, such as "7.a1b2"')
        found += [each[2]] if weak or not each[1] else []
        start = each.end()
    return found


class Page(NamedTuple):
    prefix: str
    after: str | None
    limit: int


def page(request: Request) -> Page | None:
    """None: all of it is asked for."""
    query = request.query
    if not query:
        return None
    limit = query.get("limit", str(PAGE))
    if not NUMBER.match(limit) or not 1 <= int(limit) <= PAGE:
        raise BadInput(f"limit has to be a whole number from 1 to {PAGE}")
    return Page(query.get("prefix", ""), query.get("after"), int(limit))


def known_only(names: Iterable[str], known: Iterable[str]) -> None:
    """`names`: of the parameters of a query. A misspelled one must not mean "all", one of two is not what was meant."""
    seen: set[str] = set()
    for each in names:
        if each not in known:
            raise BadInput(f"Unknown query parameter {each!r}; there is {', '.join(known) or 'none'}")
        if each in seen:
            raise BadInput(f"The query parameter {each} is there twice")
        seen.add(each)
