"""What a drill has found: the document that the JSON file holds and the HTML report draws.

A report has one or more runs of the same scenario, side by side: plexmesh, the model of what Zowe documents, plexmesh
without one of its guards. Times are seconds since the load began, unless a name says `_ms`.

Not here: how any of it is measured (`run`, `observe`), judged (`verdict`) or drawn (`report`).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from shared import simulated

CONTROL_LABEL = "as Zowe documents it"
CONTROL_NOTE = simulated.MODEL

Kind = Literal["ok", "error", "cut"]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One expectation of the scenario, judged; the same index in every run of a report is the same expectation."""

    text: str
    """What is expected, in words with its limit: "no GET gets an error answer"."""
    measured: str
    """What was seen, in words with its figure: "0 of 4,012 calls"."""
    passed: bool | None
    """None: it does not apply to this run or could not be observed, for the reason in `measured`."""


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """A step of the scenario (`lpar` empty), or an event some process told."""

    at: float
    text: str
    lpar: str = ""
    until: float | None = None
    """When a step was done."""
    step: bool = False


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """The calls that started in one slice of time, `at` up to the next slice."""

    at: float
    ok: int = 0
    errors: int = 0
    cut: int = 0
    p50_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None
    served: dict[str, int] = {}
    """Good answers by the LPAR whose instance gave them."""


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """From one step to the next: "before", then one for each step that did something."""

    name: str
    begin: float
    end: float
    calls: int
    errors: int
    cut: int
    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    gap_s: float
    """The longest time without a good answer."""


class FailedCall(msgspec.Struct, frozen=True, kw_only=True):
    at: float
    took_ms: float
    method: str
    url: str
    kind: Kind
    status: int | None
    why: str
    """The first line of the answer, or how the connection ended."""
    attempt: int
    """1: the first; higher only when the load repeats calls."""
    connection_age_s: float
    """0: a new connection."""
    connection_calls: int
    """Calls it had carried before."""
    path: str = ""
    """X-Plexmesh-Path: which instances the gateway tried."""


class ByMethod(msgspec.Struct, frozen=True, kw_only=True):
    method: str
    calls: int
    errors: int
    cut: int


class Run(msgspec.Struct, frozen=True, kw_only=True):
    label: str
    note: str
    """Said below the label; for the model of Zowe's documented behaviour always CONTROL_NOTE."""
    behaviour: str
    speed: float
    without: list[str]
    target: str
    """local or compose."""
    tls: bool = False
    """Whether everything spoke TLS."""
    passed: bool
    duration_s: float
    verdicts: list[Verdict]
    moments: list[Moment]
    slices: list[Slice]
    slice_s: float
    phases: list[Phase]
    methods: list[ByMethod]
    failed: list[FailedCall]
    """At most the first 500; `methods` counts them all."""
    lpars: list[str]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    scenario: str
    title: str
    about: str
    at: str
    """When it began: ISO 8601, UTC."""
    version: str
    machine: str
    """Processors, kernel, Python: what figures depend on."""
    command: str
    """How to run it again."""
    seed: int
    load: str
    """In words: "200 calls a second, half of them on new connections; 80 % GET, …"; or that it was external."""
    simulated: str
    """What is simulated and what is not."""
    runs: list[Run]
    passed: bool
    """The first run; it decides the exit code."""
