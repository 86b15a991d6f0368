"""Reports of drills that never were: what a real one has, in any size, the same for the same seed."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from launcher.drill.result import (
    CONTROL_LABEL,
    CONTROL_NOTE,
    ByMethod,
    FailedCall,
    Moment,
    Phase,
    Report,
    Run,
    Slice,
    Verdict,
)

BASE = "http://127.0.0.1:7554"
SLICE_S = 0.25
METHODS = {"GET": 0.7, "POST": 0.2, "PUT": 0.05, "DELETE": 0.05}

VERDICTS = (
    ("no call gets an error answer, but for unsafe ones that had reached it", "0 of 12,004 calls", True),
    ("never longer than 200 ms without a good answer on new connections", "60 ms at 32.7 s", True),
    ("victim's instances out of every living gateway's rotation within 1 s", "174 ms", True),
    ("victim suspect in every living registry view within 2 s", "229 ms", True),
    ("victim's instances removed from every living registry view within 18 s", "16.16 s", True),
    ("victim's instances in every gateway's rotation within 5 s of start", "1.41 s", True),
    ("0 acknowledged cache writes lost", "0 of 692 lost", True),
    ("0 registrations lost, 0 resurrected", "0 lost, 0 resurrected", True),
    ("every step succeeds", "2 steps", True),
)  # fmt: skip
CONTROL_VERDICTS = (
    ("412 of 12,004 calls", False), ("1.41 s at 5.1 s", False), ("18.22 s", False), ("not seen", None),
    ("19.80 s", False), ("6.03 s", False), ("3 of 640 lost", False), ("0 lost, 0 resurrected", True), ("2 steps", True),
)  # fmt: skip


def report(*runs: Run, **changed: object) -> Report:
    fields = {
        "scenario": "lpar-crash",
        "title": "kill -9 of every process of an LPAR",
        "about": "One LPAR is gone from one moment to the next, launcher, discovery, gateway, cache and sample. The "
        "other one carries on; what was registered by the lost one is suspected at once and removed when its leases "
        "end; then it is started again.",
        "at": "2026-11-26T11:50:04+00:00",
        "version": "0.1.0",
        "machine": "2 processors, Linux 6.1.0, Python 3.11.2",
        "command": "plexmesh drill lpar-crash",
        "seed": 7,
        "load": "200 calls a second, 50 % of them on new connections: 70 % GET /sample/api/v1/hello, 10 % POST "
        "/sample/api/v1/echo, 5 % PUT /sample/api/v1/echo, 5 % DELETE /sample/api/v1/echo, 10 % cache",
        "simulated": "Real: every request, heartbeat and kill. Simulated: an LPAR (processes on one kernel).",
        "runs": list(runs) or [plexmesh(), control()],
    }
    runs_made = fields["runs"]
    assert isinstance(runs_made, list)
    return Report(**{"passed": runs_made[0].passed, **fields, **changed})  # type: ignore[arg-type]


def plexmesh(**changed: object) -> Run:
    """LPAR2 is killed at 5 s and started again at 25 s: two calls were cut."""
    return run(
        failures=[(5.0, "cut"), (5.005, "cut")],
        steps=[step(5.0, "kill LPAR2", until=5.04), step(25.02, "start LPAR2", until=29.4)],
        **changed,
    )


def control(duration_s: float = 90.0, failures: int = 412, **changed: object) -> Run:
    """The same, and for a while every second call goes to what is not there any more."""
    chance = random.Random(2)
    when = sorted(5 + 18 * chance.random() for _ in range(failures))
    fields = {
        "label": CONTROL_LABEL,
        "note": f"{CONTROL_NOTE}; its timers run 10 times as fast",
        "behaviour": "zowe",
        "speed": 10.0,
        "passed": False,
        "verdicts": [
            Verdict(text=text, measured=measured, passed=passed)
            for (text, _, _), (measured, passed) in zip(VERDICTS, CONTROL_VERDICTS, strict=True)
        ],
    }
    return run(
        failures=[(at, "cut" if chance.random() < 0.1 else "error") for at in when],
        steps=[step(5.0, "kill LPAR2", until=5.03), step(45.01, "start LPAR2")],
        duration_s=duration_s,
        **{**fields, **changed},
    )


def step(at: float, text: str, until: float | None = None) -> Moment:
    return Moment(at=at, text=text, until=until, step=True)


def run(
    *,
    failures: Sequence[tuple[float, str]] = (),
    steps: Sequence[Moment] = (),
    duration_s: float = 60.0,
    rate: int = 200,
    seed: int = 1,
    **changed: object,
) -> Run:
    chance = random.Random(seed)
    lost = (steps[0].at, steps[1].until or steps[1].at + 5) if len(steps) > 1 else (math.inf, math.inf)
    slices = [_slice(n * SLICE_S, rate, lost, failures, chance) for n in range(int(duration_s / SLICE_S) + 1)]
    calls = sum(each.ok + each.errors + each.cut for each in slices)
    fields = {
        "label": "plexmesh",
        "note": "",
        "behaviour": "plexmesh",
        "speed": 1.0,
        "without": [],
        "target": "local",
        "passed": True,
        "duration_s": duration_s,
        "verdicts": [Verdict(text=text, measured=measured, passed=passed) for text, measured, passed in VERDICTS],
        "moments": sorted([*steps, *_events(steps, chance)], key=lambda moment: moment.at),
        "slices": slices,
        "slice_s": SLICE_S,
        "phases": _phases(steps, slices, duration_s),
        "methods": [_by_method(name, share, calls, failures) for name, share in METHODS.items()],
        "failed": [_failed(number, at, kind, chance) for number, (at, kind) in enumerate(failures)][:500],
        "lpars": ["LPAR1", "LPAR2"],
    }
    return Run(**{**fields, **changed})  # type: ignore[arg-type]


def _slice(
    at: float, rate: int, lost: tuple[float, float], failures: Sequence[tuple[float, str]], chance: random.Random
) -> Slice:
    inside = [kind for when, kind in failures if at <= when < at + SLICE_S]
    ok = max(round(rate * SLICE_S) + chance.randint(-1, 1) - len(inside), 0)
    second = 0 if lost[0] <= at < lost[1] else sum(chance.random() < 0.5 for _ in range(ok))
    p50 = 0.85 * chance.lognormvariate(0, 0.08)
    p99 = p50 * (12 if inside else 3.2) * chance.lognormvariate(0, 0.35)
    return Slice(
        at=round(at, 3),
        ok=ok,
        errors=inside.count("error"),
        cut=inside.count("cut"),
        p50_ms=round(p50, 2) if ok else None,
        p99_ms=round(p99, 2) if ok else None,
        max_ms=round(p99 * 1.4, 2) if ok else None,
        served={name: count for name, count in (("LPAR1", ok - second), ("LPAR2", second)) if count},
    )


def _events(steps: Sequence[Moment], chance: random.Random) -> list[Moment]:
    events = []
    for step in steps:
        at = step.at + 0.02
        for name in ("sample", "cachingservice", "gateway"):
            events.append(
                Moment(
                    at=round(at, 2),
                    lpar="LPAR1",
                    text=f"endpoint.out {name}/127.0.2.1:{name}:7560, connection refused",
                )
            )
            at += chance.random()
        events.append(Moment(at=round(at, 2), text=f"{step.text}: seen"))
        events.append(Moment(at=round(at + 1, 2), lpar="LPAR2", text="gateway.started"))
    return events


def _phases(steps: Sequence[Moment], slices: Sequence[Slice], duration_s: float) -> list[Phase]:
    marks = [("before", 0.0), *((step.text, step.at) for step in steps)]
    ends = [at for _, at in marks[1:]] + [duration_s]
    phases = []
    for (name, begin), end in zip(marks, ends, strict=True):
        inside = [each for each in slices if begin <= each.at < end]
        times = [each.p99_ms for each in inside if each.p99_ms] or [None]
        phases.append(
            Phase(
                name=name,
                begin=begin,
                end=end,
                calls=sum(each.ok + each.errors + each.cut for each in inside),
                errors=sum(each.errors for each in inside),
                cut=sum(each.cut for each in inside),
                p50_ms=0.86,
                p99_ms=times[len(times) // 2],
                max_ms=max(times, key=lambda ms: ms or 0.0),
                gap_s=0.019,
            )
        )
    return phases


def _by_method(name: str, share: float, calls: int, failures: Sequence[tuple[float, str]]) -> ByMethod:
    part = [kind for number, (_, kind) in enumerate(failures) if list(METHODS)[number % 4] == name]
    return ByMethod(method=name, calls=round(calls * share), errors=part.count("error"), cut=part.count("cut"))


def _failed(number: int, at: float, kind: str, chance: random.Random) -> FailedCall:
    kept = chance.random() < 0.5
    error = kind == "error"
    return FailedCall(
        at=round(at, 3),
        took_ms=round(30 * chance.random(), 1),
        method=list(METHODS)[number % 4],
        url=f"{BASE}/sample/api/v1/echo",
        kind="error" if error else "cut",
        status=503 if error else None,
        why="ZWEAG510E the service is not available" if error else "Connection reset by peer",
        attempt=1,
        connection_age_s=round(at * chance.random(), 3) if kept else 0.0,
        connection_calls=chance.randint(1, 400) if kept else 0,
        path="LPAR1/sample@LPAR2" if error else "",
    )
