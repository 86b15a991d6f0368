"""Judging peers: refusals are evidence, silence is a hint; newer boots end older ones."""

from discovery.membership import Liveness
from discovery.owners import Owners


def test_one_failure_is_a_suspicion_and_an_answer_ends_it() -> None:
    peer = Liveness()
    peer.failed(refused=True)
    assert peer.state == "suspect"
    peer.answered()
    assert peer.state == "alive"


def test_two_refusals_in_a_row_or_three_silences_are_death() -> None:
    refusing, silent = Liveness(), Liveness()
    for _ in range(2):
        refusing.failed(refused=True)
        silent.failed(refused=False)
    assert (refusing.state, silent.state) == ("dead", "suspect")
    silent.failed(refused=False)
    assert silent.state == "dead"


def test_a_newer_boot_of_a_node_ends_its_older_one() -> None:
    owners = Owners("A@1")
    assert owners.judge(["A@1", "B@1"], lambda origin: "alive", 0.0) == []
    assert owners.judge(["A@1", "B@1", "B@2"], lambda origin: "alive", 5.0) == [("B@1", "dead")]
    assert owners.dead(7.0) == [("B@1", 2.0)]


def test_hearsay_of_a_death_counts_without_a_link_and_not_against_one() -> None:
    owners = Owners("A@1")
    owners.told_dead("B@1", 10.0, running_s=12.0)
    owners.told_dead("C@1", 1.0, running_s=12.0)
    changed = owners.judge(["B@1", "C@1"], lambda origin: "alive" if origin == "C@1" else None, 12.0)
    assert changed == [("B@1", "dead")]
    assert owners.dead_s("B@1", 12.0) == 10.0
    assert owners.dead_s("C@1", 12.0) < 0


def test_the_oldest_known_moment_of_death_counts() -> None:
    owners = Owners("A@1")
    owners.judge(["B@1"], lambda origin: "dead", 10.0)
    owners.told_dead("B@1", 1.0, running_s=12.0)
    assert owners.dead_s("B@1", 12.0) == 2.0
