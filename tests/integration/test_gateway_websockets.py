"""The websocket suite, played at the servers and through the gateway: nobody can tell the tunnel from the server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import asdict

from tests.fakes import an_instance, running, until
from tests.integration.gateway_rig import INSTANCES, LPAR1, PORT, Rig, a_gateway, on_uvloop
from tests.integration.websocket_servers import Servers
from tests.integration.websocket_suite import ANCHORS, CASES, Case
from tests.integration.websocket_wire import Place, Verdict

ECHO, RAW = (INSTANCES[0], 9001), (INSTANCES[0], 9002)


@contextlib.asynccontextmanager
async def gateway_and_servers() -> AsyncIterator[tuple[Rig, Servers]]:
    servers = Servers()
    async with servers.echo(*ECHO), running(servers.raw(*RAW)), a_gateway() as rig:
        for service, (host, port) in (("echo", ECHO), ("raw", RAW)):
            rig.discovery.put(an_instance(service, port, host, routes={"ws/v1": "/"}))
        await until(lambda: len(rig.gateway.path.snapshot.endpoints) == 2)
        yield rig, servers


def straight(case: Case) -> Place:
    return Place(*(RAW if case.raw else ECHO))


def through(case: Case) -> Place:
    return Place(LPAR1, PORT, "/raw/ws/v1" if case.raw else "/echo/ws/v1")


async def verdict(case: Case, place: Place, id: str, servers: Servers) -> Verdict:
    seen = await case.play(place, id)
    if seen.status == 101:
        await until(lambda: id in servers.ends, f"the server sees the end of {id}")
        seen.server = servers.ends[id]
    return seen


@on_uvloop
async def test_every_case_has_the_same_verdict_straight_and_through_the_gateway() -> None:
    async with gateway_and_servers() as (rig, servers):
        different = {}
        for number, (name, case) in enumerate(CASES.items()):
            expected = await verdict(case, straight(case), f"{number}-straight", servers)
            got = await verdict(case, through(case), f"{number}-through", servers)
            if got != expected:
                different[name] = (asdict(got), asdict(expected))
            for field, value in ANCHORS.get(name, {}).items():
                assert getattr(expected, field) == value, name
        assert not different
        await until(lambda: rig.in_flight() == 0 and not rig.gateway.path.clients, "no connection is left")
        assert len(CASES) >= 40


@on_uvloop
async def test_many_at_once_do_not_meet() -> None:
    """All cases at the same time through one gateway: nothing of one reaches another."""
    async with gateway_and_servers() as (rig, servers):
        names = [name for name, case in CASES.items() if case.framed]
        alone = [
            await verdict(CASES[name], straight(CASES[name]), f"{number}-alone", servers)
            for number, name in enumerate(names)
        ]
        together = await asyncio.gather(
            *(
                verdict(CASES[name], through(CASES[name]), f"{number}-together", servers)
                for number, name in enumerate(names)
            )
        )
        assert [name for name, one, other in zip(names, alone, together, strict=True) if one != other] == []
        await until(lambda: rig.in_flight() == 0)
