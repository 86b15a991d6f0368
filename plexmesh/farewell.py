"""Signals that end the program, held back until its service has left the registry.

    SIGTERM ──▶ leave (OUT_OF_SERVICE, drain, DELETE) while the program still serves ──▶ SIGTERM as before

A server closes its port first when it is told to stop, and only then tells the application. Calls that gateways still
send in that second would be refused. So the service leaves first, then the signal is sent again and does what it did
before: a server's own handler, KeyboardInterrupt, or the end of the process.

Worker processes get one order to stop several times: from their parent, and with all of its process group. So a signal
that follows at once is the same order; one that comes `AGAIN_S` later is somebody's impatience and goes through.

Only handlers that Python code has set are wrapped (or none at all, the default), from the main thread. Left alone are
an ignored signal, an event loop's own handler (it cannot be held back, nor asked for), and a SIGHUP that the program
uses for something else.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

AGAIN_S = 0.5

LOOPS = ("asyncio.unix_events", "uvloop.loop")
"""Where handlers set by `loop.add_signal_handler` come from."""


class Farewell:
    def __init__(self, leave: Callable[[], None]) -> None:
        """`leave` begins to leave and returns at once; it is called in a signal handler, on the main thread."""
        self._leave = leave
        self._pid = 0
        self._former: dict[int, Any] = {}
        self._held = 0
        self._held_at = 0.0
        self._left = False

    @contextlib.contextmanager
    def arranged(self) -> Iterator[None]:
        self.arrange()
        try:
            yield
        finally:
            self.undo()

    def arrange(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        self._pid = os.getpid()
        for number in SIGNALS:
            former = signal.getsignal(number)
            if holdable(number, former):
                self._former[number] = former
                signal.signal(number, self._on_signal)

    def undo(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number, former in self._former.items():
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, former)

    def left(self) -> None:
        """The service has left: send again what was held back. From any thread."""
        self._left = True
        if self._held:
            os.kill(os.getpid(), self._held)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._left or os.getpid() != self._pid:  # a forked child has no service of its own
            self._pass_on(number, frame)
        elif not self._held:
            self._held, self._held_at = number, time.monotonic()
            self._leave()
        elif time.monotonic() - self._held_at > AGAIN_S:
            self._pass_on(number, frame)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        former = self._former[number]
        if callable(former):
            former(number, frame)
        else:
            signal.signal(number, former)
            os.kill(os.getpid(), number)


def holdable(number: int, handler: Any) -> bool:
    if handler == signal.SIG_DFL:
        return True
    return callable(handler) and number != signal.SIGHUP and getattr(handler, "__module__", "") not in LOOPS
