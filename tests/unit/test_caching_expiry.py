"""When items of lists are past."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from caching.expiry import past

DAY_MS = 86_400_000
NOON = datetime(2026, 5, 1, 12, 0)  # noqa: DTZ001 - the original writes local times without a zone
NOON_MS = int(NOON.timestamp() * 1000)


@pytest.mark.parametrize(
    "instant",
    [
        [2026, 5, 1, 12, 0],
        [2026, 5, 1, 12, 0, 0],
        [2026, 5, 1, 12, 0, 0, 999_999],
        "2026-05-01T12:00:00",
        "2026-05-01T12:00",
        NOON.astimezone().isoformat(),
    ],
)
def test_a_token_is_past_once_its_instant_is_over(instant: object) -> None:
    value = json.dumps({"userId": "u", "expiresAt": instant}).encode()
    assert not past("tokens", value, NOON_MS)
    assert past("tokens", value, NOON_MS + 2)


@pytest.mark.parametrize(
    "value",
    [
        b"", b"{", b"null", b"[]", b'{"expiresAt":null}', b'{"expiresAt":17}', b'{"expiresAt":"soon"}',
        b'{"expiresAt":[]}', b'{"expiresAt":[2020]}', b'{"expiresAt":[2020,13,1]}', b'{"expiresAt":[1,1,1,1,1,1,1,1]}',
        b'{"expiresAt":[0,0,0]}', b"\xff",
    ],
)  # fmt: skip
def test_a_token_that_cannot_be_read_is_kept(value: bytes) -> None:
    assert not past("tokens", value, NOON_MS)


def test_a_rule_is_past_after_90_whole_days() -> None:
    assert not past("rules", str(NOON_MS).encode(), NOON_MS)
    assert not past("rules", str(NOON_MS - 91 * DAY_MS + 1).encode(), NOON_MS)
    assert past("rules", str(NOON_MS - 91 * DAY_MS).encode(), NOON_MS)


@pytest.mark.parametrize("value", [b"", b"yesterday", b"1.5", b"\xff", b'"0"'])
def test_a_rule_that_cannot_be_read_is_kept(value: bytes) -> None:
    assert not past("rules", value, NOON_MS)
