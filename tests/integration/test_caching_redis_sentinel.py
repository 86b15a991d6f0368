"""The cache on a primary, two replicas and three sentinels: the primary is killed, or frozen, under load."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import aiohttp
import pytest

from caching.backends.redis.storage import RedisStorage
from caching.clock import Clock
from caching.limits import Limit
from caching.settings import choose
from shared.errors import ConfigError
from shared.events import Events
from tests.contract.calls import entries, put
from tests.integration.caching_rig import Instance, Writer, check, instances
from tests.servers.redis import PORT, trio

N = os.getpid() % 250 + 1
HOSTS = [f"127.0.{part}.{N}" for part in (146, 147, 148)]


@pytest.mark.parametrize("fault", ["kill", "freeze"])
async def test_a_failover_takes_nothing_acknowledged_and_answers_503_or_504_meanwhile(
    tmp_path: Path, fault: str
) -> None:
    """The guard (min-replicas-to-write 1) is up. On one machine no acknowledged write is lost; elsewhere one may be."""
    with trio(tmp_path, HOSTS) as servers:
        made = [Instance(tmp_path, n, storage=f"{servers.url}?quotaEntries=1000000&minReplicas=1") for n in (1, 2)]
        with instances(*made):
            for each in made:
                each.up()
            async with aiohttp.ClientSession() as session:
                writers = [Writer(session, each, each.lpar) for each in made]
                for writer in writers:
                    await writer.acknowledges(100)
                primary = await asyncio.to_thread(lambda: servers.primary)
                await asyncio.to_thread(primary.kill if fault == "kill" else primary.freeze)
                before = [len(writer.acknowledged) for writer in writers]
                for writer, count in zip(writers, before, strict=True):
                    await writer.acknowledges(count + 300)
                if fault == "freeze":
                    primary.thaw()
                    for writer in writers:
                        await writer.acknowledges(len(writer.acknowledged) + 100)
                for writer in writers:
                    await writer.stop()
                    assert set(writer.refused.values()) <= {503, 504}
                assert made[0].logged.count("storage.master_changed") == 1
                for each in made:
                    await check(session, each, *writers)
                    assert f'"before": "{primary.host}:{PORT}"' in each.logged
                    assert "Traceback" not in each.logged


async def test_what_is_wrong_with_sentinels_is_told(tmp_path: Path) -> None:
    with trio(tmp_path, HOSTS, min_replicas=0, sentinels=1) as servers:

        def new(url: str) -> RedisStorage:
            events = Events(logging.getLogger("test"))
            return RedisStorage(choose(url).redis, events, Clock(), Limit(None), sysplex="TEST", instance="test")

        misnamed = new(servers.url.replace("mymaster", "mymastr"))
        with pytest.raises(ConfigError, match=r"the sentinels watch mymaster, .*'mymastr'.*did you mean 'mymaster'"):
            await misnamed.open()
        await misnamed.close()
        unguarded = new(f"{servers.url}?minReplicas=1")
        with pytest.raises(ConfigError, match="min-replicas-to-write is 0, the configuration says minReplicas 1"):
            await unguarded.open()
        await unguarded.close()
        storage = new(servers.url)
        await storage.open()
        await put(storage, "me", "k", b"v")
        assert [each.name.key for each in await entries(storage, "me")] == ["k"]
        first, second = storage.remarks()
        assert "min-replicas-to-write is 0" in first
        assert "one sentinel only" in second
        assert storage.details()["replicas"] == 2
        servers.sentinels[0].kill()
        await storage.probe()
        assert storage.why() == ["no sentinel names a living master 'mymaster'"]
        await put(storage, "me", "k", b"w")  # the connection there is does for now
        await storage.close()
