"""The state of an LPAR from its components', of the sysplex from its LPARs'."""

from __future__ import annotations

import pytest

from launcher.states import action, overall
from shared.errors import NotFound


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ("ready ready ready", "ready"),
        ("ready starting ready", "starting"),
        ("ready stopped", "starting"),
        ("stopped stopped", "stopped"),
        ("paused paused", "paused"),
        ("paused starting ready", "paused"),
        ("failed paused starting stopped ready", "failed"),
        ("failed", "failed"),
        ("", "starting"),
    ],
)
def test_overall(parts: str, whole: str) -> None:
    assert overall(parts.split()) == whole  # type: ignore[arg-type]


def test_an_unknown_action_names_the_nearest() -> None:
    assert action("pause") == "pause"
    with pytest.raises(NotFound, match="did you mean 'pause'"):
        action("pase")
