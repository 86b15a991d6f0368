"""When the log of a dead boot is dropped by everybody.

A boot that has a successor, or said goodbye, is looked for by nobody: its log goes soon after the last instance in it
could have been listed. Any other may come back from behind a cut, with the only copy of what it took meanwhile: it is
kept for a day. What was dropped is remembered as one number per node, so that no old disk brings it back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from discovery.messages import epoch_of, node_of
from discovery.policy import Policy


def ripe(dead: Iterable[tuple[str, float]], final: Callable[[str], bool], policy: Policy) -> dict[str, int]:
    """From (origin, seconds dead) to the last boot of each node to be forgotten; `final`: it will not come back."""
    found: dict[str, int] = {}
    for origin, dead_s in dead:
        if dead_s > (policy.forget_superseded_s if final(origin) else policy.forget_s):
            found[node_of(origin)] = max(found.get(node_of(origin), -1), epoch_of(origin))
    return found
