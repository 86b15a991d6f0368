"""Who has a data set open, as the others see it.

    lock    RESTS ──wants──▶ WANTS ──got──▶ HOLDS ──freed──▶ RESTS

WANTS is said before the lock is asked for and HOLDS once it is had; whoever is stopped in between has it, and says
WANTS still. So of those who are silent, one that HOLDS is the holder; where nobody says so, one that WANTS may be.
"""

from __future__ import annotations

import msgspec

RESTS, WANTS, HOLDS = range(3)


class Opener(msgspec.Struct, frozen=True, omit_defaults=True):
    """`who` is for people. `launcher` and `sysplex` are the URLs that can end it: its LPAR's launcher, and `up`."""

    who: str
    lpar: str = ""
    pid: int = 0
    since_ms: int = 0
    launcher: str = ""
    sysplex: str = ""


class Seen(msgspec.Struct, frozen=True):
    """An opener that lives (it may be stopped), its last sign of life, and what it does with the lock."""

    slot: int
    opener: Opener
    beat: int
    lock: int
