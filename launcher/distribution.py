"""Which gateways are on the sysplex address: the policy, without a clock or a socket.

    distribute     all that are ready
    hot-standby    one of them, the *active*: the first in the file's order when the sysplex comes up; when that is
                   lost or leaves, the next in order. One that comes back does not take over by itself.

Quiesced ones are never in. A gateway that is about to stop withdraws first, until its process has ended.

Invariant: what is wanted depends on facts only (ready, quiesced, withdrawn, active), so whoever performs the moves may
repeat them. On an order to change over the new one enters first, so there is no moment without anybody.

Source: z/OS Sysplex Distributor and VARY TCPIP,,SYSPLEX,QUIESCE.
Not here: asking gateways (`launcher.distributor`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from shared.errors import Conflict

Place = Literal["in", "out"]


@dataclass(frozen=True)
class Move:
    lpar: str
    place: Place


class Distribution:
    def __init__(self, policy: str, lpars: Iterable[str]) -> None:
        """`policy`: distribute or hot-standby; `lpars` are those with a gateway, in the file's order."""
        self.policy = policy
        self.lpars = list(lpars)
        self.active = ""
        """With hot standby: whose gateway has the calls; empty while nobody can."""
        self.quiesced: set[str] = set()
        self._withdrawn: set[str] = set()
        self._places: dict[str, Place | None] = {}
        """Of those that are ready: where they are; None: not known for certain."""
        self._complete = False
        """The first choice need not wait for one that comes before it in order."""

    # --- what happens

    def add(self, lpar: str) -> None:
        """One more, last in order."""
        self.lpars.append(lpar)

    def came(self, lpar: str) -> None:
        """A new process of it is ready. It has entered by itself if it was not held when it began."""
        self._withdrawn.discard(lpar)
        self._places[lpar] = None if self.held(lpar) else "in"
        self._choose()

    def lost(self, lpar: str) -> None:
        """Its process has ended, or is ending."""
        self._places.pop(lpar, None)
        self._choose()

    def moved(self, move: Move) -> None:
        if move.lpar in self._places:
            self._places[move.lpar] = move.place

    def complete(self) -> None:
        """Enough time was given to all: choose among those that are ready."""
        self._complete = True
        self._choose()

    # --- orders

    def quiesce(self, lpar: str) -> None:
        """Raises Conflict: nobody else could take its calls."""
        if lpar in self.quiesced:
            raise Conflict(f"{lpar} is already quiesced")
        if not any(self._able(each) for each in self.lpars if each != lpar):
            raise Conflict(f"{lpar} has the only gateway for the sysplex address: nobody could take its calls")
        self.quiesced.add(lpar)
        self._choose()

    def activate(self, lpar: str) -> None:
        """Not quiesced any more; with hot standby it becomes the active one, now or when it is ready."""
        if lpar not in self.quiesced and (self.policy == "distribute" or lpar == self.active):
            raise Conflict(f"{lpar} is not quiesced" if self.policy == "distribute" else f"{lpar} is already active")
        self.quiesced.discard(lpar)
        if self.policy == "hot-standby" and self._able(lpar):
            self.active = lpar
        self._choose()

    def withdraw(self, lpar: str) -> None:
        """It is about to be stopped."""
        self._withdrawn.add(lpar)
        self._choose()

    def stay(self, lpar: str) -> None:
        """It was not stopped after all."""
        self._withdrawn.discard(lpar)
        self._choose()

    # --- what follows

    def held(self, lpar: str) -> bool:
        """Whether a new process of it must not enter by itself."""
        return self.policy == "hot-standby" or lpar in self.quiesced

    def wanted(self, lpar: str) -> Place:
        if self.policy == "hot-standby":
            return "in" if lpar == self.active else "out"
        return "in" if self._able(lpar) else "out"

    def moves(self) -> list[Move]:
        """What is to be done now. With hot standby nobody leaves before the other has entered."""
        due = [Move(lpar, self.wanted(lpar)) for lpar, place in self._places.items() if place != self.wanted(lpar)]
        entering = [move for move in due if move.place == "in"]
        return entering if entering and self.policy == "hot-standby" else due

    @property
    def changing_over(self) -> bool:
        """With hot standby: one enters for another that leaves."""
        return self.policy == "hot-standby" and bool(self.moves())

    def done(self, lpar: str) -> bool:
        """It is where it is wanted, or has no gateway that could be anywhere."""
        return self._places.get(lpar, self.wanted(lpar)) == self.wanted(lpar)

    def settled(self, lpar: str) -> bool:
        """It is ready, and where it is wanted."""
        return self._places.get(lpar) == self.wanted(lpar)

    @property
    def entered(self) -> list[str]:
        return [lpar for lpar in self.lpars if self._places.get(lpar) == "in"]

    def _able(self, lpar: str) -> bool:
        return lpar in self._places and lpar not in self.quiesced and lpar not in self._withdrawn

    def _choose(self) -> None:
        if self.policy != "hot-standby" or self._able(self.active):
            return
        able = [lpar for lpar in self.lpars if self._able(lpar)]
        eligible = [lpar for lpar in self.lpars if lpar not in self.quiesced]
        first = bool(able) and able[0] == eligible[0]
        self._complete = self._complete or first
        self.active = able[0] if able and self._complete else ""
