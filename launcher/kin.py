"""Who descends from whom: the machine's processes at one instant, read from /proc.

A process stays in its session and keeps its first environment, whatever becomes of its parents; so a program that has
made itself a daemon (setsid, two forks) still tells by its environment which component it came from. One that clears
its environment as well (`env -i`, another user's) can be told only by its parent.

Source: proc(5). Not here: what is done to them (`launcher.orphans`).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from launcher.pids import Pid, fields

MARK = "PLEXMESH_COMPONENT"
"""Variable of every component, inherited by what it starts: <data>/LPARn/name."""


@dataclass(frozen=True)
class Kin:
    """`ended`: a zombie, waiting for its parent to ask how it ended."""

    pid: int
    parent: int
    session: int
    started: int
    ended: bool

    @property
    def record(self) -> Pid:
        return Pid(self.pid, self.started)


Table = Mapping[int, Kin]
"""By pid."""


def table() -> dict[int, Kin]:
    """Every process there is; about 10 µs each."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (kin := _read(int(name))) is not None:
            found[kin.pid] = kin
    return found


def _read(pid: int) -> Kin | None:
    found = fields(pid)
    if found is None:
        return None
    return Kin(pid, int(found[1]), int(found[3]), int(found[19]), found[0] in (b"Z", b"X"))


def below(processes: Table, roots: Iterable[int], without: Collection[int] = ()) -> list[Kin]:
    """The descendants of these, and neither those of `without` nor they themselves."""
    children: dict[int, list[Kin]] = {}
    for each in processes.values():
        children.setdefault(each.parent, []).append(each)
    found, waiting, seen = [], list(roots), set(without)
    while waiting:
        for each in children.get(waiting.pop(), ()):
            if each.pid not in seen:
                seen.add(each.pid)
                found.append(each)
                waiting.append(each.pid)
    return found


def marked(pid: int, mark: str) -> bool:
    """Whether the environment it began with says that it is part of that: `mark` is a path, of which it has the
    beginning or the whole in MARK."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            environ = file.read().split(b"\0")
    except OSError:  # it has ended, or is another user's
        return False
    wanted = f"{MARK}={mark}".encode()
    return any(each == wanted or each.startswith(wanted + b"/") for each in environ)
