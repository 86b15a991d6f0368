"""The job log of one LPAR, as Zowe's launcher writes it: its own messages, and the components' lines as they are.

    2026-11-26 11:41:02.318 <ZWELNCH:4711> ibmuser INFO ZWEL0001I gateway(4712) started

Times are UTC. The level is the last letter of the message id. A line of a component that looks like one of ours is not
told apart from it: upstream has the same weakness, and every component has a log of its own besides.

A line that holds one of the `console` strings (`zowe.sysMessages`) is an event of its own too, cut to what fits on the
console of z/OS: `up` shows it on its terminal.

`say` is how the launcher says anything: the same event goes into the ring that consoles follow.

Source: the line form of Zowe's launcher. Not here: the texts (`launcher.messages`), bounds (`launcher.logfile`).
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from datetime import UTC, datetime

from launcher.logfile import LogFile
from launcher.messages import message, told
from shared.events import Events

CONSOLE = 126
"""Characters."""

LEVELS = {"I": "INFO", "W": "WARN", "E": "ERROR"}


class JobLog:
    def __init__(self, log: LogFile, events: Events, console: Sequence[str] = ()) -> None:
        self._log = log
        self._console = [each.encode() for each in console if each]
        self._events = events
        self._user = _user()

    def say(self, event: str, /, **values: object) -> str:
        """Returns the message: its id and its text."""
        self._events.emit(event, **told(event, **values))
        return self.note(event, **values)

    def note(self, event: str, /, **values: object) -> str:
        """Only into the job log: what the launcher's own output says in another way."""
        text = message(event, **values)
        self._write(line(text, datetime.now(UTC), os.getpid(), self._user).encode(errors="replace"))
        return text

    def pass_on(self, component_line: bytes) -> None:
        self._write(component_line)

    def _write(self, whole: bytes) -> None:
        self._log.write(whole)
        if any(each in whole for each in self._console):
            self._events.emit("console.line", text=whole.decode(errors="replace")[:CONSOLE])


def line(text: str, instant: datetime, pid: int, user: str) -> str:
    """`text` begins with its id and is put into one line, whatever a component's last words hold."""
    level = LEVELS[text.split(" ", 1)[0][-1]]
    when = instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.") + f"{instant.microsecond // 1000:03d}"
    return f"{when} <ZWELNCH:{pid}> {user} {level} {' '.join(text.splitlines())}"


def _user() -> str:
    """Its number where it has no name, as in a container that runs under any uid."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
