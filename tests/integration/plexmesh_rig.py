"""Users' programs as real processes beside a registry that records what it is told.

Addresses lie in 127.0.85.x (programs) and 127.0.86.x (registry), by our pid, so that two test runs do not meet.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import psutil

N = os.getpid() % 250 + 1
HOST, REGISTRY_HOST = f"127.0.85.{N}", f"127.0.86.{N}"
PORT, REGISTRY_PORT = 9000, 7553
ROOT = Path(__file__).parents[2]

HERE = "tests.integration"
BIND = ("--host", HOST, "--port", str(PORT))
UVICORN = ("-m", "uvicorn", f"{HERE}.plexmesh_fastapi_app:app", *BIND)
GUNICORN = ("-m", "gunicorn", f"{HERE}.plexmesh_flask_app:app", "--bind", f"{HOST}:{PORT}", "--no-control-socket")
SCRIPT = ("-m", f"{HERE}.plexmesh_script")
AIOHTTP = ("-m", f"{HERE}.plexmesh_aiohttp_app")


def environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PLEXMESH_")}
    return kept | {"HOST": HOST, "PORT": str(PORT), "PYTHONUNBUFFERED": "1"} | more


@contextlib.asynccontextmanager
async def program(*args: str, **environ: str) -> AsyncIterator[Process]:
    """`python ARGS`, in a session of its own; nothing of that session is left afterwards."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *args,
        cwd=ROOT,
        env=environment(**environ),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()


async def ended(process: Process, within_s: float = 15.0) -> int:
    async with asyncio.timeout(within_s):
        return await process.wait()


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
