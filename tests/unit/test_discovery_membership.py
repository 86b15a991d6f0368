"""The table of members: what outranks what, how a suspicion ends, and what hearsay may do."""

import pytest

from discovery.awareness import MAX_SCORE, Awareness
from discovery.membership import Member, Membership
from discovery.messages import Fact, MemberState, Sender
from discovery.suspicion import timeout_s

B = Sender("B@5", "http://b")


def table(*others: Sender) -> Membership:
    found = Membership(Sender("A@1", "http://a"), 0.5, Awareness())
    for other in others:
        found.heard(other, 0.0)
    return found


def member(membership: Membership, node: str = "B") -> Member:
    return membership.members[node]


def fact(state: MemberState, incarnation: int = 0, origin: str = "B@5", by: list[str] | None = None) -> Fact:
    return Fact(origin, "http://b", incarnation, state, by or [])


def test_hearsay_of_an_unknown_node_is_only_a_hint() -> None:
    membership = table()
    assert membership.merge([fact("alive")], "C", 0.0) == ["http://b"]
    assert membership.members == {}


def test_a_later_boot_is_a_hint_and_an_earlier_one_is_ignored() -> None:
    membership = table(B)
    assert membership.merge([fact("alive", origin="B@9"), fact("dead", origin="B@4")], "C", 0.0) == ["http://b"]
    assert (member(membership).origin, member(membership).state) == ("B@5", "alive")


def test_speaking_to_us_in_a_later_boot_replaces_the_entry() -> None:
    membership = table(B)
    membership.merge([fact("dead")], "C", 0.0)
    assert membership.heard(Sender("B@9", "http://b"), 1.0)
    assert (member(membership).origin, member(membership).state) == ("B@9", "alive")
    assert not membership.heard(B, 2.0)
    assert member(membership).origin == "B@9"


@pytest.mark.parametrize(
    ("held", "said", "after"),
    [
        (("alive", 0), ("suspect", 0), "suspect"),
        (("suspect", 0), ("alive", 0), "suspect"),
        (("suspect", 0), ("alive", 1), "alive"),
        (("suspect", 1), ("dead", 0), "suspect"),
        (("dead", 0), ("alive", 0), "dead"),
        (("dead", 0), ("alive", 1), "alive"),
        (("left", 1), ("alive", 2), "left"),
        (("alive", 1), ("suspect", 0), "alive"),
    ],
)
def test_incarnation_then_state_decides(
    held: tuple[MemberState, int], said: tuple[MemberState, int], after: MemberState
) -> None:
    membership = table(B)
    for state, incarnation in (held, said):
        membership.merge([fact(state, incarnation)], "C", 10.0)
    assert member(membership).state == after


def test_a_death_told_of_one_that_spoke_to_us_just_now_is_a_suspicion() -> None:
    membership = table(B)
    assert membership.merge([fact("dead")], "C", 1.9) == ["http://b"]
    assert (member(membership).state, member(membership).by) == ("suspect", {"C"})
    membership.merge([fact("dead")], "C", 2.1)
    assert member(membership).state == "dead"


def test_a_node_refutes_what_is_said_of_it() -> None:
    membership = table(B)
    membership.merge([Fact("A@1", "http://a", 3, "suspect", ["B"])], "C", 0.0)
    own = membership.facts()[0]
    assert (own.incarnation, own.state) == (4, "alive")
    assert membership.awareness.score == 1
    membership.merge([Fact("A@0", "http://a", 9, "dead", [])], "C", 0.0)
    assert membership.facts()[0].incarnation == 4


def test_a_node_that_leaves_does_not_refute() -> None:
    membership = table(B)
    membership.leave()
    membership.merge([Fact("A@1", "http://a", 7, "suspect", ["B"])], "C", 0.0)
    assert membership.facts()[0].state == "left"


def test_a_suspicion_ends_in_death_sooner_the_more_agree() -> None:
    others = [Sender(f"{name}@1", f"http://{name}") for name in "bcde"]
    alone, confirmed = table(B, *others), table(B, *others)
    for membership in (alone, confirmed):
        membership.suspect(member(membership), "A", 0.0)
    for by in ("c", "d", "e"):
        confirmed.merge([fact("suspect", by=[by])], "C", 0.0)
    assert confirmed.next_deadline() < alone.next_deadline()
    confirmed.expire(confirmed.next_deadline())
    alone.expire(confirmed.next_deadline() - 0.001 if confirmed.next_deadline() < 1e18 else 2.001)
    assert (member(confirmed).state, member(alone).state) == ("dead", "suspect")


def test_a_new_suspicion_of_others_is_worth_a_look_of_our_own_once() -> None:
    membership = table(B)
    assert membership.merge([fact("suspect", by=["C"])], "C", 0.0) == ["http://b"]
    assert membership.merge([fact("suspect", by=["C"])], "C", 0.0) == []


def test_the_table_says_when_it_has_changed() -> None:
    membership = table(B)
    before = membership.version
    membership.merge([fact("alive")], "C", 0.0)
    assert membership.version == before
    membership.merge([fact("suspect", by=["C"])], "C", 0.0)
    assert membership.version > before


def test_suspicion_times() -> None:
    assert timeout_s(1, 2, 0.5) == 2.0  # nobody could confirm
    assert timeout_s(1, 5, 0.5) == 12.0
    assert timeout_s(4, 5, 0.5) == pytest.approx(2.0)
    assert timeout_s(9, 5, 0.5) == pytest.approx(2.0)
    assert 2.0 < timeout_s(2, 5, 0.5) < 12.0


def test_the_score_stays_in_its_bounds() -> None:
    awareness = Awareness()
    awareness.better()
    assert awareness.patience == 1
    awareness.worse(99)
    assert awareness.score == MAX_SCORE
