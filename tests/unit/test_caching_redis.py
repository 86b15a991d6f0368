"""What is decided about Redis without one: keys, records, guards, and the meaning of its errors."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import exceptions as theirs

from caching.backends.redis import guards, records, replies
from caching.backends.redis.guards import Facts
from caching.backends.redis.keys import Keys, bounds, member
from caching.entries import Name, Usage
from caching.refusals import Corrupt, VolumeFull
from shared.errors import ConfigError, PlexmeshError, Unavailable

NAMES = st.builds(Name, st.text(), st.text(), st.none() | st.text())
OWNERS = st.text(alphabet="a{}:1", max_size=4) | st.text()
NAME = Name("me", "k")


# --- keys


def slot_of(key: bytes) -> bytes:
    """What Redis hashes: between the first { and the } behind it, unless that is nothing."""
    start = key.find(b"{")
    end = key.find(b"}", start + 1)
    return key[start + 1 : end] if start >= 0 and end > start + 1 else key


@given(OWNERS, st.text(), st.text())
def test_all_keys_of_an_owner_are_in_one_slot(owner: str, key: str, map: str) -> None:
    keys = Keys("PLEX")
    names = [keys.entry(Name(owner, key)), keys.entry(Name(owner, key, map)), keys.index(owner, map)]
    assert len({slot_of(each) for each in [*names, keys.usage(owner), keys.due(owner), keys.maps(owner)]}) == 1


@given(st.lists(NAMES, min_size=2, max_size=2, unique=True))
def test_no_two_names_have_one_key(names: list[Name]) -> None:
    keys = Keys("PLEX")
    assert keys.entry(names[0]) != keys.entry(names[1])


@given(st.lists(st.tuples(st.text(alphabet="a1:{}", max_size=3), st.none() | st.text(max_size=2)), max_size=6))
def test_no_key_of_an_entry_is_that_of_an_index(places: list[tuple[str, str | None]]) -> None:
    keys = Keys("PLEX")
    of_entries = {keys.entry(Name(owner, "", map)) for owner, map in places}
    others = {
        each
        for owner, map in places
        for each in (
            keys.usage(owner),
            keys.maps(owner),
            keys.due(owner),
            keys.index(owner, map),
            keys.base(owner) + b"a",
        )
    }
    assert not of_entries & (others | {keys.about, keys.owners})


@given(st.lists(st.text(max_size=3)), st.text(max_size=2), st.none() | st.text(max_size=3))
def test_bounds_are_those_of_a_prefix_and_a_key_before(names: list[str], prefix: str, after: str | None) -> None:
    low, high = bounds(prefix, after)

    def within(key: bytes) -> bool:
        above = key > low[1:] if low[:1] == b"(" else key >= low[1:]
        return above and (high == b"+" or key < high[1:])

    for name in names:
        wanted = name.startswith(prefix) and (after is None or name.encode() > after.encode())
        assert within(name.encode()) == wanted


def test_a_member_says_which_list_it_is_of() -> None:
    names = [Name("o", key, map) for key, map in itertools.product(["", "1:a", "e"], [None, "", "1:a", "11"])]
    assert len({member(each) for each in names}) == len(names)


# --- records

FIELDS = [b"v", b"text/plain", b"7", b"id", b"1000", b"", b"1"]


def test_an_entry_from_its_fields() -> None:
    entry = records.decode(NAME, FIELDS)
    assert entry is not None
    assert (entry.value, entry.content.type, entry.etag, entry.created_ms) == (b"v", "text/plain", "7.id", 1000)
    assert (entry.expires_ms, entry.first) == (None, True)
    later = records.decode(NAME, [*FIELDS[:5], b"2000", b"0"])
    assert later is not None
    assert (later.expires_ms, later.first) == (2000, False)
    assert records.decode(NAME, [None] * 7) is None


@pytest.mark.parametrize("number", [0, 2, 3, 4])
def test_an_entry_that_lacks_a_field_is_damaged_and_not_absent(number: int) -> None:
    with pytest.raises(Corrupt):
        records.decode(NAME, [None if n == number else each for n, each in enumerate(FIELDS)])


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_an_entry_with_a_field_that_cannot_be_read_is_damaged(number: int) -> None:
    with pytest.raises(Corrupt):
        records.decode(NAME, [b"\xff" if n == number else each for n, each in enumerate(FIELDS)])


def test_usage() -> None:
    assert records.decode_usage([b"1", b"2", b"3"]) == Usage(1, 2, 3)
    assert records.decode_usage([None, None, None]) == Usage()
    with pytest.raises(Corrupt):
        records.decode_usage([b"x", None, None])


# --- guards

INFO = b"# Replication\r\nrole:master\r\nconnected_slaves:2\r\n# P\r\naof_enabled:1\r\nmaxmemory_policy:noeviction\r\n"
WELL = Facts("master", 2, True, "noeviction", 1)


def test_facts_of_what_a_server_says() -> None:
    assert guards.facts(INFO, [b"min-replicas-to-write", b"1"]) == WELL
    assert guards.facts(INFO, None).min_replicas is None


def test_a_server_that_is_well_is_not_remarked() -> None:
    assert guards.remarks(WELL, sentinels=True, min_replicas=1) == []
    assert guards.remarks(Facts("master", 0, True, "noeviction", 0), sentinels=False, min_replicas=0) == []
    guards.check(WELL, 1)


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_a_server_that_drops_entries_is_refused(policy: str) -> None:
    with pytest.raises(ConfigError, match=f"is {policy}.*noeviction is needed"):
        guards.check(Facts("master", 2, True, policy, 1), 0)


def test_fewer_replicas_than_the_setting_wants_are_refused_by_both_values() -> None:
    with pytest.raises(ConfigError, match="min-replicas-to-write is 1, the configuration says minReplicas 2"):
        guards.check(WELL, 2)
    guards.check(Facts("master", 2, True, "noeviction", None), 2)


@pytest.mark.parametrize(
    ("facts", "sentinels", "says"),
    [
        (Facts("master", 2, False, "noeviction", 1), False, "appendonly is off"),
        (Facts("master", 1, True, "noeviction", 0), False, "min-replicas-to-write is 0"),
        (Facts("master", 0, True, "noeviction", 0), True, "min-replicas-to-write is 0"),
        (Facts("master", 0, True, "noeviction", 1), False, "replicas connected: 0, needed for writes: 1"),
        (Facts("master", 2, True, "noeviction", None), False, "could not be checked"),
        (Facts("master", 2, True, "allkeys-lfu", 1), False, "maxmemory-policy is allkeys-lfu"),
    ],
)
def test_each_guard_that_is_down_is_remarked(facts: Facts, sentinels: bool, says: str) -> None:
    (said,) = guards.remarks(facts, sentinels=sentinels, min_replicas=0)
    assert says in said


# --- errors


@pytest.mark.parametrize(
    "error",
    [theirs.ReadOnlyError("x"), theirs.BusyLoadingError("x"), theirs.MasterDownError("x")],
)
def test_what_somebody_else_may_do_soon_waits(error: Exception) -> None:
    assert replies.waits(error)
    assert isinstance(replies.meaning(error), Unavailable)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (
            theirs.ResponseError("NOREPLICAS Not enough good replicas to write. script: 1, on @user_script:9."),
            Unavailable,
        ),
        (theirs.ResponseError("Error running script: @user_script: 1: -NOREPLICAS Not enough"), Unavailable),
        (theirs.ResponseError("MISCONF Errors writing to the AOF file"), Unavailable),
        (theirs.ResponseError("BUSY Redis is busy running a script"), Unavailable),
        (theirs.NoPermissionError("this user has no permissions"), Unavailable),
        (theirs.OutOfMemoryError("command not allowed when used memory > 'maxmemory'"), VolumeFull),
        (theirs.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"), Corrupt),
        (theirs.ResponseError("user_script:23: DAMAGED script: 1"), Corrupt),
    ],
)
def test_what_was_certainly_not_done(error: Exception, kind: type[PlexmeshError]) -> None:
    assert not replies.waits(error)
    assert type(replies.meaning(error)) is kind


def test_an_error_nobody_foresaw_is_a_defect_and_not_an_absence() -> None:
    assert replies.meaning(theirs.ResponseError("ERR unknown command")).status == 500
