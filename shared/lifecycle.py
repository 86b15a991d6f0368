"""The life of a process: signals in, tasks owned, one exit code out.

`run(main)` is the whole of every `__main__`: it sets the handlers for SIGINT, SIGTERM and SIGHUP explicitly (a shell
starts background jobs with SIGINT ignored, and Python keeps that), runs `main(lifecycle)` in a task group, and turns
the ending into an exit code: 0 done, 1 failed, 2 configuration. An error of ours is one line on standard error, any
other a defect that is logged with its traceback.

`main` constructs and starts things, then awaits `lifecycle.stopped()`, then takes them down in order. Long-running
work is given to `lifecycle.spawn`: a task that fails is logged and started again after a back-off; it never takes the
process with it and never dies unseen.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from shared.errors import ConfigError, PlexmeshError
from shared.loop import Loop

log = logging.getLogger("plexmesh.lifecycle")

Work = Callable[[], Awaitable[Any]]

RESTART_S = (0.1, 0.5, 1.0, 5.0)


class Lifecycle:
    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks
        self._stop = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        self._stop.set()

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def on_hangup(self, reload: Callable[[], object]) -> None:
        """SIGHUP means `reload` from now on; when the terminal we began on has gone it still means the end."""
        terminal = next((fd for fd in (0, 1, 2) if os.isatty(fd)), None)

        def hung_up() -> None:
            if terminal is not None and not os.isatty(terminal):
                self.stop()
            else:
                reload()

        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hung_up)

    async def stopped(self) -> None:
        await self._stop.wait()

    def spawn(self, name: str, work: Work) -> asyncio.Task[None]:
        """Run `work` until it returns; when it raises, log that and run it again, later and later."""
        task = self._tasks.create_task(self._supervise(name, work), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _supervise(self, name: str, work: Work) -> None:
        for failures in range(1_000_000):
            try:
                await work()
                return
            except Exception:
                pause_s = RESTART_S[min(failures, len(RESTART_S) - 1)]
                log.exception("task.failed", extra={"fields": {"task": name, "again_in_s": pause_s}})
                await asyncio.sleep(pause_s)

    def cancel_tasks(self) -> None:
        for task in self._running:
            task.cancel()


def run(main: Callable[[Lifecycle], Awaitable[None]]) -> int:
    """Run the process to its end; returns its exit code."""
    try:
        with asyncio.Runner(loop_factory=Loop) as runner:
            runner.run(_live(main))
    except ExceptionGroup as group:
        error = _first(group)
        if isinstance(error, PlexmeshError):
            print(f"plexmesh: {error}", file=sys.stderr)  # noqa: T201
            return 2 if isinstance(error, ConfigError) else 1
        log.critical("process.failed", exc_info=error)
        return 1
    return 0


async def _live(main: Callable[[Lifecycle], Awaitable[None]]) -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as tasks:
        lifecycle = Lifecycle(tasks)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, lifecycle.stop)
        try:
            await main(lifecycle)
        finally:
            lifecycle.cancel_tasks()


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
