"""A rolling restart on paper: which components, in which order, and whether others can take their calls meanwhile.

LPAR after LPAR, in the file's order, and in each the components in start order: one instance at a time, in the whole
sysplex. What does not run is left as it is.

Not here: doing it (`launcher.rolling`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared import wire
from shared.errors import Conflict, NotFound, nearest


@dataclass(frozen=True)
class Stop:
    """One instance to be restarted."""

    lpar: str
    component: str
    url: str

    def __str__(self) -> str:
        return f"{self.lpar} {self.component}"


def stops(lpars: Sequence[wire.Lpar], lpar: str, component: str) -> list[Stop]:
    """`lpar` and `component` narrow it down; empty: all. Raises NotFound; Conflict: nothing of it runs."""
    ids = [each.id for each in lpars]
    names = list(dict.fromkeys(part.name for each in lpars for part in each.components))
    if lpar and lpar not in ids:
        raise NotFound(f"there is no LPAR {lpar}{nearest(lpar, ids)}")
    if component and component not in names:
        raise NotFound(f"no LPAR has a component {component!r}{nearest(component, names)}")
    found = [
        Stop(each.id, part.name, part.url or "")
        for each in lpars
        for part in each.components
        if part.state == "ready" and lpar in ("", each.id) and component in ("", part.name)
    ]
    if not found:
        raise Conflict(f"nothing is to be restarted: no {component or 'component'} is ready in {lpar or 'any LPAR'}")
    return found


def alone(lpars: Sequence[wire.Lpar], itinerary: Sequence[Stop], quiesced: Sequence[str]) -> list[Stop]:
    """Those that nobody can stand in for; a quiesced LPAR's gateway cannot."""
    return [stop for stop in itinerary if not any(_stands_in(each, stop, quiesced) for each in lpars)]


def _stands_in(lpar: wire.Lpar, stop: Stop, quiesced: Sequence[str]) -> bool:
    if lpar.id == stop.lpar or (stop.component == "gateway" and lpar.id in quiesced):
        return False
    return any(each.name == stop.component and each.state == "ready" for each in lpar.components)
