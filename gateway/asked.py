"""A question about a call: a method, a URL or path, header fields; and how the gateway reads that.

It is read as a call is: a request line is made of it and given to the reader that reads all others, so it is refused
for the same reasons. Of a URL the path and query go into that line; the host only says where the caller thinks to call.
A fragment is never sent.

Source: RFC 3986, sections 3 and 3.5; RFC 9112, section 3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from gateway import routes
from gateway.fields import Malformed
from gateway.heads import read_target
from gateway.paths import normalised
from gateway.reader import RequestReader
from gateway.snapshot import own
from shared.errors import BadInput, nearest

PARAMETERS = ("url", "method")

URL = re.compile(r"(https?)://([^/?#]*)(.*)\Z", re.IGNORECASE | re.DOTALL)
AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._~-]+))(?::([0-9]{1,5}))?\Z")
PORTS = {"http": 80, "https": 443}

UNSENDABLE = re.compile(r"[^\x21-\x7e]")


class Question(msgspec.Struct, frozen=True):
    """`now_s` since 1970: a token in `headers` may have expired."""

    url: str
    method: str = "GET"
    headers: Sequence[tuple[bytes, bytes]] = ()
    now_s: float = 0.0

    @property
    def lines(self) -> bytes:
        return b"".join(b"%b: %b\r\n" % each for each in self.headers)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway reads. `host` and `port` are those of a URL, lower case; empty and 0 for a path.

    `refusal`: why the call is refused before it is routed; then there is no path. `own`: a path of the gateway itself.
    """

    target: str
    host: str = ""
    port: int = 0
    remarks: tuple[str, ...] = ()
    path: bytes = b""
    query: bytes = b""
    refusal: Malformed | None = None

    @property
    def segment(self) -> bytes:
        return routes.first_segment(self.path) if self.path else b""

    @property
    def id(self) -> str:
        """Of the service in the path; empty when there is none."""
        return "" if self.own else self.segment.decode("ascii", "replace")

    @property
    def own(self) -> bool:
        return self.refusal is None and own(self.segment) is not None


def question_of(query: Mapping[str, str], headers: Sequence[tuple[bytes, bytes]], now_s: float) -> Question:
    """Of the parameters of a request. Raises BadInput."""
    for name in query:
        if name not in PARAMETERS:
            hint = nearest(name, PARAMETERS) or "; in the URL that is asked about, & must be written %26"
            raise BadInput(f"{name}: an unknown parameter, expected one of {', '.join(PARAMETERS)}{hint}")
    if not query.get("url"):
        raise BadInput("url: missing, expected a path such as /orders/api/v1, or a URL")
    return Question(query["url"], query.get("method", "GET"), headers, now_s)


def read(question: Question, own: str = "http") -> Asked:
    """`own` is the scheme of this gateway. Raises BadInput when it is neither a path nor a URL."""
    found = URL.match(question.url)
    if found is None and not question.url.startswith("/"):
        raise BadInput(f"url: expected a path that begins with /, or http://host/path, got {question.url!r}")
    scheme, authority, rest = found.groups() if found else ("", "", question.url)
    host, port = _address(scheme.lower(), authority) if found else ("", 0)
    remarks = [f"This gateway answers {own}, not {scheme.lower()}."] if scheme.lower() not in ("", own) else []
    sent, mark, _ = rest.partition("#")
    if mark:
        remarks.append("What follows the # stays with the caller: it is never sent.")
    target = sent if sent.startswith("/") else f"/{sent}"
    asked = Asked(target=target, host=host, port=port, remarks=tuple(remarks))
    try:
        path, query = _as_sent(question.method, target)
    except Malformed as refusal:
        return msgspec.structs.replace(asked, refusal=refusal)
    return msgspec.structs.replace(asked, path=path, query=query)


def _address(scheme: str, authority: str) -> tuple[str, int]:
    if "@" in authority:  # and it is not repeated: it may hold a password
        raise BadInput("url: expected a host and a port, without user information")
    found = AUTHORITY.match(authority)
    if found is None or int(found[3] or 1) > 65535:
        raise BadInput(f"url: expected a host and a port, got {authority!r}")
    return (found[1] or found[2]).lower(), int(found[3] or PORTS[scheme])


def _as_sent(method: str, target: str) -> tuple[bytes, bytes]:
    """The path in its one spelling, and the query with its "?". Raises Malformed."""
    if UNSENDABLE.search(method) or not method:
        raise Malformed(400, "malformed request line: the method is no word")
    if UNSENDABLE.search(target):
        raise Malformed(400, "malformed request line: spaces, control characters and all beyond ASCII must be encoded")
    head = f"{method} {target} HTTP/1.1\r\n\r\n".encode()
    reader = RequestReader(len(head), len(head))  # of whatever size: a longer line than may be could not be asked about
    reader.read_head(head)
    if not reader.target:
        return reader.path, reader.query
    path, query = read_target(reader.method, reader.target, b"")
    return normalised(path), query
