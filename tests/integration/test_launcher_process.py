"""A child process: its output by lines, its end, its session; and signalling only whom one means."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from launcher import pids
from launcher.logfile import LogFile
from launcher.process import LINE_BYTES, NotStarted, Process
from shared.child import ending
from tests.integration.launcher_rig import poll


class Children:
    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.started: list[Process] = []

    def shell(self, script: str) -> Process:
        self.started.append(Process(["sh", "-c", script], os.environ, self.lines.append))
        return self.started[-1]


@pytest.fixture
async def children() -> AsyncIterator[Children]:
    found = Children()
    yield found
    for each in found.started:
        each.signal(signal.SIGKILL)
        await each.ended()


async def test_lines_of_both_outputs_also_the_last_without_an_end(children: Children) -> None:
    process = children.shell("echo one; echo two >&2; echo; printf three")
    assert await process.ended() == 0
    assert children.lines == [b"one", b"two", b"", b"three"]


async def test_a_line_without_end_does_not_grow_our_memory(children: Children) -> None:
    process = children.shell(f"head -c {3 * LINE_BYTES} /dev/zero; echo; echo end")
    await process.ended()
    assert max(map(len, children.lines)) <= 2 * LINE_BYTES
    assert sum(map(len, children.lines)) == 3 * LINE_BYTES + 3
    assert children.lines[-1] == b"end"


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ("exit 3", 3, "exit code 3"),
        ("kill -9 $$", -9, "killed by SIGKILL"),
        ("kill -44 $$", -44, "killed by signal 44"),
    ],
)
async def test_its_end(children: Children, script: str, code: int, words: str) -> None:
    assert await children.shell(script).ended() == code
    assert ending(code) == words


async def test_it_leads_a_session_of_its_own_and_what_it_started_goes_with_it(children: Children) -> None:
    process = children.shell("sleep 1000 & echo $!; exit 1")
    assert os.getsid(process.pid) == process.pid
    await process.ended()
    child = int(children.lines[0])
    record = pids.Pid(child, pids.started(child) or 0)
    async with asyncio.timeout(5):
        await pids.gone([record])


async def test_stop_is_sigterm_then_sigkill(children: Children) -> None:
    obedient = children.shell("trap 'echo bye; exit 0' TERM; echo go; while :; do sleep 0.05; done")
    deaf = children.shell("trap '' TERM; echo go; while :; do sleep 0.05; done")
    async with asyncio.timeout(5):
        while children.lines.count(b"go") < 2:  # noqa: ASYNC110 - there is no event for a line
            await asyncio.sleep(0.01)
    assert await obedient.stop(5) is True
    assert await deaf.stop(0.2) is False
    assert (await obedient.ended(), await deaf.ended()) == (0, -signal.SIGKILL)
    assert b"bye" in children.lines


async def test_a_paused_one_can_be_stopped(children: Children) -> None:
    process = children.shell("sleep 1000")
    process.signal(signal.SIGSTOP)
    assert await process.stop(5) is True


@pytest.mark.parametrize("command", ["/no/such/program", "/etc/passwd"])
async def test_what_cannot_be_run_is_said(command: str) -> None:
    with pytest.raises(NotStarted, match=f"{command}: cannot be started"):
        Process([command], os.environ, print)


def test_children_die_with_a_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import asyncio, os\n"
        "from launcher.process import Process\n"
        "async def main():\n"
        "    child = Process(['sleep', '1000'], os.environ, print)\n"
        "    print(child.pid, child.record.started, flush=True)\n"
        "    await child.ended()\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-P", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid, started = map(int, parent.stdout.readline().split())
        record = pids.Pid(pid, started)
        assert pids.alive(record)
        parent.kill()
    poll("the child is gone", lambda: not pids.alive(record), 5)


async def test_a_number_that_was_given_away_again_is_not_signalled(children: Children) -> None:
    process = children.shell("sleep 1000")
    another = pids.Pid(process.pid, process.record.started - 1)
    assert not pids.alive(another)
    pids.signal_group(another, signal.SIGKILL)
    pids.signal_group(process.record, signal.SIGTERM)
    assert await process.ended() == -signal.SIGTERM, "the first signal must not have come"
    assert not pids.alive(process.record)


def test_records_survive_and_nonsense_is_none(tmp_path: Path) -> None:
    assert pids.read(tmp_path) == {}
    pids.write(tmp_path, {"gateway": pids.Pid(1, 2)})
    assert pids.read(tmp_path) == {"gateway": pids.Pid(1, 2)}
    (tmp_path / "pids.json").write_text("{")
    assert pids.read(tmp_path) == {}


def test_a_log_file_is_set_aside_when_it_is_full(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log", limit_bytes=100)
    for n in range(30):
        log.write(b"line %02d" % n)
    assert (tmp_path / "a.log").stat().st_size <= 100
    both = (tmp_path / "a.log.1").read_text() + (tmp_path / "a.log").read_text()
    assert both.splitlines()[-3:] == ["line 27", "line 28", "line 29"]
    assert list(log.last) == [f"line {n}" for n in range(25, 30)]
    log.close()
    again = LogFile(tmp_path / "a.log", limit_bytes=100)
    again.write(b"after")
    again.close()
    assert (tmp_path / "a.log").read_text().endswith("line 29\nafter\n")


def test_a_full_disk_costs_lines_and_says_how_many() -> None:
    log = LogFile(Path("/dev/full"), limit_bytes=1000)
    log.write(b"lost")
    log.write(b"lost too")
    assert list(log.last) == ["lost", "lost too"]
    log.close()
