"""The line form of Zowe's job log, and that every message of a launcher has an id that fits its level."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from launcher.joblog import LEVELS, line
from launcher.messages import TEXTS

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
