"""Every time and rule of a node that may be chosen otherwise; `app.py` chooses.

The core asks a policy and knows no modes: a control run that behaves as Eureka does is another value of this type (a
lease rule that counts a lease twice, a sweep each minute, no guards). Tests and the simulator shorten the long times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

LeaseRule = Callable[[int], float]
"""From the lease an instance asked for to the silence after which it is expired, both in seconds."""


def exact(lease_s: int) -> float:
    return float(lease_s)


@dataclass(frozen=True)
class OwnerGuardRule:
    """When a node doubts itself rather than its instances (`discovery.guards.OwnerGuard`)."""

    share: float = 0.15
    """More of the own leases than this running out within one lease: the fault is likelier here than there."""
    at_least: int = 10
    from_leases: int = 50
    """With fewer leases a few crashes are a large share; the guard never acts."""
    hold_leases: float = 5.0
    """Nothing is expired for this many leases."""
    drain_per_s: float = 0.01
    """Afterwards this share of the leases may go each second."""


@dataclass(frozen=True)
class IsolationGuardRule:
    """When a node takes itself to be cut off rather than the others to be dead (`discovery.guards.IsolationGuard`)."""

    share: float = 0.5
    from_members: int = 5
    window_s: float = 3600.0
    """Members seen within this time count as known."""
    cap_s: float = 900.0
    """The graces of orphans stand still for so long at most."""


@dataclass(frozen=True)
class Policy:
    lease: LeaseRule = exact
    sweep_s: float = 1.0
    """Leases are looked at this often; an instance goes at most so much after its lease."""
    owner_guard: OwnerGuardRule | None = OwnerGuardRule()
    isolation_guard: IsolationGuardRule | None = IsolationGuardRule()
    coalesce_s: float = 0.005
    """Changes are collected for this long before they are pushed, so that a burst travels in one message."""
    crowd_per_s: float = 200.0
    """With more own changes than this, `crowd_coalesce_s` takes the place of `coalesce_s`: a message costs far more
    than a record in it, and would leave no time for the changes themselves."""
    crowd_coalesce_s: float = 0.020
    offer_busy_s: float = 0.020
    """After news from others, one peer is offered the digest: what a stalled connection holds up comes by another."""
    offer_idle_s: float = 1.0
    touch_s: float = 0.2
    """Forwarded heartbeats are collected for this long."""
    probe_s: float = 0.5
    probe_timeout_s: float = 0.2
    helpers: int = 3
    """Members asked to probe one that did not answer."""
    alone_s: float = 1.0
    """All seeds refused for this long: there is nobody; serve."""
    hold_s: float = 3.0
    """Serve after this long at the latest, whatever the seeds do."""
    fence_s: float = 30.0
    """A node that did not run for longer begins a new log: others may have taken over what it had."""
    gc_grace_s: float = 15 * 60.0
    """Tombstones are kept this long: more than twice the longest time an instance may be listed without beating."""
    forget_superseded_s: float = 3600.0
    """The log of a boot that has a successor, or said goodbye, is dropped so long after its death."""
    forget_s: float = 24 * 3600.0
    """The log of any other dead boot; its node is looked for as long."""
    members_max: int = 16
    """Every node talks to every other; one more is refused."""
