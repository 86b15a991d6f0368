"""What is settled of a growing log."""

from discovery.growth import Growth, Pace

PACE_S = 0.02


def test_what_is_new_is_not_settled_and_soon_is() -> None:
    growth = Growth()
    growth.note(5, 1.0, PACE_S)
    assert growth.settled(1.01, PACE_S) == 0
    assert growth.settled(1.02, PACE_S) == 5


def test_the_last_of_a_burst_is_settled_too() -> None:
    growth = Growth()
    growth.note(14, 1.0, PACE_S)
    growth.note(15, 1.01, PACE_S)
    assert growth.settled(2.0, PACE_S) == 15


def test_a_log_that_never_rests_is_settled_as_of_a_while_ago() -> None:
    growth = Growth()
    for step in range(1, 200):
        now = step * 0.005
        growth.note(step, now, PACE_S)
        settled = growth.settled(now, PACE_S)
        assert settled <= max(step - 4, 0)
        assert settled >= step - 10 or step < 10


def test_the_pace_is_that_of_the_last_span() -> None:
    pace = Pace()
    measured = [pace.of(step, step * 0.01) for step in range(1, 200)]
    assert measured[0] == 0.0
    assert 95 < measured[-1] < 105
    assert pace.of(200, 60.0) < 5
