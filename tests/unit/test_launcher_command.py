"""Zowe's commands in an operator's spelling."""

from __future__ import annotations

import pytest

from launcher.command import BadValue, Command, UnknownCommand, parse


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("START(gateway)", Command("START", "gateway")),
        ("stop(Caching)", Command("STOP", "caching")),
        (" APPL=START( my-orders ) ", Command("START", "my-orders")),
        ("DISP", Command("DISP")),
        ("appl=disp", Command("DISP")),
        ("STOP", Command("STOP")),
    ],
)
def test_commands(text: str, command: Command) -> None:
    assert parse(text) == command


@pytest.mark.parametrize(
    "text", ["START", "START()", "STOP( )", "DISP(gateway)", "START(a b)", "START(gateway", "STOP(é)"]
)
def test_bad_values(text: str) -> None:
    with pytest.raises(BadValue, match="expected START"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "hint"), [("STRAT(gateway)", "'START'"), ("DISPL", "'DISP'"), ("", "''"), ("RESTART(x)\n;", "RESTART")]
)
def test_unknown_commands(text: str, hint: str) -> None:
    with pytest.raises(UnknownCommand, match=hint):
        parse(text)
