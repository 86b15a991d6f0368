"""Why a call is answered as it is: its way through this gateway, step by step, without making it.

    path        in its one spelling, or why the call is refused; whether it is one of the gateway's own
    service     the id in it: what is known of it here, at each discovery node, at each other gateway
    instances   of each the registry's word, this gateway's view, and that of the other gateways
    route       the rule that applies, and those that nearly did, each with its reason
    request     what an instance would be asked for
    answer      the status and the message's number, or to how many instances the call is forwarded

The request line is read, the path spelled and the rule matched by the functions that serve calls, so what is said is
what is done. What changes from call to call is not foretold: which of several instances, a rate or a number of calls
that is reached just now, what header fields ask for.

Not here: the question (`asked`), who knows what of a service (`hearsay`), what is near (`near_misses`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gateway import near_misses, paths, replies, routes, sticky
from gateway.asked import Asked, Question, read
from gateway.explanation import AnswerStep, Explanation, Heard, PathStep, Place, RequestStep, RouteStep
from gateway.hearsay import MAX_NAMED, instances_step, many, of_lpar, service_step
from gateway.policy import UNSUPPORTED, ZOWE_JWT, unserved
from gateway.report import Report
from gateway.routes import Route
from gateway.snapshot import Endpoint, Snapshot, Upstream, instance_id
from gateway.views import UNREACHABLE, instance_view, instances_of

RANKS = {"fine": 0, "trial": 0, "ejected": 1, "unproven": 2, "out": 3, UNREACHABLE: 3}
"""By view, as in `health`: a call goes to those of the lowest rank that there are."""

"""What a service, or the gateway, may refuse to take in a path (`entrance`)."""

NARROWING = frozenset((b"x-instanceid", b"x-plexmesh-lpar"))
"""Fields by which a call names whom it is for."""


class Candidate(NamedTuple):
    id: str
    url: str
    view: str


def explain(question: Question, place: Place, snapshot: Snapshot, report: Report, heard: Heard) -> Explanation:
    """Raises BadInput when the question names no URL."""
    asked = read(question, place.scheme)
    found = Explanation(
        gateway={"lpar": place.lpar, "url": place.url},
        method=question.method,
        url=question.url,
        path=_path(asked, place, snapshot, report),
        answer=_answered_at_once(asked),
    )
    if not asked.id:
        return found
    upstream = snapshot.upstreams.get(asked.segment)
    route = routes.match(asked.path, upstream.routes) if upstream else None
    found.service = service_step(asked.id, upstream, snapshot, report, heard)
    found.route = _route(asked, upstream, route, snapshot)
    if upstream is None:
        found.answer = _refusal(404, f"no service has the id {asked.id!r}")
        return found
    views = {each.instance: instance_view(snapshot, report, each) for each in instances_of(snapshot, upstream.service)}
    candidates = [_candidate(each, views, report) for each in _in_scope(upstream, place)]
    found.instances = instances_step(views, [each.view for each in candidates], snapshot, heard)
    if others := [each.url for each in candidates if each.id not in views]:
        instead = f", in place of {many(len(views), 'registered instance')}" if views else ""
        found.instances.says = f"Calls go to {', '.join(others)}{instead}."
    chosen = best(candidates, panic=upstream.service in report.panic)
    if route is None:
        found.answer = _refusal(404, f"the service {upstream.service} has no rule for this path")
        return found
    if chosen:
        found.request = _request(asked, route, chosen)
    found.answer = _answer(asked, question, place, upstream, chosen)
    return found


# --- path


def _path(asked: Asked, place: Place, snapshot: Snapshot, report: Report) -> PathStep:
    details = [*_about_address(asked, place, snapshot), *asked.remarks]
    if report.why_not_ready:
        details.append(f"This gateway is not ready: {'; '.join(report.why_not_ready)}.")
    if asked.refusal is not None:
        return PathStep(says=f"No path: {asked.refusal}.", details=details, target=asked.target)
    given, path = asked.target.partition("?")[0], asked.path.decode()
    spelled = "is in its one spelling" if path == given else f"is spelled {path}"
    meaning = "it is one of this gateway's own" if asked.own else f"the id of the service in it is {asked.id!r}"
    return PathStep(
        says=f"The path {given} {spelled}; {meaning}.",
        details=details,
        target=asked.target,
        path=path,
        query=asked.query.decode(),
        service=asked.id,
        own=asked.own,
    )


def _about_address(asked: Asked, place: Place, snapshot: Snapshot) -> list[str]:
    """What is odd about the host in the URL."""
    host, port = asked.host, asked.port
    address = f"{host}:{port}"
    if not host or address in (f"{place.host}:{place.port}", place.vipa):
        return []
    here = f"what follows is the way of a call to the gateway of {place.lpar}"
    there = [each for each in snapshot.instances.values() if each.port == port and host in (each.host.lower(), each.ip)]
    if not there:
        return [f"{address} is no gateway known here, and not the sysplex address; {here}."]
    if there[0].service == "gateway":
        return [f"{address} is the gateway {of_lpar(there[0].lpar)}; {here}."]
    return [f"{address} is the instance {there[0].key} itself, a call to it meets no gateway; {here}."]


# --- candidates


def _in_scope(upstream: Upstream, place: Place) -> Sequence[Endpoint]:
    if not upstream.policy.scope_lpar:
        return upstream.endpoints
    return [each for each in upstream.endpoints if each.lpar == place.lpar]


def _candidate(endpoint: Endpoint, views: dict[str, dict[str, Any]], report: Report) -> Candidate:
    """An endpoint that is not registered (a service's external URL) has no view but this gateway's."""
    id = instance_id(endpoint.key)
    judgement = report.health.get(endpoint.key)
    view = views[id]["view"] if id in views else judgement.state if judgement else "fine"
    return Candidate(id, endpoint.url, view)


def best(candidates: Sequence[Candidate], *, panic: bool = False) -> list[Candidate]:
    """Those that are chosen from; in a panic the ejected are among them."""
    known = RANKS | {"ejected": 0} if panic else RANKS
    ranks = [known.get(each.view, 1) for each in candidates]
    return [each for each, rank in zip(candidates, ranks, strict=True) if rank == min(ranks)]


# --- route, request, answer


def _route(asked: Asked, upstream: Upstream | None, route: Route | None, snapshot: Snapshot) -> RouteStep:
    step = RouteStep(says="No rule can apply without a service.")
    if upstream is not None:
        step.others = near_misses.misses(asked.path, upstream, route)
        step.says = f"No rule of {upstream.service} applies; it has {len(upstream.routes)}."
    if route is not None:
        step.gateway_url, step.service_url = route.gateway_url, route.target.decode() or "/"
        step.says = f"The rule {step.gateway_url or '(any path)'} → {step.service_url} applies."
    else:
        step.turned = near_misses.turned(asked.path, snapshot.upstreams)
    step.details = [f"{miss.gateway_url} → {miss.service_url}: {miss.why}." for miss in step.others]
    if step.turned:
        step.details.append(f"This is the order of Zowe's version 1, which is gone; today it is {step.turned}.")
    return step


def _request(asked: Asked, route: Route, chosen: Sequence[Candidate]) -> RequestStep:
    target = (routes.outgoing_path(asked.path, route) + asked.query).decode()
    urls = [f"{each.url}{target}" for each in chosen]
    more = [f"{len(urls) - MAX_NAMED} more."] if len(urls) > MAX_NAMED else []
    return RequestStep(
        says=f"An instance is asked for {target}.", details=urls[:MAX_NAMED] + more, target=target, urls=urls
    )


def _answered_at_once(asked: Asked) -> AnswerStep:
    """Without an instance: refused, or by the gateway's own pages."""
    if asked.refusal is not None:
        return _refusal(asked.refusal.status, str(asked.refusal))
    return AnswerStep(says="This gateway answers by itself.")


def _answer(
    asked: Asked, question: Question, place: Place, upstream: Upstream, chosen: Sequence[Candidate]
) -> AnswerStep:
    path, policy = asked.path.decode(), upstream.policy
    if not place.encoded_slashes and paths.ENCODED_SLASH.search(path.encode()):
        return _refusal(400, "the path holds an encoded slash", replies.ENCODED_SLASH.number)
    if not policy.encoded and paths.ANY_ENCODED.search(path.encode()):
        why = f"{upstream.service} takes no encoded characters in a path"
        return _refusal(400, why, replies.ENCODED_CHARACTER.number)
    if policy.scheme in UNSUPPORTED:
        return _refusal(503, unserved(upstream.service, policy.scheme))
    if not chosen:
        where = f" in {place.lpar}, where calls of it stay" if policy.scope_lpar else ""
        return _refusal(503, f"no instance of {upstream.service} can be called{where}", replies.OTHER.number)
    step = _forwarded(chosen)
    step.instances = [each.id for each in chosen]
    if policy.scheme == ZOWE_JWT:
        step.details.append("A login's token goes on if it is good; else none does, and X-Zowe-Auth-Failure says why.")
    if policy.sticky:
        step.details.append(_of_session(policy.sticky, question))
    for name in sorted({name.lower() for name, _ in question.headers} & NARROWING):
        step.details.append(f"The call names whom it is for ({name.decode()}), which is not looked at here.")
    return step


def _forwarded(chosen: Sequence[Candidate]) -> AnswerStep:
    view = chosen[0].view
    if view in ("out", UNREACHABLE):
        why = f"{many(len(chosen), 'instance')} would be tried, and none could be called lately"
        return _refusal(503, why, replies.OTHER.number)
    doubt = "" if RANKS.get(view) == 0 else f", {view} as this gateway sees it"
    whom = f"one of {len(chosen)} instances" if len(chosen) > 1 else "one instance"
    return AnswerStep(says=f"The call is forwarded to {whom}{doubt}.")


def _refusal(status: int, content: str, number: str = "") -> AnswerStep:
    number = number or replies.NUMBERED.get(status, replies.OTHER).number
    return AnswerStep(says=f"{status} {number}: {content}.", status=status, number=number)


def _of_session(kind: str, question: Question) -> str:
    if kind != "user":
        return f"Calls of one session stay at one instance (by {kind})."
    if sticky.user_of(question.lines, question.now_s):
        return "The call has a user's token: it goes to the instance of that user, as long as that can be called."
    return "Calls with a user's token stay at one instance; this one has none."
