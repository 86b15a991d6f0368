"""The operator's commands to one LPAR's launcher, in Zowe's words: MODIFY job,APPL=START(gateway), STOP(gateway), DISP.

Answers are messages, a line each, as the job log has them. `APPL=` may be left out; the case does not matter. STOP
without a component ends the launcher, as `STOP job` does.

Source: Zowe's launcher. DISP there has no state, and START does not say whether it has started.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from launcher.component import Component
from launcher.messages import message
from launcher.supervisor import Supervisor
from shared.errors import Conflict, NotFound, PlexmeshError, nearest

Verb = Literal["START", "STOP", "DISP"]

LENGTH = 126
"""An operator's line on z/OS is not longer."""

FORM = re.compile(r"(?:APPL=)?([A-Z]+)(?:\((.*)\))?", re.IGNORECASE | re.DOTALL)
NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")


@dataclass(frozen=True)
class Command:
    """`component` is lower case; none with DISP, and with STOP for all of them."""

    verb: Verb
    component: str | None = None


class UnknownCommand(PlexmeshError):
    """Zowe's ZWEL0042E."""


class BadValue(PlexmeshError):
    """Zowe's ZWEL0041E."""


def parse(text: str) -> Command:
    """Raises UnknownCommand, BadValue."""
    form = FORM.fullmatch(text.strip())
    verb = form[1].upper() if form else text.strip().split("(", 1)[0]
    value = form[2] if form else None
    name = (value or "").strip().lower()
    match verb:
        case "DISP" if form and value is None:
            return Command("DISP")
        case "STOP" if form and value is None:
            return Command("STOP")
        case "START" | "STOP" if form and NAME.fullmatch(name):
            return Command("START" if verb == "START" else "STOP", name)
        case "START" | "STOP" | "DISP":
            raise BadValue(f"{text.strip()!r}: expected START(component), STOP(component), STOP or DISP")
    raise UnknownCommand(f"{text.strip()!r}{nearest(verb.upper(), ('START', 'STOP', 'DISP'))}")


class Operator:
    """Does what is ordered, and answers with messages."""

    def __init__(self, lpar: str, supervisor: Supervisor, stop: Callable[[], None]) -> None:
        """`stop` ends the launcher."""
        self._lpar = lpar
        self._supervisor = supervisor
        self._stop = stop
        self._say = supervisor.joblog.say

    async def answer(self, text: str) -> list[str]:
        """Message lines, the last of them an error (…E) or a warning (…W) when it was not done."""
        said = self._say("command.received", command=text[:LENGTH])
        try:
            return [said, *await self._done(parse(text[:LENGTH]))]
        except UnknownCommand as error:
            return [said, self._say("command.unknown", why=str(error))]
        except BadValue as error:
            return [said, self._say("command.bad_value", why=str(error))]
        except NotFound as error:
            return [said, self._say("command.not_found", why=str(error))]
        except Conflict as error:
            return [said, self._say("command.not_possible", why=str(error))]

    async def _done(self, command: Command) -> list[str]:
        if command.verb == "DISP":
            return self._components()
        if command.component is None:
            self._stop()
            return [self._say("launcher.stop_ordered")]
        component = self._supervisor.find(command.component)
        return await (self._started(component) if command.verb == "START" else self._stopped(component))

    def _components(self) -> list[str]:
        components = self._supervisor.states().components
        lines = [self._say("command.components", lpar=self._lpar, count=len(components))]
        for each in components:
            lines.append(self._say("command.component", component=each.name, pid=each.pid or -1, state=each.state))
        return lines

    async def _started(self, component: Component) -> list[str]:
        """What the component itself has said into the log."""
        name, before = component.spec.name, component.process
        if component.restarts.running:
            return [self._say("command.already_running", component=name)]
        component.begin()
        await component.until(lambda: component.process is not before or not component.wanted)
        if component.process is None or component.process is before:
            return [message("component.not_started", component=name, why="; ".join(component.why))]
        return [message("component.started", component=name, pid=component.process.pid)]

    async def _stopped(self, component: Component) -> list[str]:
        about = {"component": component.spec.name, "pid": component.leader.pid if component.leader else -1}
        await self._supervisor.order(component.spec.name, "stop")
        forced = [message("component.killing", **about, grace_s=component.grace_s)] if component.killed else []
        return [*forced, message("component.stopped", **about)]
