"""plexmesh.yaml read again while the sysplex runs (SIGHUP, or `plexmesh reload`).

A new LPAR is started and joins; nothing else is restarted for it. Settings of components hold from each one's next
start. An LPAR that is no longer in the file goes on until it is stopped. What holds the sysplex together (its name, its
addresses, its behaviour) stays as it is until the next `up`; that it was changed is said. A file that cannot be used
changes nothing; nor does one that switches TLS, since an LPAR in plain could not speak to the others. With TLS a new
LPAR gets a certificate.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable

from launcher.certs_command import make_certificates
from launcher.journal import Journal
from launcher.lpar import Lpar
from launcher.plan import Plan
from launcher.sysplex import Sysplex
from shared import plexfile, wire
from shared.errors import ConfigError, PlexmeshError
from shared.lifecycle import Lifecycle
from shared.plexfile import Plexfile

FIXED = ("sysplex", "address", "vipa", "behaviour", "speed", "without", "distributor")
"""Of the file, what holds until the next `up`."""


class Adoption:
    def __init__(
        self,
        plan: Plan,
        sysplex: Sysplex,
        make: Callable[[Plan, str], Lpar],
        journal: Journal,
        lifecycle: Lifecycle,
    ) -> None:
        self._plan = plan
        self._sysplex = sysplex
        self._make = make
        self._journal = journal
        self._lifecycle = lifecycle
        self._turn = asyncio.Lock()

    async def adopt(self) -> wire.Adopted:
        """Raises ConfigError, BadInput, with nothing changed."""
        async with self._turn:
            return await self._adopt()

    async def _adopt(self) -> wire.Adopted:
        try:
            plan = dataclasses.replace(self._plan, file=self._read())
            added = [each for each in plan.file.lpars if each not in self._sysplex.lpars]
            exposed = plan.exposed()
            plan.check_addresses(added)
            if plan.file.tls and added:
                await self._certify(plan)
        except PlexmeshError as error:
            self._journal.say("sysplex.not_reloaded", why=str(error))
            raise
        self._plan = plan
        self._sysplex.file = plan.file
        if exposed:
            self._journal.say("sysplex.insecure", addresses=", ".join(exposed))
        for each in added:
            self._sysplex.add(self._lifecycle, self._make(plan, each))
        for lpar in self._sysplex.lpars.values():
            if lpar.id in plan.file.lpars and lpar.id not in added:
                await lpar.configure(plan.file, plan.environment(lpar.id))
        dropped = [each for each in self._sysplex.lpars if each not in plan.file.lpars]
        self._journal.say("sysplex.reloaded", file=str(plan.file.path), found=_found(added, dropped))
        return wire.Adopted(added=added, dropped=dropped)

    async def adopt_if_it_can_be(self) -> None:
        """For a signal, which nobody waits for: what is wrong has been said."""
        try:
            await self.adopt()
        except PlexmeshError:
            return

    async def _certify(self, plan: Plan) -> None:
        made = await asyncio.to_thread(make_certificates, plan.data, plan.file)
        if made:
            self._journal.say("sysplex.certificates", files=", ".join(each.name for each in made))

    def _read(self) -> Plexfile:
        """As it is now, but for what is fixed; with as many LPARs at least as `up --lpars` was told."""
        now, found = self._plan.file, plexfile.read(self._plan.file.path)
        if found.tls != now.tls:
            changed_to = (
                f"{found.path}: plexmesh.tls: {_word(found.tls)} now, and this sysplex runs with it {_word(now.tls)}"
            )
            raise ConfigError(f"{changed_to}; that needs a restart: {self._plan.program.command('down')}, then up")
        changed = [name for name in FIXED if getattr(found, name) != getattr(now, name)]
        if changed:
            self._journal.say("sysplex.kept", names=", ".join(changed))
        made = {name: entry for name, entry in now.lpars.items() if entry.made}
        return dataclasses.replace(found, lpars={**found.lpars, **made}, **{name: getattr(now, name) for name in FIXED})


def _word(tls: bool) -> str:
    return "on" if tls else "off"


def _found(added: list[str], dropped: list[str]) -> str:
    said = [f"{name} is new" for name in added]
    said += [f"{name} is no longer in it and goes on until it is stopped" for name in dropped]
    return "; ".join(said) or "no LPAR is new; settings hold from a component's next start"
