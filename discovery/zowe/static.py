"""Static instances: registered, renewed and withdrawn by the nodes that have read their definitions.

Every round looks at the files, then registers what is new or says something new, and renews the rest. An instance is
renewed wherever it is held, so several nodes that read one folder need not agree on who holds it: when its owner dies,
the next node's round takes it over. Of two nodes with different definitions of one instance, the one that changed its
mind last is believed, and neither repeats itself. What is no longer defined is deregistered.

Rules for other services are handed to `Onboarding`, and applied to what this node holds already.

What is wrong is said once, until it changes.

Source: Zowe API Mediation Layer, registration of static services (lease 90 s, renewed by discovery every 30 s).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from discovery import clock
from discovery.config import DiscoveryConfig
from discovery.driver import Driver
from discovery.hearer import Action, Hearer
from discovery.registration import Registration, unpack
from discovery.registry import Registry
from discovery.zowe import files
from discovery.zowe.collection import Collection, collect
from discovery.zowe.onboarding import Onboarding
from discovery.zowe.refusal import Refusal
from shared.errors import BadInput, NotFound
from shared.events import Events

REGISTRANT = "the operator's definitions"
"""Whose these instances are: no certificate has this name."""

DEFAULT_FOLDER = Path("volume", "api-defs")
"""Below the data folder, where no folder is named. It need not be there."""


class Static:
    """`collection` is what is defined now, `refusals` what is wrong with it."""

    def __init__(
        self,
        config: DiscoveryConfig,
        registry: Registry,
        driver: Driver,
        onboarding: Onboarding,
        events: Events,
        hearer: Hearer | None = None,
    ) -> None:
        self.collection = Collection()
        self.refusals: tuple[Refusal, ...] = ()
        named = config.static_api_definitions_directories
        self._optional = not named
        self._folders = named or (config.data / DEFAULT_FOLDER,)
        self._round_s = config.static_s
        self._registry = registry
        self._driver = driver
        self._onboarding = onboarding
        self._events = events
        self._hearer = hearer
        self._scan = files.Scan()
        self._said: dict[str, Registration] = {}
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> None:
        while True:
            await self.round()
            await asyncio.sleep(self._round_s)

    async def round(self, anew: bool = False) -> None:
        """`anew`: read all files again."""
        await self._driver.covered()  # else what another node holds would be taken from it
        async with self._one_at_a_time:
            before = self._scan
            self._scan = await asyncio.to_thread(files.scan, self._folders, before, optional=self._optional, anew=anew)
            if self._scan != before:
                self._say_files(before)
                self.collection = collect((str(path), file.good) for path, file in self._scan.files.items())
                self._set_rules()
            refusals = self._refused_files() + self.collection.refusals + self._register()
            self._say_refusals(refusals)
            self.refusals = refusals

    def instances(self) -> list[Registration]:
        """As they are registered."""
        found = []
        for key, said in sorted(self._said.items()):
            held = self._registry.node.view.get(key)
            found.append(unpack(held[1].body) if held else said)
        return found

    # --- one round

    def _register(self) -> tuple[Refusal, ...]:
        now = clock.now()
        wanted = {}
        refused = []
        for key, given in self.collection.instances.items():
            prepared = self._onboarding.prepared(self._onboarding.renamed(given))
            prepared = msgspec.structs.replace(prepared, registrant=REGISTRANT)
            try:
                self._register_one(prepared, now)
            except BadInput as error:
                refused.append(Refusal(*self.collection.sources[key], f"{given.instance}: {error}"))
                if prepared.key in self._said:
                    wanted[prepared.key] = self._keep_old(prepared.key, now)
            else:
                wanted[prepared.key] = prepared
        self._withdraw([key for key in self._said if key not in wanted], now)
        self._said = wanted
        return tuple(refused)

    def _register_one(self, given: Registration, now: float) -> None:
        """Raises BadInput."""
        if self._said.get(given.key) != given or self._registry.renew(given.key, 0, now) == "unknown":
            self._registry.keep(given, now)
        self._heard("Heartbeat", given.key, now)
        self._driver.perform()

    def _keep_old(self, key: str, now: float) -> Registration:
        self._registry.renew(key, 0, now)
        self._driver.perform()
        return self._said[key]

    def _withdraw(self, keys: list[str], now: float) -> None:
        for key in keys:
            self._registry.cancel(key, now)
            self._heard("Cancel", key, now)
            self._driver.perform()
        if keys:
            self._events.emit("definitions.withdrawn", instances=keys)

    def _heard(self, action: Action, key: str, now: float) -> None:
        """A Eureka server that does not know an instance which beats asks for it."""
        if self._hearer is not None:
            self._hearer.heard(action, key, now)

    def _set_rules(self) -> None:
        if self._onboarding.rules == self.collection.rules:
            return
        self._onboarding.rules = self.collection.rules
        now = clock.now()
        for rule in self.collection.rules.values():
            for owner, record in self._registry.node.view.of(rule.service):
                missing = rule.missing(unpack(record.body).metadata)
                if owner == self._registry.node.origin and missing and record.key not in self._said:
                    self._annotate(record.key, missing, now)

    def _annotate(self, key: str, metadata: dict[str, str], now: float) -> None:
        try:
            self._registry.annotate(key, metadata, now)
        except (BadInput, NotFound) as error:
            self._events.emit("definitions.not_applied", instance=key, reason=str(error))
        self._driver.perform()

    # --- what is said

    def _refused_files(self) -> tuple[Refusal, ...]:
        refused = [file.refusal for file in self._scan.files.values() if file.refusal is not None]
        return (*self._scan.refusals, *refused)

    def _say_files(self, before: files.Scan) -> None:
        for path, file in self._scan.files.items():
            known = before.files.get(path)
            if file.refusal is None and (known is None or known.refusal is not None or known.good != file.good):
                instances = [each.registration.instance for each in file.good.instances]
                services = [each.rule.service for each in file.good.additions]
                self._events.emit("definitions.loaded", file=str(path), instances=instances, additional=services)

    def _say_refusals(self, refusals: Sequence[Refusal]) -> None:
        for each in refusals:
            if each not in self.refusals:
                kept = self._scan.files.get(Path(each.file))
                instances = len(kept.good.instances) if kept and kept.refusal is not None else 0
                self._events.emit(
                    "definitions.refused", file=each.file, line=each.line, reason=each.reason, kept=instances
                )
