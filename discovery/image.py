"""What a node keeps on disk and starts from: members, also dead ones, and its copies of all logs.

What is loaded is provisional: it says what was, not what is. The first covered peer that answers is believed instead;
only when nobody answers are its instances served, as those of owners that died when this node started.

Not here: the file (`discovery.disk`).
"""

from __future__ import annotations

import msgspec

from discovery.messages import Fact
from discovery.record import Record

FORMAT = 1


class SavedSpace(msgspec.Struct, frozen=True, array_like=True):
    """`dead_s`: for how long its origin had been dead when this was saved; negative: it was not."""

    origin: str
    max_seq: int
    gc_seq: int
    dead_s: float
    records: list[Record]


class Image(msgspec.Struct, frozen=True, array_like=True):
    format: int
    sysplex: str
    node: str
    epoch: int
    facts: list[Fact]
    forgotten: dict[str, int]
    spaces: list[SavedSpace]
