"""The records of users in the caching service, which all gateways share; kept by a gateway's parent for its workers.

    seek    read once, however many workers ask at the same time
    chose   written by and by, the newest choice for each user: created if there is none, else in place of the one that
            was left. Who finds another's choice there takes that over, and tells the workers

While the caching service cannot be reached choices wait, `MOST_WAITING` at most; nobody's request does.

Instances of the caching service are called directly, in the gateway's own name: addresses come from the snapshot.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from gateway import sticky
from gateway.config import GatewayConfig
from gateway.meters import Meters
from gateway.snapshot import Snapshot
from gateway.sticky import Record
from plexmesh import Cache, Cached
from plexmesh.cache_errors import CacheError, Changed, Exists, Missing

log = logging.getLogger("plexmesh.gateway")

SERVICE = b"cachingservice"
OWNER = "gateway"
TEXT = ""
"""Content of Zowe's own form: a text, not a body with a type."""
MOST_WAITING = 10_000
AT_ONCE = 16
PAUSE_S = 1.0
WRITE_S = 5.0

Tell = Callable[[str, str], None]
"""Key and the instance's id (empty: there is none)."""


class StickyRecords:
    def __init__(self, config: GatewayConfig, meters: Meters, snapshot: Callable[[], Snapshot], tell_all: Tell) -> None:
        self._meters = meters
        self._snapshot = snapshot
        self._tell_all = tell_all
        self._expires = timedelta(hours=config.sticky_expiration_hours)
        self._ttl_s = int(config.sticky_expiration_hours * 3600)
        self._reader = Cache(OWNER, self._urls, try_s=config.sticky_read_s, deadline_s=config.sticky_read_s)
        self._writer = Cache(OWNER, self._urls, deadline_s=WRITE_S)
        self._asked: dict[str, list[Tell]] = {}
        self._chosen: dict[str, tuple[str, str]] = {}
        self._news = asyncio.Event()
        self._reading: set[asyncio.Task[None]] = set()

    def _urls(self) -> Sequence[str]:
        upstream = self._snapshot().upstreams.get(SERVICE)
        endpoints = upstream.endpoints if upstream else ()
        return [each.url for each in endpoints]

    # --- asked by workers

    def seek(self, key: str, tell: Tell) -> None:
        asked = self._asked.get(key)
        if asked is not None:
            asked.append(tell)
            return
        self._asked[key] = [tell]
        task = asyncio.get_running_loop().create_task(self._read(key))
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    def chose(self, key: str, instance: str, left: str) -> None:
        if key not in self._chosen and len(self._chosen) >= MOST_WAITING:
            self._chosen.pop(next(iter(self._chosen)))
            self._meters.sticky_dropped += 1
        self._chosen[key] = instance, left
        self._news.set()

    # --- reading

    async def _read(self, key: str) -> None:
        instance = ""
        try:
            record = self._fresh(await self._reader.get(key)) if self._urls() else None
            if record is not None:
                instance = record.instance
                if record.older(self._expires / 4, _now()):
                    self.chose(key, instance, instance)  # in use: it is to live on
        except CacheError as error:
            log.debug("sticky.not_read", extra={"fields": {"why": str(error)}})
        finally:
            for tell in self._asked.pop(key, ()):
                tell(key, instance)

    def _fresh(self, found: Cached | None) -> Record | None:
        record = sticky.decode(found.value) if found is not None else None
        return None if record is None or record.older(self._expires, _now()) else record

    # --- writing

    async def run(self) -> None:
        async with self._reader, self._writer:
            try:
                while True:
                    while not self._chosen:
                        self._news.clear()
                        await self._news.wait()
                    if self._urls():
                        await self._write_some()
                    else:
                        await asyncio.sleep(PAUSE_S)
            finally:
                for task in self._reading:
                    task.cancel()

    async def _write_some(self) -> None:
        keys = list(self._chosen)[:AT_ONCE]
        written = await asyncio.gather(*(self._write(key, *self._chosen.pop(key)) for key in keys))
        if not all(written):
            await asyncio.sleep(PAUSE_S)

    async def _write(self, key: str, instance: str, left: str) -> bool:
        """False: it could not be written, and waits again."""
        try:
            theirs = await self._agreed(key, instance, left)
        except (Changed, Exists, Missing):
            self.chose(key, instance, left)  # somebody writes it at this moment
            return True
        except CacheError as error:
            self._meters.sticky_write_failures += 1
            log.debug("sticky.not_written", extra={"fields": {"why": str(error)}})
            if key not in self._chosen:
                self.chose(key, instance, left)
            return False
        if theirs is not None:
            self._meters.sticky_adopted += 1
            self._tell_all(key, theirs)
        return True

    async def _agreed(self, key: str, instance: str, left: str) -> str | None:
        """Another gateway's choice, if it was quicker; else ours is kept now."""
        found = await self._writer.get(key)
        record = self._fresh(found)
        if record is not None and record.instance not in (instance, left):
            return record.instance
        value = sticky.encode(Record(instance, _now()))
        if found is None:
            await self._writer.create(key, value, ttl_s=self._ttl_s, content_type=TEXT)
        else:
            await self._writer.replace(key, value, etag=found.etag, ttl_s=self._ttl_s, content_type=TEXT)
        return None


def _now() -> datetime:
    return datetime.now()  # noqa: DTZ005 - Zowe's records are in local time, without a zone
