"""What scenarios begin with, do again and again, and measure."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from discovery.messages import node_of
from discovery.policy import Policy
from tests.sim.client import Client
from tests.sim.host import Process
from tests.sim.simulator import POLICY, Sim

START_S = 4.0
"""Nodes have met and clients have registered by then."""


def started(seed: int, hosts: int = 5, clients: int = 40, *, policy: Policy = POLICY, balanced: bool = False) -> Sim:
    """A mesh in peace, its clients spread over the nodes."""
    sim = Sim(seed, hosts, policy=policy)
    for number in range(clients):
        sim.at(1.0 + number / 25, partial(sim.client, number % hosts, balanced=balanced))
    sim.run(START_S)
    sim.wait("all nodes agree", lambda: sim.judge.agreed() and not sim.judge.truth(), 3.0)
    return sim


def churn(sim: Sim, per_s: float, until: float) -> None:
    """Clients change what they say of themselves, one after the other."""
    if sim.now < until:
        beating = [client for client in sim.clients if client.state == "beating" and client.registered]
        if beating:
            sim.rng.choice(beating).change()
        sim.after(1 / per_s, lambda: churn(sim, per_s, until))


def process(sim: Sim, number: int) -> Process:
    """The node that runs on the host of that number."""
    found = sim.hosts[number].process
    assert found is not None
    return found


def others(sim: Sim, number: int) -> list[Process]:
    return [each for each in sim.processes() if each.host.index != number]


def shown(at: Process) -> set[str]:
    """The instances that a node lists."""
    return {record.key for _, record in at.node.view.all()}


def lists(sim: Sim, number: int, client: Client) -> bool:
    return client.key in process(sim, number).node.view


def covered(sim: Sim, number: int) -> bool:
    return process(sim, number).node.covered


def owner(at: Process, client: Client) -> str:
    """Whose lease it is, by that node."""
    held = at.node.view.get(client.key)
    return node_of(held[0]) if held else ""


def guarding(at: Process) -> list[str]:
    """The guards that hold a node back, each with its reason."""
    on = [guard for guard in at.node.guards(at.host.clock()) if guard.on]
    assert all(guard.why for guard in on)
    return [guard.name for guard in on]


def watch_closely(sim: Sim, until: float, at: Iterable[Process], keys: set[str]) -> None:
    """Run until then; at none of these nodes may any of these instances be missing at any moment."""
    nodes = list(at)
    while sim.now < until:
        sim.run(min(sim.now + 0.05, until))
        for each in nodes:
            missing = keys - shown(each)
            if missing:
                sim.judge.fail(f"{each.host.name} does not list {sorted(missing)}")


def never_shown(sim: Sim, until: float, at: Iterable[Process], keys: set[str]) -> None:
    """Run until then; none of these nodes may list any of these instances at any moment."""
    nodes = list(at)
    while sim.now < until:
        sim.run(min(sim.now + 0.05, until))
        for each in nodes:
            back = keys & shown(each)
            if back and not each.node.stale:
                sim.judge.fail(f"{each.host.name} lists {sorted(back)}")
