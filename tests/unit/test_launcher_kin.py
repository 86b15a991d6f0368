"""Descent, in a table of processes that is written down."""

from __future__ import annotations

import os

from launcher import kin, pids
from launcher.kin import Kin, below


def family(*pairs: tuple[int, int]) -> dict[int, Kin]:
    """(pid, parent)"""
    return {pid: Kin(pid, parent, session=pid, started=0, ended=False) for pid, parent in pairs}


FAMILY = family((1, 0), (10, 1), (11, 10), (12, 11), (20, 1), (21, 20))


def test_descendants_of_several() -> None:
    assert {each.pid for each in below(FAMILY, [10, 20])} == {11, 12, 21}
    assert below(FAMILY, [12, 99]) == []


def test_without_a_branch() -> None:
    assert {each.pid for each in below(FAMILY, [1], without=[10])} == {20, 21}


def test_a_circle_by_a_number_given_away_while_it_was_read_ends() -> None:
    assert {each.pid for each in below(family((2, 3), (3, 2)), [2])} == {2, 3}


def test_we_are_in_the_machines_table() -> None:
    me = kin.table()[os.getpid()]
    assert (me.parent, me.session, me.ended) == (os.getppid(), os.getsid(0), False)
    assert pids.alive(me.record)
