"""Sending the probes that `health` asks for: is that instance alive?

An instance with a health URL on its own address is asked for it by GET; any answer counts, also a 401 or a 503, because
a process that answers is alive, and whether it is well is for the registry to say. Others are asked for a connection,
with TLS for a handshake. (A stopped process's kernel still accepts, so a connection in plain does not notice one.)
A probe has 200 ms, or a second where nobody waits for it. A call that is answered meanwhile is as good as an answer to
the probe.
"""

from __future__ import annotations

import asyncio
import contextlib
import time

import aiohttp

from gateway.datapath import DataPath
from gateway.dialing import Dialer, reason
from gateway.health import Probe
from gateway.snapshot import Endpoint
from shared.net import connector
from shared.tls import trust

AT_ONCE = 64
PATIENT_S = 1.0
"""Of a probe nobody waits for."""


class Prober:
    def __init__(self, path: DataPath) -> None:
        self._path = path
        self._timeout_s = path.config.probe_timeout_s
        self._dialer = Dialer(path.config.host, self._timeout_s)
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._wake = asyncio.Event()
        self._probes: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        path.probe, path.look_at_probes = self.probe, self._wake.set

    async def run(self) -> None:
        """Keep the deadlines of `health`; sleeps while there are none."""
        health = self._path.health
        async with aiohttp.ClientSession(connector=connector(self._path.config.host)) as self._session:
            while True:
                self._wake.clear()
                delay_s = health.next_deadline() - time.monotonic()
                if delay_s > 0:
                    await self._sleep(delay_s)
                self._path.perform(health.tick(time.monotonic()))

    async def _sleep(self, delay_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if delay_s == float("inf") else delay_s):
                await self._wake.wait()

    def probe(self, probe: Probe) -> None:
        within_s = max(PATIENT_S, self._timeout_s) if probe.patient else self._timeout_s
        task = asyncio.get_running_loop().create_task(self._probe(probe.endpoint, within_s))
        self._probes.add(task)
        task.add_done_callback(self._probes.discard)

    async def _probe(self, endpoint: Endpoint, within_s: float) -> None:
        async with self._slots:
            begun = time.monotonic()
            why = await self._ask(endpoint, within_s)
        standing = self._path.standings.get(endpoint.key)
        if standing is not None and standing.answered_at > begun:
            why = ""  # as good as an answer to the probe, which may stand in a queue
        if standing is not None and not why:
            standing.reached = True
        self._path.perform(self._path.health.probed(endpoint, why, time.monotonic()))
        self._wake.set()

    async def _ask(self, endpoint: Endpoint, within_s: float) -> str:
        """Empty, or how it failed."""
        try:
            async with asyncio.timeout(within_s):
                if self._session is not None and endpoint.probe_url:
                    believed = trust(self._path.config).context
                    async with self._session.get(endpoint.probe_url, allow_redirects=False, ssl=believed):
                        return ""
                await self._connect(endpoint)
                return ""
        except TimeoutError:
            return f"no answer to a probe in {within_s:g} s"
        except (aiohttp.ClientError, OSError) as error:
            return reason(error)

    async def _connect(self, endpoint: Endpoint) -> None:
        """As a call would, and no further. Raises OSError."""
        sock = await self._dialer.dial(endpoint)
        if not endpoint.secure:
            sock.close()
            return
        believed, name = trust(self._path.config).context, endpoint.host or endpoint.ip
        try:
            _, writer = await asyncio.open_connection(sock=sock, ssl=believed, server_hostname=name)
        except BaseException:
            sock.close()
            raise
        writer.close()
        with contextlib.suppress(OSError):  # it was reached, however it says goodbye
            await writer.wait_closed()
