"""Self-preservation by evidence: when it begins, what it withholds, how it ends."""

from discovery.guards import IsolationGuard, OwnerGuard
from discovery.policy import IsolationGuardRule, OwnerGuardRule

TERM_S = 15.0


class Leases:
    """`owned` leases of 15 s of which `due` run out, swept each second through an owner guard."""

    def __init__(self, owned: int, guard: OwnerGuard | None = None) -> None:
        self.guard = guard or OwnerGuard(OwnerGuardRule())
        self.owned = [f"i{number}" for number in range(owned)]
        self.due: list[str] = []
        self.now = 0.0

    def sweep(self) -> int:
        self.now += 1.0
        ended = self.guard.admit(self.due, TERM_S if self.due else 0.0, len(self.owned), self.now)
        self.due = [each for each in self.due if each not in ended]
        self.owned = [each for each in self.owned if each not in ended]
        return len(ended)


def test_few_leases_are_never_guarded() -> None:
    leases = Leases(49)
    leases.due = leases.owned[:49]
    assert leases.sweep() == 49


def test_a_small_share_is_let_go_at_once() -> None:
    leases = Leases(100)
    leases.due = leases.owned[:15]
    assert leases.sweep() == 15
    assert not leases.guard.on


def test_a_large_share_is_held_for_five_leases_and_then_let_go_slowly() -> None:
    leases = Leases(100)
    leases.due = leases.owned[:40]
    while leases.now < 75:
        assert leases.sweep() == 0
    assert leases.guard.on
    assert "40 of 100 leases" in leases.guard.why
    per_sweep = []
    while leases.guard.on:
        per_sweep.append(leases.sweep())
        assert leases.now < 200
    assert max(per_sweep) <= 1
    assert sum(per_sweep) == 40


def test_one_by_one_is_a_large_share_too() -> None:
    leases = Leases(100)
    ended = 0
    for _ in range(14):
        leases.due += [each for each in leases.owned if each not in leases.due][:3]
        ended += leases.sweep()
    assert ended <= 15
    assert leases.guard.on


def test_slowly_over_more_than_a_lease_is_not() -> None:
    leases = Leases(100)
    for _ in range(60):
        leases.due += leases.owned[:1] if int(leases.now) % 3 == 0 else []
        leases.sweep()
    assert not leases.guard.on


def test_those_that_went_before_count_while_it_holds() -> None:
    leases = Leases(50)
    leases.due = leases.owned[:9]
    assert leases.sweep() == 9
    leases.due = leases.owned[:11]
    while leases.now < 70:
        assert leases.sweep() == 0


def test_it_ends_when_they_beat_again() -> None:
    leases = Leases(100)
    leases.due = leases.owned[:40]
    leases.sweep()
    leases.due = leases.due[:3]
    assert leases.sweep() == 3
    assert not leases.guard.on


def test_without_a_rule_nothing_is_withheld() -> None:
    leases = Leases(100, OwnerGuard(None))
    leases.due = list(leases.owned)
    assert leases.sweep() == 100


def test_a_node_that_sees_less_than_half_of_many_members_is_cut_off() -> None:
    guard = IsolationGuard(IsolationGuardRule())
    guard.look("ABCDE", 0.0)
    guard.look("AB", 10.0)
    assert guard.isolated
    assert guard.frozen(11.0)
    assert "2 of 5 known members" in guard.why
    guard.look("ABC", 20.0)
    assert not guard.frozen(20.0)


def test_graces_stand_still_for_a_quarter_of_an_hour_at_most() -> None:
    guard = IsolationGuard(IsolationGuardRule())
    guard.look("ABCDE", 0.0)
    guard.look("A", 10.0)
    assert guard.frozen(10.0 + 900.0)
    assert not guard.frozen(10.0 + 901.0)
    assert guard.isolated


def test_few_members_are_never_cut_off() -> None:
    guard = IsolationGuard(IsolationGuardRule())
    guard.look("ABCD", 0.0)
    guard.look("A", 10.0)
    assert not guard.isolated


def test_members_that_left_or_were_not_seen_for_an_hour_do_not_count() -> None:
    guard = IsolationGuard(IsolationGuardRule())
    guard.look("ABCDE", 0.0)
    guard.forget("E")
    guard.look("A", 10.0)
    assert not guard.isolated
    late = IsolationGuard(IsolationGuardRule())
    late.look("ABCDE", 0.0)
    late.look("A", 3601.0)
    assert not late.isolated
