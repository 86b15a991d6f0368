"""The public client beside a registry that records what it is told."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

import plexmesh
from plexmesh.registry import RegistryUnreachable
from tests.fakes import FakeRegistry, until

HOST = f"127.0.72.{os.getpid() % 250 + 1}"
PORT, FIRST, SECOND = 9000, 7553, 7554
NOBODY = f"http://{HOST}:1"


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry(HOST, FIRST) as fake:
        yield fake


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[None]:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), HOST, PORT)
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


def service(*registries: str, **more: object) -> plexmesh.Service:
    settings = {"port": PORT, "host": HOST, "renew_s": 0.05, "drain_s": 0.05} | more
    return plexmesh.Service("orders", discovery=registries, **settings)  # type: ignore[arg-type]


async def test_it_is_registered_once_its_port_answers_and_leaves_in_order(registry: FakeRegistry) -> None:
    async with service(registry.url):
        await asyncio.sleep(0.2)
        assert registry.calls == []
        async with listening():
            await until(lambda: ("PUT", "UP") in registry.calls, "it renews")
    assert registry.calls[0] == ("POST", "UP")
    assert [call for call in registry.calls if call[0] != "PUT"][-2:] == [("POST", "OUT_OF_SERVICE"), ("DELETE", "")]


async def test_an_unhealthy_program_is_down_and_back_by_itself(registry: FakeRegistry) -> None:
    healthy = True

    async def health() -> bool:
        return healthy

    async with listening(), service(registry.url, health=health):
        await until(lambda: registry.told == ["UP"])
        healthy = False
        await until(lambda: registry.told == ["UP", "DOWN"])
        healthy = True
        await until(lambda: registry.told == ["UP", "DOWN", "UP"])


async def test_a_failing_health_check_counts_as_down(registry: FakeRegistry, caplog: pytest.LogCaptureFixture) -> None:
    def health() -> bool:
        raise ValueError("the disk is gone")

    async with listening(), service(registry.url, health=health):
        await until(lambda: registry.told == ["DOWN"])
    assert "its health check failed" in caplog.text


async def test_a_registry_that_forgot_it_is_told_again(registry: FakeRegistry) -> None:
    async with listening(), service(registry.url):
        await until(lambda: registry.told == ["UP"])
        registry.forget()
        await until(lambda: registry.told == ["UP", "UP"])


async def test_the_next_node_is_used_when_one_does_not_answer(registry: FakeRegistry) -> None:
    async with listening(), service(NOBODY, registry.url):
        await until(lambda: registry.told == ["UP"])


async def test_an_unreachable_registry_is_one_warning_and_registering_works_later(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plexmesh.service.PATIENCE_S", 0.1)  # two seconds are long in a test
    url = f"http://{HOST}:{SECOND}"
    async with listening(), service(url):
        await until(lambda: "cannot register yet" in caplog.text)
        await asyncio.sleep(0.3)
        async with FakeRegistry(HOST, SECOND) as late:
            await until(lambda: late.told == ["UP"])
    assert caplog.text.count("cannot register yet") == 1


async def test_required_means_that_starting_fails() -> None:
    with pytest.raises(RegistryUnreachable):
        await service(NOBODY, required=True).start()


async def test_without_a_registry_it_says_so_once_and_runs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with service():
        pass
    assert [record.levelname for record in caplog.records if record.name.startswith("plexmesh")] == ["INFO"]


async def test_an_aiohttp_application_registers_while_it_runs(registry: FakeRegistry) -> None:
    app = web.Application()
    app.cleanup_ctx.append(service(registry.url).cleanup_ctx)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, HOST, PORT).start()
    await until(lambda: registry.told == ["UP"])
    await runner.cleanup()
    assert registry.calls[-1] == ("DELETE", "")
