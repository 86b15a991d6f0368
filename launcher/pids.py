"""Which process is whose, also for somebody who did not start it: pids with their start times, in a file per LPAR.

A pid alone says nothing once its process has ended and the number was given away again; pid and start time (clock ticks
since boot, field 22 of /proc/PID/stat, which no change of the wall clock moves) are one process for ever. The launcher
writes `<data>/LPARn/run/pids.json`, `up` reads it to kill or pause exactly those when the launcher cannot.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

FILE = "pids.json"


class Pid(msgspec.Struct, frozen=True):
    pid: int
    started: int
    """Clock ticks since boot."""


def fields(pid: int) -> list[bytes] | None:
    """/proc/PID/stat from its third field on, the state; None when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()  # the name before it may hold anything, also ")"
    except (FileNotFoundError, ProcessLookupError):
        return None


def _stat(pid: int) -> tuple[str, int] | None:
    """State letter and start time; None when there is no such process."""
    found = fields(pid)
    return (found[0].decode(), int(found[19])) if found else None


def started(pid: int) -> int | None:
    found = _stat(pid)
    return found[1] if found else None


def state(pid: Pid) -> str | None:
    """/proc's letter ("S", "R", "T" = stopped, …); None when it has ended, reaped or not."""
    found = _stat(pid.pid)
    return found[0] if found and found[1] == pid.started and found[0] not in "ZX" else None


def alive(pid: Pid) -> bool:
    return state(pid) is not None


def signal_group(pid: Pid, number: signal.Signals) -> None:
    """Signal what is left of its session; nothing when its number is another process's now.

    The kernel gives a number away again only when no process has it as pid, group or session. So while nobody has it as
    pid, the group of that number is still the one that was started, without its leader, or is empty.
    """
    found = _stat(pid.pid)
    if found is None or found[1] == pid.started:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid.pid, number)


def signal_one(pid: Pid, number: signal.Signals) -> None:
    """Signal that process alone; nothing when it has ended, whoever has its number now."""
    try:
        descriptor = os.pidfd_open(pid.pid)
    except ProcessLookupError:
        return
    try:
        if alive(pid):  # of the process the descriptor stands for: its number cannot be given away while it lives
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(descriptor, number)
    finally:
        os.close(descriptor)


async def gone(pids: Iterable[Pid]) -> None:
    """Return when all of them have ended."""
    for pid in pids:
        await _gone(pid)


async def _gone(pid: Pid) -> None:
    try:
        descriptor = os.pidfd_open(pid.pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    try:
        if alive(pid):
            loop.add_reader(descriptor, ended.set)
            await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def write(folder: Path, processes: Mapping[str, Pid]) -> None:
    """Replace the record as a whole: a reader sees the old one or the new one."""
    fresh = folder / f"{FILE}.new"
    fresh.write_bytes(msgspec.json.encode(processes))
    fresh.replace(folder / FILE)


def read(folder: Path) -> dict[str, Pid]:
    """Names to processes; empty when nothing (readable) was recorded."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=dict[str, Pid])
    except (OSError, msgspec.DecodeError):
        return {}
