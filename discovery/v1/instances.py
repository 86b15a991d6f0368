"""Instances in, out and listed."""

from __future__ import annotations

import logging

import msgspec
from aiohttp import web

from discovery import clock, frames
from discovery.access import caller_of
from discovery.driver import Driver
from discovery.hearer import Action, Hearer
from discovery.limits import Bucket
from discovery.record import key_of
from discovery.registration import Registration, unpack
from discovery.registry import Registry
from discovery.remarks import Remarks
from discovery.rights import Caller, NotAllowedHost, Rights
from discovery.v1 import decode
from discovery.v1.answers import JSON, Answers
from discovery.v1.shapes import Held, Lease, Registered
from discovery.zowe.onboarding import Onboarding
from shared.answer import Answer
from shared.errors import Forbidden, Gone, NotFound
from shared.identity import Access

log = logging.getLogger("plexmesh.discovery.v1")


class Instances:
    def __init__(
        self,
        registry: Registry,
        driver: Driver,
        answers: Answers,
        bucket: Bucket,
        onboarding: Onboarding,
        hearer: Hearer | None = None,
        rights: Rights | None = None,
        access: Access | None = None,
    ) -> None:
        self._hearer = hearer
        self._access = access or Access()
        self._rights = rights or Rights(self._access)
        self._registry = registry
        self._driver = driver
        self._node = driver.node
        self._answers = answers
        self._bucket = bucket
        self._onboarding = onboarding
        self._remarks = Remarks(log, "instance.refused")

    def register(self, body: bytes, caller: Caller) -> Answer:
        new, many = decode.instances(body)
        now = clock.now()
        self._bucket.take(len(new), now)
        fields = [f"instances[{index}]" for index in range(len(new))] if many else [""]
        try:
            given = [
                self._permitted(each.registration(), caller, field) for each, field in zip(new, fields, strict=True)
            ]
            records = self._registry.register_all(given, [each.gen or 0 for each in new], now, fields)
        except (Gone, Forbidden, NotAllowedHost) as error:
            self._remarks.say(str(error))
            raise
        finally:
            self._driver.perform()
        for record in records:
            self._heard("Register", record.key, now)
        held = [Held(key=each.key, gen=each.gen, rev=each.rev) for each in records]
        return self._answers.whole(Registered(owner=self._node.origin, instances=held, stale=self._answers.stale))

    def _permitted(self, given: Registration, caller: Caller, field: str) -> Registration:
        """Raises Forbidden, BadInput."""
        given = self._rights.register(caller, given, self._said(given.key), {}, field)
        return self._onboarding.prepared(given)

    def _said(self, key: str) -> Registration | None:
        held = self._node.view.get(key)
        return unpack(held[1].body) if held is not None else None

    async def remove(self, request: web.Request) -> web.StreamResponse:
        key, now = _key(request), clock.now()
        try:
            self._rights.change(caller_of(request.transport, self._access), key, self._said(key))
        except Forbidden as error:
            self._remarks.say(str(error))
            raise
        try:
            self._registry.remove(key, int(request.query.get("gen", 0)), now)
        finally:
            self._driver.perform()
        self._heard("Cancel", key, now)
        return web.Response(status=204, headers=self._answers.headers())

    async def instances(self, request: web.Request) -> web.StreamResponse:
        service = request.query.get("service")
        view = self._node.view
        held = list(view.all()) if service is None else view.of(service.lower())
        return await self._answers.instances(request, held, {})

    async def instance(self, request: web.Request) -> web.StreamResponse:
        key = _key(request)
        held = self._node.view.get(key)
        if held is None:
            raise NotFound(f"{key}: no such instance")
        return web.Response(body=frames.encoded(held), content_type=JSON, headers=self._answers.headers())

    async def lease(self, request: web.Request) -> web.StreamResponse:
        key = _key(request)
        held = self._node.view.get(key)
        if held is None:
            raise NotFound(f"{key}: no such instance")
        origin, record = held
        age_s = self._node.lease_age(key, clock.now())
        lease = Lease(owner=origin, lease_s=record.lease_s, renewed_s=None if age_s is None else round(age_s, 2))
        return web.Response(body=msgspec.json.encode(lease), content_type=JSON, headers=self._answers.headers())

    def _heard(self, action: Action, key: str, now: float) -> None:
        if self._hearer is not None:
            self._hearer.heard(action, key, now)


def _key(request: web.Request) -> str:
    return key_of(request.match_info["service"].lower(), request.match_info["instance"])
