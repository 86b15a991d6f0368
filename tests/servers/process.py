"""A server's process: started, killed, frozen; it ends with the test run, however that ends."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest

PR_SET_PDEATHSIG = 1


def needed(command: str, package: str) -> str:
    """The program's path; without it the test is skipped, by name."""
    found = shutil.which(command)
    if found is None:
        pytest.skip(f"{command} is missing: sudo apt-get install {package}")
    return found


def until(what: str, ask: Callable[[], bool], within_s: float = 15.0) -> None:
    deadline = time.monotonic() + within_s
    while not ask():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.01)


class ServerProcess:
    def __init__(self, name: str, command: Sequence[str], address: tuple[str, int], folder: Path) -> None:
        """`address`: where it listens once it is up."""
        self.name = name
        self.address = address
        self._command = list(command)
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        libc = ctypes.CDLL(None)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
            )

    def listens(self) -> bool:
        assert self.running, f"{self.name} has ended: {self.said()}"
        try:
            with socket.create_connection(self.address, 1.0):
                return True
        except OSError:
            return False

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def freeze(self) -> None:
        """Returns when it has stopped, which a signal alone does not say."""
        os.kill(self.pid, signal.SIGSTOP)
        until(f"{self.name} has stopped", lambda: psutil.Process(self.pid).status() == psutil.STATUS_STOPPED)

    def thaw(self) -> None:
        if self.running:
            os.kill(self.pid, signal.SIGCONT)

    def said(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]
