"""A program around wasp-eureka, which knows one server and no beat of its own: both are the program's to care for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable
from http import HTTPStatus
from typing import Any

import aiohttp

from tests.integration.eureka_client_lines import given, serve

GIVEN = given()
LOOP = asyncio.new_event_loop()
ID = f"{GIVEN.host}:{GIVEN.app.lower()}:{GIVEN.port}"


class Program:
    """One client for each server; the first is the one that is talked to."""

    async def start(self) -> None:
        from wasp_eureka.client import EurekaClient  # needs a running loop to be imported

        self.clients = [
            EurekaClient(
                GIVEN.app.lower(), GIVEN.port, GIVEN.host, eureka_url=url.removesuffix("/eureka"), instance_id=ID
            )
            for url in GIVEN.servers
        ]
        await self.register()
        self.beating = asyncio.create_task(self.beat())

    async def call(self, name: str, *values: Any, **named: Any) -> Any:
        for _ in self.clients:
            try:
                return await getattr(self.clients[0], name)(*values, **named)
            except aiohttp.ClientConnectionError as error:
                failure = error
                self.clients.append(self.clients.pop(0))
        raise failure

    async def register(self) -> Any:
        return await self.call(
            "register", metadata=GIVEN.metadata, lease_duration=GIVEN.lease_s, lease_renewal_interval=1
        )

    async def beat(self) -> None:
        from wasp_eureka.exc import EurekaException

        while True:
            await asyncio.sleep(GIVEN.interval_s)
            try:
                await self.call("renew")
            except EurekaException as error:
                if error.status == HTTPStatus.NOT_FOUND:
                    await self.register()
            except aiohttp.ClientConnectionError:
                continue

    async def view(self) -> dict[str, str]:
        listed = (await self.call("get_apps"))["applications"]["application"]
        return {f"{each['app']}/{each['instanceId']}": each["status"] for app in listed for each in app["instance"]}

    async def override(self, status: str) -> Any:
        from wasp_eureka.client import StatusType

        return await self.call("set_status_override", StatusType(status))

    async def stop(self) -> Any:
        self.beating.cancel()
        return await self.call("deregister")


def done(what: Awaitable[Any]) -> Any:
    return asyncio.run_coroutine_threadsafe(what, LOOP).result()  # type: ignore[arg-type]


PROGRAM = Program()
threading.Thread(target=LOOP.run_forever, daemon=True).start()
serve(
    lambda: done(PROGRAM.start()),
    view=lambda: done(PROGRAM.view()),
    override=lambda status: done(PROGRAM.override(status)),
    call=lambda name, *values: done(PROGRAM.call(name, *values)),
    stop=lambda: done(PROGRAM.stop()),
)
