"""Probing: who is asked when, and what the outcomes lead to."""

import random

from discovery.awareness import Awareness
from discovery.effects import Send
from discovery.membership import Membership
from discovery.messages import Ask, Found, Ping, Sender
from discovery.policy import Policy
from discovery.probing import Probing


class Prober:
    """One node's probing of members named by letters, with the table it judges in."""

    def __init__(self, *names: str) -> None:
        self.table = Membership(Sender("A@1", "http://a"), 0.5, Awareness())
        for name in names:
            self.table.heard(Sender(f"{name}@1", name), 0.0)
        self.probing = Probing(self.table, Policy(), random.Random(1), 0.0)

    def go(self, until: float) -> list[tuple[float, Send]]:
        """Tick through to a time without any answer."""
        sent = []
        while (now := self.probing.next_deadline()) <= until:
            self.probing.tick(now)
            sent += [(now, send) for send in self.probing.take_sends()]
        return sent

    def first_ping(self) -> tuple[float, str]:
        at = self.probing.next_deadline()
        ((_, send),) = self.go(at)
        assert isinstance(send.message, Ping)
        return at, send.address

    def state(self, address: str) -> str:
        member = self.table.at(address)
        assert member is not None
        return member.state


def test_every_member_is_probed_once_per_round_through_the_table() -> None:
    prober = Prober("b", "c", "d")
    pinged = []
    for _ in range(6):
        at = prober.probing.next_deadline()
        prober.probing.tick(at)
        for send in prober.probing.take_sends():
            pinged.append(send.address)
            prober.probing.answered(send.address, at)
    assert sorted(pinged[:3]) == sorted(pinged[3:]) == ["b", "c", "d"]


def test_with_nobody_there_is_nothing_to_wait_for() -> None:
    assert Prober().probing.next_deadline() > 1e9


def test_one_that_does_not_answer_is_asked_for_through_the_others() -> None:
    prober = Prober("b", "c", "d")
    at, target = prober.first_ping()
    asked = [send for _, send in prober.go(at + 0.3) if isinstance(send.message, Ask)]
    assert {send.message for send in asked} == {Ask(target)}
    assert {send.address for send in asked} == {"b", "c", "d"} - {target}


def test_a_helper_that_reaches_it_ends_the_doubt() -> None:
    prober = Prober("b", "c", "d")
    at, target = prober.first_ping()
    prober.go(at + 0.3)
    helper = next(iter({"b", "c", "d"} - {target}))
    prober.probing.found(target, helper, "answered", at + 0.3)
    prober.go(at + 0.45)
    assert prober.state(target) == "alive"


def test_a_word_of_one_that_was_not_asked_counts_for_nothing() -> None:
    prober = Prober("b", "c", "d")
    at, target = prober.first_ping()
    prober.probing.found(target, "http://stranger", "answered", at)
    prober.go(at + 2.0)
    assert prober.state(target) == "suspect"


def test_helpers_that_are_silent_too_speak_against_us() -> None:
    silent, telling = Prober("b", "c", "d"), Prober("b", "c", "d")
    for prober in (silent, telling):
        at, target = prober.first_ping()
        prober.go(at + 0.3)
        if prober is telling:
            for helper in {"b", "c", "d"} - {target}:
                prober.probing.found(target, helper, "silent", at + 0.4)
        prober.probing.tick(at + 0.5)
        assert prober.state(target) == "suspect"
    assert (silent.table.awareness.score, telling.table.awareness.score) == (2, 0)


def test_a_slow_node_becomes_patient() -> None:
    prober = Prober("b", "c", "d")
    prober.table.awareness.worse(3)
    at, _ = prober.first_ping()
    assert [send for _, send in prober.go(at + 0.7) if isinstance(send.message, Ask)] == []


def test_refused_here_and_at_a_helper_is_dead_at_once() -> None:
    prober = Prober("b", "c", "d")
    at, target = prober.first_ping()
    prober.probing.failed(target, True, at)
    (helper, *_) = [send.address for send in prober.probing.take_sends()]
    assert prober.state(target) == "alive"
    prober.probing.found(target, helper, "refused", at)
    assert prober.state(target) == "dead"


def test_refused_twice_is_dead_where_nobody_can_be_asked() -> None:
    prober = Prober("b")
    at, target = prober.first_ping()
    prober.probing.failed(target, True, at)
    assert prober.state(target) == "alive"
    (again,) = [each for each in prober.go(at + 0.25) if isinstance(each[1].message, Ping)]
    prober.probing.failed(target, True, again[0])
    assert prober.state(target) == "dead"


def test_refused_three_times_is_dead_though_the_helpers_are_gone_too() -> None:
    prober = Prober("b", "c")
    at, target = prober.first_ping()
    for _ in range(3):
        assert prober.state(target) != "dead"
        prober.probing.failed(target, True, at)
        at += 0.2
        prober.probing.tick(at)
        prober.probing.take_sends()
    assert prober.state(target) == "dead"


def test_a_helper_tells_what_it_found_to_each_that_asked() -> None:
    prober = Prober("b", "c", "d")
    prober.probing.asked("b", "c", 0.0)
    prober.probing.asked("b", "d", 0.0)
    assert [type(send.message) for send in prober.probing.take_sends()] == [Ping]
    prober.probing.failed("b", True, 0.1)
    told = {(send.address, send.message) for send in prober.probing.take_sends() if isinstance(send.message, Found)}
    assert told == {("c", Found("b", "refused")), ("d", Found("b", "refused"))}


def test_nobody_is_probed_for_others_who_is_no_member() -> None:
    prober = Prober("b")
    prober.probing.asked("http://elsewhere", "b", 0.0)
    assert prober.probing.take_sends() == []


def test_one_suspected_by_others_is_looked_at_at_once() -> None:
    prober = Prober("b", "c", "d")
    prober.probing.look_at("c", 0.0)
    assert [send.address for send in prober.probing.take_sends()] == ["c"]


def test_a_loop_that_runs_late_is_held_against_us() -> None:
    prober = Prober("b")
    prober.probing.late(0.1)
    assert prober.table.awareness.score == 0
    prober.probing.late(0.3)
    assert prober.table.awareness.score == 1
