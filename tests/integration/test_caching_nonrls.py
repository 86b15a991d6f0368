"""NONRLS: of the instances one writes at a time, and the next takes over when it has gone."""

from __future__ import annotations

from pathlib import Path

import aiohttp

from tests.integration.caching_rig import ME, Instance, Writer, check, instances


async def test_nonrls_has_one_writer_at_a_time_and_the_next_takes_over(tmp_path: Path) -> None:
    one, two = (Instance(tmp_path, n, storage="vsam:PLEX.CACHE?share=nonrls") for n in (1, 2))
    with instances(one, two):
        one.up()
        two.up()
        async with aiohttp.ClientSession() as session:
            load = Writer(session, one, "one")
            await load.acknowledges(50)
            status, text = await post(session, two, "refused")
            assert status == 503
            assert f"NONRLS and open for output by LPAR1 (process {one.pid})" in text
            await load.stop()
            await check(session, two, load)
            one.kill()
            assert (await post(session, two, "after"))[0] == 201
            one.up()
            status, text = await post(session, one, "refused")
            assert status == 503
            assert f"LPAR2 (process {two.pid})" in text
            await check(session, one, load, besides="after")


async def post(session: aiohttp.ClientSession, instance: Instance, key: str) -> tuple[int, str]:
    async with session.post(f"{instance.url}/cache", json={"key": key, "value": "v"}, headers=ME) as answer:
        return answer.status, await answer.text()
