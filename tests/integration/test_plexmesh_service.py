"""The public client beside a registry that records what it is told."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path

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
    monkeypatch.setattr("plexmesh.entry.PATIENCE_S", 0.1)  # two seconds are long in a test
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


async def test_required_means_that_starting_without_a_registry_fails() -> None:
    with pytest.raises(RegistryUnreachable, match="PLEXMESH_DISCOVERY"):
        await service(required=True).start()


async def test_required_is_registered_before_its_port_answers(registry: FakeRegistry) -> None:
    async with service(registry.url, required=True):
        assert registry.told == ["STARTING"]
        async with listening():
            await until(lambda: registry.told == ["STARTING", "UP"])


async def test_required_waits_for_no_turn_when_another_worker_has_it(registry: FakeRegistry) -> None:
    async with listening(), service(registry.url):
        await until(lambda: registry.told == ["UP"])
        async with service(registry.url, required=True) as second:
            assert second.status is None
    with pytest.raises(RegistryUnreachable):
        await service(NOBODY, required=True).start()


async def test_a_hung_health_check_counts_as_down(registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plexmesh.entry.HEALTH_S", 0.05)  # five seconds are long in a test
    hung = True

    async def health() -> bool:
        if hung:
            await asyncio.Event().wait()
        return True

    async with listening(), service(registry.url, health=health):
        await until(lambda: registry.told == ["DOWN"])
        hung = False
        await until(lambda: registry.told == ["DOWN", "UP"])


async def test_a_closed_port_is_down(registry: FakeRegistry) -> None:
    async with service(registry.url):
        async with listening():
            await until(lambda: registry.told == ["UP"])
        await until(lambda: registry.told == ["UP", "DOWN"])


async def test_a_port_that_never_answers_is_said_once(
    registry: FakeRegistry, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plexmesh.entry.PORT_PATIENCE_S", 0.1)  # ten seconds are long in a test
    async with service(registry.url):
        await until(lambda: f"nothing answers at {HOST}:{PORT}" in caplog.text)
        await asyncio.sleep(0.3)
    assert caplog.text.count("nothing answers") == 1
    assert registry.told == []


async def test_a_second_process_on_the_same_port_registers_nothing_and_takes_nothing_away(
    registry: FakeRegistry,
) -> None:
    """It has begun to start before it fails, since the port is in use."""
    async with listening(), service(registry.url):
        await until(lambda: registry.told == ["UP"])
        async with service(registry.url) as second:
            await asyncio.sleep(0.2)
        assert second.status is None
        assert registry.told == ["UP"]
    assert registry.calls[-1] == ("DELETE", "")


async def test_the_last_of_several_deregisters_what_a_dead_one_registered(registry: FakeRegistry) -> None:
    first, second = service(registry.url), service(registry.url)
    async with listening(), second:
        await first.start()
        await until(lambda: registry.told == ["UP"])
        registered, other = (first, second) if first.status else (second, first)
        await registered.stop()
        assert ("DELETE", "") not in registry.calls
        await other.stop()
    assert registry.calls[-1] == ("DELETE", "")


async def test_where_workers_cannot_be_told_apart_each_registers(
    registry: FakeRegistry, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PLEXMESH_DATA", str(tmp_path))
    (tmp_path / "run").touch()
    async with listening(), service(registry.url):
        await until(lambda: registry.told == ["UP"])
    assert registry.calls[-1] == ("DELETE", "")
    assert caplog.text.count("cannot tell whether") == 1


async def test_stopping_twice_is_stopping_once(registry: FakeRegistry) -> None:
    async with listening():
        one = service(registry.url)
        await one.start()
        await until(lambda: registry.told == ["UP"])
        await asyncio.gather(one.stop(), one.stop())
        await one.stop()
    assert [method for method, _ in registry.calls].count("DELETE") == 1


async def test_it_can_be_started_again_but_not_twice(registry: FakeRegistry) -> None:
    one = service(registry.url)
    async with listening():
        for times in (1, 2):
            await one.start()
            with pytest.raises(RuntimeError, match="started already"):
                await one.start()
            await until(lambda times=times: registry.told.count("UP") == times)  # type: ignore[misc]
            await one.stop()


async def test_a_registry_that_is_lost_does_not_hold_up_the_end(caplog: pytest.LogCaptureFixture) -> None:
    async with listening():
        one = service(f"http://{HOST}:{FIRST}")
        async with FakeRegistry(HOST, FIRST) as fake:
            await one.start()
            await until(lambda: fake.told == ["UP"])
        async with asyncio.timeout(1):
            await one.stop()
    assert "left without deregistering" in caplog.text


async def test_what_was_never_registered_leaves_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    async with listening(), service(NOBODY):
        await asyncio.sleep(0.1)
    assert caplog.text == ""


async def test_in_a_thread(registry: FakeRegistry) -> None:
    thread = service(registry.url).in_thread()
    async with listening():
        await asyncio.to_thread(thread.start)
        with pytest.raises(RuntimeError, match="started already"):
            thread.start()
        await until(lambda: registry.told == ["UP"])
        for _ in range(2):
            await asyncio.to_thread(thread.stop)
    assert [call for call in registry.calls if call[0] != "PUT"][-2:] == [("POST", "OUT_OF_SERVICE"), ("DELETE", "")]


async def test_required_in_a_thread_fails_where_it_is_started() -> None:
    with pytest.raises(RegistryUnreachable):
        await asyncio.to_thread(service(NOBODY, required=True).in_thread().start)


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
