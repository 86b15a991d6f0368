"""How many retries there may be: a share of the calls, and a few more, so that retries never multiply a failure.

Within any ten seconds: at most a fifth of the calls made, and ten a second on top, without which a service that is
seldom called would never be tried again. Retries after a failed connect are not charged: nothing reached an instance.

Source: Twitter Finagle's and linkerd's retry budget (a window of ten seconds, a share and a floor).
"""

from __future__ import annotations

from collections import deque

WINDOW_S = 10.0
SHARE = 0.2
FLOOR_PER_S = 10


class Budget:
    """Of one service."""

    def __init__(self) -> None:
        self._spent: deque[float] = deque()
        """When, in the last ten seconds."""

    def spend(self, calls: int, now: float) -> bool:
        """One retry, if there may be one. `calls`: tries in the last ten seconds, retries among them."""
        spent = self._spent
        while spent and now - spent[0] >= WINDOW_S:
            spent.popleft()
        if len(spent) >= FLOOR_PER_S * WINDOW_S + SHARE * max(calls - len(spent), 0):
            return False
        spent.append(now)
        return True
