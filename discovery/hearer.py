"""Who is told what clients say to this node, besides the registry: somebody who passes it on to others."""

from __future__ import annotations

from typing import Literal, Protocol

Action = Literal["Register", "Heartbeat", "Cancel", "StatusUpdate", "DeleteStatusOverride"]
"""In Eureka's words."""


class Hearer(Protocol):
    """`key` is "service/instance id"; `status` is the one given with a StatusUpdate or DeleteStatusOverride.

    Called after the registry has taken it in, and never with what a Eureka server says.
    """

    def heard(self, action: Action, key: str, now: float, status: str = "") -> None: ...
