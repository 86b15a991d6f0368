"""What one data path remembers of tokens, and how it asks for what it does not: the parent, whose `Logins` knows.

    known      for FRESH_S from the moment it was asked for; nobody waits
    unknown    asked for once, whoever else shows the same token waits with it
    no answer within ANSWER_S      "not known", which nobody may take for good

A logout is known everywhere within a second: half of it is `revocations`' to forget, less than the other half is ours.
Tokens are remembered by their hash.

Not here: what is done with the answer (`entrance`, `passing`).
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from cachetools import TLRUCache

from gateway.login.passing import Outcome
from gateway.login.tokens import MAX_CHARS
from gateway.login.verdict import NotKnown, TooOld, Valid, Verdict

FRESH_S = 0.4
ANSWER_S = 3.0
REMEMBERED = 10_000

Heard = Callable[[Outcome], None]
Check = Callable[[str], Awaitable[Verdict]]


class Asking(Protocol):
    """Whoever knows."""

    def ask(self, number: int, token: str) -> bool:
        """False: nobody can be asked. The answer comes by `found`."""


class Nobody:
    def ask(self, number: int, token: str) -> bool:
        return False


class Question(NamedTuple):
    key: str
    asked: float
    waiting: list[Heard]


class LoginTable:
    def __init__(self) -> None:
        self.asking: Asking = Nobody()
        self._known: TLRUCache[str, tuple[Outcome, float]] = TLRUCache(REMEMBERED, _stale, timer=time.monotonic)
        """And when it was asked for."""
        self._questions: dict[int, Question] = {}
        self._latest: dict[str, Question] = {}
        """By key, of those under way."""
        self._number = 0

    def known(self, token: str) -> Outcome | None:
        if not token:
            return "none"
        if len(token) > MAX_CHARS:
            return "bad"
        found = self._known.get(_key(token))
        return found[0] if found is not None else None

    def seek(self, token: str, heard: Heard) -> None:
        """`heard` is called exactly once, at once or later."""
        key, now = _key(token), time.monotonic()
        latest = self._latest.get(key)
        if latest is not None and now - latest.asked < FRESH_S:  # what was asked long ago may not be true by now
            latest.waiting.append(heard)
            return
        self._number += 1
        if not self.asking.ask(self._number, token):
            heard("not known")
            return
        self._questions[self._number] = self._latest[key] = Question(key, now, [heard])
        asyncio.get_running_loop().call_later(ANSWER_S, self.found, self._number, "not known")

    def found(self, number: int, outcome: Outcome) -> None:
        question = self._questions.pop(number, None)
        if question is None:
            return
        if self._latest.get(question.key) is question:
            del self._latest[question.key]
            if outcome != "not known":
                self._known[question.key] = outcome, question.asked
        for heard in question.waiting:
            heard(outcome)


def outcome_of(verdict: Verdict) -> Outcome:
    match verdict:
        case Valid():
            return "good"
        case TooOld():
            return "old"
        case NotKnown():
            return "not known"
    return "bad"


class Here:
    """Asks `Logins` of the same process."""

    def __init__(self, check: Check, found: Callable[[int, Outcome], None]) -> None:
        self._check = check
        self._found = found
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, number: int, token: str) -> bool:
        task = asyncio.get_running_loop().create_task(self._ask(number, token))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _ask(self, number: int, token: str) -> None:
        outcome: Outcome = "not known"
        try:
            outcome = outcome_of(await self._check(token))
        finally:
            self._found(number, outcome)


def _key(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _stale(_key: str, known: tuple[Outcome, float], _now: float) -> float:
    return known[1] + FRESH_S
