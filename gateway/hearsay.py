"""What is known of a service and of its instances: here, at the discovery nodes, and at the other gateways.

Each of them has a view of its own, a moment old, so they are set side by side: what only one side knows, and what two
sides judge differently, is most often why a call goes well at one gateway and not at another.

Not here: how others are asked (`inquiry`), the rest of a call's way (`explain`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from gateway import near_misses
from gateway.explanation import (
    GatewayFinding,
    GatewayWord,
    Heard,
    InstancesStep,
    NodeFinding,
    NodeWord,
    ServiceStep,
    View,
)
from gateway.report import Report
from gateway.snapshot import Snapshot, Upstream
from gateway.views import instances_of
from shared.wire import Instance

MAX_SHOWN = 100
"""Instances of a service that are told one by one."""

MAX_NAMED = 5
"""Ids in one sentence."""


def service_step(id: str, upstream: Upstream | None, snapshot: Snapshot, report: Report, heard: Heard) -> ServiceStep:
    """`upstream` is that service's, None when it is not routed."""
    here = {each.instance: each.status for each in instances_of(snapshot, id)}
    step = ServiceStep(says="", known=upstream is not None, statuses=Counter(here.values()))
    if upstream is not None:
        step.says = f"{id} is known here, with {counted(here.values())}."
        step.details += [f"Wrong in its registration: {fault}." for fault in upstream.faults]
    elif here:
        step.says = f"{id} is registered here, but it is a name of plexmesh's own and never routed."
    else:
        _tell_unknown(step, id, [each.decode() for each in snapshot.upstreams])
    if not report.watch.node:
        why = f" ({report.watch.trouble})" if report.watch.trouble else ""
        step.details.append(f"This gateway follows no discovery node now{why}: what it knows may be old.")
    nodes = list(instances_of(snapshot, "discovery"))
    step.nodes = [_node(word, nodes, here) for word in heard.nodes]
    step.gateways = [_gateway(word) for word in heard.gateways]
    step.details += [each.says for each in step.nodes] + [each.says for each in step.gateways]
    return step


def _tell_unknown(step: ServiceStep, id: str, known: Collection[str]) -> None:
    step.says = f"No service has the id {id!r} here."
    step.nearest = near_misses.ids(id, known)
    if step.nearest:
        case = "; ids are in lower case" if id.lower() in known else ""
        step.details.append(f"Near to it: {', '.join(step.nearest)}{case}.")


def _node(word: NodeWord, nodes: Iterable[Instance], here: Collection[str]) -> NodeFinding:
    lpar = next((each.lpar or "" for each in nodes if word.url.partition("://")[2] == f"{each.host}:{each.port}"), "")
    name = f"Discovery {of_lpar(lpar)} ({word.url})" if lpar else f"Discovery at {word.url}"
    if word.trouble:
        return NodeFinding(says=f"{name} {word.trouble}.", url=word.url, lpar=lpar, reachable=False)
    unheard = sorted(word.instances.keys() - here)
    missing = sorted(set(here) - word.instances.keys())
    says = [f"{name} lists {counted(word.instances.values())}{', from its disk' if word.stale else ''}"]
    if unheard:
        says.append(f"not heard of here: {_named(unheard)}")
    if missing:
        says.append(f"known here and not there: {_named(missing)}")
    return NodeFinding(
        says="; ".join(says) + ".",
        url=word.url,
        lpar=lpar,
        reachable=True,
        statuses=Counter(word.instances.values()),
        unheard=unheard[:MAX_SHOWN],
        missing=missing[:MAX_SHOWN],
    )


def _gateway(word: GatewayWord) -> GatewayFinding:
    says = word.trouble
    if not says and word.views is None:
        says = "does not know it"
    elif not says and word.views is not None:
        says = f"knows {counted(each.status for each in word.views.values())}"
    return GatewayFinding(
        says=f"The gateway {of_lpar(word.lpar)} ({word.url}) {says}.",
        url=word.url,
        lpar=word.lpar,
        reachable=not word.trouble,
        known=word.views is not None,
    )


def instances_step(
    views: Mapping[str, dict[str, Any]], candidates: Sequence[str], snapshot: Snapshot, heard: Heard
) -> InstancesStep:
    """`views` are this gateway's of one service, by instance id; `candidates` the views of those that may be called."""
    shown = [_instance(view, snapshot, heard) for view in list(views.values())[:MAX_SHOWN]]
    details = [each["says"] for each in shown]
    if len(views) > MAX_SHOWN:
        details.append(f"{len(views) - MAX_SHOWN} more are not shown.")
    usable, fine = len(candidates), sum(view == "fine" for view in candidates)
    but = f", {fine} of them fine as this gateway sees it" if fine < usable else ""
    says = f"{usable} of {len(views)} may be called{but}."
    return InstancesStep(says=says, details=details, known=len(views), usable=usable, instances=shown)


def _instance(view: dict[str, Any], snapshot: Snapshot, heard: Heard) -> dict[str, Any]:
    id = view["instance"]
    lease = snapshot.instances[f"{view['service']}/{id}"].owner.partition("@")[0]
    elsewhere: list[dict[str, Any]] = [_elsewhere(word, id) for word in heard.gateways if not word.trouble]
    says = [
        f"{id} {of_lpar(view['lpar'])} at {view['url']}: the registry says {view['status']}",
        f"this gateway {_judged(view['view'], view['why'])}",
        *(f"the gateway {of_lpar(each['lpar'])} {_judged(each['view'], each['why'])}" for each in elsewhere),
    ]
    if lease:
        says.append(f"its lease is held by discovery of {lease}, which is {view['owner']}")
    return view | {"says": "; ".join(says) + ".", "elsewhere": elsewhere}


def _elsewhere(word: GatewayWord, id: str) -> dict[str, Any]:
    seen = (word.views or {}).get(id, View())
    return {"gateway": word.url, "lpar": word.lpar, "status": seen.status, "view": seen.view, "why": seen.why}


def _judged(view: str, why: str) -> str:
    if not view:
        return "has not heard of it"
    return f"says {view} ({why})" if why else f"says {view}"


def of_lpar(lpar: str | None) -> str:
    return f"of {lpar}" if lpar else "outside the sysplex"


def many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def counted(statuses: Iterable[str]) -> str:
    """As in "3 instances: 2 UP, 1 DOWN"."""
    counts = Counter(statuses)
    each = ", ".join(f"{count} {status}" for status, count in counts.most_common())
    return f"{many(counts.total(), 'instance')}: {each}" if each else "no instance"


def _named(ids: list[str]) -> str:
    more = f" and {len(ids) - MAX_NAMED} more" if len(ids) > MAX_NAMED else ""
    return ", ".join(ids[:MAX_NAMED]) + more
