"""A process that only makes calls, over connectors it keeps: files that are exchanged hold for its new connections."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from plexmesh import tls
from shared import latest, net
from shared.tls import Tls
from tests.certificates import Drawer, a_drawer
from tests.integration.launcher_rig import HOSTS

HERE = HOSTS["LPAR1"]


async def shown(request: web.Request) -> web.Response:
    assert request.transport is not None
    return web.Response(text=request.transport.get_extra_info("peercert")["serialNumber"])


@contextlib.asynccontextmanager
async def a_server(own: Tls) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/", shown)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HERE, 0, ssl_context=own.server)
        await site.start()
        yield f"https://{HERE}:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def a_caller(own: Tls) -> AsyncIterator[aiohttp.ClientSession]:
    """Each call has a new connection, by the same connector."""
    async with aiohttp.ClientSession(connector=net.connector(HERE, tls=own), headers={"Connection": "close"}) as found:
        yield found


async def text(caller: aiohttp.ClientSession, url: str) -> str:
    async with caller.get(url) as answer:
        return await answer.text()


@pytest.fixture
def drawer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Drawer:
    monkeypatch.setattr(latest, "LOOK_S", 0.0)  # files are looked at with each call, which nobody can wait for
    return a_drawer(tmp_path / "own")


async def test_its_new_certificate_is_shown(drawer: Drawer) -> None:
    own = drawer.tls("LPAR1", HERE)
    async with a_server(drawer.tls("LPAR2", HERE)) as url, a_caller(own) as caller:
        before = await text(caller, url)
        assert await text(caller, url) == before
        drawer.lpar("LPAR1", HERE)
        after = await text(caller, url)
        assert after != before
        own.files.key.write_text("half of a key")
        assert await text(caller, url) == after


async def test_an_authority_that_was_taken_out_is_believed_no_more(drawer: Drawer, tmp_path: Path) -> None:
    theirs = a_drawer(tmp_path / "theirs")
    authorities = drawer.folder / "ca.pem"
    ours, both = authorities.read_bytes(), authorities.read_bytes() + theirs.authority.pem
    (theirs.folder / "ca.pem").write_bytes(both)
    own = drawer.tls("LPAR1", HERE)
    async with a_server(theirs.tls("LPAR2", HERE)) as url, a_caller(own) as caller:
        for content, believed in ((ours, False), (both, True), (ours, False)):
            authorities.write_bytes(content)
            if believed:
                assert await text(caller, url)
            else:
                with pytest.raises(aiohttp.ClientConnectorCertificateError):
                    await text(caller, url)


async def test_a_program_with_the_client_library_shows_its_new_certificate(
    drawer: Drawer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "LOOK_S", 0.0)
    files = drawer.client("orders")
    for name, path in files.variables().items():
        monkeypatch.setenv(name, path)
    context = tls.context()
    connector = aiohttp.TCPConnector(ssl=context, force_close=True)
    async with a_server(drawer.tls("LPAR2", HERE)) as url, aiohttp.ClientSession(connector=connector) as caller:
        before = await text(caller, url)
        drawer.client("orders")
        after = await text(caller, url)
        files.key.write_text("half of a key")
        assert (after != before, await text(caller, url)) == (True, after)
        files.authorities[0].write_bytes(a_drawer(drawer.folder / "theirs").authority.pem)
        drawer.client("orders")
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await text(caller, url)
