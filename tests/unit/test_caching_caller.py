"""Who calls, and which errors are told in which of Zowe's messages."""

from __future__ import annotations

import pytest

from caching.backends.data_set import Busy
from caching.caller import NoCaller, owner
from caching.entries import Name
from caching.messages import message_of, status_of
from caching.refusals import Changed, Corrupt, Exists, Full, Missing, OutcomeUnknown, ValueTooLong, VolumeFull
from shared.errors import BadInput, Forbidden, PlexmeshError, Unavailable


@pytest.mark.parametrize("named", ["orders", " orders ", "Orders of A", "ü", "x" * 255])
def test_the_owner_is_what_the_header_says(named: str) -> None:
    assert owner([named], forwarded=True) == named.strip()


@pytest.mark.parametrize("named", [[], [""], ["  "], ["a", "b"], ["a", "a"], ["x" * 256], ["a\x01b"], ["a\udcffb"]])
def test_none_two_and_unusable_names_are_nobody(named: list[str]) -> None:
    with pytest.raises(NoCaller):
        owner(named, forwarded=False)


@pytest.mark.parametrize("named", ["gateway", "GATEWAY", " Gateway "])
def test_only_the_gateway_itself_is_the_gateway(named: str) -> None:
    assert owner([named], forwarded=False) == named.strip()
    with pytest.raises(Forbidden):
        owner([named], forwarded=True)
    assert owner(["gateway2"], forwarded=True) == "gateway2"


@pytest.mark.parametrize(
    ("error", "status", "number"),
    [
        (BadInput, 400, "ZWECS130E"),
        (NoCaller, 401, "ZWECS702W"),
        (Forbidden, 403, "ZWECS702W"),
        (Missing, 404, "ZWECS131E"),
        (ValueTooLong, 413, "ZWECS130E"),
        (Full, 507, "ZWECS134E"),
        (VolumeFull, 507, "ZWECS134E"),
        (Unavailable, 503, "ZWECS152E"),
        (Busy, 503, "ZWECS152E"),
        (OutcomeUnknown, 504, "ZWECS152E"),
        (Corrupt, 500, "ZWECS152E"),
        (PlexmeshError, 500, "ZWEAM701E"),
    ],
)
def test_errors_in_zowes_words(error: type[PlexmeshError], status: int, number: str) -> None:
    assert status_of(error("x")) == status
    assert message_of(error("x")).number == number


@pytest.mark.parametrize(
    ("error", "status"), [(Exists(Name("me", "k"), "1.a"), 409), (Changed(Name("me", "k"), None), 412)]
)
def test_what_is_there_against_expectation_is_a_collision(error: PlexmeshError, status: int) -> None:
    assert (status_of(error), message_of(error).number) == (status, "ZWECS133E")


def test_a_value_too_long_may_have_the_originals_status() -> None:
    assert status_of(ValueTooLong("x"), 400) == 400
    assert status_of(Missing("x"), 400) == 404
