"""The state of a whole from the states of its parts, and the orders a part can be given.

An LPAR's state comes from its components', the sysplex' from its LPARs': all alike is that state; else one failed part
makes it failed, one paused part paused; any other mixture is `starting`: not complete (yet).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from shared.errors import NotFound, nearest
from shared.wire import ComponentState

Action = Literal["kill", "pause", "resume", "stop", "start", "reload"]
ACTIONS: tuple[Action, ...] = get_args(Action)


def overall(states: Iterable[ComponentState]) -> ComponentState:
    found = set(states)
    if len(found) == 1:
        return found.pop()
    if "failed" in found:
        return "failed"
    return "paused" if "paused" in found else "starting"


def action(name: str) -> Action:
    """Raises NotFound with the nearest one."""
    for known in ACTIONS:
        if name == known:
            return known
    raise NotFound(f"{name}: unknown action{nearest(name, ACTIONS)}")
