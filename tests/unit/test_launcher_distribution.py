"""Who is on the sysplex address: scripted histories of gateways and orders."""

from __future__ import annotations

import pytest

from launcher.distribution import Distribution, Move
from shared.errors import Conflict

LPARS = ("LPAR1", "LPAR2", "LPAR3")


def a_sysplex(policy: str, *ready: str) -> Distribution:
    made = Distribution(policy, LPARS)
    for lpar in ready or LPARS:
        made.came(lpar)
    perform(made)
    return made


def perform(made: Distribution) -> list[str]:
    """Make every move that is due, as the shell does; what was done, in order."""
    done = []
    while moves := made.moves():
        for move in moves:
            made.moved(move)
            done.append(f"{move.lpar} {move.place}")
    return done


def test_all_that_are_ready_are_in_without_being_told() -> None:
    made = Distribution("distribute", LPARS)
    made.came("LPAR1")
    made.came("LPAR3")
    assert (made.moves(), made.entered) == ([], ["LPAR1", "LPAR3"])


def test_a_quiesced_one_leaves_and_a_new_process_of_it_stays_outside() -> None:
    made = a_sysplex("distribute")
    made.quiesce("LPAR2")
    assert perform(made) == ["LPAR2 out"]
    made.lost("LPAR2")
    assert made.held("LPAR2")
    made.came("LPAR2")
    assert perform(made) == ["LPAR2 out"]  # it may have begun before it was held
    assert made.entered == ["LPAR1", "LPAR3"]


def test_an_activated_one_enters_again() -> None:
    made = a_sysplex("distribute")
    made.quiesce("LPAR2")
    perform(made)
    made.activate("LPAR2")
    assert not made.held("LPAR2")
    assert perform(made) == ["LPAR2 in"]


def test_the_last_one_is_not_quiesced() -> None:
    made = a_sysplex("distribute", "LPAR1", "LPAR2")
    made.quiesce("LPAR2")
    with pytest.raises(Conflict, match="LPAR1 has the only gateway"):
        made.quiesce("LPAR1")
    with pytest.raises(Conflict, match="already quiesced"):
        made.quiesce("LPAR2")


def test_one_that_is_not_quiesced_cannot_be_activated() -> None:
    with pytest.raises(Conflict, match="LPAR1 is not quiesced"):
        a_sysplex("distribute").activate("LPAR1")


def test_one_that_is_withdrawn_is_back_with_its_next_process() -> None:
    made = a_sysplex("distribute")
    made.withdraw("LPAR1")
    assert perform(made) == ["LPAR1 out"]
    made.lost("LPAR1")
    made.came("LPAR1")
    assert (made.moves(), "LPAR1" in made.entered) == ([], True)


def test_one_that_was_not_stopped_after_all_enters_again() -> None:
    made = a_sysplex("distribute")
    made.withdraw("LPAR1")
    perform(made)
    made.stay("LPAR1")
    assert perform(made) == ["LPAR1 in"]


def test_hot_standby_waits_for_the_first_in_order_and_then_no_longer() -> None:
    made = Distribution("hot-standby", LPARS)
    made.came("LPAR2")
    assert made.active == ""
    made.came("LPAR1")
    assert made.active == "LPAR1"
    late = Distribution("hot-standby", LPARS)
    late.came("LPAR2")
    late.complete()
    assert late.active == "LPAR2"


def test_hot_standby_has_one_in_and_the_next_one_when_that_is_lost() -> None:
    made = a_sysplex("hot-standby")
    assert made.entered == ["LPAR1"]
    made.lost("LPAR1")
    assert made.moves() == [Move("LPAR2", "in")]
    assert (perform(made), made.entered) == (["LPAR2 in"], ["LPAR2"])


def test_one_that_returns_does_not_take_over() -> None:
    made = a_sysplex("hot-standby")
    made.lost("LPAR1")
    perform(made)
    made.came("LPAR1")
    assert (perform(made), made.entered) == (["LPAR1 out"], ["LPAR2"])


@pytest.mark.parametrize("order", ["quiesce", "withdraw"])
def test_on_an_order_the_next_one_enters_before_the_active_one_leaves(order: str) -> None:
    made = a_sysplex("hot-standby")
    getattr(made, order)("LPAR1")
    assert made.moves() == [Move("LPAR2", "in")]
    assert perform(made) == ["LPAR2 in", "LPAR1 out"]


def test_activating_makes_it_the_active_one() -> None:
    made = a_sysplex("hot-standby")
    made.activate("LPAR3")
    assert (perform(made), made.entered) == (["LPAR3 in", "LPAR1 out"], ["LPAR3"])
    with pytest.raises(Conflict, match="already active"):
        made.activate("LPAR3")


def test_a_quiesced_one_is_never_chosen() -> None:
    made = a_sysplex("hot-standby")
    made.quiesce("LPAR2")
    perform(made)
    made.lost("LPAR1")
    assert (perform(made), made.entered) == (["LPAR3 in"], ["LPAR3"])


def test_after_a_total_loss_the_first_that_returns_is_active() -> None:
    made = a_sysplex("hot-standby")
    for lpar in LPARS:
        made.lost(lpar)
    assert (made.active, made.moves()) == ("", [])
    made.came("LPAR3")
    assert (perform(made), made.entered) == (["LPAR3 in"], ["LPAR3"])


def test_with_hot_standby_nobody_enters_by_itself() -> None:
    assert all(Distribution("hot-standby", LPARS).held(lpar) for lpar in LPARS)
