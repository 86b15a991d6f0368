"""Whose request it is, and what is remembered of a user: the record that leads the same user to the same instance.

    user     `sub` of the JWT in the cookie `apimlAuthenticationToken`, if it can be read and has not expired; its
             signature is not looked at: a forged one leads to an instance, and opens nothing there
    key      lb.USER:SERVICE, both in lower case
    record   {"instanceId": "…", "creationTime": [year, month, day, hour, minute, second, nanosecond]}, local time

A record is as old as its creationTime; one that is too old is none.

Source: Zowe API ML's sticky load balancing by authentication (`apiml.lb.type`), its records and their keys; RFC 7519.
Not here: where records are kept (`sticky_table`, `sticky_records`), which instance is taken (`exchange`).
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

import msgspec

TYPE = "apiml.lb.type"
BY_USER = "authentication"

TOKEN = re.compile(
    rb"(?:^|\r\n)cookie:[^\r\n]*?[ \t;]apimlAuthenticationToken=\"?([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.", re.IGNORECASE
)
TOKENS = 1024
"""As many are remembered as they were read."""


class _Claims(msgspec.Struct):
    sub: str = ""
    exp: float | None = None


class _Kept(msgspec.Struct, rename="camel"):
    instance_id: str
    creation_time: list[int]


class Record(NamedTuple):
    """`instance` is the instance's id, without its service."""

    instance: str
    created: datetime

    def older(self, age: timedelta, now: datetime) -> bool:
        return now - self.created > age


_claims = msgspec.json.Decoder(_Claims)
_kept = msgspec.json.Decoder(_Kept)


def wanted(metadata: Mapping[str, str]) -> bool:
    """A service says so in its metadata."""
    return metadata.get(TYPE, "") == BY_USER


def user_of(lines: bytes, now_s: float) -> str:
    """Of a request with these header lines; empty: nobody's. `now_s` since 1970."""
    found = TOKEN.search(lines)
    if found is None:
        return ""
    claims = _claims_of(found[2])
    return "" if claims.exp is not None and claims.exp <= now_s else claims.sub


@lru_cache(maxsize=TOKENS)
def _claims_of(payload: bytes) -> _Claims:
    try:
        return _claims.decode(urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
    except (NotBase64, ValueError):  # msgspec's errors are ValueErrors too
        return _Claims()


def key_of(user: str, service: str) -> str:
    return f"lb.{user.lower()}:{service.lower()}"


def encode(record: Record) -> str:
    at = record.created
    time = [at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond * 1000]
    return msgspec.json.encode(_Kept(record.instance, time)).decode()


def decode(value: bytes) -> Record | None:
    """None: it is no record. Zeros at the end of a creationTime may be left out, as Jackson does."""
    try:
        kept = _kept.decode(value)
        *whole, nanos = kept.creation_time if len(kept.creation_time) == 7 else [*kept.creation_time, 0]
        created = datetime(*whole, microsecond=nanos // 1000)  # type: ignore[arg-type, misc]  # noqa: DTZ001
    except (ValueError, TypeError, OverflowError):
        return None
    return Record(kept.instance_id, created)
