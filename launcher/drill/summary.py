"""From what was seen to the document: slices, phases, tables. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from launcher.drill import result, verdict
from launcher.drill.evidence import Call, Evidence, gap, percentile
from launcher.drill.result import CONTROL_LABEL, CONTROL_NOTE, ByMethod, FailedCall, Moment, Phase, Slice
from launcher.drill.scenario import Scenario

SLICE_S = 0.25
MAX_FAILED = 500
MAX_MOMENTS = 300


def run(
    scenario: Scenario,
    seen: Evidence,
    events: Sequence[Moment],
    *,
    target: str,
    behaviour: str = "plexmesh",
    speed: float = 1.0,
    without: Sequence[str] = (),
    tls: bool = False,
) -> result.Run:
    verdicts = verdict.verdicts(scenario.expect, seen, target)
    return result.Run(
        label=label(behaviour, without),
        note=note(behaviour, speed, tls=tls),
        behaviour=behaviour,
        speed=speed,
        without=list(without),
        target=target,
        tls=tls,
        passed=all(each.passed is not False for each in verdicts),
        duration_s=round(seen.duration_s, 2),
        verdicts=verdicts,
        moments=moments(seen, events),
        slices=slices(seen.calls, seen.duration_s),
        slice_s=SLICE_S,
        phases=phases(seen),
        methods=methods(seen.calls),
        failed=[failed(call) for call in sorted(seen.calls, key=lambda c: c.at) if call.kind != "ok"][:MAX_FAILED],
        lpars=list(seen.gateways) or seen.lpars,
    )


def label(behaviour: str, without: Sequence[str]) -> str:
    base = CONTROL_LABEL if behaviour == "zowe" else "plexmesh"
    return f"{base} without {', '.join(without)}" if without else base


def note(behaviour: str, speed: float, *, tls: bool = False) -> str:
    said = [CONTROL_NOTE] if behaviour == "zowe" else []
    if behaviour == "zowe" and speed != 1:
        said.append(f"its timers run {speed:g} times as fast")
    return "; ".join([*said, "with TLS"] if tls else said)


def slices(calls: Iterable[Call], duration_s: float) -> list[Slice]:
    """Every slice of the run in order, those without calls too."""
    found: dict[int, list[Call]] = defaultdict(list)
    for call in calls:
        found[int(call.at / SLICE_S)].append(call)
    return [slice_of(n * SLICE_S, found.get(n, [])) for n in range(int(duration_s / SLICE_S) + 1)]


def slice_of(at: float, calls: Sequence[Call]) -> Slice:
    kinds = Counter(call.kind for call in calls)
    took_ms = _took_ms(calls)
    return Slice(
        at=round(at, 3),
        ok=kinds["ok"],
        errors=kinds["error"],
        cut=kinds["cut"],
        p50_ms=_rounded(percentile(took_ms, 50)),
        p99_ms=_rounded(percentile(took_ms, 99)),
        max_ms=_rounded(max(took_ms, default=None)),
        served=dict(sorted(Counter(call.served for call in calls if call.kind == "ok" and call.served).items())),
    )


def phases(seen: Evidence) -> list[Phase]:
    """ "before", and one from each step that did something to the next."""
    marks = [("before", 0.0), *((str(done.step), done.begin) for done in seen.steps if done.step.breaks)]
    ends = [begin for _, begin in marks[1:]] + [seen.duration_s]
    return [_phase(name, begin, end, seen.calls) for (name, begin), end in zip(marks, ends, strict=True)]


def _phase(name: str, begin: float, end: float, calls: Sequence[Call]) -> Phase:
    inside = [call for call in calls if begin <= call.at < end]
    since = max((call.end for call in calls if call.kind == "ok" and call.end <= begin), default=begin)
    kinds = Counter(call.kind for call in inside)
    took_ms = _took_ms(inside)
    return Phase(
        name=name,
        begin=round(begin, 2),
        end=round(end, 2),
        calls=len(inside),
        errors=kinds["error"],
        cut=kinds["cut"],
        p50_ms=_rounded(percentile(took_ms, 50)),
        p99_ms=_rounded(percentile(took_ms, 99)),
        max_ms=_rounded(max(took_ms, default=None)),
        gap_s=round(gap(inside, since, max((call.at for call in inside), default=begin))[0], 3),
    )


def methods(calls: Iterable[Call]) -> list[ByMethod]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for call in calls:
        found[call.method][call.kind] += 1
    return [
        ByMethod(method=name, calls=kinds.total(), errors=kinds["error"], cut=kinds["cut"])
        for name, kinds in sorted(found.items(), key=lambda item: -item[1].total())
    ]


def failed(call: Call) -> FailedCall:
    return FailedCall(
        at=round(call.at, 3),
        took_ms=round(call.took_s * 1000, 1),
        method=call.method,
        url=call.url,
        kind=call.kind,
        status=call.status,
        why=call.why,
        attempt=call.attempt,
        connection_age_s=round(call.age_s, 3),
        connection_calls=call.carried,
        path=call.path,
    )


def moments(seen: Evidence, events: Sequence[Moment]) -> list[Moment]:
    """Steps, and what processes told meanwhile, in order."""
    steps = [
        Moment(
            at=round(done.begin, 2),
            until=round(done.end, 2),
            text=f"{done.step}{f': {done.error}' if done.error else ''}",
            step=True,
        )
        for done in seen.steps
    ]
    return sorted([*steps, *list(events)[:MAX_MOMENTS]], key=lambda moment: moment.at)


def _took_ms(calls: Iterable[Call]) -> list[float]:
    return [call.took_s * 1000 for call in calls if call.kind == "ok"]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
