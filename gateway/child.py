"""One worker as its parent has it: a process, the channel to it, what it told last.

    spawn ──► began ──► told for the first time ──► … ──► ended, and its channel read to the end

It stays in our session, so that whoever signals the gateway as a whole (pause, kill) reaches its workers. Signals of
the terminal are ignored from before its program begins.

Not here: what a worker is for, and what follows its end (`crew`).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import msgspec

from gateway.channel import Channel
from gateway.control import (
    Alive,
    Asked,
    Begin,
    Chose,
    FromWorker,
    Led,
    Proven,
    Said,
    Seek,
    Shown,
    Told,
    ToWorker,
)
from gateway.login.table import Check, Here
from gateway.report import Report
from gateway.sticky_records import StickyRecords
from shared.child import die_with, ending
from shared.errors import Unavailable
from shared.events import Events

STARTS_WITHIN_S = 10.0
"""Until it says the first word: a busy machine takes its time to start a program."""

SILENT_S = 3.0
ENDS_WITHIN_S = 1.0
"""After it has closed its channel."""


class Child:
    """Made by `spawn`. `retired` and `why` are its crew's: told to leave; why it was killed."""

    def __init__(self, number: int, popen: subprocess.Popen[bytes], channel: Channel[FromWorker]) -> None:
        self.number = number
        self.pid = popen.pid
        self.retired = False
        self.why = ""
        self.report: Report | None = None
        self.answered = 0
        """The last question that was answered."""
        self.started = time.monotonic()
        self.asked = False
        """It wants to be replaced."""
        self._expected = self.started + STARTS_WITHIN_S
        self._popen = popen
        self._channel = channel
        self._news = asyncio.Event()
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @classmethod
    async def spawn(cls, begin: Begin) -> Child:
        """Raises OSError."""
        assert threading.current_thread() is threading.main_thread()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            try:
                popen = _popen(theirs.fileno())
            except BaseException:
                ours.close()
                raise
        try:
            pidfd = os.pidfd_open(popen.pid)
            channel: Channel[FromWorker] = await Channel.over(ours, FromWorker)
        except BaseException:
            popen.kill()
            popen.wait()
            ours.close()
            raise
        child = cls(begin.number, popen, channel)
        asyncio.get_running_loop().add_reader(pidfd, child._exit, pidfd)
        child.send(begin)
        return child

    # --- what it does

    async def attend(self, events: Events, records: StickyRecords, check: Check) -> None:
        """Hear it out; returns when it has ended."""
        logins = Here(check, lambda number, outcome: self.send(Proven(number, outcome)))
        while (message := await self._receive()) is not None:
            self._expected = time.monotonic() + SILENT_S
            match message:
                case Told(report, answer_to):
                    self.report = report
                    self.answered = max(self.answered, answer_to)
                case Said(event, fields):
                    events.emit(event, **fields, worker=self.number)
                case Asked():
                    self.asked = True
                case Seek(key):
                    records.seek(key, self.lead)
                    continue
                case Chose(key, instance, left):
                    records.chose(key, instance, left)
                    continue
                case Shown(number, token):
                    logins.ask(number, token)
                    continue
                case Alive():
                    continue
            self._changed()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ENDS_WITHIN_S):
                await self.over()
        self.kill("")  # without a channel it is of no use
        await self.over()
        self._channel.close()
        self._changed()

    async def _receive(self) -> FromWorker | None:
        try:
            return await self._channel.receive()
        except msgspec.DecodeError as error:
            self.kill(f"it spoke out of turn: {error}")
            return None

    def _exit(self, pidfd: int) -> None:
        asyncio.get_running_loop().remove_reader(pidfd)
        os.close(pidfd)
        self._code.set_result(self._popen.wait())

    @property
    def ended(self) -> bool:
        return self._code.done()

    @property
    def how(self) -> str:
        """How it ended."""
        return self.why or ending(self._code.result())

    @property
    def lived_s(self) -> float:
        return time.monotonic() - self.started

    @property
    def ready(self) -> bool:
        return self.report is not None and not self.report.why_not_ready

    def silent(self, now: float) -> bool:
        return now > self._expected and not self.ended

    def excuse(self, now: float) -> None:
        """It could not be heard, because we were not listening."""
        self._expected = max(self._expected, now + SILENT_S)

    async def until(self, condition: Callable[[], object], within_s: float) -> bool:
        """Whether it came true, before it ended or the time was over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not (condition() or self.ended):
                    await self._news.wait()
        return bool(condition()) and not self.ended

    async def over(self) -> None:
        await asyncio.shield(self._code)

    def _changed(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    # --- orders

    def send(self, message: ToWorker) -> None:
        self._channel.send(message)

    def lead(self, key: str, instance: str) -> None:
        self.send(Led(key, instance))

    def kill(self, why: str) -> None:
        if not self.ended:
            self.why = self.why or why
            self._popen.kill()

    def require(self, condition: bool, why: str) -> None:
        """Raises Unavailable, with how it ended if it has."""
        if not condition:
            reason = f"ended ({self.how})" if self.ended else why
            raise Unavailable(f"worker {self.number} {reason}")


MALLOC = {"MALLOC_MMAP_THRESHOLD_": "1048576", "MALLOC_TRIM_THRESHOLD_": "2097152", "MALLOC_TOP_PAD_": "524288"}
"""For glibc (mallopt(3)): a worker takes and frees a buffer of up to 256 kB with each read of a large body. By itself
glibc gives such memory back to the kernel each time, and takes it again; uploads cost a third less without that."""


def _popen(channel: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "gateway.worker", str(channel)],
        stdin=subprocess.DEVNULL,
        pass_fds=[channel],
        env=MALLOC | os.environ,
        preexec_fn=functools.partial(_prepare, os.getpid()),
    )


def _prepare(parent: int) -> None:
    """In the child, between fork and exec."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    die_with(parent)
