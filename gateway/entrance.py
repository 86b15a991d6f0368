"""What is asked of a call before an endpoint is picked for it, where that is more than looking up its route.

    origin       a page of another origin may not call, or its preflight is answered (`cors`)          403, 204
    forward      X-Forward-To names the service, and the path stays as it is
    size         a body that is told to be larger than the route takes                                 413
    characters   encoded ones that the service, or slashes that the gateway, does not take              400
    rate         a caller's share is used up (`rates`)                                                 429
    login        of a service with the scheme zoweJwt: is the token good? (`login.table`)              503
    aim          X-InstanceId, X-Plexmesh-Lpar, a session, a key (`aim`)                                404, 503
    room         as many calls as there may be are under way (`gates`)                                 503, or it waits

The first that says no ends it. Most calls meet none of this and do not come by here.

Sources: Zowe API Mediation Layer's X-Forward-To, X-InstanceId, encoded characters and rate limiter.
"""

from __future__ import annotations

from functools import partial
from math import ceil
from time import monotonic, time
from typing import TYPE_CHECKING

import msgspec

from gateway import aim, cors, paths, routes, sticky, vouching
from gateway.aim import Aim
from gateway.fields import Malformed
from gateway.login import passing
from gateway.login.passing import Outcome
from gateway.policy import UNSUPPORTED, ZOWE_JWT, unserved
from gateway.replies import ENCODED_CHARACTER, ENCODED_SLASH, FORBIDDEN, OTHER
from gateway.snapshot import OWN, instance_id
from shared.identity import identity

if TYPE_CHECKING:
    from gateway.datapath import DataPath
    from gateway.exchange import Exchange
    from gateway.heads import Steering


BY_LOAD = ("leastRequests", "peakEwma")
"""Pickers that compare what instances have to do; a tunnel goes by the tunnels there are."""


def plain(exchange: Exchange, path: DataPath, public: bytes, now: float) -> None:
    """One that says nothing of where it should go. `public` is the path it came with, in its one spelling."""
    if exchange.upstream is OWN:
        _vouch(exchange, path)
        exchange.go(now)
    elif _fits(exchange, path, public, now):
        _meant(exchange, now)
        _prove(exchange, path, now)


def _vouch(exchange: Exchange, path: DataPath) -> None:
    """The own pages are told who has shown a certificate; from outside those lines never come in."""
    shown = exchange.client.tls
    if shown is not None and (found := identity(shown.getpeercert(), path.config.access)) is not None:
        _add(exchange, vouching.introduction(found))


def forwarded(exchange: Exchange, path: DataPath, public: bytes, said: Steering, now: float) -> None:
    """One that X-Forward-To sends, whatever its path."""
    first, _, rest = said.forward_to.strip(b"/ ").partition(b"/")
    upstream = path.snapshot.upstreams.get(first.lower())
    if upstream is None:
        exchange.refuse_unknown(first, None)
        return
    exchange.upstream, exchange.route, exchange.outgoing = upstream, routes.BY_HEADER, public
    if rest:
        _add(exchange, b"X-Forward-To: %b\r\n" % rest)
    steered(exchange, path, public, said, now)


def _add(exchange: Exchange, line: bytes) -> None:
    exchange.fields = msgspec.structs.replace(exchange.fields, lines=exchange.fields.lines + line)


def steered(exchange: Exchange, path: DataPath, public: bytes, said: Steering, now: float) -> None:
    """One that names an instance or an LPAR, or whose page has an origin; where it is routed is known."""
    if said.cors.origin and not _from_here(exchange, path, said.cors):
        return
    if exchange.upstream is OWN:
        if said.cors.origin:  # the console's orders are taken from its own pages only
            _add(exchange, b"Origin: %b\r\n" % said.cors.origin)
        _vouch(exchange, path)
        exchange.go(now)
        return
    if not _fits(exchange, path, public, now):
        return
    _meant(exchange, now)
    if _aimed(exchange, path, said):
        _prove(exchange, path, now)


def _from_here(exchange: Exchange, path: DataPath, asked: cors.Asked) -> bool:
    policy = None if exchange.upstream is OWN else exchange.upstream.policy
    host = exchange.fields.facts.host
    match cors.verdict(asked, exchange.method, host, policy, on=path.config.cors_enabled):
        case "refused":
            origin = asked.origin.decode("latin-1")
            exchange.refuse_early(403, f"pages of {origin} may not call this", FORBIDDEN.number, reason="origin")
            return False
        case "preflight":
            exchange.answer_here(cors.preflight(asked, policy), 204)
            return False
        case "allowed":
            exchange.dressing = cors.told(asked, policy)
    return True


def _fits(exchange: Exchange, path: DataPath, public: bytes, now: float) -> bool:
    """It is neither too large nor too often, and holds nothing that the service does not take."""
    length = exchange.fields.facts.length
    upstream = exchange.upstream
    if upstream.policy.internal and path.config.tls and not exchange.client.certificate:
        exchange.refuse_unknown(upstream.service.encode(), None)
        return False
    if length > 0 and exchange.too_large(length):
        why = f"a body of {length} bytes is too large for this route"
        exchange.refuse_early(413, why, reason="malformed")
        return False
    if not path.config.allow_encoded_slashes and paths.ENCODED_SLASH.search(public):
        exchange.refuse_early(400, "the path holds an encoded slash", ENCODED_SLASH.number, reason="malformed")
        return False
    if not upstream.policy.encoded and paths.ANY_ENCODED.search(public):
        why = f"{upstream.service} takes no encoded characters in a path"
        exchange.refuse_early(400, why, ENCODED_CHARACTER.number, reason="malformed")
        return False
    if headers := upstream.policy.certificate_headers:
        _introduce(exchange, headers)
    rate = upstream.policy.rate
    if rate is None or not path.guards.shedding:
        return True
    wait_s = path.rates.take(rate, f"{upstream.service} {_caller(exchange)}", now)
    if wait_s:
        path.meters.rate_limited += 1
        why = f"more than {rate.tokens} calls in {rate.per_s:g} s to {upstream.service}"
        exchange.refuse_early(429, why, reason="rate", retry_after_s=ceil(wait_s))
    return not wait_s


def _introduce(exchange: Exchange, headers: tuple[str, ...]) -> None:
    """The service is told whose certificate the caller has shown; none: both are."""
    said = exchange.client.introduced(headers)
    _add(exchange, said)
    if said is vouching.NOT_SHOWN:
        exchange.dressing += said


def _caller(exchange: Exchange) -> str:
    """The user, as far as that is said, or the address."""
    return sticky.user_of(exchange.fields.lines, time()) or exchange.client.caller(exchange.fields).decode("latin-1")


def _meant(exchange: Exchange, now: float) -> None:
    """Where sessions and keys lead."""
    upstream = exchange.upstream
    policy, lines = upstream.policy, exchange.fields.lines
    if policy.sticky == "cookie":
        found = aim.session_of(lines, upstream)
        preferred = exchange.preferred(instance_id(found.key), now) if found is not None else ""
        exchange.aim = Aim(preferred=preferred, gives_cookie=True)
        return
    rule = policy.sticky if policy.sticky.startswith("header:") else ""
    rule = rule or (policy.hash_on if policy.picker == "ringHash" else "")
    caller = exchange.client.caller(exchange.fields)
    key = aim.key_in(rule, lines, caller, exchange.outgoing) if rule else b""
    if key:
        exchange.aim = Aim(key=key)
    elif exchange.fields.facts.upgrade and policy.picker in BY_LOAD and policy.sticky != "user":
        exchange.aim = Aim(tunnel=True)


def _aimed(exchange: Exchange, path: DataPath, said: Steering) -> bool:
    """At one instance, or one LPAR, if it says so."""
    upstream = exchange.upstream
    if said.instance and not _has_user(exchange):
        key = f"{upstream.service}/{said.instance.decode('latin-1')}"
        if key not in path.snapshot.instances:
            why = f"{upstream.service} has no instance {said.instance.decode('latin-1')!r}"
            exchange.refuse_early(404, why, OTHER.number, reason="no instance")
            return False
        if key not in path.standings:
            why = f"{upstream.service}'s instance {instance_id(key)!r} is {path.snapshot.instances[key].status}"
            exchange.refuse_early(503, why, OTHER.number, reason="no instance")
            return False
        exchange.aim = Aim(only=key)
        if path.config.instance_id_header:
            exchange.dressing += b"X-InstanceId: %b\r\n" % said.instance
    elif said.lpar:
        exchange.aim = Aim(lpar=said.lpar.decode("latin-1").upper())
    return True


def _has_user(exchange: Exchange) -> bool:
    """A user's own instance goes before the one he names."""
    return exchange.upstream.sticky and bool(sticky.user_of(exchange.fields.lines, time()))


def _prove(exchange: Exchange, path: DataPath, now: float) -> None:
    """The credentials its service is sent, by its scheme; who has to be asked about them is not waited for here."""
    scheme = exchange.upstream.policy.scheme
    if scheme in UNSUPPORTED:
        exchange.refuse_early(503, unserved(exchange.upstream.service, scheme), reason="login")
        return
    if scheme == ZOWE_JWT:
        token = passing.token_in(exchange.fields.lines)
        outcome = path.logins.known(token)
        if outcome is None:
            path.logins.seek(token, partial(_proven, exchange, path, exchange.seek(), token))
            return
        if not _exchanged(exchange, token, outcome):
            return
    _enter(exchange, path, now)


def _proven(exchange: Exchange, path: DataPath, attempt: int, token: str, outcome: Outcome) -> None:
    if not exchange.seeks(attempt) or not _exchanged(exchange, token, outcome):
        return
    try:
        _enter(exchange, path, monotonic())
    except Malformed as error:
        exchange.refuse_early(error.status, str(error), reason="malformed")


def _exchanged(exchange: Exchange, token: str, outcome: Outcome) -> bool:
    """What was shown is replaced by what goes on; False: it cannot be found out, and that is the answer."""
    if outcome == "not known":
        why = "whether the caller is logged in cannot be found out now"
        exchange.refuse_early(503, why, reason="login", retry_after_s=1)
        return False
    said = passing.FAILURES.get(outcome, b"")
    lines = passing.passed_on(exchange.fields.lines, token if outcome == "good" else "") + said
    exchange.fields = msgspec.structs.replace(exchange.fields, lines=lines)
    exchange.dressing += said
    return True


def _enter(exchange: Exchange, path: DataPath, now: float) -> None:
    limit = path.config.max_calls
    if limit and path.guards.shedding and path.under_way() >= limit:
        exchange.refuse_crowded()
        return
    gate = path.gates.get(exchange.upstream.service)
    if gate is None:
        exchange.go(now)
        return
    match gate.enter(exchange, now):
        case "in":
            exchange.gate = gate
            exchange.go(now)
        case "wait":
            exchange.gate = gate
            exchange.wait_for_turn()
        case "full":
            exchange.refuse_crowded()


# --- users


def led(exchange: Exchange, path: DataPath, now: float) -> bool:
    """To the user's own instance, if it is a user's call and not aimed at an instance; True: that is seen to."""
    upstream = exchange.upstream
    user = sticky.user_of(exchange.fields.lines, time())
    if not user:
        return False
    key = sticky.key_of(user, upstream.service)
    known = path.sticky.known(key)
    preferred = exchange.preferred(known, now)
    if preferred:
        exchange.aim = Aim(preferred=preferred)
        return False
    path.sticky.seek(key, partial(_told, exchange, path, exchange.seek(), key, known))
    return True


def _told(exchange: Exchange, path: DataPath, attempt: int, key: str, known: str, instance: str) -> None:
    """Whose instance that is; empty: nobody knows."""
    if not exchange.seeks(attempt):
        return
    now = monotonic()
    balancer = path.balancers.get(exchange.upstream.service)
    if balancer is None or not balancer.candidates:
        exchange.refuse_for_lack()
        return
    preferred = exchange.preferred(instance, now)
    chosen = "" if preferred else balancer.pick(now).key
    if chosen:
        path.sticky.chose(key, instance_id(chosen), instance or known)
    exchange.lead(preferred or chosen, key if chosen else "", now)
