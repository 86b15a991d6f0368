"""Keys and records as bytes."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from caching.backends import ksds
from caching.backends.ksds import Attributes
from caching.entries import Content, Entry, Name
from caching.refusals import Corrupt, ValueTooLong

NAMES = st.builds(Name, st.text(max_size=30), st.text(max_size=300), st.none() | st.text(max_size=30))
LENGTHS = st.sampled_from([23, 32, 64, 128, 255])
CONTENTS = st.builds(Content, st.binary(max_size=100), st.text(max_size=30))
INSTANTS = st.integers(0, 2**63 - 1)
ENTRIES = st.builds(
    Entry, NAMES, CONTENTS, INSTANTS, INSTANTS, st.text(max_size=16), st.none() | INSTANTS, st.booleans()
)


@given(ENTRIES)
def test_a_record_is_read_as_it_was_written(entry: Entry) -> None:
    assert ksds.decode(ksds.encode(entry)) == entry


@given(ENTRIES, st.data())
def test_any_changed_byte_is_noticed(entry: Entry, data: st.DataObject) -> None:
    record = bytearray(ksds.encode(entry))
    at = data.draw(st.integers(0, len(record) - 1))
    record[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Corrupt):
        ksds.decode(bytes(record))


@given(ENTRIES, st.integers(1, 200))
def test_a_record_cut_short_is_noticed(entry: Entry, cut: int) -> None:
    with pytest.raises(Corrupt):
        ksds.decode(ksds.encode(entry)[:-cut])


def test_records_of_the_first_format_are_read() -> None:
    """Number 7, 1,000 ms; "me", no list, "k", "value"."""
    record = bytes.fromhex("01000000000000000700000000000003e80002ffff0001000000056d656b76616c7565")
    whole = record + zlib.crc32(record).to_bytes(4, "big")
    assert ksds.decode(whole) == Entry(Name("me", "k"), Content(b"value"), 1000, 7)


def test_a_record_of_another_name_is_refused() -> None:
    record = ksds.encode(Entry(Name("me", "Aa"), Content(b"v"), 0, 1))
    assert ksds.decode_as(Name("me", "Aa"), record).value == b"v"
    for other in (Name("me", "BB"), Name("you", "Aa"), Name("me", "Aa", "")):
        with pytest.raises(Corrupt):
            ksds.decode_as(other, record)


@given(NAMES, LENGTHS)
def test_a_key_fits_and_stands_in_its_owners_space(name: Name, length: int) -> None:
    key = ksds.key_of(name, Attributes(length))
    assert len(key) <= length
    assert key.startswith(ksds.space(name.owner, name.map))
    assert ksds.space(name.owner) <= key < ksds.after(ksds.space(name.owner)) or name.map is not None
    assert key.startswith(ksds.space(name.owner, items=name.map is not None))


@given(NAMES, NAMES, LENGTHS)
def test_different_names_have_different_keys(one: Name, other: Name, length: int) -> None:
    assume(one != other)
    assert ksds.key_of(one, Attributes(length)) != ksds.key_of(other, Attributes(length))


def test_a_text_that_looks_like_a_digest_is_no_other_names_key() -> None:
    usual = Attributes()
    long = ksds.key_of(Name("me", "k" * 500), usual)
    shown = long[len(ksds.space("me")) :].decode("latin-1")
    assert ksds.key_of(Name("me", shown), usual) != long


def test_short_keys_stand_in_the_order_of_their_bytes() -> None:
    keys = [ksds.key_of(Name("me", key), Attributes()) for key in ("a", "aa", "b", "ü")]
    assert keys == sorted(keys)


@pytest.mark.parametrize(("prefix", "after"), [(b"E\x01", b"E\x02"), (b"E\xff", b"F"), (b"E\x01\xff\xff", b"E\x02")])
def test_the_end_of_a_space(prefix: bytes, after: bytes) -> None:
    assert ksds.after(prefix) == after


@given(NAMES, LENGTHS)
def test_the_longest_value_makes_a_record_of_the_record_length(name: Name, key_length: int) -> None:
    attributes = Attributes(key_length, 4096)
    names = len(ksds.encode(Entry(name, Content(b""), 0, 0, "w" * 64)))
    room = 4096 - key_length - names
    ksds.check_size(name, Content(b"v" * room), attributes)
    with pytest.raises(ValueTooLong, match="recordLength 4096"):
        ksds.check_size(name, Content(b"v" * (room + 1)), attributes)
