"""Versions grow, whatever the wall clock does."""

from hypothesis import given
from hypothesis import strategies as st

from discovery.hlc import MAX_DRIFT_MS, Hlc


@given(st.lists(st.integers(0, 2_000_000), min_size=1))
def test_values_grow_though_the_wall_clock_steps_back(walls: list[int]) -> None:
    clock = Hlc()
    values = [clock.next(wall_ms) for wall_ms in walls]
    assert values == sorted(set(values))


def test_a_value_is_above_what_was_seen() -> None:
    clock = Hlc()
    clock.witness(500 << 16, wall_ms=400)
    assert clock.next(400) > 500 << 16
    assert clock.next(400, above=900 << 16) == (900 << 16) + 1


def test_a_peer_far_ahead_does_not_drag_this_clock_along() -> None:
    clock = Hlc()
    clock.witness((MAX_DRIFT_MS + 1_000) << 16, wall_ms=0)
    assert clock.next(0) < MAX_DRIFT_MS << 16
