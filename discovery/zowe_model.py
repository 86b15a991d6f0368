"""`behaviour: zowe`: a node's rules as a model of what Eureka does in a Zowe installation. Not a run of Zowe.

Modelled, with every time divided by `speed`: a lease that was renewed ends after twice its duration; leases are looked
at once a minute; self-preservation: when more than 15 % of the renewals that are expected stay away, nothing is ended
until they are back, in the smallest registries too. A peer that is gone takes nothing with it: what it had stays
listed by the same rule.

Not modelled: the estimate of renewals per minute with its rounding (here real leases are counted), the random choice of
what an eviction run ends, peer replication's batches (here milliseconds), response caches (Zowe turns them off).

Source: Eureka's leases and self-preservation, Zowe API ML's discovery configuration.
"""

from __future__ import annotations

from discovery.policy import IsolationGuardRule, OwnerGuardRule, Policy

SWEEP_S = 60.0
FOR_EVER_S = 1e9


def doubled(lease_s: int) -> float:
    return 2.0 * lease_s


def policy(*, speed: float, fence_s: float, guarded: bool = True) -> Policy:
    return Policy(
        lease=doubled,
        sweep_s=SWEEP_S / speed,
        owner_guard=OwnerGuardRule(share=0.15, at_least=1, from_leases=1, hold_leases=FOR_EVER_S, drain_per_s=0.0)
        if guarded
        else None,
        isolation_guard=IsolationGuardRule(share=0.85, from_members=2, cap_s=FOR_EVER_S) if guarded else None,
        fence_s=fence_s,
    )
