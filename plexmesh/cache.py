"""The caching service for a program that keeps no state: what is put here outlives it, its instance and its LPAR.

    async with plexmesh.Cache("orders") as cache:
        etag = await cache.put("session-1", b"...", ttl_s=3600)
        found = await cache.get("session-1")                       # None, or value, etag, type, expiry
        await cache.update("visits", lambda old: str(int(old or b"0") + 1))

Every call is tried again until it is answered, at one address after the other (`plexmesh.cache_tries`), and ends within
`deadline_s` as its answer or as one of `plexmesh.cache_errors`. Nothing is kept here: two programs, or a program and
itself restarted, see the same entries. Names of other services are other entries.

Source: the REST interface of Zowe's Caching Service, with the ETags, raw bodies and pages of plexmesh's.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from urllib.parse import quote

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random

from plexmesh.cache_errors import Changed, Exists, Full, Missing, OutcomeUnknown, Refused, Unavailable
from plexmesh.cache_tries import Answer, Tries

BASE = "/cachingservice/api/v1"
GATEWAY = "http://127.0.0.1:7554"
BYTES = "application/octet-stream"
PAGE = 500

Value = bytes | str
Change = Callable[[bytes | None], Value | None]
"""From the present value, None if there is none, to the new one; None deletes."""

_ids = itertools.count()


@dataclass(frozen=True, slots=True)
class Cached:
    """`expires_at` is exact to a second."""

    key: str
    value: bytes
    etag: str
    content_type: str = ""
    expires_at: datetime | None = None


class Cache:
    def __init__(
        self,
        name: str,
        urls: Sequence[str] | Callable[[], Sequence[str]] | None = None,
        *,
        try_s: float = 3.0,
        deadline_s: float = 10.0,
    ) -> None:
        """`name` is the service whose entries these are. `urls`: gateways, or instances of the caching service; asked
        for at each try when it is a function. None: PLEXMESH_GATEWAY (comma-separated), else the sysplex address."""
        given = urls if urls is not None else os.environ.get("PLEXMESH_GATEWAY", GATEWAY).split(",")
        self._tries = Tries(
            lambda: _bases(given() if callable(given) else given), name, try_s=try_s, deadline_s=deadline_s
        )
        self._deadline_s = deadline_s
        self._boot = secrets.token_hex(8)

    async def __aenter__(self) -> Cache:
        await self._tries.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._tries.close()

    # --- reading

    async def get(self, key: str) -> Cached | None:
        answer = await self._tries.call("GET", _path(key))
        if answer.status == 404:
            return None
        _check(answer, key)
        return _cached(key, answer)

    async def entries(self, prefix: str = "") -> AsyncIterator[Cached]:
        """All whose keys begin so, page by page: what is written meanwhile may be among them or not."""
        after: str | None = None
        while True:
            query = f"limit={PAGE}&prefix={quote(prefix, safe='')}"
            query += "" if after is None else f"&after={quote(after, safe='')}"
            answer = await self._tries.call("GET", f"/cache?{query}")
            _check(answer, prefix)
            with _understood(answer):
                found = [_of_view(view) for view in json.loads(answer.body).values()]
            for each in found:
                yield each
            after = found[-1].key if found else after
            if "Link" not in answer.headers:
                return

    async def keys(self, prefix: str = "") -> AsyncIterator[str]:
        async for each in self.entries(prefix):
            yield each.key

    # --- writing: each returns the ETag of what is there now. A text put with the content type "" is one in Zowe's own
    #     form, which clients of the original can read.

    async def put(self, key: str, value: Value, *, ttl_s: int | None = None, content_type: str = BYTES) -> str:
        """Create or replace."""
        return await self._write(key, value, ttl_s, content_type, {})

    async def create(self, key: str, value: Value, *, ttl_s: int | None = None, content_type: str = BYTES) -> str:
        """Raises Exists."""
        try:
            return await self._write(key, value, ttl_s, content_type, {"If-None-Match": "*"})
        except Changed as error:
            raise Exists(key, error.etag) from None

    async def replace(
        self, key: str, value: Value, *, etag: str | None = None, ttl_s: int | None = None, content_type: str = BYTES
    ) -> str:
        """Only what is there, and only if it is that of `etag`. Raises Missing (without `etag`), Changed."""
        condition = {"If-Match": "*" if etag is None else f'"{etag}"'}
        try:
            return await self._write(key, value, ttl_s, content_type, condition)
        except Changed:
            if etag is None:
                raise Missing(f"there is no entry {key!r}") from None
            raise

    async def delete(self, key: str, *, etag: str | None = None) -> bool:
        """False: there was none. Raises Changed when it is not that of `etag`."""
        write_id = self._write_id()
        headers = {} if etag is None else {"If-Match": f'"{etag}"'}
        answer = await self._tries.call("DELETE", _path(key), write_id, headers=headers)
        gone = answer.status == 404 or (answer.status == 412 and answer.etag is None)
        if gone and answer.doubtful:
            return True  # it was to be gone, and it is: by an earlier try, as far as anybody can tell
        if answer.status == 412 and answer.doubtful:
            raise OutcomeUnknown(write_id, "another write came between the tries")
        if answer.status == 404:
            return False
        _check(answer, key)
        return True

    async def update(
        self, key: str, change: Change, *, ttl_s: int | None = None, content_type: str = BYTES
    ) -> str | None:
        """Change what is there, whoever else changes it at the same time: read, change, write if nobody was quicker,
        else again. None when it was deleted, or was not there and stays so. Raises Unavailable when others were quicker
        until the deadline, OutcomeUnknown when it cannot be told whether the change was applied."""
        tries = AsyncRetrying(
            retry=retry_if_exception_type((Changed, Exists)),
            wait=wait_random(0.0, 0.02),
            stop=stop_after_delay(self._deadline_s),
            reraise=True,
        )
        try:
            async for attempt in tries:
                with attempt:
                    return await self._change(key, change, ttl_s, content_type)
        except (Changed, Exists) as error:
            raise Unavailable(f"others changed {key!r} faster until the deadline") from error
        raise AssertionError("unreachable")

    async def _change(self, key: str, change: Change, ttl_s: int | None, content_type: str) -> str | None:
        found = await self.get(key)
        value = change(found.value if found else None)
        if value is None:
            if found is not None:
                await self.delete(key, etag=found.etag)
            return None
        if found is None:
            return await self.create(key, value, ttl_s=ttl_s, content_type=content_type)
        return await self.replace(key, value, etag=found.etag, ttl_s=ttl_s, content_type=content_type)

    async def _write(
        self, key: str, value: Value, ttl_s: int | None, content_type: str, condition: dict[str, str]
    ) -> str:
        write_id = self._write_id()
        form = {"Content-Type": content_type} if content_type else {"Content-Type": BYTES, "X-Cache-Form": "pair"}
        headers = {**form, **condition, **({} if ttl_s is None else {"X-Cache-TTL": str(ttl_s)})}
        data = value.encode() if isinstance(value, str) else value
        answer = await self._tries.call("PUT", _path(key), write_id, data=data, headers=headers)
        if answer.status == 412 and answer.doubtful:
            # The entry does not bear our id: an earlier try was applied and written over, or never was.
            raise OutcomeUnknown(write_id, "another write came between the tries")
        _check(answer, key)
        return answer.etag or ""

    def _write_id(self) -> str:
        return f"{self._boot}{next(_ids):x}"


def _bases(urls: Sequence[str]) -> list[str]:
    return [url.strip().rstrip("/").removesuffix(BASE) + BASE for url in urls if url.strip()]


def _path(key: str) -> str:
    if not key:
        raise ValueError("a key has to have at least one character")
    return f"/cache/{quote(key, safe='')}" if key not in (".", "..") else f"/cache/{key.replace('.', '%2E')}"


def _check(answer: Answer, key: str) -> None:
    if answer.status == 412:
        raise Changed(key, answer.etag)
    if answer.status == 507:
        raise Full(answer.status, answer.why())
    if answer.status >= 300:
        raise Refused(answer.status, answer.why())


@contextlib.contextmanager
def _understood(answer: Answer) -> Iterator[None]:
    """Whoever answers at that address may be something else."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Refused(answer.status, "this is no answer of a caching service") from error


def _cached(key: str, answer: Answer) -> Cached:
    with _understood(answer):
        expires = answer.headers.get("Expires")
        expires_at = parsedate_to_datetime(expires) if expires else None
        if answer.headers.get("X-Cache-Form") == "raw":
            return Cached(key, answer.body, answer.etag or "", answer.headers.get("Content-Type", ""), expires_at)
        return Cached(key, json.loads(answer.body).get("value", "").encode(), answer.etag or "", "", expires_at)


def _of_view(view: dict[str, str]) -> Cached:
    value = base64.b64decode(view["valueBase64"]) if "valueBase64" in view else view.get("value", "").encode()
    expires_at = datetime.fromtimestamp(int(view["expires"]) // 1000, UTC) if "expires" in view else None
    return Cached(view["key"], value, view.get("etag", ""), view.get("contentType", ""), expires_at)
