"""Nothing outlives its component: what has lost its parent below us becomes our child, is reaped, and goes in its turn.

PR_SET_CHILD_SUBREAPER makes the kernel hand us every descendant whose parent has ended, also one that has left its
session; as process 1 of a container we get them anyway. Whoever adopts must reap, or zombies fill the process table.

When a component has ended, what is left of it is killed: all that is in its session, that bears its mark in the
environment (`launcher.kin`), or that descends from such a process. So nothing of a component runs on after its end but
what hides all three (has left its session, its parents *and* its environment), and that ends with the launcher.

A launcher killed with SIGKILL can do nothing: its components go with it (PR_SET_PDEATHSIG), and whatever they have
started goes when `up`, which adopts it, sees the end. Without an `up` (a lone `run`, or `up` killed too) what bears the
mark goes when this LPAR is started again. In a container the kernel kills everything with process 1.

Source: prctl(2), waitid(2), pid_namespaces(7). Not here: a component's own session leader (`launcher.process`).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
from collections.abc import Callable, Collection

from launcher import kin, pids
from launcher.process import unreaped

PR_SET_CHILD_SUBREAPER = 36

LOOK_AGAIN_S = 0.1
PASSES = 10
"""Killing is repeated for what was forked meanwhile."""

KILLED_WITHIN_S = 5.0
"""A process that is stuck in the kernel may not go for SIGKILL at once; then it is left."""


_earlier: frozenset[pids.Pid] = frozenset()
"""What was below us before we adopted anybody, by an exec in a shell with jobs of its own, is none of ours."""


def adopt() -> None:
    """From now on, for the whole process."""
    global _earlier  # being a reaper is a fact of the process, as the kernel has it
    loop = asyncio.get_running_loop()
    _earlier = frozenset(each.record for each in kin.below(kin.table(), [os.getpid()]))
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # not the loop's add_signal_handler: uvloop keeps SIGCHLD for itself, and without subprocesses does not use it
    signal.signal(signal.SIGCHLD, lambda *_: loop.call_soon_threadsafe(_reap))


def _reap() -> None:
    """All that have ended and that nobody waits for; those behind one that is waited for a moment later."""
    while (ended := _ended()) is not None:
        if ended in unreaped:
            asyncio.get_running_loop().call_later(LOOK_AGAIN_S, _reap)
            return
        with contextlib.suppress(ChildProcessError):
            os.waitpid(ended, os.WNOHANG)


def found(mark: str, sessions: Collection[int] = (), processes: kin.Table | None = None) -> list[pids.Pid]:
    """The living orphans that are in one of the sessions or bear the mark, and their descendants; without a mark all of
    them. What descends from a child of ours that is waited for is no orphan. `processes` are those there are now."""
    processes = kin.table() if processes is None else processes
    orphans = kin.below(processes, [os.getpid()], without=unreaped)
    heads = [each.pid for each in orphans if not mark or each.session in sessions or kin.marked(each.pid, mark)]
    theirs = {*heads, *(each.pid for each in kin.below(processes, heads, without=unreaped))}
    living = (processes[pid] for pid in theirs if not processes[pid].ended)
    return [each.record for each in living if each.record not in _earlier]


async def end(mark: str, sessions: Collection[int] = ()) -> int:
    """Kill those that are `found`; how many there were."""
    return await _end(lambda: found(mark, sessions))


async def end_strays(mark: str) -> int:
    """Kill what a launcher that was killed itself has left behind, wherever it is; how many there were."""
    return await _end(lambda: _strays(mark))


def _strays(mark: str) -> list[pids.Pid]:
    processes = kin.table()
    ours, at = {os.getpid()}, processes.get(os.getpid())
    while at is not None and at.parent not in ours:
        ours.add(at.parent)
        at = processes.get(at.parent)
    found = (each for each in processes.values() if each.pid not in ours and not each.ended)
    return [each.record for each in found if kin.marked(each.pid, mark)]


async def _end(find: Callable[[], list[pids.Pid]]) -> int:
    ended: set[pids.Pid] = set()
    for _ in range(PASSES):
        found = find()
        if not found:
            break
        ended.update(found)
        for each in found:
            pids.signal_one(each, signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KILLED_WITHIN_S):
                await pids.gone(found)
    return len(ended)


def _ended() -> int | None:
    """A child that has ended and is not reaped yet."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return found.si_pid if found else None
