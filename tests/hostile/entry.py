"""One hostile conversation: what a client writes, what it may be answered, what may arrive at the instance.

    step        one answer: the statuses allowed and, for 200, the request that must have arrived
    CLOSED      among the statuses: the connection ends without an answer
    END         among the writes: the client closes its sending side; a number is a pause in seconds

After a refusal the connection is closed; after the last step an open connection must serve a good request.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.hostile.meant import INNER, PUBLIC, Arrival
from tests.hostile.recorder import Way

TO = PUBLIC + b"/asked"
ASKED = INNER + b"/asked"
HIDDEN = b"GET " + PUBLIC + b"/smuggled HTTP/1.1\r\nHost: g\r\n\r\n"
"""What an attacker wants an instance to read as a request of its own."""

GET = Arrival(b"GET", ASKED)
"""What `get()` arrives as."""

CLOSED = 0
END = None

Write = bytes | float | None


@dataclass(frozen=True)
class Step:
    statuses: frozenset[int]
    arrives: Arrival | None = None
    method: bytes = b"GET"
    """What was asked with, as far as the client knows: HEAD is answered without a body."""


@dataclass(frozen=True)
class Entry:
    """`source` is the RFC's section or the attack's name. `begun`: a request may arrive that never gets its end."""

    name: str
    source: str
    writes: tuple[Write, ...]
    steps: tuple[Step, ...]
    stays: bool | None = False
    """The connection is of use afterwards; otherwise it ends after the last step. None: either."""
    begun: bool = False
    way: Way = Way.KEEPS
    raw: bytes | None = None
    """What arrives after a change of protocol."""

    @property
    def asked(self) -> list[Arrival]:
        return [step.arrives for step in self.steps if step.arrives is not None]


def get(*lines: bytes, line: bytes = b"GET " + TO + b" HTTP/1.1", host: bytes = b"Host: g\r\n") -> bytes:
    return line + b"\r\n" + host + b"".join(each + b"\r\n" for each in lines) + b"\r\n"


def post(*lines: bytes, body: bytes = b"", version: bytes = b"1.1") -> bytes:
    return get(*lines, line=b"POST " + TO + b" HTTP/" + version) + body


def refused(
    name: str,
    source: str,
    *writes: Write,
    status: int | Iterable[int] = 400,
    begun: bool = False,
    method: bytes = b"GET",
) -> Entry:
    """One refusal, and the connection is closed."""
    return Entry(name, source, writes, (Step(_statuses(status), None, method),), begun=begun)


def passed(
    name: str, source: str, *writes: Write, arrives: Arrival | tuple[Arrival, ...] = GET,
    stays: bool = True, way: Way = Way.KEEPS,
) -> Entry:  # fmt: skip
    """Each request is answered 200, and arrives as said."""
    arrivals = arrives if isinstance(arrives, tuple) else (arrives,)
    steps = tuple(Step(frozenset((200,)), each, each.method) for each in arrivals)
    return Entry(name, source, writes, steps, stays=stays, way=way)


def either(
    name: str, source: str, data: bytes, arrives: Arrival = GET, status: int | Iterable[int] = 400,
    begun: bool = False,
) -> Entry:  # fmt: skip
    """Served as said, or refused: both are safe."""
    step = Step(_statuses(status) | {200}, arrives, arrives.method)
    return Entry(name, source, (data,), (step,), stays=None, begun=begun)


def elsewhere(name: str, source: str, data: bytes, status: Iterable[int] = (400, 404)) -> Entry:
    """An answer of the gateway's own; nothing arrives."""
    return Entry(name, source, (data,), (Step(_statuses(status)),), stays=None)


def then_refused(
    name: str, source: str, *writes: Write, arrives: Arrival = GET, status: int | Iterable[int] = 400,
    begun: bool = False, method: bytes = b"GET",
) -> Entry:  # fmt: skip
    """The first request is served, what follows it is refused."""
    steps = (Step(frozenset((200,)), arrives, arrives.method), Step(_statuses(status), None, method))
    return Entry(name, source, writes, steps, begun=begun)


def _statuses(status: int | Iterable[int]) -> frozenset[int]:
    return frozenset((status,)) if isinstance(status, int) else frozenset(status)
