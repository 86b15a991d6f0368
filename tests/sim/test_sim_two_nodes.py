"""Two and three nodes through seeded histories of faults; afterwards all must agree, and on the truth.

A failing seed replays alone: `pytest tests/sim -k 'history and 1234'` after adding it to REGRESSIONS, or
`python -c "from tests.sim.test_sim_two_nodes import history; history(1234)"`.
"""

import os
import time

import pytest

from tests.sim.simulator import BEAT_S, LEASE_S, Sim

SETTLE_S = LEASE_S + BEAT_S + 5.0
SECONDS = float(os.environ.get("PLEXMESH_SIM_SECONDS", "15"))

REGRESSIONS: list[int] = []


def history(seed: int) -> Sim:
    """60 seconds of registrations, leaves, crashes, kills, restarts and cuts; then peace; then judgement."""
    sim = Sim(seed, hosts_count=2 + seed % 2, loss=0.02 if seed % 3 == 0 else 0.0)
    rng = sim.rng
    for host in sim.hosts:
        host.clock_skew_ms = rng.choice((0, 0, 0, 3_600_000, -3_600_000))
    for _ in range(rng.randint(3, 12)):
        sim.at(rng.uniform(0.6, 20), lambda: sim.client(rng.randrange(len(sim.hosts))))
    for _ in range(rng.randint(2, 10)):
        sim.at(rng.uniform(5, 60), lambda: _disturb(sim))
    sim.run(60)
    sim.heal()
    for host in sim.hosts:
        sim.boot(host)
    sim.loss = 0.0
    sim.run(60 + SETTLE_S)
    judge(sim)
    return sim


def _disturb(sim: Sim) -> None:
    rng = sim.rng
    what = rng.choice(("kill", "kill", "cut", "heal", "leave", "crash", "move"))
    running = sim.running()
    if what == "kill" and len(running) > 1:
        host = rng.choice(running)
        sim.kill(host)
        sim.at(sim.now + rng.choice((0.3, 2.0, 10.0, 40.0)), lambda: sim.boot(host))
    elif what == "cut":
        one, other = rng.sample(sim.hosts, 2)
        sim.cut(one, other)
        sim.at(sim.now + rng.uniform(0.5, 30), sim.heal)
    elif what == "heal":
        sim.heal()
    elif sim.clients:
        client = rng.choice(sim.clients)
        if what == "leave":
            sim.leave(client)
        elif what == "crash":
            sim.crash(client)
        else:
            client.home = rng.randrange(len(sim.hosts))


def judge(sim: Sim) -> None:
    views = {host.name: sim.visible(host) for host in sim.hosts}
    for name, view in views.items():
        lost = sim.living() - view
        ghosts = view - sim.living()
        assert not lost, f"{name} lost {sorted(lost)}\n{sim.story()}"
        assert not ghosts, f"{name} shows ghosts {sorted(ghosts)}\n{sim.story()}"
    positions = [
        {origin: seq for origin, seq in host.node.positions().items() if seq} for host in sim.hosts if host.node
    ]
    assert all(each == positions[0] for each in positions), f"positions differ: {positions}\n{sim.story()}"


@pytest.mark.parametrize("seed", [*range(100), *REGRESSIONS])
def test_history(seed: int) -> None:
    history(seed)


def test_more_histories() -> None:
    """As many further seeds as fit into the time given (PLEXMESH_SIM_SECONDS)."""
    deadline = time.monotonic() + SECONDS
    seed = 1_000 + int(time.time()) % 1_000_000 * 1_000
    passed = 0
    while time.monotonic() < deadline:
        history(seed + passed)
        passed += 1
    print(f"{passed} further seeds passed, from {seed}")
    assert passed > 0


def test_a_change_is_on_the_other_node_in_milliseconds() -> None:
    sim = Sim(7)
    sim.run(3)
    client = sim.client(0)
    sim.run(3.02)
    assert client.key in sim.visible(sim.hosts[1])


def test_a_silent_instance_goes_after_its_lease_and_one_sweep() -> None:
    sim = Sim(8)
    sim.run(3)
    client = sim.client(0)
    sim.run(3 + 4 * BEAT_S + 1)
    sim.crash(client)
    sim.run(client.last_beat + LEASE_S - 0.01)
    assert client.key in sim.visible(sim.hosts[0])
    sim.run(client.last_beat + LEASE_S + 1.05)
    assert all(client.key not in sim.visible(host) for host in sim.hosts)


def test_instances_outlive_their_owner_and_go_with_their_lease_when_both_died() -> None:
    sim = Sim(9)
    sim.run(3)
    living, dying = sim.client(1), sim.client(1)
    sim.run(10)
    sim.kill(sim.hosts[1])
    sim.crash(dying)
    killed = sim.now
    while sim.now < killed + LEASE_S + 10:
        sim.run(sim.now + 0.25)
        assert living.key in sim.visible(sim.hosts[0])
        if sim.now > killed + LEASE_S + 2:
            assert dying.key not in sim.visible(sim.hosts[0])
    assert sim.hosts[0].node is not None
    assert sim.hosts[0].node.leases == 1


def test_a_deregistration_on_one_side_of_a_split_outlives_a_late_heartbeat_on_the_other() -> None:
    sim = Sim(10)
    sim.run(3)
    client = sim.client(0)
    sim.run(4)
    sim.cut(*sim.hosts)
    sim.run(9)  # each now takes the other for dead
    late = sim.hosts[1]
    assert late.registry is not None
    assert late.registry.renew(client.key, client.dirty_ms, sim.now) == "adopted"
    sim.leave(client)
    sim.heal()
    sim.run(15)
    assert all(client.key not in sim.visible(host) for host in sim.hosts)


def test_a_boot_whose_clock_went_back_writes_above_its_former_ones() -> None:
    sim = Sim(11)
    sim.run(3)
    client = sim.client(0)
    sim.run(5)
    sim.kill(sim.hosts[0])
    sim.hosts[0].clock_skew_ms = -3_600_000
    sim.boot(sim.hosts[0])
    sim.run(20)
    judge(sim)
    assert client.key in sim.visible(sim.hosts[1])
