"""What refuses writes just now: said once when it begins and once when it ends, and shown as long as it lasts."""

from __future__ import annotations

from typing import TypeVar

from shared.errors import PlexmeshError
from shared.events import Events

E = TypeVar("E", bound=PlexmeshError)


class Trouble:
    def __init__(self, events: Events, **fields: object) -> None:
        """`fields` say whose trouble it is, with each event."""
        self._events = events
        self._fields = fields
        self._why: str | None = None

    def begins(self, error: E) -> E:
        """Or goes on, for that reason; the error is given back."""
        if self._why is None:
            self._events.emit("storage.writes_refused", **self._fields, why=str(error))
        self._why = str(error)
        return error

    def ends(self) -> None:
        if self._why is not None:
            self._why = None
            self._events.emit("storage.writes_resumed", **self._fields)

    def remarks(self) -> list[str]:
        return [f"the last write was refused: {self._why}"] if self._why else []
