"""How entries, and errors about them, are answered.

    a pair      Zowe's view: {"key", "value", "created"[, "expires"]}; empty fields left out
    a raw body  as it came, with its type
    in a list   raw ones too are views, with "contentType", and "valueBase64" when they are not text

Each entry's ETag is in the header; an error's as well, when something is there that it is about.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from email.utils import formatdate
from urllib.parse import urlencode

import msgspec

from caching.entries import Entry
from caching.messages import DEFECT, NOT_VALID, message_of, status_of
from caching.refusals import Changed, Exists
from shared import zowe
from shared.answer import Answer
from shared.errors import PlexmeshError, Unavailable

JSON = "application/json"


class View(msgspec.Struct, omit_defaults=True, rename="camel"):
    """An entry as it is answered; instants are ms since 1970, as text."""

    key: str = ""
    value: str = ""
    created: str = ""
    expires: str = ""
    content_type: str = ""
    value_base64: str = ""
    etag: str = ""
    """In pages only."""


def entry(found: Entry) -> Answer:
    headers = _read(found)
    if found.content.type:
        headers |= {"X-Cache-Form": "raw", "X-Content-Type-Options": "nosniff", "Content-Type": found.content.type}
        return Answer(200, found.value, "", headers)
    return Answer(200, msgspec.json.encode(view(found)), JSON, headers)


def unchanged(found: Entry) -> Answer:
    return Answer(304, b"", "", _read(found))


def written(stored: Entry) -> Answer:
    return Answer(201 if stored.first else 204, b"", "", _tags(stored))


def empty(status: int) -> Answer:
    return Answer(status, b"", "")


def _read(found: Entry) -> dict[str, str]:
    """`Expires` is when the entry is gone, not how long a copy is good: who has one is to ask again with its ETag."""
    return {**_tags(found), "Cache-Control": "private, no-cache"}


def _tags(found: Entry) -> dict[str, str]:
    headers = {"ETag": f'"{found.etag}"'}
    if found.expires_ms is not None:
        headers["Expires"] = formatdate(found.expires_ms / 1000, usegmt=True)
    return headers


def view(found: Entry) -> View:
    expires = "" if found.expires_ms is None else str(found.expires_ms)
    seen = View(found.name.key, "", str(found.created_ms), expires, found.content.type)
    try:
        seen.value = found.value.decode()
    except UnicodeDecodeError:
        seen.value_base64 = base64.b64encode(found.value).decode()
    return seen


def views(found: Iterable[Entry]) -> Answer:
    return json({each.name.key: view(each) for each in found})


def page(found: Iterable[Entry]) -> Answer:
    seen = {each.name.key: view(each) for each in found}
    for each in found:
        seen[each.name.key].etag = each.etag
    return json(seen)


def texts(found: Iterable[Entry]) -> dict[str, str]:
    """Of items, whose values are text always."""
    return {each.name.key: each.value.decode() for each in found}


def with_next(answer: Answer, path: str, query: dict[str, str]) -> Answer:
    """`query`: of the page that follows."""
    return answer._replace(headers={"Link": f'<{path}?{urlencode(query)}>; rel="next"'})


def json(body: object) -> Answer:
    return Answer(200, msgspec.json.encode(body), JSON)


# --- errors


def refusal(error: PlexmeshError, write_id: str, oversize_status: int) -> Answer:
    """`write_id`: of the write that was refused. 504 names it, because it can be repeated with it."""
    status, text = status_of(error, oversize_status), str(error)
    headers: dict[str, str] = {}
    if status == 504 and write_id:
        text = f"{text} (write {write_id}: repeat it with this Idempotency-Key)"
        headers["Idempotency-Key"] = write_id
    if isinstance(error, Unavailable):
        headers["Retry-After"] = "1"
    if isinstance(error, Exists | Changed) and error.etag is not None:
        headers["ETag"] = f'"{error.etag}"'
    return message(status, message_of(error), text, headers)


def other_refusal(status: int, detail: str) -> Answer:
    """For what no call of the contract answered: other paths and methods, defects."""
    usual = DEFECT if status >= 500 else NOT_VALID if status == 413 else zowe.COMMON[400]
    return message(status, zowe.COMMON.get(status, usual), detail, {})


def message(status: int, about: zowe.Message, content: str, headers: dict[str, str]) -> Answer:
    return Answer(status, zowe.body(about, content), JSON, headers)
