"""The status area: slots, signs of life, and being alone. Openers in one process are as good as in several."""

from __future__ import annotations

from pathlib import Path

import pytest

from caching.backends.openers import HOLDS, RESTS, WANTS, Opener
from caching.backends.status import SLOTS, StatusArea, alone
from shared.errors import Conflict, Unavailable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "D.status"


def test_openers_see_each_other_and_not_themselves(path: Path) -> None:
    one, two = StatusArea(path, Opener("one", "LPAR1", 11, 5, "http://l", "http://u")), StatusArea(path, Opener("two"))
    assert [each.opener for each in two.others()] == [Opener("one", "LPAR1", 11, 5, "http://l", "http://u")]
    assert [each.opener.who for each in one.others()] == ["two"]
    one.close()
    assert two.others() == []
    two.close()


def test_a_beat_and_what_is_done_with_the_lock_are_seen_at_once(path: Path) -> None:
    one, two = StatusArea(path, Opener("one")), StatusArea(path, Opener("two"))
    before = two.others()[0]
    assert before.lock == RESTS
    for lock in (WANTS, HOLDS):
        one.says(lock)
        assert two.others()[0].lock == lock
    one.beat()
    after = two.others()[0]
    assert after.beat != before.beat
    assert after.lock == HOLDS
    one.close()
    two.close()


def test_the_slot_of_one_that_has_gone_is_the_next_ones(path: Path) -> None:
    one, two = StatusArea(path, Opener("one")), StatusArea(path, Opener("two"))
    one.says(HOLDS)
    slot = two.others()[0].slot
    one.close()
    three = StatusArea(path, Opener("three"))
    assert [(each.slot, each.opener.who, each.lock) for each in two.others()] == [(slot, "three", RESTS)]
    two.close()
    three.close()


def test_more_openers_than_slots_are_refused(path: Path) -> None:
    all = [StatusArea(path, Opener(str(n))) for n in range(SLOTS)]
    with pytest.raises(Unavailable, match="all 64 slots"):
        StatusArea(path, Opener("more"))
    all.pop().close()
    all.append(StatusArea(path, Opener("more")))
    for each in all:
        each.close()


def test_a_name_too_long_for_a_slot_is_cut(path: Path) -> None:
    one, two = StatusArea(path, Opener("x" * 1000)), StatusArea(path, Opener("two"))
    assert two.others()[0].opener == Opener("x" * 64)
    one.close()
    two.close()


def test_whoever_is_alone_keeps_others_out_until_then(path: Path) -> None:
    with alone(path), pytest.raises(Unavailable, match="being deleted"):
        StatusArea(path, Opener("one"))
    StatusArea(path, Opener("one")).close()


def test_nobody_is_alone_while_it_is_open_and_who_has_it_is_named(path: Path) -> None:
    one, two = StatusArea(path, Opener("LPAR2")), StatusArea(path, Opener("LPAR1"))
    with pytest.raises(Conflict, match="it is open: LPAR1, LPAR2"), alone(path):
        pass
    one.close()
    two.close()
    with alone(path):
        pass


def test_an_area_that_was_removed_is_not_used_again(path: Path) -> None:
    with alone(path):
        path.unlink()
    one, two = StatusArea(path, Opener("one")), StatusArea(path, Opener("two"))
    assert [each.opener.who for each in one.others()] == ["two"]
    assert path.stat().st_mode & 0o777 == 0o600
    one.close()
    two.close()
