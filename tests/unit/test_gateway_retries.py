"""The table at the top of `gateway.retries`, row by row."""

from __future__ import annotations

import pytest

from gateway.retries import Fault, Verdict, after


@pytest.mark.parametrize(
    ("fault", "repeatable", "tries", "endpoints", "verdict"),
    [
        ("connect", True, 1, 2, "again"),
        ("connect", False, 1, 2, "again"),
        ("connect", False, 2, 2, "unavailable"),
        ("connect", True, 3, 5, "again"),
        ("connect", True, 1, 1, "again"),
        ("connect", True, 2, 1, "unavailable"),
        ("connect", True, 1, 0, "unavailable"),
        ("died", True, 1, 2, "again"),
        ("died", True, 2, 2, "unavailable"),
        ("died", True, 1, 1, "again"),
        ("died", False, 1, 2, "unknown"),
        ("garbage", True, 1, 2, "again"),
        ("garbage", True, 2, 2, "garbage"),
        ("garbage", False, 1, 2, "garbage"),
        ("slow", True, 1, 2, "slow"),
        ("slow", False, 1, 2, "slow"),
        ("put out", True, 1, 2, "again"),
        ("put out", True, 1, 1, "wait"),
        ("put out", True, 2, 2, "wait"),
        ("put out", False, 1, 2, "wait"),
        ("gateway", True, 1, 2, "unavailable"),
    ],
)
def test_verdicts(fault: Fault, repeatable: bool, tries: int, endpoints: int, verdict: Verdict) -> None:
    assert after(fault, repeatable=repeatable, tries=tries, endpoints=endpoints) == verdict
