"""One hostile conversation with a real gateway, and everything that was wrong with it as sentences.

After each one: what arrived is what was asked, nothing else and nothing malformed; a good request on a new connection,
and more of them at once so that every pooled connection is used, get their own answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from tests.fakes import RawInstance, an_instance, until
from tests.hostile.answers import Answer, cut_answer
from tests.hostile.entry import CLOSED, END, Entry, Step
from tests.hostile.grammar import Unreadable
from tests.hostile.meant import INNER, PUBLIC, Arrival, arrived
from tests.hostile.recorder import Recorder, Way
from tests.integration.gateway_rig import INSTANCES, PORT, Rig, a_gateway

ANSWER_S = 3.0
"""The longest that an answer, or the end of a connection, may take; the gateway's time-outs are far below it."""

GOOD_AT_ONCE = 3


@dataclass
class Stage:
    """A gateway before a recording instance, with the route that the corpus plays through."""

    rig: Rig
    instance: RawInstance
    recorder: Recorder
    numbers: itertools.count[int]

    async def connect(self) -> Line:
        return Line(*await asyncio.open_connection(self.rig.gateway.config.host, PORT))


@contextlib.asynccontextmanager
async def a_stage(**settings: Any) -> AsyncIterator[Stage]:
    recorder = Recorder()
    instance = RawInstance(INSTANCES[0], 9000, recorder.behave)
    async with a_gateway(instance, **settings) as rig:
        routes = {PUBLIC.decode().split("/", 2)[2]: INNER.decode()}
        rig.discovery.put(an_instance("shop", instance.port, instance.host, lpar="LPAR2", routes=routes))
        await until(lambda: b"shop" in rig.gateway.path.snapshot.upstreams, "the gateway knows the route")
        yield Stage(rig, instance, recorder, itertools.count(1))


class Line:
    """A client's connection: bytes out as they are, answers in as strictly as they come."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.got = b""
        self.ended = self.cut = False
        """`cut`: ended by a reset."""

    def close(self) -> None:
        self._writer.transport.abort()

    async def write(self, *writes: bytes | float | None) -> None:
        """Each piece on its own, as far as it goes: the gateway may have ended the connection already."""
        with contextlib.suppress(ConnectionError):
            for each in writes:
                if self.ended:
                    return
                if each is END:
                    self._writer.write_eof()
                elif isinstance(each, bytes):
                    self._writer.write(each)
                    await self._writer.drain()
                    await turn()
                else:
                    await self._pause(each)

    async def answer(self, method: bytes) -> Answer | None:
        """The next final answer, or change of protocol."""
        while (answer := await self.next_answer(method)) is not None:
            if answer.status >= 200 or answer.status == 101:
                return answer
        return None

    async def next_answer(self, method: bytes) -> Answer | None:
        """None when the connection ends without one; TimeoutError when nothing comes."""
        while (answer := cut_answer(self.got, method, ended=self.ended)) is None:
            if self.ended:
                return None
            await self._more()
        self.got = self.got[answer.size :]
        return answer

    async def end(self) -> bool:
        """The connection ends, and kindly, without another byte."""
        while not self.ended and not self.got:
            await self._more()
        return not self.got and not self.cut

    async def _pause(self, seconds: float) -> None:
        """Answers are taken meanwhile: a client that writes to a connection that has ended would lose them."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self.ended:
                    await self._more()

    async def _more(self) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                data = await self._reader.read(65_536)
        except ConnectionError:
            self.cut, data = True, b""
        self.got += data
        self.ended = not data


async def turn() -> None:
    """The gateway, on this loop, has read what was written."""
    for _ in range(3):
        await asyncio.sleep(0)


async def play(stage: Stage, entry: Entry) -> list[str]:
    """What was wrong; nothing when all is well."""
    recorder = stage.recorder
    recorder.way = entry.way
    whole, unfinished, wrong, raw = (
        len(each) for each in (recorder.whole, recorder.unfinished, recorder.wrong, recorder.raw)
    )
    line = await stage.connect()
    try:
        found, served = await converse(line, entry)
        if not found and entry.stays:
            found += await good(stage, line, closes=entry.way is Way.CLOSES)
    except Unreadable as unreadable:
        found, served = [f"an answer is malformed, {unreadable}: {line.got[:300]!r}"], []
    except TimeoutError:
        found, served = [f"neither an answer nor an end; got {line.got[:300]!r}"], []
    finally:
        line.close()
    await until(lambda: recorder.quiet and not stage.rig.in_flight(), "the gateway is done with it")
    came = [arrived(request) for request in recorder.whole[whole:]]
    came = [each for each in came if not each.target.startswith(INNER + b"/good/")]
    if came != served:
        found.append(
            f"arrived: {'; '.join(map(str, came)) or 'nothing'}, served: {'; '.join(map(str, served)) or 'nothing'}"
        )
    if recorder.unfinished[unfinished:] and not entry.begun:
        found.append(f"a request without an end arrived: {recorder.unfinished[unfinished:]}")
    if entry.raw is not None and recorder.raw[raw:] != [entry.raw]:
        found.append(f"behind the change of protocol arrived {recorder.raw[raw:]}")
    found += recorder.wrong[wrong:]
    recorder.way = Way.KEEPS
    return found + await all_good(stage)


async def converse(line: Line, entry: Entry) -> tuple[list[str], list[Arrival]]:
    """(what was wrong with the answers, the requests that were answered by the instance)."""
    found: list[str] = []
    served: list[Arrival] = []
    await line.write(*entry.writes)
    closes = False
    for number, step in enumerate(entry.steps, 1):
        answer = await line.answer(step.method)
        found += [f"answer {number}: {each}" for each in faults_of(answer, step)]
        if answer is None:
            return found, served
        if answer.status == 200 or answer.status == 101:
            served += [step.arrives] if step.arrives else []
        closes = answer.closes
        if closes or found:
            break
    if found:
        return found, served
    if entry.stays and closes:
        found.append("the connection should stay")
    elif entry.stays is False or closes:
        found += [] if await line.end() else [f"the connection should end without more; got {line.got[:300]!r}"]
    return found, served


def faults_of(answer: Answer | None, step: Step) -> list[str]:
    if answer is None:
        return [] if CLOSED in step.statuses else ["the connection ended instead"]
    if answer.status not in step.statuses:
        return [f"{answer.status} instead of {sorted(step.statuses)}: {answer.body[:200]!r}"]
    if answer.status == 101 or (answer.status == 200 and step.arrives is None):
        return []
    if answer.status == 200 and step.arrives is not None:
        mark = step.arrives.mark
        right = answer.value(b"x-mark") == mark and answer.body in (mark, b"" if step.method == b"HEAD" else mark)
        return [] if right else [f"it is the answer to another request: {answer.fields}"]
    if answer.value(b"x-plexmesh-path"):
        return []
    return zowe_faults(answer, step)


def zowe_faults(answer: Answer, step: Step) -> list[str]:
    """A refusal is in Zowe's form and, as the framing is doubtful, the last answer."""
    if step.method == b"HEAD":
        return []
    try:
        (message,) = json.loads(answer.body)["messages"]
        sound = message["messageNumber"].startswith("ZWEA") and bool(message["messageContent"])
    except (ValueError, KeyError, TypeError):
        sound = False
    found = [] if sound else [f"not an error in Zowe's form: {answer.body[:200]!r}"]
    if answer.value(b"content-type") != b"application/json":
        found.append("an error that is not said to be JSON")
    if answer.status not in (404, 503) and not answer.closes:
        found.append(f"{answer.status} without Connection: close")
    return found


async def good(stage: Stage, line: Line, *, closes: bool = False) -> list[str]:
    """A request that cannot be refused is answered with its own answer."""
    path = b"/good/%d" % next(stage.numbers)
    await line.write(b"GET " + PUBLIC + path + b" HTTP/1.1\r\nHost: g\r\n\r\n")
    answer = await line.answer(b"GET")
    faults = faults_of(answer, Step(frozenset((200,)), Arrival(b"GET", INNER + path)))
    return [f"a good request afterwards: {fault}" for fault in faults]


async def all_good(stage: Stage) -> list[str]:
    """New connections, at once, so that as many pooled connections are used."""
    lines = [await stage.connect() for _ in range(GOOD_AT_ONCE)]
    try:
        found = await asyncio.gather(*(good(stage, line) for line in lines))
    except (Unreadable, TimeoutError) as error:
        return [f"a good request afterwards: {error!r}"]
    finally:
        for line in lines:
            line.close()
    return [each for some in found for each in some]
