"""`plexmesh register`: the registration of a process that has no client, and the process itself if it is named.

    COMMAND started ──port answers──▶ UP ──TERM, INT──▶ OUT_OF_SERVICE, 1 s, DELETE ──▶ the signal, to COMMAND
                                       └──it ends──▶ DELETE, and its exit code is ours

COMMAND keeps our terminal's input and output, but is in a session of its own: Ctrl-C reaches us alone, and so its
registration is gone before it stops to serve. HUP (which means "read your files again" to many) goes to it at once, as
does a second TERM or INT. Signals go to its whole session, and it dies with us, also when we are killed -9.

Not here: the registration (`plexmesh.Service`), where discovery is (`launcher.cli`).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import re
import signal
import subprocess
import sys
import urllib.parse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import plexmesh
from shared.child import die_with
from shared.errors import ConfigError, PlexmeshError
from shared.lifecycle import Lifecycle, run
from shared.plexfile import RESERVED

SERVICE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
PATH = re.compile(r"[A-Za-z0-9._~/-]*")
URL = re.compile(r"https?://[^/?#]")

NOT_FOUND, NOT_EXECUTABLE, BY_SIGNAL = 127, 126, 128
"""A shell's exit codes; the last one is added to a signal's number."""


class NotStarted(PlexmeshError):
    """The operating system would not run COMMAND."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is registered, and where."""

    service_id: str
    host: str
    port: int
    routes: dict[str, str]
    metadata: dict[str, str]
    lpar: str | None
    discovery: tuple[str, ...]

    def service(self) -> plexmesh.Service:
        return plexmesh.Service(
            self.service_id,
            host=self.host,
            port=self.port,
            routes=self.routes or None,
            metadata=self.metadata,
            lpar=self.lpar,
            discovery=self.discovery,
            health_path="/",
        )

    def environment(self) -> dict[str, str]:
        """For COMMAND: a program with a client of its own registers the same, and finds the same registry."""
        told = {"HOST": self.host, "PORT": str(self.port), "PLEXMESH_HOST": self.host}
        told["PLEXMESH_DISCOVERY"] = ",".join(self.discovery)
        return dict(os.environ) | told | ({"PLEXMESH_LPAR": self.lpar} if self.lpar else {})


def service_id(given: str) -> str:
    """Raises ConfigError."""
    name = given.lower()
    if not SERVICE_ID.fullmatch(name):
        raise ConfigError(f"--service-id: expected letters, digits, - and _, got {given!r}")
    if name in RESERVED:
        raise ConfigError(f"--service-id: {name} is a name of plexmesh's own")
    return name


def address(url: str) -> tuple[str, int]:
    """Host and port of `--url`. Raises ConfigError."""
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"--url: {error}: {url!r}") from error
    if parts.scheme == "https":
        raise ConfigError(f"--url: only http can be registered yet, got {url!r}")
    if parts.scheme != "http" or not host or port == 0 or "@" in parts.netloc:
        raise ConfigError(f"--url: expected http://host:port, got {url!r}")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ConfigError(f"--url: expected http://host:port without a path (a path belongs to --route), got {url!r}")
    return host, port or 80


def routes(given: Iterable[str]) -> dict[str, str]:
    """`api/v1=/orders/api` of each `--route`. Raises ConfigError."""
    found: dict[str, str] = {}
    for text in given:
        public, equals, target = text.partition("=")
        name = public.strip("/")
        if not equals or not name or not target.startswith("/"):
            raise ConfigError(f"--route: expected GATEWAY_URL=/PATH such as api/v1=/orders/api, got {text!r}")
        if not PATH.fullmatch(name) or not PATH.fullmatch(target):
            raise ConfigError(f"--route: expected paths of letters, digits and . _ ~ - /, got {text!r}")
        if name in found:
            raise ConfigError(f"--route: {name} is there twice")
        found[name] = target
    return found


def metadata(given: Iterable[str]) -> dict[str, str]:
    """`k=v` of each `--metadata`. Raises ConfigError."""
    found = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigError(f"--metadata: expected KEY=VALUE, got {text!r}")
        found[key] = value
    return found


def discovery(given: Iterable[str]) -> tuple[str, ...]:
    """The URLs of each `--discovery`, which may also be a comma list. Raises ConfigError."""
    urls = tuple(url.strip() for text in given for url in text.split(",") if url.strip())
    for url in urls:
        if not URL.match(url):
            raise ConfigError(f"--discovery: expected http://host:port, got {url!r}")
    return urls


def register(target: Target, command: Sequence[str]) -> int:
    """Until the command ends, or a signal comes; the exit code. Raises NotStarted."""
    logging.basicConfig(level=logging.INFO, format="plexmesh: %(message)s", stream=sys.stderr)
    if not command:
        return run(lambda lifecycle: _until_stopped(lifecycle, target))
    child = Child(command, target)
    return run(child.live) or child.exit_code


async def _until_stopped(lifecycle: Lifecycle, target: Target) -> None:
    async with target.service():
        await lifecycle.stopped()


class Child:
    """COMMAND, and its registration."""

    def __init__(self, command: Sequence[str], target: Target) -> None:
        self.exit_code = 0
        self._service = target.service()
        self._popen = _spawn(command, target.environment())
        self._pidfd = os.pidfd_open(self._popen.pid)
        self._stop: signal.Signals | None = None
        self._asked = asyncio.Event()
        self._ended = asyncio.Event()

    async def live(self, _: Lifecycle) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._pidfd, self._exit)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ask, number)
        loop.add_signal_handler(signal.SIGHUP, self._signal, signal.SIGHUP)
        await self._service.start()
        await _first(self._asked, self._ended)
        if self._stop is not None:
            await self._service.stop()
            self._signal(self._stop)
        await self._ended.wait()
        await self._service.stop()
        code = self._popen.wait()
        self.exit_code = code if code >= 0 else BY_SIGNAL - code

    def _exit(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._ended.set()

    def _ask(self, number: signal.Signals) -> None:
        if self._stop is None:
            self._stop = number
            self._asked.set()
        else:
            self._signal(number)

    def _signal(self, number: signal.Signals) -> None:
        """To the whole session; it lasts at least until we have reaped its leader."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, number)


async def _first(*events: asyncio.Event) -> None:
    waiting = [asyncio.create_task(each.wait()) for each in events]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()


def _spawn(command: Sequence[str], environ: dict[str, str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command, env=environ, start_new_session=True, preexec_fn=functools.partial(die_with, os.getpid())
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
        raise NotStarted(f"{command[0]}: cannot be started: {reason}", code) from error
