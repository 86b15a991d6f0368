"""What a scenario may expect, as data: one class for each kind, its fields are what may be written in YAML.

Each says itself in words (`text`), with its limits; whether it held is decided in `launcher.drill.verdict`.

`of` and `after` name the step that is counted from: its action, or its action and component ("kill gateway"); the first
such step, by default the first that breaks something.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

Connections = Literal["new", "kept", "any"]


class Expectation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    kind: ClassVar[str]
    only: Literal["", "local", "compose"] = ""
    """It is meant for that target alone."""

    def text(self) -> str:
        raise NotImplementedError

    def marks(self) -> list[str]:
        """The steps it counts from, where it names them."""
        named = (getattr(self, "after", ""), getattr(self, "of", ""))
        return [each for each in named if each]


class Failed(Expectation, frozen=True, kw_only=True):
    """So many calls may have failed: got an error answer, or been cut."""

    kind = "failed"
    methods: list[str] = []
    """Empty: all."""
    how: Literal["error", "cut", "any"] = "any"
    connections: Connections = "any"
    at: str = ""
    """Only calls that a gateway of that LPAR took: `victim`, `other`, or a name."""
    after: str = ""
    after_s: float = 0.0
    """Only calls begun later than so long after that step began; 0 and no `after`: all calls."""
    except_in_flight: bool = False
    """Calls begun before some step was done count only if they are errors: they may have been inside what died."""
    outcome_unknown: bool = False
    """Calls of unsafe methods may be answered 503 "outcome unknown": they had reached the instance that died."""
    at_most: int = 0

    def text(self) -> str:
        what = f"{'/'.join(self.methods)} " if self.methods else ""
        where = "" if self.connections == "any" else f" on {self.connections} connections"
        at = f" at {self.at}'s gateway" if self.at else ""
        when = f" later than {self.after_s:g} s after {self.after or 'the first step'}" if self.after_s else ""
        how = {"error": "gets an error answer", "cut": "is cut", "any": "fails"}[self.how]
        many = "no" if self.at_most == 0 else f"at most {self.at_most}"
        spared = [
            *(["those in flight inside what died"] if self.except_in_flight else []),
            *(['unsafe ones that had reached it (503 "outcome unknown")'] if self.outcome_unknown else []),
        ]
        but = f", but for {' and '.join(spared)}" if spared else ""
        return f"{many} {what}call{where}{at} {how}{when}{but}"


class Gap(Expectation, frozen=True, kw_only=True):
    """The longest time without a good answer."""

    kind = "gap"
    at_most_s: float
    connections: Connections = "any"
    methods: list[str] = []
    after: str = ""

    def text(self) -> str:
        where = "" if self.connections == "any" else f" on {self.connections} connections"
        return f"never longer than {_s(self.at_most_s)} without a good answer{where}"


class Latency(Expectation, frozen=True, kw_only=True):
    """A percentile of good answers, as milliseconds or as a multiple of what it was before the first step."""

    kind = "latency"
    percentile: float = 99.0
    at_most_ms: float | None = None
    times_before: float | None = None
    after: str = ""
    after_s: float = 0.0
    served_by: str = ""
    """Only answers that an instance in that LPAR gave: `victim`, `other`, or a name."""
    at: str = ""
    """Only calls that a gateway of that LPAR took."""
    methods: list[str] = []

    def text(self) -> str:
        what = f"p{self.percentile:g}{f' of {self.served_by} answers' if self.served_by else ''}"
        at = f" at {self.at}'s gateway" if self.at else ""
        when = f" from {self.after_s:g} s after {self.after or 'the first step'}" if self.after_s else ""
        limit = (
            f"{self.at_most_ms:g} ms"
            if self.at_most_ms is not None
            else f"{self.times_before:g} times what it was before"
        )
        return f"{what}{at} at most {limit}{when}"


class OutOfRotation(Expectation, frozen=True, kw_only=True):
    """No living gateway calls the instances of that LPAR (or that component of it) any more."""

    kind = "out_of_rotation"
    lpar: str = "victim"
    component: str = ""
    within_s: float
    of: str = ""

    def text(self) -> str:
        whose = f"{self.lpar}'s {self.component or 'instances'}"
        return f"{whose} out of every living gateway's rotation within {_s(self.within_s)}"


class InRotation(Expectation, frozen=True, kw_only=True):
    """Every living gateway calls them again."""

    kind = "in_rotation"
    lpar: str = "victim"
    component: str = ""
    within_s: float
    of: str = ""
    from_done: bool = False
    """Counted from when that step was done, else from its beginning."""

    def text(self) -> str:
        whose = f"{self.lpar}'s {self.component or 'instances'}"
        of = f" of {self.of}" if self.of else ""
        return f"{whose} in every gateway's rotation within {_s(self.within_s)}{of}"


class Suspected(Expectation, frozen=True, kw_only=True):
    """Every living registry view holds that LPAR's discovery node for suspect or dead."""

    kind = "suspected"
    lpar: str = "victim"
    within_s: float
    of: str = ""

    def text(self) -> str:
        return f"{self.lpar} suspect in every living registry view within {_s(self.within_s)}"


class Removed(Expectation, frozen=True, kw_only=True):
    """Its instances are gone from every living registry view."""

    kind = "removed"
    lpar: str = "victim"
    within_s: float
    of: str = ""

    def text(self) -> str:
        return f"{self.lpar}'s instances removed from every living registry view within {_s(self.within_s)}"


class OneView(Expectation, frozen=True, kw_only=True):
    """All registry views are the same again."""

    kind = "one_view"
    within_s: float
    of: str

    def text(self) -> str:
        return f"one registry view within {_s(self.within_s)} of {self.of}"


class Registrations(Expectation, frozen=True, kw_only=True):
    """At the end every view has what was there before the first step, and no more."""

    kind = "registrations"
    lost: int = 0
    resurrected: int = 0

    def text(self) -> str:
        return f"{self.lost} registrations lost, {self.resurrected} resurrected"


class Replaced(Expectation, frozen=True, kw_only=True):
    """Another process of that component is ready."""

    kind = "replaced"
    lpar: str = "victim"
    component: str
    within_s: float
    of: str = ""

    def text(self) -> str:
        of = f" of {self.of}" if self.of else ""
        return f"{self.lpar} {self.component} replaced and ready within {_s(self.within_s)}{of}"


class Fenced(Expectation, frozen=True, kw_only=True):
    """The frozen process is no more."""

    kind = "fenced"
    lpar: str = "victim"
    component: str = "gateway"
    within_s: float
    of: str = ""

    def text(self) -> str:
        return f"{self.lpar} {self.component} fenced within {_s(self.within_s)}"


class Cache(Expectation, frozen=True, kw_only=True):
    """Acknowledged writes are read back at the end."""

    kind = "cache"
    lost: int = 0
    first_good_within_s: float | None = None
    of: str = ""

    def text(self) -> str:
        first = self.first_good_within_s
        also = f"; first good answer within {_s(first)}" if first is not None else ""
        return f"{self.lost} acknowledged cache writes lost{also}"


class Registered(Expectation, frozen=True, kw_only=True):
    """All instances of the storm are in every registry view and in every gateway."""

    kind = "registered"
    within_s: float
    of: str = "register"

    def text(self) -> str:
        return f"every instance in every registry view and gateway within {_s(self.within_s)} of the last registration"


class StepsDone(Expectation, frozen=True, kw_only=True):
    """Every step did what it says."""

    kind = "steps_done"
    within_s: float | None = None
    of: str = ""

    def text(self) -> str:
        return "every step succeeds" + (f"; {self.of} within {_s(self.within_s)}" if self.within_s else "")


def _s(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:g} s"


EXPECTATIONS: dict[str, type[Expectation]] = {
    each.kind: each
    for each in (
        Failed,
        Gap,
        Latency,
        OutOfRotation,
        InRotation,
        Suspected,
        Removed,
        OneView,
        Registrations,
        Replaced,
        Fenced,
        Cache,
        Registered,
        StepsDone,
    )
}
