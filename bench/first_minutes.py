"""From a clone to a killed LPAR, with the commands that the README gives, verbatim; prints the seconds.

    .venv/bin/python -P -m bench.first_minutes

What it runs is read from the README, so a command that is changed there is tried here. It needs the addresses of
`make up`, and installs everything anew below a temporary folder.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
UP_WITHIN_S = 300.0
WANTED = {
    "start": r"make up",
    "call": r"curl -i http://\S+/hello",
    "look": r"\.venv/bin/plexmesh status",
    "kill": r"\.venv/bin/plexmesh kill LPAR2",
}


def commands(readme: str) -> dict[str, str]:
    """The first indented line of each kind, without its remark. Raises SystemExit: the README has none."""
    lines = [line.split("  #")[0].strip() for line in readme.splitlines() if line.startswith("    ")]
    found = {}
    for name, pattern in WANTED.items():
        line = next((line for line in lines if re.fullmatch(pattern, line)), None)
        if line is None:
            raise SystemExit(f"README.md has no command like {pattern!r}")
        found[name] = line
    return found


class Clock:
    def __init__(self) -> None:
        self._begun = time.monotonic()

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self._begun:7.1f} s  {text}", flush=True)


def shell(command: str, folder: Path) -> str:
    done = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise SystemExit(f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def wait_until_up(output: Path, started: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + UP_WITHIN_S
    while " is up after " not in output.read_text():
        if started.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"make up did not come up:\n{output.read_text()[-2000:]}")
        time.sleep(0.1)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="plexmesh-") as temporary:
        clock, folder = Clock(), Path(temporary) / "plexmesh"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
        clock.say("cloned")
        todo = commands((folder / "README.md").read_text())
        output = Path(temporary) / "up.out"
        with output.open("wb") as out:
            started = subprocess.Popen(
                todo["start"], shell=True, cwd=folder, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )
        try:
            clock.say(todo["start"])
            wait_until_up(output, started)
            clock.say("two LPARs are up")
            for name in ("call", "look", "kill", "call"):
                answer = shell(todo[name], folder)
                clock.say(f"{todo[name]}   -> {answer.splitlines()[0] if answer else 'done'}")
            clock.say("LPAR2 is killed, and LPAR1 answers")
        finally:
            os.killpg(started.pid, signal.SIGINT)
            started.wait(60)


if __name__ == "__main__":
    sys.exit(main())
