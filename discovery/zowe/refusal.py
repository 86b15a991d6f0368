"""Why some static definition is not served: which file and line, which property, what stands there, what is expected.

Raised where all of a file is refused, collected where only a part is.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from shared.errors import BadInput

MAX_SHOWN = 80

Kind = Literal["data", "file", "folder", "no folder"]
"""What could not be used: something in a file, a file, a folder, or a folder that is not there."""


class Refusal(BadInput):
    """`line` counts from 1; 0 where the file or folder as a whole could not be read."""

    def __init__(self, file: str, line: int, reason: str, kind: Kind = "data") -> None:
        super().__init__(f"{file}:{line}: {reason}" if line else f"{file}: {reason}")
        self.file = file
        self.line = line
        self.reason = reason
        self.kind = kind

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Refusal) and (str(self), self.kind) == (str(other), other.kind)

    def __hash__(self) -> int:
        return hash(str(self))


def shown(value: object) -> str:
    """A value as JSON, shortened."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}… ({len(text)} characters)"
