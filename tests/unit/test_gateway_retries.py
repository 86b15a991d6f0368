"""The table at the top of `gateway.retries`, row by row."""

from __future__ import annotations

import pytest

from gateway.retries import Fault, Verdict, after


@pytest.mark.parametrize(
    ("fault", "repeatable", "more", "verdict"),
    [
        ("connect", True, True, "again"),
        ("connect", False, True, "again"),
        ("connect", False, False, "unavailable"),
        ("died", True, True, "again"),
        ("died", True, False, "unavailable"),
        ("died", False, True, "unknown"),
        ("died", False, False, "unknown"),
        ("garbage", True, True, "again"),
        ("garbage", True, False, "garbage"),
        ("garbage", False, True, "garbage"),
        ("refused", True, True, "again"),
        ("refused", True, False, "pass"),
        ("refused", False, True, "pass"),
        ("slow", True, True, "slow"),
        ("slow", False, False, "slow"),
        ("put out", True, True, "again"),
        ("put out", True, False, "wait"),
        ("put out", False, True, "wait"),
        ("gateway", True, True, "unavailable"),
    ],
)
def test_verdicts(fault: Fault, repeatable: bool, more: bool, verdict: Verdict) -> None:
    assert after(fault, repeatable=repeatable, more=more) == verdict
