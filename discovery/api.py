"""plexmesh's own API: every operation of the table (`discovery.v1.operations`) to its handler, and what holds for all.

An unknown parameter is refused, so is a request beyond those this node works on already; errors become problems. While
a node serves what comes from its disk, each answer says so.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version

import msgspec
from aiohttp import web

from discovery import bodies
from discovery.access import caller_of
from discovery.config import DiscoveryConfig
from discovery.driver import Driver
from discovery.hearer import Hearer
from discovery.limits import Bucket, Busy
from discovery.registry import Registry
from discovery.rights import Caller, Rights
from discovery.v1 import decode
from discovery.v1.answers import Answers, problem, refusal
from discovery.v1.heartbeats import Heartbeats
from discovery.v1.instances import Instances
from discovery.v1.nodes import Nodes
from discovery.v1.openapi import document
from discovery.v1.operations import OPERATIONS, Operation
from discovery.v1.services import Services
from discovery.v1.streams import Streams
from discovery.v1.targets import Targets
from discovery.watch import Watch
from discovery.zowe.onboarding import Onboarding
from shared.answer import Answer, response
from shared.errors import BadInput, PlexmeshError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Quick = Callable[[bytes, Caller], Answer]

log = logging.getLogger("plexmesh.http")


class Api:
    """It is the desk of `shared.express`, too: `quick` maps a path to what answers a POST there from its body and
    who sent it."""

    def __init__(
        self,
        config: DiscoveryConfig,
        driver: Driver,
        registry: Registry,
        watch: Watch,
        onboarding: Onboarding | None = None,
        hearer: Hearer | None = None,
        rights: Rights | None = None,
    ) -> None:
        node = driver.node
        self._answers = answers = Answers(node)
        self._in_flight_max = config.in_flight_max
        self._in_flight = 0
        self._access = config.access
        rights = rights or Rights(config.access)
        self.body_bytes = config.body_bytes
        self._document = document(OPERATIONS, version("plexmesh-sysplex"))
        bucket = Bucket(config.registrations_per_s, config.registrations_burst, random.Random())
        self._rooms = (
            self,
            Instances(registry, driver, answers, bucket, onboarding or Onboarding(), hearer, rights, self._access),
            Heartbeats(driver, answers, hearer, rights),
            Services(node, watch, answers),
            Streams(node, watch, answers, config.watch_stalled_s),
            Nodes(config.lpar, node, watch, answers),
            Targets(node, answers),
        )
        self.quick: Mapping[bytes, Quick] = {
            each.path.encode(): self._at_once(each, getattr(self._room(each), each.name))
            for each in OPERATIONS
            if each.quick
        }

    def routes(self) -> list[web.RouteDef]:
        return [self._route(each) for each in OPERATIONS]

    async def openapi(self, _: web.Request) -> web.StreamResponse:
        return self._answers.json(self._document)

    # --- requests in flight

    def enter(self) -> bool:
        """Count one more; False: they are as many as may be."""
        if self._in_flight >= self._in_flight_max:
            return False
        self._in_flight += 1
        return True

    def leave(self) -> None:
        self._in_flight -= 1

    def _busy(self) -> Busy:
        return Busy(f"requests: {self._in_flight} in flight, expected at most {self._in_flight_max}")

    # --- inside

    def _room(self, operation: Operation) -> object:
        return next(each for each in self._rooms if hasattr(each, operation.name))

    def _route(self, operation: Operation) -> web.RouteDef:
        handler = getattr(self._room(operation), operation.name)
        answer = self._guarded(operation, self._read(handler) if operation.quick else handler)
        path = operation.path.replace("{instance}", "{instance:.+}")
        if operation.method == "GET" and not operation.endless:
            return web.get(path, answer)
        return web.route(operation.method, path, answer)

    def _read(self, quick: Quick) -> Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            body = await bodies.read(request, self.body_bytes)
            return response(quick(body, caller_of(request.transport, self._access)))

        return handler

    def _at_once(self, operation: Operation, quick: Quick) -> Quick:
        """As `_guarded`, and `shared.problem` around it, answer."""

        def answer(body: bytes, caller: Caller) -> Answer:
            if self._in_flight >= self._in_flight_max:
                return refusal(self._busy())
            try:
                return quick(body, caller)
            except PlexmeshError as error:
                return refusal(error)
            except msgspec.ValidationError as error:
                return refusal(BadInput(str(error)))
            except Exception:
                log.exception("request.failed", extra={"fields": {"method": operation.method, "path": operation.path}})
                return refusal(PlexmeshError("an internal error; the log has the details"))

        return answer

    def _guarded(self, operation: Operation, handler: Handler) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            if operation.endless:
                return await self._answered(request, operation, handler)
            if not self.enter():
                return problem(self._busy())
            try:
                return await self._answered(request, operation, handler)
            finally:
                self.leave()

        return answer

    async def _answered(self, request: web.Request, operation: Operation, handler: Handler) -> web.StreamResponse:
        try:
            if operation.parameters or request.query_string:
                _check_parameters(request, operation)
            return await handler(request)
        except PlexmeshError as error:
            return problem(error)


def _check_parameters(request: web.Request, operation: Operation) -> None:
    """Raises BadInput."""
    decode.known_only(request.query, operation.query)
    for parameter in operation.parameters:
        given = request.match_info if parameter.name in request.match_info else request.query
        if parameter.name in given:
            parameter.check(given[parameter.name])
