"""Judging owners: newer boots end older ones; hearsay of a death counts only without contact."""

from discovery.owners import Owners


def test_a_newer_boot_of_a_node_ends_its_older_one() -> None:
    owners = Owners("A@1")
    assert owners.judge(["A@1", "B@1"], lambda origin: "alive", 0.0) == []
    assert owners.judge(["A@1", "B@1", "B@2"], lambda origin: "alive", 5.0) == [("B@1", "dead")]
    assert owners.dead(7.0) == [("B@1", 2.0)]


def test_hearsay_of_a_death_counts_without_contact_and_not_against_it() -> None:
    owners = Owners("A@1")
    owners.told_dead("B@1", 10.0, grace_s=12.0)
    owners.told_dead("C@1", 1.0, grace_s=12.0)
    changed = owners.judge(["B@1", "C@1"], lambda origin: "alive" if origin == "C@1" else None, 12.0)
    assert changed == [("B@1", "dead")]
    assert owners.dead_s("B@1", 12.0) == 10.0
    assert owners.dead_s("C@1", 12.0) < 0


def test_the_oldest_known_moment_of_death_counts() -> None:
    owners = Owners("A@1")
    owners.judge(["B@1"], lambda origin: "dead", 10.0)
    owners.told_dead("B@1", 1.0, grace_s=12.0)
    assert owners.dead_s("B@1", 12.0) == 2.0


def test_what_is_no_longer_asked_about_is_forgotten() -> None:
    owners = Owners("A@1")
    owners.judge(["A@1", "B@1"], lambda origin: "dead", 1.0)
    owners.judge(["A@1"], lambda origin: "dead", 2.0)
    assert owners.dead(3.0) == []
    assert owners.states() == {"A@1": "alive"}
