"""Server-sent events, cut out of a stream of bytes of any sizes.

Source: WHATWG HTML, section 9.2.6, as far as plexmesh's own streams use it: `event`, `data`, `id`, comments; lines end
with LF or CR LF.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.errors import PlexmeshError

MAX_EVENT_BYTES = 1_048_576


class TooLong(PlexmeshError):
    """An event without an end."""


@dataclass(frozen=True, slots=True)
class Message:
    event: str
    data: bytes
    id: str


class Parser:
    def __init__(self) -> None:
        self._held = b""
        self._event = ""
        self._id = ""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[Message]:
        """The events that are complete now."""
        *lines, self._held = (self._held + chunk).split(b"\n")
        if len(self._held) > MAX_EVENT_BYTES:
            raise TooLong("an event of more than a megabyte")
        found = [self._line(line.removesuffix(b"\r")) for line in lines]
        return [message for message in found if message is not None]

    def _line(self, line: bytes) -> Message | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id":
            self._id = value.decode("utf-8", "replace")
        return None

    def _dispatch(self) -> Message | None:
        data, self._data = self._data, []
        event, self._event = self._event, ""
        return Message(event, b"\n".join(data), self._id) if data else None
