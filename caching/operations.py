"""Every operation of the REST interface: its route, parameters, body and answers; routes and the OpenAPI document are
made from it.

The calls made most often come first: a router tries one path after the other, methods of one path together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from caching.answers import View
from caching.requests import FORMS, LONGEST_TTL_S, PAGE, Pair

RAW = "*/*"
"""A body of any type."""


@dataclass(frozen=True)
class Parameter:
    name: str
    place: Literal["path", "query", "header"]
    description: str
    schema: Mapping[str, Any]
    required: bool = False


@dataclass(frozen=True)
class Outcome:
    """An answer that is no refusal. `shape` is that of its JSON; None: it has no body. `headers`: which ones it has."""

    description: str
    shape: Any = None
    headers: tuple[str, ...] = ()
    raw: bool = False
    """It may be a raw body instead."""


@dataclass(frozen=True)
class Operation:
    """`name` is the call's (`caching.calls`), and its kind in the metrics."""

    method: str
    path: str
    name: str
    summary: str
    outcomes: Mapping[int, Outcome]
    refusals: tuple[int, ...] = ()
    """Beside those that any of its kind has."""
    parameters: tuple[Parameter, ...] = ()
    body: type | str | None = None
    """The shape of its JSON, or RAW."""
    public: bool = False
    """Nobody has to say who calls."""

    @property
    def query(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.parameters if each.place == "query")

    @property
    def route(self) -> str:
        """As aiohttp writes it: a part of a path is any text, or one of those that it may be."""
        route = self.path
        for each in self.parameters:
            if each.place == "path":
                choice = "|".join(each.schema.get("enum", ())) or "[^/]+"
                route = route.replace(f"{{{each.name}}}", f"{{{each.name}:{choice}}}")
        return route


TEXT = {"type": "string"}
NAME = {"type": "string", "minLength": 1}
ETAG = {"type": "string", "examples": ['"7.a1b2"']}
CONDITION = {"type": "string", "pattern": r'^(\*|"[!#-~]*"(, ?"[!#-~]*")*)$'}
TTL = {"type": "integer", "minimum": 1, "maximum": LONGEST_TTL_S}

CALLER = Parameter(
    "X-CS-Service-ID",
    "header",
    "who calls: the owner of the entries; with TLS it may be left out, and the owner is the certificate's with it",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[ -~]*[!-~][ -~]*$"},
    required=True,
)
KEY = Parameter("key", "path", "the entry's key, percent-encoded", NAME, required=True)
MAP = Parameter("map", "path", "the list's name, percent-encoded", NAME, required=True)
RULE = Parameter("rule", "path", "what makes an item past", {"type": "string", "enum": ["tokens", "rules"]}, True)
IF_MATCH = Parameter("If-Match", "header", "only if the entry has one of these ETags; * is any", CONDITION)
IF_ABSENT = Parameter("If-None-Match", "header", "only if there is no entry", {"type": "string", "enum": ["*"]})
IF_CHANGED = Parameter("If-None-Match", "header", "304 if the entry has one of these ETags still; * is any", CONDITION)
WRITE_ID = Parameter(
    "Idempotency-Key",
    "header",
    "the write's id: repeated with it, a write is answered as it was the first time and not applied again",
    {"type": "string", "pattern": r"^[!#-\[\]-~]{1,64}$"},
)
TTL_QUERY = Parameter("ttlSeconds", "query", "after so many seconds it is gone; without, it stays", TTL)
FORM = Parameter(
    "X-Cache-Form",
    "header",
    "pair: the body is a pair's value, and has to be text",
    {"type": "string", "enum": [*FORMS]},
)
TTL_HEADER = Parameter("X-Cache-TTL", "header", "as ttlSeconds, for who cannot say that", TTL)
PREFIX = Parameter("prefix", "query", "only entries with keys that begin so", TEXT)
LIMIT = Parameter(
    "limit", "query", "entries of a page", {"type": "integer", "minimum": 1, "maximum": PAGE, "default": PAGE}
)
AFTER = Parameter("after", "query", "only entries behind this key, which need not be there", TEXT)

HEADERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "ETag": ("the entry's version", ETAG),
    "Expires": ("when it will be gone, if it has a time to live", TEXT),
    "Link": ('<...>; rel="next", when there are more', TEXT),
    "X-Cache-Form": ("raw: the body is as it was put", {"type": "string", "enum": ["raw"]}),
}
"""Of answers: what they say, and their schemas."""

REFUSALS: Mapping[int, str] = {
    400: "what is wrong, where, what was expected",
    401: "the caller is not named, once, in X-CS-Service-ID",
    403: "the gateway's id is not for callers from outside; with TLS: no certificate, or one that names nobody",
    404: "there is none of that name",
    409: "there is one already; its ETag is in the header",
    412: "the entry is not the one that the condition names; the present one's ETag is in the header, if there is one",
    413: "too long",
    500: "this record is damaged",
    503: "not now, and certainly not applied; Retry-After says when to try again",
    504: "it may or may not be applied: repeat it with the Idempotency-Key of the answer",
    507: "a quota, or the storage, is full",
}

ALWAYS = (400, 401, 403, 500, 503)
"""Of any operation of a caller."""
WRITES = (413, 504, 507)
"""Of any that changes something."""

WRITTEN = ("ETag", "Expires")
CREATED = Outcome("created", headers=WRITTEN)
REPLACED = Outcome("replaced", headers=WRITTEN)
DONE = Outcome("done")

OPERATIONS = (
    Operation(
        "GET",
        "/cache/{key}",
        "read",
        "One entry: a pair as JSON, a raw body as it was put",
        {
            200: Outcome("the entry", View, ("ETag", "Expires", "X-Cache-Form"), raw=True),
            304: Outcome("it is the one that If-None-Match names", headers=WRITTEN),
        },
        (404,),
        (KEY, IF_CHANGED),
    ),
    Operation(
        "PUT",
        "/cache/{key}",
        "put",
        "Create or replace an entry by a body of any type",
        {201: CREATED, 204: REPLACED},
        (*WRITES, 412),
        (KEY, FORM, TTL_QUERY, TTL_HEADER, IF_MATCH, IF_ABSENT, WRITE_ID),
        body=RAW,
    ),
    Operation(
        "DELETE",
        "/cache/{key}",
        "delete",
        "Remove an entry",
        {204: DONE},
        (*WRITES, 404, 412),
        (KEY, IF_MATCH, WRITE_ID),
    ),
    Operation(
        "PUT",
        "/cache",
        "replace",
        "Replace an entry",
        {204: REPLACED},
        (*WRITES, 404, 412),
        (TTL_HEADER, IF_MATCH, WRITE_ID),
        body=Pair,
    ),
    Operation(
        "POST",
        "/cache",
        "create",
        "Create an entry",
        {201: CREATED},
        (*WRITES, 409),
        (TTL_HEADER, WRITE_ID),
        body=Pair,
    ),
    Operation(
        "GET",
        "/cache",
        "list",
        "All entries, or with parameters a page of them in the order of their keys",
        {200: Outcome("entries by key", dict[str, View], ("Link",))},
        (413,),
        (PREFIX, LIMIT, AFTER),
    ),
    Operation("DELETE", "/cache", "clear", "Remove all entries", {200: DONE}, WRITES),
    Operation(
        "GET",
        "/cache-list/{map}",
        "read_list",
        "The items of a list",
        {200: Outcome("values by key", dict[str, str])},
        parameters=(MAP,),
    ),
    Operation(
        "POST",
        "/cache-list/{map}",
        "put_item",
        "Put an item on a list; it overwrites the one of its key",
        {201: DONE},
        WRITES,
        (MAP, TTL_HEADER, WRITE_ID),
        body=Pair,
    ),
    Operation(
        "GET",
        "/cache-list",
        "read_lists",
        "All lists that have an item",
        {200: Outcome("values by key, by list", dict[str, dict[str, str]])},
    ),
    Operation(
        "DELETE",
        "/cache-list/evict/{rule}/{map}",
        "evict",
        "Drop the items of a list that are past",
        {204: DONE},
        (*WRITES, 404),
        (RULE, MAP),
    ),
    Operation(
        "GET", "/openapi.json", "openapi", "This document", {200: Outcome("OpenAPI 3.1", dict[str, Any])}, public=True
    ),
)


def refusals(operation: Operation) -> list[int]:
    """The statuses an operation may refuse with."""
    return [400] if operation.public else sorted({*ALWAYS, *operation.refusals})
