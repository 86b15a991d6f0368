"""Sessions of a service that keeps no state, while one LPAR after the other is lost: through the mesh, as users do.

Prints, for each loss, the longest any session had to wait for its next good answer.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import plexmesh
from tests.integration.launcher_rig import N, Rig, poll

HOSTS = {"LPAR1": f"127.0.108.{N}", "LPAR2": f"127.0.109.{N}"}
VIPA_HOST = f"127.0.110.{N}"
GATEWAYS = [f"http://{VIPA_HOST}:7554", *(f"http://{host}:7554" for host in HOSTS.values())]
SESSIONS = 20
EXAMPLE = Path(__file__).parents[2] / "examples" / "sessions.py"


@pytest.fixture(scope="module")
def sysplex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = Rig(tmp_path_factory.mktemp("sessions"), externalDomains=[VIPA_HOST])
    rig.tree["components"] = {"discovery": {}, "gateway": {}, "caching": {}}
    rig.tree["haInstances"] = {name: {"hostname": host} for name, host in HOSTS.items()}
    rig.tree["plexmesh"] = {"sysplex": "SESSIONS", "address": f"{VIPA_HOST}:7550"}
    try:
        rig.up()
        yield rig
    finally:
        rig.close()


def whole(rig: Rig) -> None:
    poll("everything is ready", lambda: rig.status()["sysplex"]["state"] == "ready")


class Users:
    """Each goes on with a session of his own: `counted` is how far its last acknowledged step got."""

    def __init__(self, cache: plexmesh.Cache) -> None:
        self.cache = cache
        self.counted = dict.fromkeys((f"session{n}" for n in range(SESSIONS)), 0)
        self.longest_wait_s = 0.0
        self._stopped = False
        self._tasks = [asyncio.create_task(self._use(session)) for session in self.counted]

    async def _use(self, session: str) -> None:
        while not self._stopped:
            wanted, asked_at = self.counted[session] + 1, time.monotonic()
            await self.cache.put(session, str(wanted), ttl_s=3600)
            self.counted[session] = wanted
            self.longest_wait_s = max(self.longest_wait_s, time.monotonic() - asked_at)
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self._stopped = True
        await asyncio.gather(*self._tasks)

    async def all_went_on(self, within_s: float = 15.0) -> None:
        before = dict(self.counted)
        deadline = time.monotonic() + within_s
        while any(self.counted[session] < count + 3 for session, count in before.items()):
            assert time.monotonic() < deadline, "some session does not go on"
            await asyncio.sleep(0.02)


async def test_no_session_is_lost_when_one_lpar_after_the_other_is(sysplex: Rig) -> None:
    await asyncio.to_thread(whole, sysplex)
    async with plexmesh.Cache("shop", GATEWAYS) as cache:
        users = Users(cache)
        await users.all_went_on()
        for lpar in HOSTS:
            usual_s, users.longest_wait_s = users.longest_wait_s, 0.0
            await asyncio.to_thread(sysplex.ok, "kill", lpar)
            await users.all_went_on()
            print(f"{lpar} killed: a good answer after {users.longest_wait_s:.3f} s at most (before {usual_s:.3f} s)")
            await asyncio.to_thread(sysplex.ok, "start", lpar)
            await asyncio.to_thread(whole, sysplex)
        await users.stop()
        found = {each.key: int(each.value) async for each in cache.entries("session")}
    assert found == users.counted


def test_the_example_counts_on_when_an_lpar_is_lost(sysplex: Rig) -> None:
    whole(sysplex)
    environ = {**os.environ, "PLEXMESH_GATEWAY": ",".join(GATEWAYS)}
    with subprocess.Popen(
        [sys.executable, "-P", EXAMPLE], env=environ, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as example:
        assert example.stdout is not None
        try:
            assert [example.stdout.readline() for _ in range(2)] == ["visits: 1\n", "visits: 2\n"]
            sysplex.ok("kill", "LPAR1")
            assert [example.stdout.readline() for _ in range(3)] == [f"visits: {n}\n" for n in (3, 4, 5)]
        finally:
            example.kill()
    sysplex.ok("start", "LPAR1")
