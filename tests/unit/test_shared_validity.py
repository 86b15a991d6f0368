"""When it is said that a certificate has to be renewed."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from launcher import certs
from shared import validity

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


@pytest.mark.parametrize(
    ("left", "said"),
    [(31 * DAY, ""), (12.5 * DAY, "expires in 12 days"), (1.5 * DAY, "expires in 1 day"), (0 * DAY, "expired on")],
)
def test_one_that_is_worn_out_is_told(left: datetime.timedelta, said: str) -> None:
    found = validity.warning(NOW + left, NOW)
    assert found.startswith(said)
    assert bool(found) == bool(said)


@pytest.mark.parametrize(("age", "colour"), [(0, "green"), (certs.AUTHORITY_DAYS - 10, "yellow")])
def test_health_turns_yellow(tmp_path: Path, age: int, colour: str) -> None:
    authority = certs.new_authority("PLEX1", NOW - age * DAY)
    pair = certs.client_certificate(authority, "LPAR1", NOW - DAY)
    (tmp_path / "LPAR1.pem").write_bytes(pair.pem)
    part = validity.part(tmp_path / "LPAR1.pem")
    details = part["details"]
    assert isinstance(details, dict)
    assert (part["status"], details["colour"]) == ("UP", colour)
    assert details["until"] == f"{pair.certificate.not_valid_after_utc:%Y-%m-%d}"
    why = details["why"]
    assert bool(why) == (colour == "yellow")
    assert all(each.startswith("LPAR1.pem expires in 8 days") for each in why)


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_one_that_cannot_be_read_is_said(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "LPAR1.pem"
    if content is not None:
        path.write_bytes(content)
    details = validity.part(path)["details"]
    assert isinstance(details, dict)
    assert details["colour"] == "yellow"
    assert str(path) in details["why"][0]
