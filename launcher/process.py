"""A child process in a session of its own that dies with us, whose end is an event and whose output comes by lines.

It is a session leader, so a terminal's Ctrl-C does not reach it and one signal reaches it with all it has started.
PR_SET_PDEATHSIG makes the kernel kill it when the *thread* that forked it ends: `Process` may be made in the main
thread only. When the parent died before the child could ask for that, the child sees another parent and leaves.

At its end, while its pid still belongs to the zombie, what is left of its session is killed; then it is reaped, and
what it has written until then has been read.

Source: prctl(2), pidfd_open(2). Not here: which signal when (`launcher.component`), whose log (`launcher.logfile`).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from launcher import pids
from shared.child import die_with
from shared.errors import PlexmeshError

LINE_BYTES = 64 * 1024
"""A longer line is cut into several: a program's output never grows our memory."""

unreaped: set[int] = set()
"""Our own children that somebody waits for: whoever reaps others leaves these alone."""

OnLine = Callable[[bytes], None]
"""Called with each line of standard output and standard error, without its end."""


class NotStarted(PlexmeshError):
    """The operating system would not run the command."""


class Process:
    def __init__(
        self, command: Sequence[str], environ: Mapping[str, str], on_line: OnLine, folder: Path | None = None
    ) -> None:
        """Started in `folder`, or where we are. Raises NotStarted."""
        assert threading.current_thread() is threading.main_thread()
        self._loop = asyncio.get_running_loop()
        self._on_line = on_line
        self._popen = _spawn(command, environ, folder)
        self.pid = self._popen.pid
        unreaped.add(self.pid)
        self.record = pids.Pid(self.pid, pids.started(self.pid) or 0)
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._rest = b""
        assert self._popen.stdout is not None
        self._output = self._popen.stdout
        os.set_blocking(self._output.fileno(), False)
        self._loop.add_reader(self._output.fileno(), self._read)
        self._pidfd = os.pidfd_open(self.pid)
        self._loop.add_reader(self._pidfd, self._exit)

    async def ended(self) -> int:
        """Its exit status as in subprocess: negative = killed by that signal."""
        return await asyncio.shield(self._ended)

    @property
    def running(self) -> bool:
        return not self._ended.done()

    def signal(self, number: signal.Signals) -> None:
        """To the whole session; nothing once it has ended."""
        if self.running:
            os.killpg(self.pid, number)

    async def stop(self, grace_s: float) -> bool:
        """SIGTERM, also to a paused one, and SIGKILL after `grace_s`; whether it went by itself."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        try:
            async with asyncio.timeout(grace_s):
                await self.ended()
        except TimeoutError:
            self.signal(signal.SIGKILL)
            await self.ended()
            return False
        return True

    def _exit(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._read()
        self._close_output()  # what has left the session may hold the other end for ever
        self._ended.set_result(self._popen.wait())
        unreaped.discard(self.pid)

    def _read(self) -> None:
        """Everything that is there."""
        while not self._output.closed:
            try:
                part = os.read(self._output.fileno(), LINE_BYTES)
            except BlockingIOError:
                return
            if part:
                self._lines(part)
            else:
                self._close_output()

    def _close_output(self) -> None:
        if not self._output.closed:
            self._loop.remove_reader(self._output.fileno())
            self._output.close()
            if self._rest:
                self._on_line(self._rest)

    def _lines(self, part: bytes) -> None:
        *lines, self._rest = (self._rest + part).split(b"\n")
        if len(self._rest) >= LINE_BYTES:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._on_line(line)


def _spawn(command: Sequence[str], environ: Mapping[str, str], folder: Path | None) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            env=environ,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
            preexec_fn=functools.partial(die_with, os.getpid()),
        )
    except (OSError, subprocess.SubprocessError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise NotStarted(f"{command[0]}: cannot be started: {reason}") from error
