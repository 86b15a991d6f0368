"""A copy of a data set as text: what is written is read again; what is damaged is refused with its line."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caching.backends.ksds import Attributes
from caching.entries import Content, Entry, Name
from caching.idcams import lines
from shared.errors import BadInput

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = st.builds(Name, TEXT, TEXT, st.none() | TEXT)
INSTANTS = st.integers(0, 1 << 50)
ENTRIES = st.builds(
    Entry,
    NAMES,
    st.builds(Content, st.binary(max_size=50), TEXT),
    INSTANTS,
    INSTANTS,
    st.text("abc", max_size=10),
    st.none() | INSTANTS,
    st.booleans(),
)
ONE = Entry(Name("me", "k"), Content(b"value"), 1000, 1, "w")
TWO = Entry(Name("me", "k", "list"), Content(b"\xff\0", "image/png"), 2000, 2, "x", 3000, False)


def copy(*entries: Entry) -> list[bytes]:
    head = lines.head("PLEX.CACHE", "PLEX1", Attributes())
    return [head, *map(lines.line, entries), lines.end(len(entries), 0)]


@given(st.lists(ENTRIES, max_size=5, unique_by=lambda each: each.name))
def test_what_is_written_is_read_again(entries: list[Entry]) -> None:
    assert list(lines.read(copy(*entries))) == list(enumerate(entries, 2))


def test_a_line_by_hand_needs_only_the_names_the_value_and_the_instant() -> None:
    value = base64.b64encode(b"hello").decode()
    by_hand = json.dumps({"owner": "me", "key": "k", "value": value, "created": 5}).encode()
    [(_, entry)] = lines.read([copy()[0], by_hand, lines.end(1, 0)])
    assert entry == Entry(Name("me", "k"), Content(b"hello"), 5, 0)


def changed(line: bytes, **fields: object) -> bytes:
    return json.dumps(json.loads(line) | fields).encode()


def damaged(change: Callable[[list[bytes]], object]) -> str:
    text = copy(ONE, TWO)
    change(text)
    with pytest.raises(BadInput) as error:
        list(lines.read(text))
    return str(error.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.clear(), "line 1: the file is cut off"),
        (lambda t: t.pop(0), "line 1: this is not a copy"),
        (lambda t: t.__setitem__(0, b"\x89PNG"), "line 1: this is not a copy"),
        (lambda t: t.__setitem__(0, changed(t[0], format=2)), "line 1: the copy is of format 2"),
        (lambda t: t.pop(), "line 4: the file is cut off"),
        (lambda t: t.pop(1), "line 3: there should be 2 records, 1 are here"),
        (lambda t: t.append(t[1]), "line 5: there is more behind the end"),
        (lambda t: t.__setitem__(2, t[2][:-20]), "line 3: "),
        (lambda t: t.__setitem__(2, b"\n"), "line 3: "),
        (lambda t: t.__setitem__(1, changed(t[1], value="!")), "line 2: "),
        (lambda t: t.__setitem__(1, changed(t[1], value="AAAA")), "line 2: damaged"),
        (lambda t: t.__setitem__(2, changed(t[2], expires=9)), "line 3: damaged"),
        (lambda t: t.__setitem__(1, changed(t[1], vlaue="")), "line 2: "),
        (lambda t: t.__setitem__(1, changed(t[1], created=-1)), "line 2: "),
        (lambda t: t.__setitem__(1, changed(t[1], map="m" * 40_000)), "line 2: "),
        (lambda t: t.__setitem__(1, changed(t[1], writeId="w" * 65)), "line 2: writeId"),
        (lambda t: t.__setitem__(2, t[1]), "line 3: the same name as in line 2"),
    ],
)
def test_damaged_copies_are_refused_with_their_line(change: Callable[[list[bytes]], object], says: str) -> None:
    assert says in damaged(change)


@given(st.data())
def test_no_changed_byte_of_a_record_goes_unseen(data: st.DataObject) -> None:
    text = copy(ONE, TWO)
    line = bytearray(text[2])
    at = data.draw(st.integers(0, len(line) - 2))
    line[at] = data.draw(st.integers(0, 255).filter(lambda each: each != line[at]))
    text[2] = bytes(line)
    try:
        found = list(lines.read(text))
    except BadInput:
        return
    assert found == [(2, ONE), (3, TWO)]
