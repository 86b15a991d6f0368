"""An instance that keeps every byte it gets, judges it, and answers each request it can cut with that request's mark.

Connections outlive the conversations that are played, so what came is asked for as "since": `whole`, `unfinished` and
`wrong` are lists that only grow. Bytes that cannot be read end the connection: a real server would begin to guess.

Ways to answer: `KEEPS` the connection, `CLOSES` it after each answer, `EARLY` answers as soon as the head is there and
does not wait for the body, `SWITCHES` to another protocol when asked to, `IGNORES` bodies and takes them for requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum

from tests.fakes import Caller
from tests.hostile.grammar import Unreadable
from tests.hostile.judge import Request, cut, cut_head
from tests.hostile.meant import arrived
from tests.hostile.passing import breaches, head_breaches


class Way(enum.Enum):
    KEEPS = "keeps"
    CLOSES = "closes"
    EARLY = "early"
    SWITCHES = "switches"
    IGNORES = "ignores"


class Tape:
    """One connection: `rest` is what does not make a whole request yet, `raw` what came after a change of protocol."""

    def __init__(self) -> None:
        self.rest = b""
        self.raw: bytes | None = None
        self.continued = False


class Recorder:
    def __init__(self) -> None:
        self.way = Way.KEEPS
        self.script: list[tuple[list[bytes], bool]] = []
        """Answers to give first, in pieces, and whether the connection is closed then."""
        self.whole: list[Request] = []
        self.unfinished: list[bytes] = []
        """What was there of a request when its connection ended."""
        self.raw: list[bytes] = []
        self.wrong: list[str] = []
        self.open: set[Tape] = set()

    @property
    def quiet(self) -> bool:
        """No request is half here."""
        return not any(tape.rest for tape in self.open)

    async def behave(self, caller: Caller) -> None:
        tape = Tape()
        self.open.add(tape)
        try:
            await self._serve(tape, caller)
        finally:
            self.open.discard(tape)
            if tape.rest:
                self._unfinished(tape.rest)
            if tape.raw is not None:
                self.raw.append(tape.raw)

    async def _serve(self, tape: Tape, caller: Caller) -> None:
        while data := await self._bytes(caller):
            if tape.raw is not None:
                tape.raw += data
                continue
            tape.rest += data
            try:
                if not await self._answer_all(tape, caller):
                    return
            except Unreadable as unreadable:
                self.wrong.append(f"{unreadable}: {tape.rest[:300]!r}")
                tape.rest = b""
                return

    async def _bytes(self, caller: Caller) -> bytes:
        with contextlib.suppress(ConnectionError):
            return await caller.reader.read(65_536)
        return b""

    async def _answer_all(self, tape: Tape, caller: Caller) -> bool:
        """False: the connection ends now."""
        while tape.rest and tape.raw is None:
            request = cut(tape.rest)
            if request is None:
                return await self._interim(tape, caller)
            tape.rest = tape.rest[request.size :]
            tape.continued = False
            self.whole.append(request)
            self.wrong += [f"{breach.value}: {_shown(request)}" for breach in breaches(request)]
            if self.way is Way.SWITCHES and request.head.values(b"upgrade"):
                tape.raw, tape.rest = tape.rest, b""
                await caller.send(
                    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
                )
                return True
            if self.script:
                answer, closes = self.script.pop(0)
            else:
                closes = self.way is Way.CLOSES
                answer = [answer_to(request, close=closes)]
            for piece in answer:
                await caller.send(piece)
            if self.way is Way.IGNORES and request.body:
                tape.rest = request.body + tape.rest
            if closes:
                return False
        return True

    async def _interim(self, tape: Tape, caller: Caller) -> bool:
        head = cut_head(tape.rest)
        if head is None:
            return True
        if self.way is Way.EARLY:
            await caller.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
            await asyncio.sleep(0)
            return False
        if head.values(b"expect") and not tape.continued:
            tape.continued = True
            await caller.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _unfinished(self, rest: bytes) -> None:
        self.unfinished.append(rest)
        with contextlib.suppress(Unreadable):  # told already
            head = cut_head(rest)
            if head is not None:
                self.wrong += [f"{breach.value}: {rest[:300]!r}" for breach in head_breaches(head)]


def answer_to(request: Request, *, close: bool = False) -> bytes:
    mark = arrived(request).mark
    body = b"" if request.method == b"HEAD" else mark
    end = b"Connection: close\r\n" if close else b""
    return b"HTTP/1.1 200 OK\r\nX-Mark: %b\r\nContent-Length: %d\r\n%b\r\n%b" % (mark, len(mark), end, body)


def _shown(request: Request) -> str:
    fields = [(name, value[:60]) for name, value in request.head.fields]
    return f"{request.method!r} {request.target[:200]!r} {fields}"
