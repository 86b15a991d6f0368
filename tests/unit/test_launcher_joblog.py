"""The line form of Zowe's job log, and that every message of a launcher has an id that fits its level."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from launcher.joblog import LEVELS, JobLog, line
from launcher.logfile import LogFile
from launcher.messages import TEXTS
from shared.events import Events

INSTANT = datetime(2026, 11, 26, 9, 8, 7, 6_999, UTC)


def test_a_line() -> None:
    assert line("ZWEL0001I gateway(4712) started", INSTANT, 4711, "ibmuser") == (
        "2026-11-26 09:08:07.006 <ZWELNCH:4711> ibmuser INFO ZWEL0001I gateway(4712) started"
    )


@pytest.mark.parametrize(("text", "level"), [("ZWEL0063W x", "WARN"), ("ZWEL0038E x", "ERROR")])
def test_the_level_is_the_ids(text: str, level: str) -> None:
    assert line(text, INSTANT, 1, "u").endswith(f"u {level} {text}")


def test_times_are_utc_wherever_it_runs() -> None:
    there = INSTANT.astimezone(timezone(timedelta(hours=-5)))
    assert line("ZWEL0001I x", there, 1, "u").startswith("2026-11-26 09:08:07.006 ")


def test_a_message_is_one_line_whatever_it_quotes() -> None:
    assert "\n" not in line("ZWEL0004I orders ended: exit code 1: a\r\nZWEL0001I forged", INSTANT, 1, "u")


def test_what_a_launcher_says_has_an_id_of_its_own_and_that_a_level() -> None:
    own = {event: TEXTS[event][0] for event in TEXTS if event.startswith(("launcher.", "component.", "command."))}
    del own["component.fenced"]  # `up` says it
    assert all(re.fullmatch(r"(ZWEL\d{4}|PLXL\d{3})[IWE]", text or "") for text in own.values())
    assert len(set(own.values())) == len(own)
    assert set(LEVELS) == {"I", "W", "E"}


def test_lines_that_are_for_the_console_are_told_apart_and_cut(tmp_path: Path) -> None:
    events = Events(logging.getLogger("test"))
    log = LogFile(tmp_path / "plexmesh.log", 10_000)
    joblog = JobLog(log, events, ["ZWEL0007I", "ledger"])
    joblog.pass_on(b"the ledger is " + 200 * b"x")
    joblog.pass_on(b"nothing to see")
    joblog.note("launcher.started")
    joblog.note("launcher.begun")
    log.close()
    first, second = (str(each.fields["text"]) for each in events.last())
    assert first == "the ledger is " + 112 * "x"
    assert second.endswith("ZWEL0007I all components started")
    assert len((tmp_path / "plexmesh.log").read_text().splitlines()) == 4
