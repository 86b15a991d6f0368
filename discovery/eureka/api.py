"""Eureka's operations.

    POST   apps/{app}                        register                       204
    PUT    apps/{app}/{id}                   heartbeat                      200, 404: register again
    DELETE apps/{app}/{id}                   deregister                     200, 404
    PUT    apps/{app}/{id}/status            override the status            200, 404
    DELETE apps/{app}/{id}/status            clear the override             200, 404
    PUT    apps/{app}/{id}/metadata          add metadata                   200, 404
    POST   peerreplication/batch             what a Eureka server was told  200
    GET    apps, apps/delta, apps/{app}, apps/{app}/{id}, instances/{id}, vips/{vip}, svips/{vip}
    GET    status, serverinfo/statusoverrides
    PUT    asg/{name}/status                 Amazon's alone                 400

Lists wait for a joining node (at most 3 s) rather than answer 403 or 503, which clients take badly. A GET of one
instance that carries both `status` and `lastDirtyTimestamp` is how one client sends its heartbeat, and counts as one
(unless that is switched off).

An operation answers at once where it can (heartbeats, registrations, lists that are ready), or later.

Not here: HTTP (`routes` for aiohttp's way in, `discovery.desk` for the short one).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web
from cachetools import LRUCache

from discovery import bodies, clock
from discovery.access import caller_of
from discovery.config import DiscoveryConfig
from discovery.driver import Driver
from discovery.eureka import facts
from discovery.eureka.batch import Item
from discovery.eureka.call import Call, call_of, manner_of
from discovery.eureka.decode import Unparsable, decode
from discovery.eureka.inbound import Inbound
from discovery.eureka.lists import Lists
from discovery.eureka.render import JSON, element, render
from discovery.eureka.vips import Address, Kind
from discovery.hearer import Action, Hearer
from discovery.record import STATE_OF, STATUS_OF, Status, key_of
from discovery.registration import Registration, unpack
from discovery.registry import Registry
from discovery.remarks import Remarks
from discovery.rights import NotAllowedHost, Rights
from discovery.stale import STALE
from discovery.zowe.onboarding import Onboarding
from shared.access import WHY
from shared.answer import Answer, response
from shared.errors import BadInput, Forbidden, NotFound, PlexmeshError
from shared.wire import in_one_line

log = logging.getLogger("plexmesh.discovery.eureka")

OWNER_HEADER = "X-Plexmesh-Owner"
FIELDS = {
    "host": "hostName", "ip": "ipAddr", "home_page_url": "homePageUrl", "status_page_url": "statusPageUrl",
    "health_check_url": "healthCheckUrl", "secure_health_check_url": "secureHealthCheckUrl",
}  # fmt: skip
"""Our names of fields → Eureka's."""
TEXT = "text/plain"

BATCH_FACTOR = 4
"""What Eureka servers send in a batch may be so much larger than what a client sends: they do not cut it smaller."""

BROKEN = Answer(500, b"an internal error; the log has the details", TEXT)

Given = Answer | Awaitable[Answer]
Body = bytes | Awaitable[bytes] | None


class NotAllowed(PlexmeshError):
    status = 405

    def __init__(self, method: str, allowed: str) -> None:
        super().__init__(f"method: {method}, expected {allowed}")
        self.allowed = allowed


class EurekaApi:
    def __init__(
        self,
        config: DiscoveryConfig,
        registry: Registry,
        driver: Driver,
        lists: Lists,
        onboarding: Onboarding | None = None,
        hearer: Hearer | None = None,
        rights: Rights | None = None,
    ) -> None:
        """`hearer` is told what clients say, but not what Eureka servers do."""
        self._onboarding = onboarding or Onboarding()
        self._rights = rights or Rights(config.access)
        self._access = config.access
        self._remarks = Remarks(log, "instance.refused")
        self._heartbeat_by_get = config.heartbeat_by_get
        self._body_bytes = config.body_bytes
        self._hearer = hearer
        self._inbound = Inbound(registry)
        self._registry = registry
        self._driver = driver
        self._node = driver.node
        self._lists = lists
        self._started = time.monotonic()
        self._said_get_heartbeat: LRUCache[str, bool] = LRUCache(10_000)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.route("*", "/eureka{tail:.*}", self.by_aiohttp),
            web.route("*", "/v2{tail:.*}", self.by_aiohttp),
        ]

    async def by_aiohttp(self, request: web.Request) -> web.Response:
        method = "GET" if request.method == "HEAD" else request.method
        url = request.rel_url
        manner = manner_of(lambda name: request.headers.get(name, ""))
        caller = caller_of(request.transport, self._access)
        call = call_of(method, url.raw_path, url.raw_query_string, manner, caller)
        limit_bytes = self._body_bytes * (BATCH_FACTOR if call.steps[:1] == ["peerreplication"] else 1)
        given = self.answer(call, await bodies.read(request, limit_bytes) if request.body_exists else b"")
        return response(given if isinstance(given, Answer) else await given)

    def answer(self, call: Call, body: bytes) -> Given:
        """Errors in Eureka's form: 403 and 404 are empty, all else is a line of text."""
        try:
            given = self._operation(call, body)
        except PlexmeshError as error:
            return self._refused(call, error)
        except Exception:
            log.exception("request.failed", extra=_fields(call))
            return BROKEN
        return given if isinstance(given, Answer) else self._later(call, given)

    async def _later(self, call: Call, given: Awaitable[Answer]) -> Answer:
        try:
            return await given
        except PlexmeshError as error:
            return self._refused(call, error)
        except Exception:
            log.exception("request.failed", extra=_fields(call))
            return BROKEN

    def _operation(self, call: Call, body: bytes) -> Given:
        """Raises NotFound, NotAllowed, and what the operations do."""
        match call.method, call.steps:
            case "PUT", ["apps", app, instance]:
                return self.renew(call, app, instance)
            case "POST", ["apps", app]:
                return self.register(call, app, body)
            case "DELETE", ["apps", app, instance]:
                return self.cancel(call, app, instance)
            case "GET", ["apps"]:
                return self._listed(
                    call, lambda: self._lists.whole("apps", call.dialect, call.manner.packed, clock.now())
                )
            case "GET", ["apps", "delta"]:
                return self._listed(
                    call, lambda: self._lists.whole("delta", call.dialect, call.manner.packed, clock.now())
                )
            case "GET", ["apps", app]:
                return self._listed(
                    call, lambda: self._lists.app(app.lower(), call.dialect, call.manner.packed, clock.now())
                )
            case "GET", ["apps", app, instance]:
                return self.show(call, app, instance)
            case "GET", ["instances", instance]:
                return self.show_any(call, instance)
            case "GET", [("vips" | "svips") as kind, name]:
                return self._listed(call, lambda: self._vip(call, kind, name))
            case "PUT", ["apps", app, instance, "status"]:
                return self.override(call, app, instance)
            case "DELETE", ["apps", app, instance, "status"]:
                return self.clear_override(call, app, instance)
            case "PUT", ["apps", app, instance, "metadata"]:
                return self.annotate(call, app, instance)
            case "POST", ["peerreplication", "batch"]:
                return self.replicate(call, body)
            case "GET", ["status"]:
                return self.status(call)
            case "GET", ["serverinfo", "statusoverrides"]:
                return self.overrides()
            case "PUT", ["asg", _, "status"]:
                raise BadInput("asg: expected none, there are no auto scaling groups here")
        raise NotAllowed(call.method, _allowed(call.steps))

    # --- writing

    def register(self, call: Call, app: str, body: bytes) -> Answer:
        given = decode(body, call.manner.content_type, app)
        if call.manner.replicated:  # it has been through the rest where it came in
            self._rights.replicate(call.caller)
        else:
            given = self._onboarding.renamed(given)
            given = self._rights.register(call.caller, given, self._held(given.key), FIELDS)
            given = self._onboarding.prepared(given)
        now = clock.now()
        self._registry.register(given, now, call.manner.replicated)
        self._heard(call, "Register", given.key, now)
        self._driver.perform()
        return _empty(call, 204)

    def renew(self, call: Call, app: str, instance: str) -> Answer:
        key, dirty_ms, now = self._key(app, instance), _dirty_ms(call), clock.now()
        if call.manner.replicated:
            self._rights.replicate(call.caller)
            return self._renew_for_server(call, key, dirty_ms, now)
        self._rights.speak(call.caller, key)
        renewal = self._registry.renew(key, dirty_ms, now)
        if renewal != "ours":  # else there is nothing to send, and no news
            self._driver.perform()
        held = self._node.view.get(key)
        if renewal == "unknown":
            raise NotFound(key)
        self._heard(call, "Heartbeat", key, now)
        return _empty(call, 200, {OWNER_HEADER: held[0]} if held is not None else {})

    def cancel(self, call: Call, app: str, instance: str) -> Answer:
        key, now = self._key(app, instance), clock.now()
        self._permit(call, key)
        found = self._registry.cancel(key, now)
        self._heard(call, "Cancel", key, now)
        self._driver.perform()
        return _empty(call, 200 if found else 404)

    def override(self, call: Call, app: str, instance: str) -> Answer:
        key, now = self._key(app, instance), clock.now()
        status = _status(call)
        self._permit(call, key, order=True)
        self._registry.override(key, status, _dirty_ms(call), now)
        self._heard(call, "StatusUpdate", key, now, status)
        self._driver.perform()
        return _empty(call, 200)

    def clear_override(self, call: Call, app: str, instance: str) -> Answer:
        key, now = self._key(app, instance), clock.now()
        status = _status(call) if call.query.get("value") else ""
        self._permit(call, key, order=True)
        self._registry.clear_override(key, now)
        self._heard(call, "DeleteStatusOverride", key, now, status)
        self._driver.perform()
        return _empty(call, 200)

    def annotate(self, call: Call, app: str, instance: str) -> Answer:
        key, now = self._key(app, instance), clock.now()
        self._permit(call, key)
        self._rights.annotate(call.caller, call.query)
        self._registry.annotate(key, dict(call.query), now)
        self._heard(call, "Register", key, now)
        self._driver.perform()
        return _empty(call, 200)

    def replicate(self, call: Call, body: bytes) -> Answer:
        """A batch of what a Eureka server was told."""
        self._rights.replicate(call.caller)
        try:
            return Answer(200, self._inbound.answer(body, clock.now()), JSON)
        finally:
            self._driver.perform()

    # --- reading

    def show(self, call: Call, app: str, instance: str) -> Given:
        if self._heartbeat_by_get and "status" in call.query and "lastDirtyTimestamp" in call.query:
            self._say_get_heartbeat(self._key(app, instance))
            self.renew(call, app, instance)
        return self._shown(call, self._key(app, instance))

    def show_any(self, call: Call, instance: str) -> Given:
        key = self._lists.anywhere(instance)
        if key is None:
            raise NotFound(instance)
        return self._shown(call, key)

    def status(self, call: Call) -> Answer:
        """Facts about this server."""
        peers = self._node.peers()
        own = next((each for each in self._registry.of("discovery") if each.host in self._node.address), None)
        available = [each.address for each in peers if each.state == "alive"]
        up_s = time.monotonic() - self._started
        found = facts.status(up_s, [each.address for each in peers], available, own)
        if call.dialect.media == JSON:
            return Answer(200, msgspec.json.encode(found), JSON)
        root = "com.netflix.eureka.util.StatusInfo"
        return Answer(200, element(root, found), call.dialect.media)

    async def overrides(self) -> Answer:
        found: dict[str, str] = {}
        for service in self._node.view.services():
            found |= facts.overrides(self._registry.of(service))
            await asyncio.sleep(0)
        return Answer(200, msgspec.json.encode(found), JSON)

    def _vip(self, call: Call, kind: str, name: str) -> Body:
        address = Address(_KINDS[kind], name)
        return self._lists.vip(address, call.dialect, call.manner.packed, clock.now())

    def _listed(self, call: Call, get: Callable[[], Body]) -> Given:
        if not self._node.covered:
            return self._once_covered(call, get)
        body = get()
        return self._whole(call, body) if isinstance(body, bytes | None) else self._awaited(call, body)

    async def _once_covered(self, call: Call, get: Callable[[], Body]) -> Answer:
        await self._driver.covered()
        body = get()
        return self._whole(call, body if isinstance(body, bytes | None) else await body)

    async def _awaited(self, call: Call, body: Awaitable[bytes]) -> Answer:
        return self._whole(call, await body)

    def _whole(self, call: Call, body: bytes | None) -> Answer:
        if body is None:
            return Answer(404, b"", "")
        headers = {"Content-Encoding": "gzip"} if call.manner.packed else {}
        if self._node.stale or not self._node.covered:
            headers[STALE] = "true"
        return Answer(200, body, call.dialect.media, headers)

    def _shown(self, call: Call, key: str) -> Answer:
        body = self._lists.instance(key, call.dialect)
        if body is None:
            raise NotFound(key)
        return Answer(200, body, call.dialect.media)

    # --- inside

    def _key(self, app: str, instance: str) -> str:
        """By what name it is held here. One client writes a space in an id as a plus."""
        app, instance = self._onboarding.names(app, instance)
        key = key_of(app.lower(), instance)
        if "+" in instance and key not in self._node.view:
            spaced = key_of(app.lower(), instance.replace("+", " "))
            return spaced if spaced in self._node.view else key
        return key

    def _held(self, key: str) -> Registration | None:
        held = self._node.view.get(key)
        return unpack(held[1].body) if held is not None else None

    def _permit(self, call: Call, key: str, *, order: bool = False) -> None:
        """To change that instance, or to end it; `order`: as an operator may. Raises Forbidden."""
        if call.manner.replicated:
            self._rights.replicate(call.caller)
        elif not (order and call.caller.operates):
            self._rights.change(call.caller, key, self._held(key))

    def _refused(self, call: Call, error: PlexmeshError) -> Answer:
        if isinstance(error, Forbidden | NotAllowedHost):
            self._remarks.say(str(error))
        return _refusal(call, error)

    def _heard(self, call: Call, action: Action, key: str, now: float, status: str = "") -> None:
        if self._hearer is not None and not call.manner.replicated:
            self._hearer.heard(action, key, now, status)

    def _renew_for_server(self, call: Call, key: str, dirty_ms: int, now: float) -> Answer:
        """A heartbeat that a Eureka server passes on by itself, not in a batch."""
        service, _, instance = key.partition("/")
        override = call.query.get("overriddenstatus")
        item = Item(service, instance, "Heartbeat", dirty_ms, overridden_status=override)
        response = self._inbound.respond(item, now)
        self._driver.perform()
        if response.response_entity is None:
            return _empty(call, response.status_code)
        body = render("instance", response.response_entity, call.dialect.media)
        return Answer(response.status_code, body, call.dialect.media)

    def _say_get_heartbeat(self, key: str) -> None:
        if key not in self._said_get_heartbeat:
            self._said_get_heartbeat[key] = True
            log.info("heartbeat.by_get", extra={"fields": {"instance": key}})


def _refusal(call: Call, error: PlexmeshError) -> Answer:
    match error:
        case NotFound():
            return Answer(404, b"", "")
        case Unparsable() if call.dialect.media == JSON:
            return Answer(400, msgspec.json.encode({"error": str(error)}), JSON)
        case Unparsable():
            return Answer(400, element("error", {"message": str(error)}), call.dialect.media)
        case Forbidden():
            return Answer(403, b"", "", {WHY: in_one_line(str(error))})
        case NotAllowed():
            return Answer(405, str(error).encode(), TEXT, {"Allow": error.allowed})
    return Answer(error.status, str(error).encode(), TEXT)


def _fields(call: Call) -> dict[str, object]:
    return {"fields": {"method": call.method, "path": "/".join(call.steps)}}


_KINDS: dict[str, Kind] = {"vips": "vips", "svips": "svips"}


def _allowed(steps: list[str]) -> str:
    """The methods of a resource. Raises NotFound."""
    match steps:
        case ["apps", _]:
            return "GET, POST"
        case ["apps", _, _]:
            return "DELETE, GET, PUT"
        case ["apps", _, _, "status"]:
            return "DELETE, PUT"
        case ["apps", _, _, "metadata"] | ["asg", _, "status"]:
            return "PUT"
        case ["apps"] | ["instances" | "vips" | "svips", _] | ["status"] | ["serverinfo", "statusoverrides"]:
            return "GET"
        case ["peerreplication", "batch"]:
            return "POST"
    raise NotFound("/".join(steps))


def _dirty_ms(call: Call) -> int:
    """Raises BadInput."""
    given = call.query.get("lastDirtyTimestamp") or "0"
    try:
        return int(given)
    except ValueError as error:
        raise BadInput(f"lastDirtyTimestamp: expected milliseconds, got {given!r}") from error


def _status(call: Call) -> Status:
    """Raises BadInput."""
    value = call.query.get("value")
    if value not in STATE_OF:
        raise BadInput(f"value: expected one of {', '.join(STATE_OF)}, got {value!r}")
    return STATUS_OF[STATE_OF[value]]


def _empty(call: Call, status: int, headers: dict[str, str] | None = None) -> Answer:
    """No body; labelled all the same, since one client parses even nothing by its type. A 404 is bare."""
    return Answer(status, b"", "" if status == 404 else call.dialect.media, headers or {})
