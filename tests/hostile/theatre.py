"""A stage that stands while many conversations are played from outside its loop, as generated examples need it; and
what one of them came to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import uvloop

from tests.fakes import until
from tests.hostile.answers import Answer, cut_answer
from tests.hostile.entry import END
from tests.hostile.grammar import Unreadable
from tests.hostile.judge import Request, read
from tests.hostile.meant import arrival, arrived, unasked
from tests.hostile.play import ANSWER_S, Line, Stage, a_stage

T = TypeVar("T")


@dataclass
class Theatre:
    stage: Stage
    runner: asyncio.Runner

    def run(self, played: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(played)


@contextlib.contextmanager
def a_theatre(**settings: Any) -> Iterator[Theatre]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        over = asyncio.Event()
        stages: list[Stage] = []

        async def stand() -> None:
            async with a_stage(**settings) as stage:
                stages.append(stage)
                await over.wait()

        standing = runner.get_loop().create_task(stand())
        runner.run(until(lambda: stages or standing.done(), "the stage stands"))
        try:
            yield Theatre(stages[0], runner)
        finally:
            over.set()
            runner.run(_ended(standing))


async def _ended(task: asyncio.Task[None]) -> None:
    await task


@dataclass(frozen=True)
class Outcome:
    """What a client's stream came to. `kind` is how its connection ended: closed, cut, or left in the middle."""

    answers: tuple[Answer, ...]
    requests: tuple[Request, ...]
    end: str
    wrong: tuple[str, ...]


async def perform(stage: Stage, pieces: Sequence[bytes]) -> Outcome:
    """Write the pieces, each read on its own, then close the sending side; take whatever comes."""
    recorder = stage.recorder
    whole, wrong = len(recorder.whole), len(recorder.wrong)
    line = await stage.connect()
    answers: list[Answer] = []
    try:
        await line.write(*pieces, END)
        end = await _answers(line, b"".join(pieces), answers)
    finally:
        line.close()
    await until(lambda: recorder.quiet and not stage.rig.in_flight(), "the gateway is done with it", ANSWER_S)
    return Outcome(tuple(answers), tuple(recorder.whole[whole:]), end, tuple(recorder.wrong[wrong:]))


async def _answers(line: Line, stream: bytes, answers: list[Answer]) -> str:
    """Take all answers; how the connection ended. Requests are taken for what the strict judge reads."""
    requests, rest, _ = read(stream)
    methods = [request.method for request in requests]
    try:
        while (answer := await line.answer(methods.pop(0) if methods else b"GET")) is not None:
            answers.append(answer)
        if line.got and rest.startswith(b"HEAD ") and (answer := cut_answer(line.got, b"HEAD")):
            answers.append(answer)  # a broken request may be answered as the HEAD that it looks like
            line.got = line.got[answer.size :]
    except Unreadable as unreadable:
        return f"malformed, {unreadable}: {line.got[:200]!r}"
    except TimeoutError:
        return f"neither an answer nor an end, after {line.got[:200]!r}"
    if line.got:
        return f"cut: {line.got[:200]!r}"
    return "reset" if line.cut else "closed"


def faults_of(outcome: Outcome, stream: bytes) -> list[str]:
    """What no stream whatsoever may lead to."""
    found = list(outcome.wrong)
    came = [arrived(request) for request in outcome.requests]
    asked = [each for request in read(stream)[0] if (each := arrival(request)) is not None]
    found += [f"nobody asked for {each}" for each in unasked(came, asked)]
    marks = [answer.value(b"x-mark") for answer in outcome.answers if answer.value(b"x-mark")]
    if marks != [each.mark for each in came]:
        found.append(f"{len(came)} requests arrived, {len(marks)} answers came back, or not in this order")
    if outcome.end != "closed":
        found.append(f"the connection's end: {outcome.end}")
    return found
