"""What a write requires of the entry that is there, and what it is told when that is not so."""

from __future__ import annotations

import pytest

from caching.calls import told_as
from caching.conditions import ABSENT, ANY, PRESENT, Condition, matching
from caching.entries import Content, Entry, Name
from caching.refusals import Changed, Exists, Missing
from shared.errors import PlexmeshError

NAME = Name("me", "k")
THERE = Entry(NAME, Content(b"secret"), 0, 7, "a")


@pytest.mark.parametrize(
    ("condition", "found", "refusal"),
    [
        (ANY, None, None),
        (ANY, THERE, None),
        (ABSENT, None, None),
        (ABSENT, THERE, Exists),
        (PRESENT, None, Missing),
        (PRESENT, THERE, None),
        (matching("7.a"), THERE, None),
        (matching("6.a", "7.a"), THERE, None),
        (matching("7.b"), THERE, Changed),
        (matching("7"), THERE, Changed),
        (matching("7.A"), THERE, Changed),
        (matching(""), THERE, Changed),
        (matching(), THERE, Changed),
        (matching("7.a"), None, Changed),
        (matching(), None, Changed),
    ],
)
def test_who_is_refused(condition: Condition, found: Entry | None, refusal: type[PlexmeshError] | None) -> None:
    if refusal is None:
        condition.check(NAME, found)
        return
    with pytest.raises(refusal) as refused:
        condition.check(NAME, found)
    assert type(refused.value) is refusal
    assert "'k'" in str(refused.value)
    assert "secret" not in str(refused.value)
    if isinstance(refused.value, Exists | Changed):
        assert refused.value.etag == (found.etag if found else None)


@pytest.mark.parametrize(
    ("raised", "etag"), [(Exists(NAME, "7.a"), "7.a"), (Missing("x"), None), (Changed(NAME, "7.a"), "7.a")]
)
def test_who_gave_a_condition_is_told_of_that(raised: PlexmeshError, etag: str | None) -> None:
    with pytest.raises(Changed) as refused, told_as(ABSENT, NAME):
        raise raised
    assert refused.value.etag == etag
    with pytest.raises(type(raised)) as plain, told_as(None, NAME):
        raise raised
    assert plain.value is raised
