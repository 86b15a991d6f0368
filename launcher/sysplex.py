"""The sysplex as `up` runs it: its LPARs, what is known about all of them, and the orders to them.

A launcher that ends unasked is said, with the command that starts it again, and nothing else: as on z/OS it is the
operator who brings a system back. Gateways that hang are fenced (`launcher.fence`); which of them are on the sysplex
address is the distributor's (`launcher.distributor`).

The sysplex is ready when every LPAR is, and an LPAR when every component is (`launcher.states` for everything else).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiohttp
import msgspec

from launcher.distribution import Distribution
from launcher.distributor import Distributor
from launcher.fence import FAILURES, Fence, Witnesses
from launcher.journal import Journal
from launcher.lpar import ASK, Lpar
from launcher.states import Action, overall
from shared import wire
from shared.errors import Conflict, NotFound, PlexmeshError, nearest
from shared.guards import FENCING
from shared.lifecycle import Lifecycle
from shared.plexfile import Plexfile

DONE = {"kill": "lpar.killed", "pause": "lpar.paused", "resume": "lpar.resumed", "stop": "lpar.stopped"}


class Sysplex:
    def __init__(
        self, file: Plexfile, lpars: dict[str, Lpar], session: aiohttp.ClientSession, journal: Journal
    ) -> None:
        self.lpars = lpars
        self.file = file
        self.session = session
        self._journal = journal
        gateways = {
            each.id: file.component_url("gateway", each.id)
            for each in lpars.values()
            if "gateway" in file.enabled(each.id)
        }
        self._witnesses = Witnesses()
        self._fencing = FENCING not in file.without and file.behaviour == "plexmesh"
        fenced = gateways if self._fencing else {}
        self._fences = {each: self._fence(each, url) for each, url in fenced.items()}
        distribution = Distribution(file.distributor, gateways)
        self.distributor = Distributor(distribution, lpars, gateways, session, journal)

    def begin(self, lifecycle: Lifecycle) -> None:
        self.distributor.begin(lifecycle)
        for lpar in self.lpars.values():
            lpar.begin()
        for name, fence in self._fences.items():
            lifecycle.spawn(f"fence {name}", fence.watch)

    def _fence(self, lpar: str, url: str) -> Fence:
        def fenced(pid: int) -> None:
            self._journal.say("gateway.fenced", lpar, pid=pid, failures=FAILURES)

        return Fence(lpar, url, self.lpars[lpar].run_folder, self.session, fenced, self._witnesses)

    def add(self, lifecycle: Lifecycle, lpar: Lpar) -> None:
        """One more while the others run; its launcher is started."""
        self.lpars[lpar.id] = lpar
        if "gateway" in self.file.enabled(lpar.id):
            url = self.file.component_url("gateway", lpar.id)
            self.distributor.add(lifecycle, lpar.id, url)
            if self._fencing:
                fence = self._fences[lpar.id] = self._fence(lpar.id, url)
                lifecycle.spawn(f"fence {lpar.id}", fence.watch)
        self._journal.say("lpar.starting", lpar.id)
        lpar.begin()

    async def stop(self) -> None:
        """Every LPAR at once, each in its launcher's order; nothing is left when this returns."""
        self._journal.say("sysplex.stopping")
        async with asyncio.TaskGroup() as tasks:
            for lpar in self.lpars.values():
                tasks.create_task(lpar.leave())

    def kill_now(self) -> None:
        for lpar in self.lpars.values():
            lpar.kill_now()

    async def order(self, name: str, action: Action) -> wire.Lpar:
        """Raises NotFound; Conflict when it is not possible in this state."""
        lpar = self._find(name)
        if action == "reload":
            raise Conflict(f"an LPAR is not reloaded as a whole; name its component: reload {lpar.id} gateway")
        if action == "start":
            self._require_in_file(lpar)
            self._journal.say("lpar.starting", lpar.id)
        async with self._leaving(lpar, action == "stop"):
            await getattr(lpar, action)()
        if action == "pause":
            self._suspect(lpar.id)
        report = await lpar.report()
        if action == "start" and report.state != "ready":
            missing = ", ".join(f"{each.name} {each.state}" for each in report.components if each.state != "ready")
            self._journal.say("lpar.not_ready", lpar.id, why=missing)
        else:
            self._journal.say(DONE.get(action, "lpar.ready"), lpar.id)
        return report

    async def order_component(self, name: str, component: str, action: Action) -> wire.Component:
        """Forwarded to the LPAR's launcher; its errors come back as they are."""
        lpar = self._find(name)
        async with self._leaving(lpar, (component, action) == ("gateway", "stop")):
            done = await lpar.order(component, action)
        if (component, action) == ("gateway", "pause"):
            self._suspect(lpar.id)
        return done

    async def quiesce(self, name: str) -> None:
        """Its gateway leaves the sysplex address; everything else goes on. Raises NotFound, Conflict, Unavailable."""
        await self.distributor.quiesce(self._find(name).id)

    async def activate(self, name: str) -> None:
        await self.distributor.activate(self._find(name).id)

    def command(self, order: str) -> str:
        """As somebody would type it."""
        return self._journal.command(order)

    async def fence(self, name: str, component: str, pid: int) -> None:
        """End a process that another LPAR's waits for in vain. Raises NotFound, Conflict."""
        lpar = self._find(name)
        await lpar.fence(component, pid)
        self._journal.say("component.fenced", lpar.id, component=component, pid=pid)

    def why_not(self) -> list[str]:
        """Why this is no sysplex in working order; nothing when every LPAR runs."""
        return [f"{lpar.id} is {lpar.condition}" for lpar in self.lpars.values() if lpar.condition != "running"]

    async def reports(self) -> list[wire.Lpar]:
        return await asyncio.gather(*(lpar.report() for lpar in self.lpars.values()))

    async def status(self) -> wire.SysplexStatus:
        lpars = await self.reports()
        urls = {each.id: each.addresses.get("discovery") for each in self.lpars.values()}
        nodes = await asyncio.gather(*(self._registry_node(each, url) for each, url in urls.items() if url))
        return wire.SysplexStatus(
            sysplex=wire.SysplexAddress(
                url=f"{self.file.scheme}://{self.file.vipa}", state=overall(each.state for each in lpars)
            ),
            lpars=lpars,
            registry=nodes,
            distributor=self.distributor.report(),
        )

    async def _registry_node(self, lpar: str, url: str) -> wire.RegistryNode:
        try:
            async with self.session.get(f"{url}/v1/summary", timeout=ASK) as response:
                summary = msgspec.json.decode(await response.read(), type=wire.NodeSummary)
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError):
            return wire.RegistryNode(node=lpar, url=url, reachable=False)
        return wire.RegistryNode(node=summary.node, url=url, reachable=True, instances=summary.instances)

    def _find(self, name: str) -> Lpar:
        lpar = self.lpars.get(name.upper())
        if lpar is None:
            raise NotFound(f"there is no LPAR {name.upper()}{nearest(name.upper(), self.lpars)}")
        return lpar

    def _require_in_file(self, lpar: Lpar) -> None:
        """Its launcher would find nothing to start."""
        if lpar.id not in self.file.lpars and lpar.condition not in ("running", "paused"):
            again = f"write it there again, then: {self.command('reload')}"
            raise Conflict(f"cannot start {lpar.id}: {self.file.path} has it no more; {again}")

    @contextlib.asynccontextmanager
    async def _leaving(self, lpar: Lpar, leaves: bool) -> AsyncIterator[None]:
        """Its gateway leaves the sysplex address before it is stopped."""
        if leaves:
            await self.distributor.withdraw(lpar.id)
        try:
            yield
        except PlexmeshError:
            self.distributor.stay(lpar.id)
            raise

    def _suspect(self, lpar: str) -> None:
        if lpar in self._fences:
            self._fences[lpar].look_now()
