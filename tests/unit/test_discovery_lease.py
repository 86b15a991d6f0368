"""Leases: exact, swept, and not run down by a pause of our own process."""

from discovery.lease import Leases


def swept(leases: Leases, until: float, start: float = 0.0) -> list[tuple[float, str]]:
    """Sweep each second; (time, key) of each expiry."""
    found = []
    now = start
    while now < until:
        now += 1.0
        for key in leases.sweep(now):
            leases.end(key)
            found.append((now, key))
    return found


def test_a_lease_is_exact_and_not_doubled_by_a_renewal() -> None:
    leases = Leases()
    leases.grant("a", 15, 0.0)
    assert swept(leases, 10) == []
    assert leases.renew("a", 10.0)
    assert swept(leases, 40, start=10.0) == [(26.0, "a")]


def test_one_that_never_beats_goes_after_its_lease() -> None:
    leases = Leases()
    leases.grant("a", 15, 0.0)
    assert swept(leases, 30) == [(16.0, "a")]


def test_renewing_what_is_not_ours_is_said() -> None:
    assert not Leases().renew("a", 0.0)


def test_a_pause_of_this_process_expires_nobody() -> None:
    leases = Leases()
    leases.grant("a", 15, 0.0)
    swept(leases, 5)
    assert leases.sweep(3600.0) == []
    assert leases.age("a", 3600.0) < 15


def test_the_age_is_since_the_last_renewal() -> None:
    leases = Leases()
    leases.grant("a", 15, 0.0)
    leases.sweep(1.0)
    leases.renew("a", 1.5)
    assert leases.age("a", 2.0) == 0.5


def test_what_is_left_of_a_lease() -> None:
    leases = Leases()
    assert leases.left("a", 0.0) is None
    leases.grant("a", 15, 0.0)
    leases.sweep(1.0)
    leases.renew("a", 1.5)
    assert leases.left("a", 2.0) == 14.5
    for now in range(2, 18):
        leases.sweep(now)
    assert leases.left("a", 17.0) == -0.5
    leases.end("a")
    assert leases.left("a", 17.0) is None
