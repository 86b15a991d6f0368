"""Caching instances as processes of their own, without a sysplex around them: one per LPAR, on one volume.

Their addresses lie in 127.0.80.x to 127.0.81.x, a server's in 127.0.89.x, and depend on our pid, so that two test runs
do not meet.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import aiohttp
import psutil
import yaml
from yarl import URL

from tests.servers.etcd import etcd
from tests.servers.redis import redis_node

N = os.getpid() % 250 + 1
PORT = 7555
BASE = "/cachingservice/api/v1"
ME = {"X-CS-Service-ID": "me"}

T = TypeVar("T")

NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def poll(what: str, ask: Callable[[], T], within_s: float = 15.0) -> T:
    """The first true answer; asked again until the deadline."""
    deadline = time.monotonic() + within_s
    while not (found := ask()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.01)
    return found


async def apoll(what: str, ask: Callable[[], Awaitable[bool]], within_s: float = 15.0) -> None:
    deadline = time.monotonic() + within_s
    while not await ask():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        await asyncio.sleep(0.01)


class Instance:
    """The caching instance of LPARn. `before` is put before its command; `caching` is its section in plexmesh.yaml."""

    def __init__(
        self, folder: Path, n: int, before: Sequence[str] = (), environ: dict[str, str] | None = None, **caching: Any
    ) -> None:
        self.host = f"127.0.{79 + n}.{N}"
        self.lpar = f"LPAR{n}"
        self.folder = folder
        self.data = folder / "data"
        self.url = f"http://{self.host}:{PORT}{BASE}"
        self._before = before
        self._environ = environ or {}
        self._caching = caching
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Instance:
        tree = {
            "components": {"caching": {"port": PORT, **self._caching}},
            "haInstances": {self.lpar: {"hostname": self.host}},
        }
        file = self.folder / f"{self.lpar}.yaml"
        file.write_text(yaml.safe_dump(tree))
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PLEXMESH_")}
        place = {"PLEXMESH_CONFIG": str(file), "PLEXMESH_LPAR": self.lpar, "PLEXMESH_DATA": str(self.data)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self._before, *self.command],
                env=kept | place | self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self

    def up(self) -> Instance:
        """Started, and ready."""
        self.start()
        poll(f"{self.lpar} is ready", self.ready_or_gone)
        assert self.running, self.logged
        return self

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-P", "-m", "caching"]

    @property
    def storage(self) -> str:
        return str(self._caching.get("storage", "vsam"))

    @property
    def log(self) -> Path:
        return self.folder / f"{self.lpar}.log"

    @property
    def logged(self) -> str:
        return self.log.read_text()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def ready_or_gone(self) -> bool:
        try:
            with NO_PROXY.open(f"http://{self.host}:{PORT}/application/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:  # refused, or 503
            return not self.running

    def ended(self, within_s: float = 10.0) -> int:
        """Its exit code."""
        assert self.process is not None
        return self.process.wait(within_s)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """Returns when it has stopped, which a signal alone does not say."""
        os.kill(self.pid, signal.SIGSTOP)
        poll(f"{self.lpar} has stopped", lambda: psutil.Process(self.pid).status() == psutil.STATUS_STOPPED)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    @contextmanager
    def files_at_most(self, size: int) -> Iterator[None]:
        """No file of it grows beyond that many bytes: for the one who writes, what a full disk is."""
        process = psutil.Process(self.pid)
        before = process.rlimit(psutil.RLIMIT_FSIZE)
        process.rlimit(psutil.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            process.rlimit(psutil.RLIMIT_FSIZE, before)

    def volume(self, name: str = "PLEX.CACHE") -> Path:
        return self.data / "volume" / name

    def holds_the_lock(self) -> bool:
        inode = self.volume("PLEX.CACHE.lock").stat().st_ino
        for line in Path("/proc/locks").read_text().splitlines():
            words = line.split()
            if words[1] == "FLOCK" and words[4] == str(self.pid) and words[5].endswith(f":{inode}"):
                return True
        return False


@contextmanager
def instances(*all: Instance) -> Iterator[None]:
    """Killed at the end, whatever they are doing."""
    try:
        yield
    finally:
        for each in all:
            if each.running:
                each.kill()


BACKENDS = ("vsam", "inMemory", "etcd", "redis")
"""The REST interface is tested over each of them."""


@contextmanager
def served(backend: str, folder: Path, query: str = "", **caching: Any) -> Iterator[Instance]:
    """One instance on a new store; `query` is of its storage setting."""
    with _address(backend, folder) as address:
        made = Instance(folder, 1, storage=f"{address}?{query}", **caching)
        with instances(made):
            yield made.up()


@contextmanager
def _address(backend: str, folder: Path) -> Iterator[str]:
    host = f"127.0.89.{N}"
    if backend == "etcd":
        with etcd(folder, [host]) as server:
            yield f"etcd://{server.members[0].endpoint}/test"
    elif backend == "redis":
        with redis_node(folder, host) as node:
            yield node.url
    else:
        yield backend


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def etag(self) -> str:
        return self.headers["ETag"]

    @property
    def error(self) -> str:
        """The sentence of an error in Zowe's form."""
        (message,) = self.json["messages"]
        return str(message["messageContent"])


class Caller:
    """One caller, whose name nobody else has. Paths are sent as they are given."""

    def __init__(self, session: aiohttp.ClientSession, instance: Instance) -> None:
        self.name = uuid.uuid4().hex
        self.instance = instance
        self._session = session

    async def ask(self, method: str, path: str, body: object = None, **fields: str) -> Reply:
        """`body`: bytes (or an iterator of them, which is sent in chunks) as they are, else JSON. `fields`: of the
        head, with _ for -."""
        headers = {"X-CS-Service-ID": self.name} | {name.replace("_", "-"): value for name, value in fields.items()}
        as_is = body is None or isinstance(body, bytes) or hasattr(body, "__aiter__")
        data: Any = body if as_is else json.dumps(body).encode()
        if isinstance(data, bytes) and len(data) > 1 << 20:
            data = io.BytesIO(data)  # aiohttp warns of long bytes
        url = URL(path if path.startswith("http") else self.instance.url + path, encoded=True)
        async with self._session.request(
            method, url, data=data, headers=headers, skip_auto_headers=["Content-Type"]
        ) as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    async def keys(self) -> set[str]:
        return set((await self.ask("GET", "/cache?limit=1000")).json)

    def other(self) -> Caller:
        """Somebody else."""
        return Caller(self._session, self.instance)


Opener = subprocess.Popen[str]


@contextmanager
def openers(number: int, guard: str = "none") -> Iterator[list[Opener]]:
    """Processes that open the data sets they are told of (`caching_opener`)."""
    command = [sys.executable, "-P", str(Path(__file__).with_name("caching_opener.py")), guard]
    pipe = subprocess.PIPE
    made = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1) for _ in range(number)]
    try:
        yield made
    finally:
        for each in made:
            each.kill()
            each.communicate()


def each_opens(all: Sequence[Opener], path: Path) -> list[str]:
    """All at the same time; what each says."""
    for each in all:
        assert each.stdin is not None
        each.stdin.write(f"{path}\n")
    return [each.stdout.readline().strip() for each in all if each.stdout is not None]


class Writer:
    """Creates keys at an instance, several at once, and remembers what was acknowledged and what was not.

    The value of a key is the key many times over, so that a half one shows.
    """

    def __init__(self, session: aiohttp.ClientSession, instance: Instance, name: str, workers: int = 8) -> None:
        self.acknowledged: list[str] = []
        self.acknowledged_at: dict[str, float] = {}
        self.longest_gap_s = 0.0
        """Between two acknowledged writes."""
        self.tried: set[str] = set()
        self.refused: dict[str, int] = {}
        """Key → status, for answers that say the write was not done."""
        self._session = session
        self._url = f"{instance.url}/cache"
        self._name = name
        self._stopped = False
        self._news = asyncio.Condition()
        self._tasks = [asyncio.create_task(self._write(worker)) for worker in range(workers)]

    @staticmethod
    def value(key: str) -> str:
        return f"<{key}>" * 60

    async def acknowledges(self, count: int) -> None:
        async with asyncio.timeout(20), self._news:
            await self._news.wait_for(lambda: len(self.acknowledged) >= count)

    async def refuses(self) -> None:
        async with asyncio.timeout(20), self._news:
            await self._news.wait_for(lambda: bool(self.refused))

    async def stop(self) -> None:
        self._stopped = True
        await asyncio.gather(*self._tasks)

    async def _write(self, worker: int) -> None:
        n = 0
        while not self._stopped:
            key = f"{self._name}-{worker}-{n}"
            n += 1
            self.tried.add(key)
            try:
                answer = await self._session.post(self._url, json={"key": key, "value": self.value(key)}, headers=ME)
            except (aiohttp.ClientError, OSError):
                await asyncio.sleep(0.01)
                continue
            async with answer:
                await answer.read()
            if answer.status == 201:
                now = time.monotonic()
                last = self.acknowledged_at[self.acknowledged[-1]] if self.acknowledged else now
                self.longest_gap_s = max(self.longest_gap_s, now - last)
                self.acknowledged.append(key)
                self.acknowledged_at[key] = now
            else:
                self.refused[key] = answer.status
            async with self._news:
                self._news.notify_all()


async def held(session: aiohttp.ClientSession, instance: Instance) -> dict[str, str]:
    """Every entry of ours, as that instance lists them."""
    async with session.get(f"{instance.url}/cache", headers=ME) as answer:
        assert answer.status == 200
        return {key: view["value"] for key, view in (await answer.json()).items()}


async def check(session: aiohttp.ClientSession, instance: Instance, *writers: Writer, besides: str = "") -> None:
    """Everything acknowledged by now is there, nothing refused, nothing half, nothing that nobody wrote."""
    acknowledged = {key for writer in writers for key in writer.acknowledged}
    found = await held(session, instance)
    found.pop(besides, None)
    refused = {key for writer in writers for key, status in writer.refused.items() if status != 504}
    lost, false = acknowledged - found.keys(), refused & found.keys()
    strange = found.keys() - {key for writer in writers for key in writer.tried}
    half = {key for key, value in found.items() if value != Writer.value(key)}
    assert (lost, false, strange, half) == (set(), set(), set(), set())
