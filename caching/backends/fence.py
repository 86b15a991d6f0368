"""Our sign of life, and the fence: whoever keeps the lock and is silent is ended by the launcher of its LPAR.

The launcher's answer is awaited for a second; when it gives none (the whole LPAR is stopped), `plexmesh up` is asked,
which ends the process by its recorded pid. Only the very process is ended: one that has taken the holder's place
meanwhile is left alone. A holder that no launcher has started is only named.

Not here: the judgement (`fencing`). No signal is sent from here.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

import aiohttp
import msgspec

from caching.backends.fencing import Silent, Watch
from caching.backends.openers import Opener
from caching.backends.status import StatusArea
from shared import net, wire
from shared.events import Events
from shared.tls import Tls

BEAT_S = 1.0
COMPONENT = "caching"
LAUNCHER = aiohttp.ClientTimeout(total=1.0)
SYSPLEX = aiohttp.ClientTimeout(total=3.0)
APART_S = 0.5
"""Of several that wait, one asks first: each takes a little longer, at random, to be sure."""


class Fence:
    def __init__(
        self,
        area: StatusArea,
        events: Events,
        blocked_s: Callable[[], float],
        *,
        data_set: str,
        host: str,
        deadline_s: float,
        fence_after_s: float,
        tls: Tls | None = None,
    ) -> None:
        """`blocked_s`: how long we have waited for the lock. `host` is where our calls come from, `tls` how."""
        self._area = area
        self._events = events
        self._blocked_s = blocked_s
        self._data_set = data_set
        self._host = host
        self._tls = tls
        patience_s = fence_after_s + random.uniform(0, APART_S) if fence_after_s else 0.0
        self._watch = Watch(deadline_s, patience_s)
        self._named: Opener | None = None
        self._task = asyncio.create_task(self._run(), name="caching fence")
        self._asking: asyncio.Task[None] | None = None

    async def close(self) -> None:
        for task in (self._task, self._asking):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])

    async def _run(self) -> None:
        while True:
            self._area.beat()
            blocked_s = self._blocked_s()
            silent = self._watch.look(time.monotonic(), blocked_s, self._area.others() if blocked_s else [])
            if not blocked_s:
                self._named = None
            if silent is not None:
                self._act(silent)
            await asyncio.sleep(BEAT_S)

    def _act(self, silent: Silent) -> None:
        holder = silent.opener
        if holder != self._named:
            self._named = holder
            self._say(
                "storage.holder_silent", holder, silent_s=round(silent.for_s, 1), launcher=holder.launcher or "none"
            )
        if holder.launcher and (self._asking is None or self._asking.done()):
            self._asking = asyncio.create_task(self._end(silent), name="caching fence asks")

    async def _end(self, silent: Silent) -> None:
        holder, why = silent.opener, ""
        async with aiohttp.ClientSession(connector=net.connector(self._host, tls=self._tls)) as session:
            for by, ask in (("launcher", _by_launcher), ("sysplex", _by_sysplex)):
                try:
                    if await ask(session, holder):
                        self._say("storage.fenced", holder, silent_s=round(silent.for_s, 1), by=by)
                    return
                except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError, ValueError) as error:
                    why = f"{why}; {type(error).__name__} {error}".strip("; ")
        self._say("storage.not_fenced", holder, why=why)

    def _say(self, event: str, holder: Opener, **fields: object) -> None:
        self._events.emit(event, data_set=self._data_set, holder=holder.who, lpar=holder.lpar, **fields)


async def _by_launcher(session: aiohttp.ClientSession, holder: Opener) -> bool:
    """False: what it runs is another process by now."""
    async with session.get(f"{holder.launcher}/v1/lpar", timeout=LAUNCHER, raise_for_status=True) as answer:
        lpar = msgspec.json.decode(await answer.read(), type=wire.Lpar)
    if not _runs(lpar, holder):
        return False
    url = f"{holder.launcher}/v1/components/{COMPONENT}/kill"
    async with session.post(url, json={}, timeout=LAUNCHER, raise_for_status=True):
        return True


async def _by_sysplex(session: aiohttp.ClientSession, holder: Opener) -> bool:
    if not holder.sysplex:
        raise aiohttp.ClientError("no `plexmesh up` is known")
    url = f"{holder.sysplex}/v1/lpars/{holder.lpar}/components/{COMPONENT}/fence"
    async with session.post(url, json={"pid": holder.pid}, timeout=SYSPLEX) as answer:
        if answer.status == 409:
            return False
        answer.raise_for_status()
        return True


def _runs(lpar: wire.Lpar, holder: Opener) -> bool:
    return any(each.name == COMPONENT and each.pid == holder.pid for each in lpar.components)
