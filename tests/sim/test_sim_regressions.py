"""Faults that the simulation has found in the core, each as the shortest story that shows it."""

from __future__ import annotations

from tests.sim.client import BEAT_S, LEASE_S
from tests.sim.scenes import never_shown, others, process, shown, started, watch_closely


def test_the_opinion_of_a_node_that_was_cut_off_buries_nobody() -> None:
    """It takes all others for dead, and tells them so when it is back; they talk to one another."""
    sim = started(41)
    sim.split([1], [0, 2, 3, 4])
    sim.run(sim.now + 15)
    start = sim.now
    sim.heal()
    watch_closely(sim, start + 5, others(sim, 1), sim.beating() & shown(process(sim, 0)))
    origins = {each.node.origin for each in others(sim, 1)}
    assert not [each for each in sim.journal.opinions("dead", start) if each.origin in origins]
    sim.judge.settle()


def test_a_heartbeat_that_waited_at_a_stopped_node_revives_nothing() -> None:
    """The client went elsewhere and deregistered there; nobody remembers that when the node wakes."""
    sim = started(42, hosts=3, clients=12)
    client = sim.clients[0]
    sim.hosts[0].pause()
    sim.wait("it beats elsewhere", lambda: client.home != 0, BEAT_S + 2)
    sim.run(sim.now + 1)
    client.leave()
    sim.run(sim.now + 25)
    sim.hosts[0].resume()
    never_shown(sim, sim.now + 5, others(sim, 0), {client.key})
    sim.judge.settle()


def test_an_instance_lives_whose_heartbeats_cannot_be_forwarded() -> None:
    """It beats at a node that has no way to the owner of its lease; a third one keeps both alive for each other."""
    sim = started(43, hosts=3, clients=9)
    client = sim.clients[1]
    sim.split([0], [1])
    client.zone = client.home = 0
    start = sim.now
    watch_closely(sim, start + 4 * LEASE_S, sim.processes(), {client.key})
    assert not sim.journal.opinions("dead", start)
    sim.heal()
    sim.judge.settle()


def test_boots_that_never_saved_anything_are_different_boots() -> None:
    """The wall clock is behind what the disk says, and each is killed before it has written to the disk."""
    sim = started(44, hosts=3, clients=9)
    host = sim.hosts[0]
    host.save()
    host.wall_offset_ms = -3_600_000
    for _ in range(4):
        host.kill()
        sim.run(sim.now + 0.3)
        host.boot()
        sim.run(sim.now + 0.4)
    sim.judge.settle()


def test_a_node_started_from_disk_believes_its_peer_about_the_living() -> None:
    """It cannot reach one owner itself; the peer that covers it can."""
    sim = started(45, hosts=3, clients=9)
    sim.hosts[0].save()
    sim.split([0], [2])
    sim.run(sim.now + 0.5)
    sim.hosts[0].kill()
    sim.run(sim.now + 0.5)
    sim.hosts[0].boot()
    sim.wait("it is ready", lambda: process(sim, 0).node.covered, 3.0)
    theirs = {client.key for client in sim.clients if client.home == 2}
    watch_closely(sim, sim.now + 2 * LEASE_S, sim.processes(), theirs)
    sim.heal()
    sim.judge.settle()


def test_a_node_that_left_slowly_is_looked_for_again() -> None:
    """It still answers while it waits for its goodbye to be heard; its next boot knows nobody that runs."""
    sim = started(46, hosts=3, clients=9)
    sim.hosts[0].seeds = [sim.hosts[2].address]
    sim.network.cut(sim.hosts[2], sim.hosts[0])
    sim.hosts[0].leave()
    sim.wait("it is gone", lambda: sim.hosts[0].process is None, 2.0)
    sim.heal()
    sim.hosts[2].kill()
    sim.run(sim.now + 3)
    sim.hosts[0].boot(empty=True)
    sim.wait("it is found", lambda: sim.beating() <= shown(process(sim, 0)), 8.0)
    sim.hosts[2].boot()
    sim.judge.settle()
