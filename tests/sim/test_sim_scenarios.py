"""The design's scenarios, each with its target: 5 nodes in a LAN, 40-50 instances.

Long times are scaled with the leases (see `tests.sim.simulator`): minutes of absence are tens of seconds, always beyond
the times after which a node fences itself, collects or forgets. Detection, spreading and joining run at real speed and
keep the design's targets. Here: 1-13, changes and the network; `test_sim_returns` has those that come back.
"""

from functools import partial

import pytest

from tests.sim.client import BEAT_S, LEASE_S
from tests.sim.journal import Judged, percentile
from tests.sim.scenes import churn, covered, guarding, lists, others, owner, process, shown, started, watch_closely
from tests.sim.simulator import Sim


def deaths(sim: Sim, since: float) -> list[Judged]:
    """Boots that some node took for dead since then though they run."""
    running = {each.node.origin for each in sim.processes()}
    return [each for each in sim.journal.opinions("dead", since) if each.origin in running]


def test_1_steady_changes_are_everywhere_in_milliseconds_and_travel_once() -> None:
    sim = started(1, clients=50)
    start, sent = sim.now, sim.network.sent_records
    churn(sim, 100, start + 10)
    sim.run(start + 12)
    spread = sim.journal.spread_s(5, start)
    assert len(spread) > 800
    assert percentile(spread, 0.5) <= 0.010
    assert percentile(spread, 0.99) <= 0.015
    copies = (sim.network.sent_records - sent) / len(spread) / 4
    assert copies <= 1.1
    assert not sim.journal.events("lease.expired")
    assert not sim.journal.removals()
    sim.judge.settle()


def test_2_stalled_connections_delay_few_changes_and_bury_nobody() -> None:
    sim = started(2, clients=50)
    sim.network.default.stalled = 0.05
    start = sim.now
    churn(sim, 50, start + 12)
    sim.run(start + 14)
    spread = sim.journal.spread_s(5, start)
    assert len(spread) > 450
    assert percentile(spread, 0.99) <= 0.150
    assert not deaths(sim, start)
    assert not sim.journal.removals()


@pytest.mark.parametrize("seed", [3, 103, 203])
def test_3_a_killed_node_is_dead_everywhere_soon_and_its_instances_stay(seed: int) -> None:
    sim = started(seed)
    gone = process(sim, 2).node.origin
    orphans = [client for client in sim.clients if client.home == 2]
    sim.hosts[2].kill()
    sim.wait("dead everywhere", lambda: all(each.node.owners()[gone] == "dead" for each in sim.processes()), 1.5)
    sim.wait(
        "all leases have new owners",
        lambda: all(owner(process(sim, 0), client) != "LPAR3" for client in orphans),
        BEAT_S + 3,
    )
    sim.run(sim.now + 2 * LEASE_S)
    assert not sim.journal.removals()
    sim.judge.settle()


@pytest.mark.parametrize("seed", [3, 103, 203])
def test_3_a_machine_that_says_nothing_any_more_is_dead_within_4_seconds(seed: int) -> None:
    sim = started(seed)
    gone = process(sim, 2).node.origin
    sim.hosts[2].vanish()
    sim.wait("dead everywhere", lambda: all(each.node.owners()[gone] == "dead" for each in sim.processes()), 4.0)
    sim.run(sim.now + 2 * LEASE_S)
    assert not sim.journal.removals()
    sim.judge.settle()


def test_3_instances_that_die_with_their_owner_go_a_lease_after_it() -> None:
    sim = started(30)
    dying = [client for client in sim.clients if client.home == 2]
    keys = {client.key for client in dying}
    sim.hosts[2].kill()
    for client in dying:
        client.crash()
    killed = sim.now
    watch_closely(sim, killed + LEASE_S - 2, sim.processes(), keys)
    sim.wait("gone everywhere", lambda: not any(keys & shown(each) for each in sim.processes()), 6)
    assert sim.now <= killed + LEASE_S + 1.5 + 1.1  # detection, grace, a sweep
    sim.judge.settle()


@pytest.mark.parametrize("disk", [True, False])
@pytest.mark.parametrize("kindly", [True, False])
def test_4_a_rolling_restart_removes_nothing(disk: bool, kindly: bool) -> None:
    sim = started(4)
    start = sim.now
    for number, host in enumerate(sim.hosts):
        sim.run(start + number * 10)
        if kindly:
            host.leave()
        else:
            host.kill()
        sim.run(sim.now + 1.5)
        host.boot(empty=not disk)
        sim.wait(f"{host.name} is ready", partial(covered, sim, number), 3.0)
        watch_closely(sim, sim.now + 1, sim.processes(), sim.beating())
    sim.run(sim.now + 2 * LEASE_S)
    assert not sim.journal.removals()
    sim.judge.settle()


def test_5_a_graceful_leave_raises_no_suspicion() -> None:
    sim = started(5)
    gone = process(sim, 1).node.origin
    sim.hosts[1].leave()
    sim.run(sim.now + 0.2)
    assert sim.hosts[1].process is None
    assert all(each.node.owners()[gone] == "dead" for each in sim.processes())
    sim.run(sim.now + 2 * LEASE_S)
    assert not sim.journal.opinions("suspect")
    assert not sim.journal.removals()
    sim.judge.settle()


def test_6_both_sides_of_a_split_go_on_and_are_one_soon_after_it() -> None:
    """40 s: longer than tombstones are kept."""
    sim = started(6)
    sim.split([0, 1, 2], [3, 4])
    sim.run(sim.now + 8)
    left = [sim.client(1), sim.client(4)]
    for client in (*sim.clients[:2], *sim.clients[3:5]):
        client.leave()
    sim.run(sim.now + 1)
    new = [sim.client(0), sim.client(3)]
    for client in left:
        client.leave()
    sim.run(sim.now + 31)
    assert new[0].key in shown(process(sim, 2))
    assert new[1].key in shown(process(sim, 4))
    sim.heal()
    sim.judge.settle(5.0, 5.0)


def test_7_nodes_all_alone_keep_serving_and_are_one_again_soon() -> None:
    sim = started(7)
    before = sim.beating()
    sim.split(*[[number] for number in range(5)])
    sim.run(sim.now + 30)
    for each in sim.processes():
        assert shown(each) == before  # isolated: their graces stand still
        assert guarding(each) == ["isolation"]
    sim.heal()
    sim.judge.settle(10.0, 10.0)
    sim.wait("guards are off", lambda: not any(guarding(each) for each in sim.processes()), 5.0)


@pytest.mark.parametrize("both_ways", [True, False])
def test_8_a_cut_between_two_nodes_is_bridged_by_the_others(both_ways: bool) -> None:
    sim = started(8)
    start = sim.now
    sim.network.cut(sim.hosts[0], sim.hosts[1])
    if both_ways:
        sim.network.cut(sim.hosts[1], sim.hosts[0])
    late = []
    for _ in range(20):
        client = sim.client(0)
        late.append(sim.wait("it is at the other", partial(lists, sim, 1, client), 1.5, 0.01))
        sim.run(sim.now + 0.5)
    sim.run(sim.now + 10)
    assert not deaths(sim, start)
    assert not sim.journal.removals(start)
    sim.heal()
    sim.judge.settle()


def test_8_a_node_between_two_others_bridges_them() -> None:
    sim = started(9, hosts=3)
    start = sim.now
    sim.split([0], [2])
    for _ in range(10):
        client = sim.client(0)
        sim.wait("it is at the other", partial(lists, sim, 2, client), 1.5, 0.01)
        sim.run(sim.now + 0.5)
    sim.run(sim.now + 10)
    assert not deaths(sim, start)
    assert not sim.journal.removals(start)


@pytest.mark.parametrize("seconds", [2.0, 6.0])
def test_9_a_short_pause_expires_nothing(seconds: float) -> None:
    """Shorter than the fence (20 s of 30 in life, 6 of 8 here)."""
    sim = started(10)
    origin = process(sim, 3).node.origin
    sim.hosts[3].pause()
    sim.run(sim.now + seconds)
    sim.hosts[3].resume()
    sim.run(sim.now + 2 * LEASE_S)
    assert process(sim, 3).node.origin == origin
    assert not sim.journal.removals()
    sim.judge.settle()


@pytest.mark.parametrize("seed", [11, 111])
def test_9_a_long_pause_fences_and_brings_no_ghosts_to_others(seed: int) -> None:
    """40 s: beyond fence and collection."""
    sim = started(seed)
    origin = process(sim, 3).node.origin
    sim.hosts[3].pause()
    for client in sim.clients[::4]:
        client.leave()
    for client in sim.clients[1::8]:
        client.crash()
    sim.run(sim.now + 40)
    gone = {client.key for client in sim.clients} - sim.beating()
    assert not any(gone & shown(each) for each in others(sim, 3))
    start = sim.now
    sim.hosts[3].resume()
    while sim.now < start + 5:
        sim.run(sim.now + 0.02)
        assert not any(gone & shown(each) for each in others(sim, 3))
        assert not any(sim.beating() - shown(each) for each in others(sim, 3))
    assert process(sim, 3).node.origin != origin
    assert sim.journal.events("node.fenced", start)
    sim.judge.settle(5.0, 5.0)


def test_9_a_suspended_machine_does_not_wake_to_an_empty_registry() -> None:
    """A laptop's lid: all nodes and clients stop for 40 s together."""
    sim = started(12)
    for host in sim.hosts:
        host.pause()
    for client in sim.clients:
        client.sleep(40)
    sim.run(sim.now + 40)
    start = sim.now
    before = sim.beating()
    for host in sim.hosts:
        host.resume()
    watch_closely(sim, start + 3 * LEASE_S, sim.processes(), before)
    sim.judge.settle()


@pytest.mark.parametrize("seed", [13, 113])
def test_10_a_slow_node_buries_no_healthy_one(seed: int) -> None:
    sim = started(seed)
    slow = sim.hosts[2]
    start, slow.slow = sim.now, 20.0
    churn(sim, 10, start + 50)
    sim.run(start + 60)
    assert not [each for each in deaths(sim, start) if each.origin != process(sim, 2).node.origin]
    slow.slow = 1.0
    sim.judge.settle()


def test_11_three_of_nine_slow_nodes_bury_no_healthy_one() -> None:
    sim = started(14, hosts=9, clients=45)
    start = sim.now
    slow = {process(sim, number).node.origin for number in (1, 4, 7)}
    for number in (1, 4, 7):
        sim.hosts[number].slow = 20.0
    sim.run(start + 40)
    assert not [each for each in deaths(sim, start) if each.origin not in slow]


def test_12_wrong_clocks_change_nothing() -> None:
    sim = Sim(15)
    offsets = (3_600_000, -3_600_000, 0, 0, 0)
    for host, offset_ms in zip(sim.hosts, offsets, strict=True):
        host.wall_offset_ms = offset_ms
    sim.hosts[2].set_rate(2.0)
    for number in range(50):
        sim.at(1.0 + number / 25, partial(sim.client, number % 5))
    sim.run(4)
    start = sim.now
    churn(sim, 50, start + 10)
    sim.at(start + 5, lambda: setattr(sim.hosts[3], "wall_offset_ms", -600_000))
    sim.run(start + 12)
    spread = sim.journal.spread_s(5, start)
    assert len(spread) > 400
    assert percentile(spread, 0.99) <= 0.015
    assert not sim.journal.events("lease.expired")
    assert not sim.journal.removals()
    assert sim.journal.events("clock.differs")
    sim.judge.settle()


def test_12_no_update_is_lost_when_a_node_with_a_fast_clock_dies() -> None:
    """It wrote an hour ahead; what is written after its death by those behind must hold."""
    sim = Sim(16)
    sim.hosts[0].wall_offset_ms = 3_600_000
    sim.hosts[1].wall_offset_ms = -3_600_000
    sim.run(2)
    client = sim.client(0)
    sim.run(4)
    sim.hosts[0].kill()
    client.move(1)
    sim.run(9)
    client.change()
    sim.run(10)
    for each in sim.processes():
        assert each.registry.get(client.key).metadata == client.metadata
    client.leave()
    sim.run(12)
    assert not any(client.key in shown(each) for each in sim.processes())


def test_13_doubled_and_reordered_messages_change_nothing_and_cost_little() -> None:
    def run(doubled: float, reorder_s: float) -> tuple[Sim, int]:
        sim = started(17, clients=50)
        sim.network.default.doubled, sim.network.default.reorder_s = doubled, reorder_s
        start, before = sim.now, sum(sim.network.sent_bytes.values())
        churn(sim, 50, start + 8)
        sim.run(start + 10)
        sim.heal()
        sim.judge.settle()
        return sim, sum(sim.network.sent_bytes.values()) - before

    clean, clean_bytes = run(0.0, 0.0)
    wild, wild_bytes = run(0.3, 0.05)
    assert shown(process(clean, 0)) == shown(process(wild, 0))
    assert wild_bytes <= 1.3 * clean_bytes
