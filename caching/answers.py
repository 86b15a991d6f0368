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

import msgspec
from aiohttp import web
from yarl import URL

from caching.entries import Entry
from caching.messages import DEFECT, NOT_VALID, message_of, status_of
from caching.refusals import Changed, Exists
from shared import zowe
from shared.errors import PlexmeshError, Unavailable


class View(msgspec.Struct, omit_defaults=True, rename="camel"):
    """An entry as it is answered; instants are ms since 1970, as text."""

    key: str = ""
    value: str = ""
    created: str = ""
    expires: str = ""
    content_type: str = ""
    value_base64: str = ""


def entry(found: Entry) -> web.Response:
    if found.content.type:
        answer = web.Response(body=found.value)
        answer.headers["Content-Type"] = found.content.type
        answer.headers["X-Content-Type-Options"] = "nosniff"
    else:
        answer = json(view(found))
    return tagged(answer, found)


def unchanged(found: Entry) -> web.Response:
    return tagged(web.Response(status=304), found)


def written(stored: Entry) -> web.Response:
    return tagged(web.Response(status=201 if stored.first else 204), stored)


def tagged(answer: web.Response, found: Entry) -> web.Response:
    answer.headers["ETag"] = f'"{found.etag}"'
    if found.expires_ms is not None:
        answer.headers["Expires"] = formatdate(found.expires_ms / 1000, usegmt=True)
    return answer


def view(found: Entry) -> View:
    expires = "" if found.expires_ms is None else str(found.expires_ms)
    seen = View(found.name.key, "", str(found.created_ms), expires, found.content.type)
    try:
        seen.value = found.value.decode()
    except UnicodeDecodeError:
        seen.value_base64 = base64.b64encode(found.value).decode()
    return seen


def views(found: Iterable[Entry]) -> web.Response:
    return json({each.name.key: view(each) for each in found})


def texts(found: Iterable[Entry]) -> dict[str, str]:
    """Of items, whose values are text always."""
    return {each.name.key: each.value.decode() for each in found}


def next_page(answer: web.Response, here: URL, after: str) -> web.Response:
    url = here.relative() if here.is_absolute() else here
    answer.headers["Link"] = f'<{url.update_query(after=after)}>; rel="next"'
    return answer


def json(body: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")


# --- errors


def refusal(error: PlexmeshError, write_id: str | None, oversize_status: int) -> web.Response:
    """`write_id`: of the write that was refused. 504 names it, because it can be repeated with it."""
    status, text = status_of(error, oversize_status), str(error)
    if status == 504 and write_id is not None:
        text = f"{text} (write {write_id}: repeat it with this Idempotency-Key)"
    answer = message(status, message_of(error), text)
    if status == 504 and write_id is not None:
        answer.headers["Idempotency-Key"] = write_id
    if isinstance(error, Unavailable):
        answer.headers["Retry-After"] = "1"
    if isinstance(error, Exists | Changed) and error.etag is not None:
        answer.headers["ETag"] = f'"{error.etag}"'
    return answer


def render(status: int, detail: str) -> web.StreamResponse:
    """For what no call of the contract answered: other paths and methods, defects."""
    usual = DEFECT if status >= 500 else NOT_VALID if status == 413 else zowe.COMMON[400]
    return message(status, zowe.COMMON.get(status, usual), detail)


def message(status: int, about: zowe.Message, content: str) -> web.Response:
    return web.Response(status=status, body=zowe.body(about, content), content_type="application/json")
