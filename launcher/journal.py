"""What happens in the sysplex: every state change goes into `up`'s event ring and, in words, to its terminal."""

from __future__ import annotations

from collections.abc import Callable

from launcher.messages import told
from shared.events import Event, Events

Tell = Callable[[str, str], None]
"""Show people a state change: the LPAR (or ""), the text."""

FOLLOW_UP = {
    "lpar.killed": "start",
    "lpar.lost": "start",
    "lpar.stopped": "start",
    "lpar.paused": "resume",
    "lpar.quiesced": "activate",
}
"""What an operator is told to do next."""

SHOWN = {"console.line"} | {
    f"component.{each}"
    for each in (
        "port_moved",
        "waiting",
        "not_awaited",
        "not_started",
        "not_restarted",
        "ready",
        "not_ready",
        "hung",
        "ended",
        "left",
        "restarting",
        "given_up",
        "killing",
        "paused",
        "resumed",
        "reloaded",
    )
}
"""Which of the launchers' events are worth a line."""


class Journal:
    def __init__(self, events: Events, tell: Tell, command: Callable[[str], str]) -> None:
        """`command("start LPAR2")` is that order as somebody would type it."""
        self._events = events
        self._tell = tell
        self.command = command

    def say(self, event: str, lpar: str = "", **values: object) -> None:
        if event in FOLLOW_UP:
            values["command"] = self.command(f"{FOLLOW_UP[event]} {lpar}")
        fields = told(event, **({"lpar": lpar} if lpar else {}), **values)
        self._events.emit(event, **fields)
        self._tell(lpar, str(fields["text"]))

    def hand_on(self, lpar: str, event: Event) -> None:
        """An event of that LPAR's launcher, which has it in its own ring."""
        if event.event in SHOWN:
            self._tell(lpar, str(event.fields.get("text", event.event)))
