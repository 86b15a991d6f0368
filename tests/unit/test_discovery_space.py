"""One origin's log: deltas give the same copy however they travel."""

import random

from hypothesis import given
from hypothesis import strategies as st

from discovery.record import DROPPED, UP, Record
from discovery.space import Delta, Space


def write(space: Space, key: str, state: int = UP) -> None:
    space.write(Record("orders", key, 1, 1, 0, state, 15, b""))


def copy_of(space: Space) -> list[tuple[str, int]]:
    return [(record.key, record.seq) for record in space.items.values()]


def test_a_write_moves_the_key_to_the_end() -> None:
    space = Space("A@1")
    for key in ("a", "b", "a"):
        write(space, key)
    assert copy_of(space) == [("b", 2), ("a", 3)]


def test_a_delta_holds_only_what_is_newer() -> None:
    space = Space("A@1")
    for key in ("a", "b", "c"):
        write(space, key)
    delta = space.delta_since(2)
    assert delta is not None
    assert [record.key for record in delta.records] == ["c"]
    assert space.delta_since(3) is None


def test_a_long_delta_is_cut_and_continued() -> None:
    space, reader = Space("A@1"), Space("A@1")
    for number in range(10):
        write(space, f"k{number}")
    while delta := space.delta_since(reader.max_seq, limit=3):
        assert len(delta.records) <= 3
        reader.apply(delta)
    assert copy_of(reader) == copy_of(space)


def test_a_gap_is_not_applied() -> None:
    space, reader = Space("A@1"), Space("A@1")
    for key in ("a", "b"):
        write(space, key)
    late = space.delta_since(1)
    assert late is not None
    assert reader.apply(late) is None
    assert (reader.max_seq, reader.items) == (0, {})


@given(
    writes=st.lists(st.sampled_from("abcdef"), min_size=1, max_size=30),
    seed=st.integers(0, 10_000),
)
def test_lost_doubled_and_reordered_deltas_do_no_harm(writes: list[str], seed: int) -> None:
    rng = random.Random(seed)
    space, reader = Space("A@1"), Space("A@1")
    sent: list[Delta] = []
    for key in writes:
        write(space, key)
        delta = space.delta_since(rng.randint(0, space.max_seq - 1), limit=rng.randint(1, 5))
        assert delta is not None
        sent += [delta] * rng.choice((0, 1, 2))
    rng.shuffle(sent)
    for delta in sent:
        reader.apply(delta)
    while missing := space.delta_since(reader.max_seq):
        reader.apply(missing)
    assert copy_of(reader) == copy_of(space)


def test_collected_tombstones_go_from_writer_and_reader() -> None:
    space, reader = Space("A@1"), Space("A@1")
    write(space, "a")
    write(space, "b", DROPPED)
    first = space.delta_since(0)
    assert first is not None
    reader.apply(first)
    space.collect(2)
    write(space, "c")
    second = space.delta_since(2)
    assert second is not None
    reader.apply(second)
    assert copy_of(reader) == copy_of(space) == [("a", 1), ("c", 3)]


def test_a_reader_that_may_have_missed_a_tombstone_gets_the_whole_log() -> None:
    space, reader = Space("A@1"), Space("A@1")
    write(space, "a")
    first = space.delta_since(0)
    assert first is not None
    reader.apply(first)
    write(space, "a", DROPPED)
    write(space, "b")
    space.collect(2)
    whole = space.delta_since(reader.max_seq)
    assert whole is not None
    assert whole.reset
    touched = reader.apply(whole)
    assert touched is not None
    assert set(touched) == {"a", "b"}
    assert copy_of(reader) == [("b", 3)]
