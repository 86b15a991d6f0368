"""Did it hold? Each kind of expectation against what was seen. Pure: evidence in, verdict out.

What could not be seen did not hold: an expectation that nothing was measured for fails, and says so. Only one that is
meant for another target (`only`), or about calls that somebody else makes, is neither a pass nor a failure.

"Living" means: not taken down by a step of the scenario at that moment. A gateway or registry that died by itself is
living, and its silence is a failure.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from launcher.drill import expectation as expected
from launcher.drill.evidence import (
    OUTCOME_UNKNOWN,
    SAFE,
    Call,
    Done,
    Evidence,
    Member,
    Process,
    Registry,
    Rotation,
    gap,
    percentile,
)
from launcher.drill.expectation import Expectation
from launcher.drill.result import Verdict
from launcher.drill.scenario import OTHER, VICTIM

ABOUT_CALLS = (expected.Failed, expected.Gap, expected.Latency, expected.Cache)


@functools.singledispatch
def judge(each: Expectation, seen: Evidence) -> Verdict:
    raise NotImplementedError(each)


def verdicts(expectations: Sequence[Expectation], seen: Evidence, target: str) -> list[Verdict]:
    return [_verdict(each, seen, target) for each in expectations]


def _verdict(each: Expectation, seen: Evidence, target: str) -> Verdict:
    if each.only not in ("", target):
        return Verdict(text=each.text(), measured=f"only on {each.only}", passed=None)
    if seen.external and isinstance(each, ABOUT_CALLS):
        return Verdict(text=each.text(), measured="the calls were made by somebody else", passed=None)
    if seen.behaviour == "zowe" and isinstance(each, expected.Suspected):
        return Verdict(text=each.text(), measured="Eureka's registry has no such state", passed=None)
    return judge(each, seen)


# --- calls


@judge.register
def _(each: expected.Failed, seen: Evidence) -> Verdict:
    since = _since(each.after, each.after_s, seen)
    if since is None:
        return _unseen(each, f"the step {each.after or 'that breaks something'} was not reached")
    gateway = _name(each.at, seen)

    def meant(call: Call) -> bool:
        return (
            (not each.methods or call.method in each.methods)
            and (each.connections == "any" or (each.connections == "new") == call.new)
            and (not gateway or call.gateway == gateway)
            and call.at >= since
        )

    calls = seen.called(meant)
    failed = [call for call in calls if _counts(call, each, seen)]
    spared = sum(call.kind != "ok" for call in calls) - len(failed) if each.how == "any" else 0
    measured = f"{len(failed)} of {len(calls):,} calls"
    if spared:
        measured += f" ({spared} in flight)"
    if failed:
        first = failed[0]
        measured += f"; the first at {first.at:.1f} s: {first.method} {first.status or 'cut'} {first.why[:80]}"
    if not calls:
        return _unseen(each, "no such call was made")
    return _said(each, measured, len(failed) <= each.at_most)


def _counts(call: Call, each: expected.Failed, seen: Evidence) -> bool:
    """Whether this call is one of those that must not be."""
    if call.kind == "ok" or (each.how != "any" and call.kind != each.how):
        return False
    if each.outcome_unknown and call.method not in SAFE and call.status == 503 and OUTCOME_UNKNOWN in call.why:
        return False
    return not (each.except_in_flight and call.kind == "cut" and seen.begun_before_a_step_was_done(call))


@judge.register
def _(each: expected.Gap, seen: Evidence) -> Verdict:
    since = _since(each.after, 0.0, seen)
    calls = seen.called(
        lambda call: (
            (each.connections == "any" or (each.connections == "new") == call.new)
            and (not each.methods or call.method in each.methods)
        )
    )
    if since is None or not calls:
        return _unseen(each, "no such call was made")
    worst, at = gap(calls, since, max(call.at for call in calls))
    return _said(each, f"{_time(worst)} at {at:.1f} s", worst <= each.at_most_s)


@judge.register
def _(each: expected.Latency, seen: Evidence) -> Verdict:
    since = _since(each.after, each.after_s, seen)
    if since is None:
        return _unseen(each, "the step was not reached")
    served, gateway = _name(each.served_by, seen), _name(each.at, seen)

    def meant(call: Call) -> bool:
        return (
            call.kind == "ok"
            and (not served or call.served == served)
            and (not gateway or call.gateway == gateway)
            and (not each.methods or call.method in each.methods)
        )

    found = percentile((call.took_s * 1000 for call in seen.called(meant) if call.at >= since), each.percentile)
    if found is None:
        return _unseen(each, "no such call was answered")
    if each.at_most_ms is not None:
        return _said(each, f"{found:.1f} ms", found <= each.at_most_ms)
    first = seen.step()
    begin = first.begin if first else 0.0
    before = percentile((call.took_s * 1000 for call in seen.called(meant) if 1.0 <= call.at < begin), each.percentile)
    if before is None or each.times_before is None:
        return _unseen(each, "there is nothing before to compare it with")
    return _said(each, f"{found:.1f} ms, before {before:.1f} ms", found <= each.times_before * before)


# --- views


@judge.register
def _(each: expected.OutOfRotation, seen: Evidence) -> Verdict:
    lpar = _name(each.lpar, seen)

    def out(view: Rotation | None) -> bool:
        if view is None:
            return False
        return not any(called for member, called in view.items() if _of(member, lpar, each.component))

    return _gateways_within(each, seen, out, lpar, each.component, each.of, each.within_s)


@judge.register
def _(each: expected.InRotation, seen: Evidence) -> Verdict:
    lpar = _name(each.lpar, seen)
    wanted = {member for member in _members(seen, lpar) if _of(member, lpar, each.component)}
    if not wanted:
        return _said(each, "no gateway has ever known one", False)

    def back(view: Rotation | None) -> bool:
        return view is not None and bool(view) and all(view.get(member, False) for member in wanted)

    return _gateways_within(each, seen, back, "", "", each.of, each.within_s, from_done=each.from_done)


def _gateways_within(
    each: Expectation,
    seen: Evidence,
    wanted: Callable[[Rotation | None], bool],
    lpar: str,
    component: str,
    of: str,
    within_s: float,
    *,
    from_done: bool = False,
) -> Verdict:
    done = seen.step(of)
    if done is None:
        return _unseen(each, "the step was not reached")
    begin = done.end if from_done else done.begin
    worst = 0.0
    for name, track in seen.gateways.items():
        if seen.down(name, "gateway", done.end + 0.001) and name == done.step.lpar:
            continue
        at = track.first(begin, wanted)
        if at is None:
            return _said(each, f"not at {name}'s gateway within {seen.duration_s - begin:.0f} s", False)
        worst = max(worst, at - begin)
    return _said(each, _time(worst), worst <= within_s)


@judge.register
def _(each: expected.Suspected, seen: Evidence) -> Verdict:
    lpar = _name(each.lpar, seen)
    return _registries_within(
        each, seen, lambda view: view.owners.get(lpar) in ("suspect", "dead"), each.of, each.within_s
    )


@judge.register
def _(each: expected.Removed, seen: Evidence) -> Verdict:
    lpar = _name(each.lpar, seen)
    return _registries_within(
        each, seen, lambda view: not any(member.lpar == lpar for member in view.records), each.of, each.within_s
    )


def _registries_within(
    each: Expectation, seen: Evidence, wanted: Callable[[Registry], bool], of: str, within_s: float
) -> Verdict:
    done = seen.step(of)
    if done is None:
        return _unseen(each, "the step was not reached")
    worst, asked = 0.0, 0
    for name, track in seen.registries.items():
        if seen.down(name, "discovery", done.end + 0.001):
            continue
        asked += 1
        at = track.first(done.begin, lambda view: view is not None and wanted(view))
        if at is None:
            return _said(each, f"not in {name}'s view within {seen.duration_s - done.begin:.0f} s", False)
        worst = max(worst, at - done.begin)
    return _said(each, _time(worst), worst <= within_s) if asked else _unseen(each, "no registry was living")


@judge.register
def _(each: expected.OneView, seen: Evidence) -> Verdict:
    done = seen.step(each.of)
    if done is None:
        return _unseen(each, f"the step {each.of} was not reached")
    changes = sorted({done.end, *(at for track in seen.registries.values() for at, _ in track if at > done.end)})
    same_since: float | None = None
    for at in changes:
        views = [track.at(at) for track in seen.registries.values()]
        if all(view is not None and view.records == views[0].records for view in views if views[0]) and views[0]:
            same_since = at if same_since is None else same_since
        elif same_since is not None and at - done.end <= each.within_s:
            same_since = None
        if same_since is not None and at - same_since > 1.0:
            break
    if same_since is None:
        return _said(each, f"not within {seen.duration_s - done.end:.0f} s", False)
    return _said(each, _time(same_since - done.end), same_since - done.end <= each.within_s)


@judge.register
def _(each: expected.Registrations, seen: Evidence) -> Verdict:
    added = {done.step.lpar.upper() for done in seen.steps if done.step.action == "add"}
    first = seen.step()
    begin = first.begin if first else 0.0
    lost: set[Member] = set()
    extra: set[Member] = set()
    for track in seen.registries.values():
        views = [view for _, view in track if view is not None]
        if not views or track.last is None:
            return _said(each, "a registry does not answer at the end", False)
        before = track.at(begin) or views[0]
        lost |= set(before.records) - set(track.last.records)
        extra |= {member for member in track.last.records if member not in before.records and member.lpar not in added}
    measured = f"{len(lost)} lost, {len(extra)} resurrected"
    some = [f"{member.service} {member.instance}" for member in [*lost, *extra]][:3]
    if some:
        measured += f": {', '.join(some)}"
    return _said(each, measured, len(lost) <= each.lost and len(extra) <= each.resurrected)


@judge.register
def _(each: expected.Registered, seen: Evidence) -> Verdict:
    if not seen.storm:
        return _unseen(each, "nothing was registered")
    worst = 0.0
    for name, registry in seen.registries.items():
        at = registry.first(0.0, lambda view: view is not None and seen.storm <= view.records.keys())
        if at is None:
            return _said(each, f"not all of {len(seen.storm)} in {name}'s registry", False)
        worst = max(worst, at - seen.storm_at)
    for name, gateway in seen.gateways.items():
        at = gateway.first(0.0, lambda view: view is not None and seen.storm <= view.keys())
        if at is None:
            return _said(each, f"not all of {len(seen.storm)} in {name}'s gateway", False)
        worst = max(worst, at - seen.storm_at)
    return _said(each, f"{_time(max(worst, 0.0))} for {len(seen.storm)} instances", worst <= each.within_s)


# --- processes


@judge.register
def _(each: expected.Replaced, seen: Evidence) -> Verdict:
    return _process_within(each, seen, lambda now, old: now.state == "ready" and now.pid not in (None, old))


@judge.register
def _(each: expected.Fenced, seen: Evidence) -> Verdict:
    return _process_within(each, seen, lambda now, old: now.pid != old)


def _process_within(
    each: expected.Replaced | expected.Fenced, seen: Evidence, wanted: Callable[[Process, int | None], bool]
) -> Verdict:
    """`wanted` is asked with the process as it is, and the pid there was when the step began."""
    lpar, done = _name(each.lpar, seen), seen.step(each.of)
    track = seen.processes.get((lpar, each.component))
    if done is None or track is None:
        return _unseen(each, "the step was not reached" if done is None else f"there is no {lpar} {each.component}")
    before = track.at(done.begin)
    old = before.pid if before else None
    at = track.first(done.begin, lambda now: wanted(now, old))
    return _in_time(each, at, done, each.within_s, seen)


def _in_time(each: Expectation, at: float | None, done: Done, within_s: float, seen: Evidence) -> Verdict:
    if at is None:
        return _said(each, f"not within {seen.duration_s - done.begin:.0f} s", False)
    return _said(each, _time(at - done.begin), at - done.begin <= within_s)


# --- the cache, the steps


@judge.register
def _(each: expected.Cache, seen: Evidence) -> Verdict:
    if not seen.acknowledged:
        return _unseen(each, "no write was acknowledged")
    measured = f"{len(seen.lost)} of {seen.acknowledged:,} lost"
    if seen.lost:
        measured += f", the first: {seen.lost[0]}"
    good = len(seen.lost) <= each.lost
    if seen.unread:
        measured += f", {seen.unread} could not be read back"
        good = False
    if each.first_good_within_s is not None and (done := seen.step(each.of)):
        answers = [c.end for c in seen.calls if c.kind == "ok" and "/cachingservice/" in c.url and c.at >= done.begin]
        first = min(answers, default=float("inf")) - done.begin
        measured += f"; first good answer after {_time(first)}"
        good = good and first <= each.first_good_within_s
    return _said(each, measured, good)


@judge.register
def _(each: expected.StepsDone, seen: Evidence) -> Verdict:
    failed = [f"{done.step}: {done.error}" for done in seen.steps if done.error]
    if failed:
        return _said(each, failed[0], False)
    done = seen.step(each.of) if each.of else None
    if done is None or each.within_s is None:
        return _said(each, f"{len(seen.steps)} steps", True)
    return _said(each, f"{_time(done.end - done.begin)}", done.end - done.begin <= each.within_s)


# --- parts


def _since(after: str, after_s: float, seen: Evidence) -> float | None:
    """The moment calls count from; 0 when all of them do, None when it was not reached."""
    if not after and not after_s:
        return 0.0
    done = seen.step(after)
    return None if done is None else done.begin + after_s


def _name(lpar: str, seen: Evidence) -> str:
    return {VICTIM: seen.lpars[-1], OTHER: seen.lpars[0]}.get(lpar, lpar.upper())


def _of(member: Member, lpar: str, component: str) -> bool:
    service = {"caching": "cachingservice"}.get(component, component)
    return member.lpar == lpar and (not service or member.service == service)


def _members(seen: Evidence, lpar: str) -> set[Member]:
    """What the first view of any gateway had of that LPAR, or the last one for an LPAR that came later."""
    found: set[Member] = set()
    for track in seen.gateways.values():
        views = [view for _, view in track if view]
        for view in (views[0], views[-1]) if views else ():
            found |= {member for member in view if member.lpar == lpar}
            if found:
                break
    return found


def _said(each: Expectation, measured: str, passed: bool) -> Verdict:
    return Verdict(text=each.text(), measured=measured, passed=passed)


def _unseen(each: Expectation, why: str) -> Verdict:
    return Verdict(text=each.text(), measured=f"not seen: {why}", passed=False)


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"
