"""Five discovery nodes and two watchers, as processes."""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from bench.registry.control import Child
from bench.registry.cpu import Cpu, spent
from bench.registry.load import Line, connect
from bench.registry.requests import PORT

NODES = 5
WATCHED = (0, 1)
"""The nodes that the watchers follow; the last node is the one that is killed."""

DEADLINE_S = 60.0


def host(index: int) -> str:
    return f"127.0.{90 + index}.{os.getpid() % 250 + 1}"


def url(index: int) -> str:
    return f"http://{host(index)}:{PORT}"


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nodes: list[Child] = []
        self.watchers: list[Child] = []

    # --- life

    async def start(self) -> None:
        for index in range(NODES):
            self.nodes.append(await self._start_node(index))
        for index in range(NODES):
            await self.until(functools.partial(self._meets_all, index), f"node {index + 1} knows the others")
        for number, index in enumerate(WATCHED):
            environ = {"WATCH_HOST": host(index), "WATCH_PORT": str(PORT)}
            log = self.folder / f"watcher{number + 1}.log"
            self.watchers.append(await Child.start(f"watcher{number + 1}", "bench.registry.watcher", environ, log))
        await self.following()

    async def stop(self) -> None:
        for child in [*self.watchers, *self.nodes]:
            await child.kill()
        shutil.rmtree(self.folder / "data", ignore_errors=True)

    async def _start_node(self, index: int) -> Child:
        others = [url((index + step) % NODES) for step in range(NODES)]
        environ = {
            "PLEXMESH_LPAR": f"LPAR{index + 1}",
            "PLEXMESH_HOST": host(index),
            "PLEXMESH_DATA": str(self.folder / "data"),
            "PLEXMESH_DISCOVERY": ",".join(others),
            "PLEXMESH_SYSPLEX": "BENCH",
        }
        return await Child.start(
            f"node{index + 1}", "bench.registry.node", environ, self.folder / f"node{index + 1}.log"
        )

    async def restart_empty(self, index: int) -> None:
        """The node starts again without its disk."""
        shutil.rmtree(self.folder / "data" / f"LPAR{index + 1}", ignore_errors=True)
        self.nodes[index] = await self._start_node(index)

    async def _meets_all(self, index: int) -> bool:
        state = await self.nodes[index].ask("state")
        return bool(state["covered"] and state["visible"] >= NODES)  # each node registers itself

    # --- asking

    async def states(self, of: list[int] | None = None) -> list[dict[str, Any]]:
        indexes = range(NODES) if of is None else of
        return list(await asyncio.gather(*(self.nodes[index].ask("state") for index in indexes)))

    async def take(self) -> list[dict[str, Any]]:
        """The nodes' notes, then the watchers'; each since it was last taken."""
        return list(await asyncio.gather(*(child.ask("take") for child in [*self.nodes, *self.watchers])))

    async def lines(self, each: int, of: list[int] | None = None) -> list[list[Line]]:
        return [await connect((host(index), PORT), each) for index in (range(NODES) if of is None else of)]

    async def until(
        self, condition: Callable[[], Awaitable[bool]], what: str, deadline_s: float = DEADLINE_S, pause_s: float = 0.05
    ) -> None:
        end = time.monotonic() + deadline_s
        while not await condition():
            assert time.monotonic() < end, f"not in {deadline_s} s: {what}; logs are in {self.folder}"
            await asyncio.sleep(pause_s)

    async def following(self) -> None:
        """Wait until each watcher has the whole set and follows the changes."""

        async def all_follow() -> bool:
            return all([(await each.ask("state"))["following"] for each in self.watchers])

        await self.until(all_follow, "the watchers follow")

    async def streams(self) -> list[int]:
        """How many streams each watcher has opened."""
        return [(await each.ask("state"))["streams"] for each in self.watchers]

    # --- CPU

    def cpu(self) -> AbstractContextManager[Cpu]:
        return spent(lambda: {child.name: child.cpu_s() for child in [*self.nodes, *self.watchers]})
