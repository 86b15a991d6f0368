"""What a gateway learns about instances: evidence, doubt, probes, and when it is forgotten."""

from __future__ import annotations

from gateway.guards import Guards
from gateway.health import Health, Probe
from gateway.snapshot import Endpoint, endpoint_of
from gateway.standing import Standing
from tests.balancing import a_snapshot, probes, states
from tests.fakes import an_instance

A = endpoint_of(an_instance(owner="LPAR1@1"))
B = endpoint_of(an_instance(host="127.0.40.2", owner="LPAR2@1"))
C = endpoint_of(an_instance(host="127.0.40.3", owner="LPAR1@1"))
BOTH = (A, B)


def candidates(health: Health, *endpoints: Endpoint) -> list[Endpoint]:
    return list(health.view(endpoints).candidates)


def test_a_refused_connect_puts_out_while_another_remains() -> None:
    health = Health()
    assert states(health.connect_failed(B, "refused", 10.0)) == ["out"]
    assert candidates(health, *BOTH) == [A]
    assert candidates(health, B) == [B]


def test_the_last_candidates_are_never_taken_away() -> None:
    health = Health()
    health.connect_failed(A, "refused", 10.0)
    health.connect_failed(B, "refused", 10.0)
    assert candidates(health, *BOTH) == [A, B]


def test_probes_come_after_half_a_second_then_double_to_thirty() -> None:
    health, now, pauses = Health(), 10.0, []
    health.connect_failed(A, "refused", now)
    for _ in range(9):
        due = health.next_deadline()
        assert not health.tick(due - 0.001)
        assert probes(health.tick(due)) == [A.key]
        assert not health.tick(due)
        pauses.append(due - now)
        now = due
        health.probed(A, "refused", now)
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_a_good_probe_or_connect_brings_back() -> None:
    health = Health()
    health.connect_failed(A, "refused", 10.0)
    assert states(health.probed(A, "", 11.0)) == [None]
    assert health.view(BOTH).candidates is BOTH
    health.connect_failed(A, "refused", 12.0)
    assert states(health.connected(A)) == [None]
    assert health.next_deadline() == float("inf")


def test_a_silent_owners_endpoints_are_probed_at_once_and_picked_last() -> None:
    health = Health()
    effects = health.adopt(a_snapshot(A, B, owners={"LPAR2@1": "suspect"}), 10.0)
    assert probes(effects) == [B.key]
    assert states(effects) == ["unproven"]
    assert candidates(health, *BOTH) == [A]
    health.connect_failed(A, "refused", 10.0)
    assert candidates(health, *BOTH) == [B]


def test_those_that_are_out_are_asked_sooner_when_the_last_one_fails() -> None:
    health, now = Health(), 0.0
    health.connect_failed(B, "refused", now)
    for _ in range(5):
        now = health.next_deadline()
        health.tick(now)
        health.probed(B, "refused", now)
    assert health.next_deadline() == now + 16
    well, failing = Standing(A, now), Standing(A, now)
    assert not probes(health.failed(well, (A, B, C), "it answered 503", now + 1)), "another one is well"
    assert probes(health.failed(failing, BOTH, "it answered 503", now + 1)) == [B.key]
    health.probed(B, "refused", now + 1)
    assert not probes(health.failed(failing, BOTH, "it answered 503", now + 1.4))
    assert probes(health.failed(failing, BOTH, "it answered 503", now + 1.5)) == [B.key]


def test_one_that_freezes_on_trial_is_doubted_too() -> None:
    health = Health()
    standing = Standing(B, 0.0)
    for _ in range(5):
        standing.answered(1.0, 0.01, failed=True)
    health.failed(standing, BOTH, "it answered 503", 1.0)
    health.tick(10.0)
    assert health.records[B.key].state == "trial"
    effects = health.doubt(B, "calls wait there", 11.0)
    assert states(effects) == ["unproven"]
    assert probes(effects) == [B.key]


def test_two_failed_probes_put_an_unproven_endpoint_out() -> None:
    health = Health()
    health.adopt(a_snapshot(A, B, owners={"LPAR2@1": "dead"}), 10.0)
    again = health.probed(B, "silent", 10.2)
    assert probes(again) == [B.key]
    assert not states(again)
    assert states(health.probed(B, "silent", 10.4)) == ["out"]
    assert health.next_deadline() == 10.9


def test_one_good_probe_proves_it() -> None:
    health = Health()
    health.adopt(a_snapshot(A, B, owners={"LPAR2@1": "dead"}), 10.0)
    assert states(health.probed(B, "", 10.1)) == [None]
    assert not health.adopt(a_snapshot(A, B, owners={"LPAR2@1": "dead"}), 11.0)


def test_a_connect_does_not_prove_an_endpoint_whose_owner_is_silent() -> None:
    health = Health()
    health.adopt(a_snapshot(A, B, owners={"LPAR2@1": "suspect"}), 10.0)
    assert not health.connected(B)
    assert candidates(health, *BOTH) == [A]


def test_nor_does_it_bring_back_one_that_was_put_out() -> None:
    """A stopped process's kernel still accepts."""
    health = Health()
    health.connect_failed(B, "timed out", 9.0)
    health.adopt(a_snapshot(A, B, owners={"LPAR2@1": "suspect"}), 10.0)
    assert not health.connected(B)
    assert candidates(health, *BOTH) == [A]
    health.adopt(a_snapshot(A, B, owners={"LPAR2@1": "alive"}), 11.0)
    assert states(health.connected(B)) == [None]


def test_a_newer_process_starts_without_a_past() -> None:
    health = Health()
    health.connect_failed(A, "refused", 10.0)
    newer = endpoint_of(an_instance(owner="LPAR1@1", gen=2))
    health.adopt(a_snapshot(newer, B), 11.0)
    assert candidates(health, newer, B) == [newer, B]


def test_the_past_stays_while_the_process_does_and_goes_with_it() -> None:
    health = Health()
    health.connect_failed(A, "refused", 10.0)
    health.adopt(a_snapshot(A, B), 10.1)
    assert A.key in health.records
    health.adopt(a_snapshot(B), 10.2)
    assert not health.records
    assert not health.probed(A, "refused", 10.3)


def test_a_process_that_moved_starts_without_a_past() -> None:
    """The same id and age at another port: what was found out about the old one holds no longer."""
    before = endpoint_of(an_instance(id="orders-1", port=9000))
    after = endpoint_of(an_instance(id="orders-1", port=9001))
    health = Health()
    health.connect_failed(before, "refused", 10.0)
    health.adopt(a_snapshot(after, B), 11.0)
    assert candidates(health, after, B) == [after, B]


def test_probes_ask_the_health_url_that_holds_now() -> None:
    before = endpoint_of(an_instance(health_check_url="http://127.0.40.1:9000/old"))
    after = endpoint_of(an_instance(health_check_url="http://127.0.40.1:9000/new", rev=2))
    health = Health()
    health.connect_failed(before, "refused", 10.0)
    health.adopt(a_snapshot(after, B), 10.1)
    (probe,) = [each for each in health.tick(20.0) if isinstance(each, Probe)]
    assert probe.endpoint.probe_url == "http://127.0.40.1:9000/new"


# --- doubt


def test_one_that_answers_nothing_must_prove_that_it_lives() -> None:
    health = Health()
    effects = health.doubt(B, "silent", 10.0)
    assert states(effects) == ["unproven"]
    assert probes(effects) == [B.key]
    assert candidates(health, *BOTH) == [A]
    assert states(health.probed(B, "", 10.1)) == [None]
    assert candidates(health, *BOTH) == [A, B]


def test_two_failed_probes_confirm_a_doubt() -> None:
    health = Health()
    health.doubt(B, "silent", 10.0)
    assert not states(health.probed(B, "silent", 10.2))
    assert states(health.probed(B, "silent", 10.4)) == ["out"]
    assert candidates(health, *BOTH) == [A]
    assert states(health.probed(B, "", 11.0)) == [None]


def test_a_doubt_about_what_is_doubted_already_changes_nothing() -> None:
    health = Health()
    health.doubt(B, "silent", 10.0)
    assert not health.doubt(B, "silent", 10.1)
    health.connect_failed(A, "refused", 10.0)
    assert not health.doubt(A, "silent", 10.1)


def test_doubted_ones_come_before_those_that_are_out() -> None:
    health = Health()
    health.connect_failed(A, "refused", 10.0)
    health.doubt(B, "silent", 10.0)
    assert candidates(health, *BOTH) == [B]


def test_a_probe_of_an_older_process_says_nothing_about_the_newer() -> None:
    health = Health()
    health.doubt(A, "silent", 10.0)
    newer = endpoint_of(an_instance(owner="LPAR1@1", gen=2))
    health.adopt(a_snapshot(newer, B), 10.1)
    health.doubt(newer, "silent", 10.2)
    assert not health.probed(A, "", 10.3)
    assert not health.probed(A, "silent", 10.3)
    assert health.records[A.key].failures == 0


# --- guards left out


def test_without_doubt_nobody_is_doubted() -> None:
    assert not Health(guards=Guards(doubt=False)).doubt(A, "silent", 10.0)


def test_without_silence_a_silent_owners_instances_keep_their_calls() -> None:
    health = Health(guards=Guards(silence=False))
    assert not health.adopt(a_snapshot(A, B, owners={"LPAR2@1": "dead"}), 10.0)
    assert candidates(health, *BOTH) == [A, B]
