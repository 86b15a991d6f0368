"""The backends that the contract suite runs over, each as one way to open a storage on state of a test's own.

A `Bench` is made for one test: everything it opens sees the same entries, nothing else does.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import logging
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from caching.backends.etcd.settings import EtcdSettings
from caching.backends.etcd.storage import EtcdStorage
from caching.backends.in_memory import InMemoryStorage
from caching.backends.ksds import Attributes
from caching.backends.redis.settings import Node, RedisSettings
from caching.backends.redis.storage import RedisStorage
from caching.backends.vsam import Place, VsamStorage
from caching.clock import Clock
from caching.limits import Limit
from caching.storage import Storage
from shared.events import Events
from tests.servers.etcd import Etcd, etcd
from tests.servers.redis import PORT, RedisNode, redis_node

N = os.getpid() % 250 + 1


class SetClock(Clock):
    """A wall clock that a test puts on, and may stop."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead_ms = 0
        self._stopped_at_ms: int | None = None

    def stop(self) -> None:
        self._stopped_at_ms = super().now_ms()

    def now_ms(self) -> int:
        return (self._stopped_at_ms or super().now_ms()) + self.ahead_ms


class Bench(Protocol):
    clock: SetClock

    def new(self, limit: Limit) -> Storage:
        """Not open yet."""


def place(folder: Path, limit: Limit | None = None, **more: object) -> Place:
    given = {
        "volume": folder,
        "name": "TEST.CACHE",
        "sysplex": "TESTPLEX",
        "holder": "LPAR1",
        "attributes": Attributes(),
        "limit": limit or Limit(),
    }
    return Place(**(given | more))  # type: ignore[arg-type]


def vsam(folder: Path, limit: Limit | None = None, clock: Clock | None = None, **more: object) -> VsamStorage:
    return VsamStorage(place(folder, limit, **more), Events(logging.getLogger("test")), clock or Clock())


class VsamBench:
    def __init__(self, folder: Path, attributes: Attributes | None = None) -> None:
        self.clock = SetClock()
        self._folder = folder
        self._attributes = attributes or Attributes()

    def new(self, limit: Limit) -> Storage:
        return vsam(self._folder, limit, self.clock, attributes=self._attributes)


class InMemoryBench:
    """One storage only: what another one holds is its own affair."""

    def __init__(self) -> None:
        self.clock = SetClock()

    def new(self, limit: Limit) -> Storage:
        return InMemoryStorage(limit, alone=True, clock=self.clock)


PATIENT = {"write_deadline_s": 20.0, "read_deadline_s": 20.0}
"""Of servers that have to sync a disk which other tests use as well."""


class EtcdBench:
    """One server for the whole run; each bench is below a prefix of its own."""

    _server: Etcd | None = None
    _numbers = itertools.count()

    def __init__(self) -> None:
        self.clock = SetClock()
        self.server = EtcdBench.started()
        self._prefix = f"bench{next(EtcdBench._numbers)}"
        self._instances = itertools.count()

    @classmethod
    def started(cls) -> Etcd:
        if cls._server is None:
            stack = contextlib.ExitStack()
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="etcd-"))
            cls._server = stack.enter_context(etcd(Path(folder), [f"127.0.90.{N}"]))
            atexit.register(stack.close)
        return cls._server

    def new(self, limit: Limit) -> Storage:
        settings = EtcdSettings(tuple(self.server.endpoints), self._prefix)
        name, events = f"LPAR{next(self._instances)}", Events(logging.getLogger("test"))
        return EtcdStorage(settings, events, self.clock, limit, sysplex="TESTPLEX", instance=name, **PATIENT)


class RedisBench:
    """One server for the whole run; each bench is a sysplex of its own."""

    _server: RedisNode | None = None
    _numbers = itertools.count()

    def __init__(self) -> None:
        self.clock = SetClock()
        self.server = RedisBench.started()
        self.sysplex = f"BENCH{next(RedisBench._numbers)}"

    @classmethod
    def started(cls) -> RedisNode:
        if cls._server is None:
            stack = contextlib.ExitStack()
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="redis-"))
            cls._server = stack.enter_context(redis_node(Path(folder), f"127.0.94.{N}"))
            atexit.register(stack.close)
        return cls._server

    def new(self, limit: Limit) -> RedisStorage:
        settings, events = RedisSettings(Node(self.server.host, PORT)), Events(logging.getLogger("test"))
        return RedisStorage(settings, events, self.clock, limit, sysplex=self.sysplex, instance="test", **PATIENT)


@contextlib.asynccontextmanager
async def _vsam(folder: Path) -> AsyncIterator[Bench]:
    yield VsamBench(folder)


@contextlib.asynccontextmanager
async def _in_memory(folder: Path) -> AsyncIterator[Bench]:
    yield InMemoryBench()


@contextlib.asynccontextmanager
async def _etcd(folder: Path) -> AsyncIterator[Bench]:
    yield EtcdBench()


@contextlib.asynccontextmanager
async def _redis(folder: Path) -> AsyncIterator[Bench]:
    yield RedisBench()


BENCHES: dict[str, Callable[[Path], AbstractAsyncContextManager[Bench]]] = {
    "vsam": _vsam,
    "inMemory": _in_memory,
    "etcd": _etcd,
    "redis": _redis,
}
"""By the name of the backend; the folder is the test's own."""
