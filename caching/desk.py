"""Who answers what comes to a caching instance the short way (`shared.express`): the calls made most often.

    GET, PUT, DELETE /cache/{key}      POST, PUT /cache

A key that is spelled with %, a query, a caller who is not known: all that goes to aiohttp, which makes the same
calls. A read that the storage can answer at once is answered in the same step.

Source: RFC 9112. Not here: the answers (`caching.calls`).
"""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Awaitable, Mapping
from functools import lru_cache

from caching import caller
from caching.api import BASE, Identify
from caching.caller import Said
from caching.calls import Call, Calls
from caching.entries import Name
from caching.requests import Request
from shared.answer import Answer
from shared.errors import PlexmeshError
from shared.express import KEPT_BLOCKS, Handler, Head, fields_of
from shared.identity import Identity

CACHE = f"{BASE}/cache".encode()
KEY = re.compile(rb"/([A-Za-z0-9._~!$&'()*+,;=:@-]+)")
"""What may follow: a key in the characters that mean themselves in a path (RFC 3986, pchar)."""

Served = Mapping[bytes, tuple[str, Call]]
"""By method: the kind of a call, and the call."""
NOTHING: Mapping[str, str] = {}


class Desk:
    def __init__(self, calls: Calls, body_bytes: int, identify: Identify) -> None:
        self.body_bytes = body_bytes
        self._identify = identify
        self._calls = calls
        self._whole: dict[bytes, tuple[str, Call]] = {
            b"POST": ("create", calls.create),
            b"PUT": ("replace", calls.replace),
        }
        self._keyed: dict[bytes, tuple[str, Call]] = {b"PUT": ("put", calls.put), b"DELETE": ("delete", calls.delete)}

    @property
    def beginnings(self) -> list[bytes]:
        return [b"%b %b" % (method, CACHE) for method in (b"GET", b"PUT", b"POST", b"DELETE")]

    def enter(self) -> bool:
        return True

    def leave(self) -> None:
        pass

    def find(self, head: Head, transport: asyncio.BaseTransport) -> Handler | None:
        if not head.target.startswith(CACHE):
            return None
        fields = _fields(head.block, self._identify(transport))
        rest = head.target[len(CACHE) :]
        if fields is None:
            return None
        owner, known = fields
        if not rest:
            return self._handler(self._whole.get(head.method), owner, known, NOTHING)
        if (key := KEY.fullmatch(rest)) is None or rest in (b"/.", b"/.."):
            return None
        name = key[1].decode()
        if head.method == b"GET":
            return functools.partial(self._read, Name(owner, name), known) if head.length == 0 else None
        return self._handler(self._keyed.get(head.method), owner, known, {"key": name})

    def _handler(
        self, found: tuple[str, Call] | None, owner: str, fields: Mapping[str, str], names: Mapping[str, str]
    ) -> Handler | None:
        if found is None:
            return None
        kind, call = found

        def handle(body: bytes) -> Awaitable[Answer]:
            return self._calls.answer(kind, call, Request(owner, fields, NOTHING, names, body, ""))

        return handle

    def _read(self, name: Name, fields: Mapping[str, str], _: bytes) -> Answer | Awaitable[Answer]:
        if "if-none-match" not in fields and (answer := self._calls.read_now(name)) is not None:
            return answer
        request = Request(name.owner, fields, NOTHING, {"key": name.key}, b"", "")
        return self._calls.answer("read", self._calls.read, request)


@lru_cache(maxsize=KEPT_BLOCKS)
def _fields(block: bytes, shown: Identity | None) -> tuple[str, Mapping[str, str]] | None:
    """The caller, and the fields of a plain head; None: aiohttp is to find out who calls."""
    found = fields_of(block)
    if found is None:
        return None
    fields = {name.decode(): value.decode() for name, value in found.items()}
    try:
        said = Said.by(lambda name: [fields[name.lower()]] if name.lower() in fields else [])
        return caller.owner(said, shown), fields
    except PlexmeshError:
        return None
