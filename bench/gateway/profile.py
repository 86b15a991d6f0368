"""Where plexmesh's gateway spends its time under wrk: py-spy, twice, for its raw stacks and for a flame graph.

py-spy stops the process for each sample, and for long at its start to read symbols: a profiled run gives no figures,
and an answer may take its time.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

from bench.gateway import wrk
from bench.gateway.rounds import Bench, say
from bench.gateway.table import OURS

HOW = "pip install py-spy"
SECONDS = 5
HERTZ = 200
PATIENCE_S = 30
FORMATS = {"raw": "txt", "flamegraph": "svg"}


def found() -> str:
    return shutil.which("py-spy", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}") or ""


async def record(bench: Bench, path: Path, script: Path, connections: int) -> None:
    """Writes `path`.txt and `path`.svg."""
    gateway = next(each for each in bench.proxies if each.name == OURS)
    path.parent.mkdir(parents=True, exist_ok=True)
    for form, end in FORMATS.items():
        target = f"{path}.{end}"
        spy = await asyncio.create_subprocess_exec(
            found(), "record", "--pid", str(gateway.busiest_pid()), "--native",
            "--duration", str(SECONDS), "--rate", str(HERTZ), "--format", form, "--output", target,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        await wrk.ask(gateway.address, script, connections, SECONDS + 2, PATIENCE_S)
        said, _ = await spy.communicate()
        assert spy.returncode == 0, f"py-spy: {said.decode(errors='replace')}"
        say(f"  profile: {target}")
