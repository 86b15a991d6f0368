"""When a holder of the lock that gives no sign of life is to be ended, and when nobody is."""

from __future__ import annotations

import dataclasses

import pytest

from caching import settings
from caching.backends.fencing import AGAIN_S, Watch
from caching.backends.openers import HOLDS, RESTS, WANTS, Opener, Seen
from shared.errors import ConfigError

DEADLINE_S, FENCE_S = 2.0, 3.0


@dataclasses.dataclass
class Waiter:
    """Looks once a second; the one blocked is us."""

    watch: Watch = dataclasses.field(default_factory=lambda: Watch(DEADLINE_S, FENCE_S))
    now: float = 1000.0
    blocked_s: float = 0.0

    def look(self, *others: Seen, after_s: float = 1.0, blocked: bool = True) -> str | None:
        self.now += after_s
        self.blocked_s = self.blocked_s + after_s if blocked else 0.0
        silent = self.watch.look(self.now, self.blocked_s, others)
        return silent.opener.who if silent else None

    def looks(self, count: int, *others: Seen) -> list[str | None]:
        return [self.look(*others) for _ in range(count)]


def seen(slot: int, lock: int, beat: int = 7, who: str = "") -> Seen:
    return Seen(slot, Opener(who or f"LPAR{slot}"), beat, lock)


def test_a_silent_holder_is_ended_after_the_deadline_and_the_silence_and_not_before() -> None:
    assert Waiter().looks(6, seen(2, HOLDS)) == [None] * 5 + ["LPAR2"]


def test_a_holder_that_beats_is_slow_and_never_ended() -> None:
    waiter = Waiter()
    assert {waiter.look(seen(2, HOLDS, beat)) for beat in range(100)} == {None}


def test_a_holder_whose_beat_comes_now_and_then_is_not_ended() -> None:
    waiter = Waiter()
    assert {waiter.look(seen(2, HOLDS, tick // 3)) for tick in range(100)} == {None}


def test_nobody_is_ended_while_nobody_waits_long() -> None:
    waiter = Waiter()
    for _ in range(20):
        assert waiter.looks(2, seen(2, HOLDS)) == [None, None]
        waiter.look(seen(2, HOLDS), blocked=False)


def test_silence_before_we_waited_does_not_count() -> None:
    waiter = Waiter()
    for _ in range(20):
        waiter.look(seen(2, RESTS), blocked=False)
    assert waiter.looks(5, seen(2, HOLDS)) == [None] * 5


@pytest.mark.parametrize("away_s", [3.0, 3600.0])
def test_whoever_was_away_itself_starts_again(away_s: float) -> None:
    waiter = Waiter()
    waiter.looks(5, seen(2, HOLDS))
    assert waiter.look(seen(2, HOLDS), after_s=away_s) is None
    assert waiter.looks(2, seen(2, HOLDS)) == [None, None]
    assert waiter.look(seen(2, HOLDS)) == "LPAR2"


def test_of_the_silent_ones_the_holder_is_ended_and_not_who_rests_or_waits() -> None:
    others = (seen(1, RESTS), seen(2, WANTS), seen(3, HOLDS))
    assert Waiter().looks(6, *others)[-1] == "LPAR3"


def test_one_stopped_between_getting_the_lock_and_saying_so_is_found() -> None:
    waiter = Waiter()
    verdicts = [waiter.look(seen(1, RESTS), seen(2, WANTS), seen(3, WANTS, beat)) for beat in range(6)]
    assert verdicts == [None] * 5 + ["LPAR2"]


def test_nobody_is_ended_for_another_who_holds_the_lock_and_beats() -> None:
    waiter = Waiter()
    assert {waiter.look(seen(2, WANTS), seen(3, HOLDS, beat), seen(4, HOLDS)) for beat in range(50)} == {None}


def test_another_one_in_the_same_slot_is_another_one() -> None:
    waiter = Waiter()
    waiter.looks(5, seen(2, HOLDS, who="before"))
    assert waiter.looks(3, seen(2, HOLDS, who="after")) == [None, None, None]


def test_it_is_judged_again_when_it_did_not_help_but_not_at_once() -> None:
    verdicts = Waiter().looks(12, seen(2, HOLDS))
    assert [n for n, verdict in enumerate(verdicts) if verdict] == [5, 5 + AGAIN_S]


def test_zero_is_never() -> None:
    waiter = Waiter(Watch(DEADLINE_S, 0))
    assert set(waiter.looks(100, seen(2, HOLDS))) == {None}


@pytest.mark.parametrize("given", [0, 2, 3.5])
def test_the_setting(given: float) -> None:
    assert settings.fence_after_s(given) == given


@pytest.mark.parametrize("given", [-1, 0.5, 1.9, 4000])
def test_a_time_shorter_than_two_signs_of_life_is_refused(given: float) -> None:
    with pytest.raises(ConfigError, match="fenceAfterS: expected 2 to 3600 seconds, or 0"):
        settings.fence_after_s(given)
