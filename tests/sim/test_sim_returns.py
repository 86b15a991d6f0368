"""The design's scenarios of what comes back: nodes cut off, paused, restored from old disks, restarted, joining; and of
clients and watchers. Targets and scaling as in `test_sim_scenarios`.
"""

from functools import partial

import pytest

from discovery.messages import node_of
from tests.sim.client import BEAT_S, LEASE_S, Client
from tests.sim.faults import small_deltas
from tests.sim.scenes import churn, guarding, never_shown, others, owner, process, shown, started, watch_closely
from tests.sim.simulator import POLICY, Sim
from tests.sim.watcher import Watcher

AWAY_S = [5.0, 12.0, 25.0, 45.0]
"""Shorter than the fence; shorter than collection; longer; longer than a superseded log is kept."""


@pytest.mark.parametrize("away_s", AWAY_S)
def test_14_what_left_stays_away_when_a_cut_off_node_returns_with_it(away_s: float) -> None:
    sim = started(14)
    origin = process(sim, 4).node.origin
    leaving = [client for client in sim.clients if client.home == 4][:4]
    keys = {client.key for client in leaving}
    sim.split([4], [0, 1, 2, 3])
    for client in leaving:
        client.zone = client.home = 0  # it has moved to another machine
        client.leave()
    sim.run(sim.now + 0.1)
    never_shown(sim, sim.now + away_s, others(sim, 4), keys)
    living = sim.beating()
    sim.heal()
    start = sim.now
    never_shown(sim, start + 2, others(sim, 4), keys)
    assert process(sim, 4).node.origin == origin
    sim.wait("its living clients are everywhere", lambda: not any(living - shown(p) for p in sim.processes()), 3.0)
    never_shown(sim, start + 2 * LEASE_S, sim.processes(), keys)
    sim.judge.settle()


@pytest.mark.parametrize("away_s", AWAY_S)
@pytest.mark.parametrize("how", ["paused", "killed"])
def test_14_what_left_stays_away_when_a_stopped_node_returns_with_it(how: str, away_s: float) -> None:
    """It was cut off before it was stopped, so that no word of their leaving waits for it."""
    sim = started(24)
    leaving = [client for client in sim.clients if client.home == 4][:4]
    keys = {client.key for client in leaving}
    sim.hosts[4].save()
    sim.split([4], [0, 1, 2, 3])
    if how == "paused":
        sim.hosts[4].pause()
    else:
        sim.hosts[4].kill()
    for client in leaving:
        client.zone = client.home = 0
        client.leave()
    sim.run(sim.now + 1)
    never_shown(sim, sim.now + away_s, others(sim, 4), keys)
    sim.heal()
    if how == "paused":
        sim.hosts[4].resume()
    else:
        sim.hosts[4].boot()
    never_shown(sim, sim.now + 2, others(sim, 4), keys)
    never_shown(sim, sim.now + 2 * LEASE_S, sim.processes(), keys)
    sim.judge.settle()


@pytest.mark.parametrize("seed", [15, 115])
def test_15_one_node_with_an_old_disk_revives_nothing(seed: int) -> None:
    sim = started(seed)
    sim.hosts[3].save()
    old = sim.hosts[3].images[-1]
    sim.client(1)
    sim.clients[7].change()
    gone = [client for client in sim.clients[::5] if client.state == "beating"]
    for client in gone:
        client.leave()
    sim.run(sim.now + 30)
    sim.hosts[3].kill()
    sim.run(sim.now + 2)
    sim.hosts[3].boot(old)
    never_shown(sim, sim.now + 2 * LEASE_S, sim.processes(), {client.key for client in gone})
    assert process(sim, 3).registry.get(sim.clients[7].key).metadata == sim.clients[7].metadata
    assert not sim.journal.events("log.audit_failed")
    sim.judge.settle()


def test_15_disks_of_different_ages_on_all_nodes_the_newest_state_wins() -> None:
    sim = started(16)
    disks = []
    changed = sim.clients[0]
    for number in range(5):
        changed.change()
        sim.clients[5 + number].leave()
        sim.run(sim.now + 2)
        sim.hosts[number].save()
        disks.append(sim.hosts[number].images[-1])
    sim.run(sim.now + 2)
    for client in sim.clients:
        client.sleep(12)
    for host in sim.hosts:
        host.kill()
    sim.run(sim.now + 1)
    for host, disk in zip(sim.hosts, disks, strict=True):
        host.boot(disk)
    sim.run(sim.now + 4)
    left = {client.key for client in sim.clients[5:10]}
    for each in sim.processes():
        assert each.registry.get(changed.key).metadata == changed.metadata
        assert not left & shown(each)
    sim.judge.settle()


def test_16_after_a_cold_start_the_old_state_is_served_stale_and_soon_exact() -> None:
    sim = started(17)
    before = sim.beating()
    sim.run(sim.now + 1)
    for host in sim.hosts:
        host.save()
        host.kill()
    for client in sim.clients:
        client.sleep(5)
    for client in sim.clients[::6]:
        client.crash()
    sim.run(sim.now + 4)
    for host in sim.hosts:
        host.boot()
    start = sim.now
    sim.wait("all are ready", lambda: all(each.node.covered for each in sim.processes()), 3.0)
    for each in sim.processes():
        assert shown(each) == before
        assert each.node.stale
    sim.wait("all show what lives", lambda: not sim.judge.truth(), LEASE_S + 5)
    watch_closely(sim, start + 3 * LEASE_S, sim.processes(), sim.beating())
    assert not any(each.node.stale for each in sim.processes())
    sim.judge.settle()


def test_17_when_many_clients_fall_silent_together_the_owner_doubts_itself() -> None:
    """20 of 50: nothing goes for 5 leases, then 1 % of the leases a second; it ends by itself."""
    sim = started(18, hosts=1, clients=50)
    silent = sim.clients[:20]
    start = sim.now
    for client in silent:
        client.crash()
    sim.run(start + LEASE_S + 4)
    assert len(shown(process(sim, 0))) > 40  # it takes ten to make it doubt; the first nine may have gone
    assert guarding(process(sim, 0)) == ["owner"]
    assert sim.journal.events("guard.owner", start)
    sim.run(start + 5 * LEASE_S)
    assert len(shown(process(sim, 0))) > 40
    at = sim.now
    while len(shown(process(sim, 0))) > 30:
        before = len(shown(process(sim, 0)))
        sim.run(sim.now + 4)
        assert before - len(shown(process(sim, 0))) <= 0.01 * 50 * 4 + 1
        assert sim.now < at + 80
    sim.wait("the guard is off", lambda: not guarding(process(sim, 0)), 5.0)
    assert sim.beating() == shown(process(sim, 0))


def test_18_clients_behind_a_balancer_change_no_owner() -> None:
    sim = started(19, balanced=True)
    owners = {client.key: owner(process(sim, 0), client) for client in sim.clients}
    start, touches, records = sim.now, sim.network.sent_bytes["Touch"], sim.network.sent_records
    sim.run(start + 30)
    assert owners == {client.key: owner(process(sim, 0), client) for client in sim.clients}
    assert sim.network.sent_records == records
    beats = len(sim.clients) * 30 / BEAT_S
    assert (sim.network.sent_bytes["Touch"] - touches) / beats <= 75  # with few beats, a message carries one or two
    assert not sim.journal.removals()
    sim.judge.settle()


def test_19_two_processes_with_one_id_do_not_flap() -> None:
    sim = started(20)
    older = sim.clients[3]
    newer = sim.client(1, key=older.key)
    sim.run(sim.now + 1)
    before = len(sim.journal.arrivals)
    sim.run(sim.now + 30)
    assert len(sim.journal.arrivals) == before
    assert all(each.registry.get(newer.key).dirty_ms == newer.dirty_ms for each in sim.processes())
    older.crash()
    sim.run(sim.now + 10)
    assert all(newer.key in shown(each) for each in sim.processes())


def test_20_a_node_joins_under_load_ready_soon_and_nothing_blinks() -> None:
    """Logs travel in parts of 8 records; the newcomer knows one address."""
    with small_deltas(8):
        sim = Sim(21, hosts=6, running=range(5))
        for number in range(50):
            sim.at(1.0 + number / 25, partial(sim.client, number % 5))
        sim.run(5)
        churn(sim, 200, sim.now + 7)
        sim.run(sim.now + 2)
        sim.hosts[5].seeds = [sim.hosts[2].address]
        sim.hosts[5].boot()
        sim.wait("it is ready", lambda: process(sim, 5).node.covered, 3.0)
        watch_closely(sim, sim.now + 6, sim.processes(), sim.beating())
        assert all(f"{node_of(process(sim, 5).node.origin)}" in map(node_of, p.node.owners()) for p in others(sim, 5))
        assert not sim.journal.removals()
        sim.judge.settle()


def test_20_a_log_sent_anew_replaces_the_old_copy_at_once() -> None:
    """A node cut off until the others' tombstones are collected is sent whole logs, in parts: staged, none blinks.

    Being isolated, it lists all it knew meanwhile.
    """
    with small_deltas(4):
        sim = started(22, clients=45)
        sim.split([0], [1, 2, 3, 4])
        elsewhere = [client for client in sim.clients if client.home]
        for client in elsewhere[::3]:
            client.leave()
        sim.run(sim.now + 5)
        for client in elsewhere[1::3]:
            client.change()
            sim.run(sim.now + 0.1)
        sim.run(sim.now + POLICY.gc_grace_s + 3)
        kept = {client.key for client in elsewhere[1::3]}
        assert kept <= shown(process(sim, 0))
        heal = sim.now
        sim.heal()
        sim.judge.settle(5.0, 5.0)
        assert not [gone for gone in sim.journal.removals(heal) if gone.at == "LPAR1" and gone.key in kept]


def test_21_a_watcher_that_changes_node_folds_the_same_view() -> None:
    sim = started(23)
    watchers = [Watcher(sim, 5.0), Watcher(sim, 3.0)]
    churn(sim, 20, sim.now + 40)
    start = sim.now
    for number, client in enumerate(sim.clients[:15]):
        sim.at(start + 2 * number, client.leave if number % 2 else client.crash)
    sim.at(start + 10, sim.hosts[1].kill)
    sim.at(start + 20, sim.hosts[1].boot)
    sim.at(start + 25, sim.hosts[3].leave)
    sim.run(start + 45)
    for watcher in watchers:
        assert watcher.increments > 60
        assert watcher.wholes == 1
        watcher.settle()


# --- besides the design's list


def test_a_node_more_than_a_mesh_may_have_is_refused_and_says_so() -> None:
    policy = POLICY.__class__(**{**vars(POLICY), "members_max": 3})
    sim = Sim(31, hosts=4, policy=policy, running=range(3))
    sim.run(3)
    sim.hosts[3].boot()
    sim.run(10)
    assert not process(sim, 3).node.covered
    assert any("3 are possible" in why for why in process(sim, 3).node.why_not_ready())
    assert all(node_of(origin) != "LPAR4" for each in others(sim, 3) for origin in each.node.owners())


def test_a_second_node_with_a_name_is_refused_and_the_first_is_untouched() -> None:
    sim = Sim(32, hosts=4, running=range(3))
    sim.run(3)
    client = sim.client(0)
    sim.run(4)
    sim.hosts[3].name = "LPAR1"
    sim.hosts[3].boot()
    sim.run(20)
    assert not process(sim, 3).node.covered
    assert all(owner(each, client) == "LPAR1" for each in sim.processes()[:3])
    assert not sim.journal.removals()


def test_a_deregistration_on_one_side_of_a_split_outlives_a_late_heartbeat_on_the_other() -> None:
    sim = started(33, hosts=2, clients=1)
    client: Client = sim.clients[0]
    sim.split([0], [1])
    sim.run(sim.now + 5)
    client.leave()
    sim.run(sim.now + 0.5)
    assert client.state == "left"
    late = process(sim, 1)
    assert late.registry.renew(client.key, client.dirty_ms, late.host.clock()) == "adopted"
    sim.heal()
    sim.run(sim.now + 4)
    assert not any(client.key in shown(each) for each in sim.processes())


def test_the_logs_of_former_boots_are_forgotten() -> None:
    sim = started(34)
    for _ in range(4):
        sim.hosts[2].kill()
        sim.run(sim.now + 1)
        sim.hosts[2].boot()
        sim.run(sim.now + 3)
    assert all(len(each.node.spaces) > 5 for each in sim.processes())
    sim.run(sim.now + POLICY.forget_superseded_s + 3)
    assert all(len(each.node.spaces) == 5 for each in sim.processes())
    assert not sim.journal.removals()
    sim.judge.settle()


def test_a_node_comes_back_that_was_forgotten_with_an_old_disk_and_an_old_clock() -> None:
    sim = started(35)
    leaving = [client for client in sim.clients if client.home == 4][:3]
    keys = {client.key for client in leaving}
    sim.hosts[4].save()
    sim.hosts[4].kill()
    for client in leaving:
        client.crash()
    sim.run(sim.now + POLICY.forget_s + 8)
    assert all(len(each.node.spaces) == 4 for each in sim.processes())
    sim.hosts[4].wall_offset_ms = -7_200_000
    sim.hosts[4].boot()
    never_shown(sim, sim.now + 2 * LEASE_S, sim.processes(), keys)
    newcomer = sim.client(4)
    sim.wait("its writes are believed", lambda: all(newcomer.key in shown(each) for each in sim.processes()), 1.0)
    sim.judge.settle()
