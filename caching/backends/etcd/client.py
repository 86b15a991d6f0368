"""etcd's v3 JSON gateway: one request, at one member after the other until one answers.

A member that does not answer in `TRY_S`, or says that it cannot, goes to the end of the row; so one that is frozen
costs one such wait and is then left alone. Reads may be asked anywhere again. A transaction that may have arrived is
`Doubtful`: whoever sent it has to find out.

Source: etcd's gRPC gateway (/v3/kv/range, /v3/kv/txn, /v3/maintenance/…): keys and values are base64, numbers are text,
and what is zero or empty is left out.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterable, Sequence
from typing import Any

import aiohttp
import msgspec

from caching.backends.etcd.keys import Range
from caching.backends.etcd.table import Found, Read, Wanted
from caching.refusals import ValueTooLong, VolumeFull
from shared.errors import PlexmeshError, Unavailable

TRY_S = 0.7
PAUSE_S = 0.02
"""Between two tries, when a member answered at once that it cannot."""

JSON = {"Content-Type": "application/json"}

Row = tuple[bytes, Found]


class Doubtful(Exception):
    """No answer came to what was sent: it may or may not have been done."""


class _KeyValue(msgspec.Struct):
    key: str = ""
    value: str = ""
    mod_revision: str = "0"


class _RangeAnswer(msgspec.Struct):
    kvs: list[_KeyValue] = []
    more: bool = False


class _DeleteAnswer(msgspec.Struct):
    deleted: str = "0"


class _OpAnswer(msgspec.Struct):
    response_range: _RangeAnswer | None = None


class _Header(msgspec.Struct):
    revision: str = "0"


class TxnAnswer(msgspec.Struct):
    header: _Header
    succeeded: bool = False
    responses: list[_OpAnswer] = []

    @property
    def revision(self) -> int:
        return int(self.header.revision)

    def rows(self, number: int) -> list[Row]:
        """Of the range that was asked for as number `number`."""
        answer = self.responses[number].response_range
        return (
            []
            if answer is None
            else [(_bytes(kv.key), Found(_bytes(kv.value), int(kv.mod_revision))) for kv in answer.kvs]
        )


class StatusAnswer(msgspec.Struct):
    version: str = ""
    leader: str = "0"
    dbSize: str = "0"  # noqa: N815
    errors: list[str] = []


class _Failure(msgspec.Struct):
    error: str = ""
    message: str = ""
    code: int = 0


_txn = msgspec.json.Decoder(TxnAnswer)
_status = msgspec.json.Decoder(StatusAnswer)
_failure = msgspec.json.Decoder(_Failure)

Op = dict[str, Any]


def get(key: bytes) -> Op:
    return {"request_range": {"key": _text(key)}}


def scan(wanted: Wanted, *, keys_only: bool = False) -> Op:
    asked: Op = {"key": _text(wanted.range.start), "range_end": _text(wanted.range.end), "limit": wanted.limit}
    if wanted.oldest:
        asked |= {"sort_order": "ASCEND", "sort_target": "MOD"}
    return {"request_range": asked | ({"keys_only": True} if keys_only else {})}


def put(key: bytes, value: bytes) -> Op:
    return {"request_put": {"key": _text(key), "value": _text(value)}}


def delete(key: bytes) -> Op:
    return {"request_delete_range": {"key": _text(key)}}


def delete_all(range: Range) -> Op:
    return {"request_delete_range": {"key": _text(range.start), "range_end": _text(range.end)}}


def still_at(key: bytes, rev: int) -> Op:
    """A condition: nobody has written it since; 0: it is not there."""
    return {"key": _text(key), "target": "MOD", "result": "EQUAL", "mod_revision": rev}


class EtcdClient:
    def __init__(self, endpoints: Sequence[str]) -> None:
        self.row = list(endpoints)
        """The next to be asked comes first."""
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(keepalive_timeout=4, limit=0))

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def read(self, ops: Sequence[Op], ends_at: float) -> TxnAnswer:
        """All at one revision, the newest. Raises Unavailable."""
        while True:
            try:
                return await self.txn([], ops, ends_at)
            except Doubtful as error:
                if time.monotonic() >= ends_at:
                    raise Unavailable(f"etcd does not answer: {error}") from error

    async def txn(self, conditions: Sequence[Op], ops: Sequence[Op], ends_at: float) -> TxnAnswer:
        """Tried elsewhere while it was certainly not done. Raises Doubtful; Unavailable, VolumeFull, ValueTooLong:
        it was not."""
        body = msgspec.json.encode({"compare": list(conditions), "success": list(ops)})
        reason = "no time was left"
        while (left_s := ends_at - time.monotonic()) > 0:
            endpoint = self.row[0]
            try:
                status, said = await self._post(endpoint, "/v3/kv/txn", body, min(TRY_S, left_s))
            except aiohttp.ClientConnectorError as error:
                self._demote(endpoint)
                reason = f"{endpoint}: {error.strerror or error}"
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                self._demote(endpoint)
                raise Doubtful(f"{endpoint}: {error or 'no answer in time'}") from error
            else:
                if status == 200:
                    return _txn.decode(said)
                self._demote(endpoint)
                reason = f"{endpoint}: {_refused(status, said)}"
            await asyncio.sleep(PAUSE_S)
        raise Unavailable(f"etcd does not answer ({reason}); nothing was changed")

    async def status(self, endpoint: str) -> StatusAnswer:
        """Of that member. Raises Unavailable."""
        try:
            status, said = await self._post(endpoint, "/v3/maintenance/status", b"{}", TRY_S)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unavailable(f"{endpoint}: {error or 'no answer in time'}") from error
        if status != 200:
            raise Unavailable(f"{endpoint}: answered {status}")
        return _status.decode(said)

    async def _post(self, endpoint: str, path: str, body: bytes, within_s: float) -> tuple[int, bytes]:
        assert self._session is not None, "etcd is not open"
        timeout = aiohttp.ClientTimeout(total=within_s)
        async with self._session.post(f"http://{endpoint}{path}", data=body, timeout=timeout, headers=JSON) as answer:
            return answer.status, await answer.read()

    def _demote(self, endpoint: str) -> None:
        if self.row[0] == endpoint:
            self.row.append(self.row.pop(0))


def _refused(status: int, said: bytes) -> str:
    """Why it was certainly not done, so that it may be tried elsewhere. Raises what else it means."""
    try:
        failure = _failure.decode(said)
    except msgspec.MsgspecError:
        failure = _Failure(error=said[:200].decode(errors="replace"))
    text = failure.message or failure.error
    if "database space exceeded" in text:
        raise VolumeFull("etcd's database has reached its quota; nothing was changed")
    if "request is too large" in text:
        raise ValueTooLong("etcd refuses a request of that size")
    if "no leader" in text or "not capable" in text:
        return text
    if status == 400:
        raise PlexmeshError(f"etcd refuses the request: {text}")
    raise Doubtful(text)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)


def reading(single: Iterable[bytes], ranges: Iterable[Wanted]) -> list[Op]:
    return [*(get(key) for key in single), *(scan(each) for each in ranges)]


def found_in(answer: TxnAnswer, single: Sequence[bytes], ranges: Sequence[Wanted]) -> Read:
    """What `reading` asked for."""
    rows = [answer.rows(number) for number in range(len(single) + len(ranges))]
    found = {key: each[0][1] if each else None for key, each in zip(single, rows[: len(single)], strict=True)}
    return Read(found, dict(zip(ranges, rows[len(single) :], strict=True)))
