"""One origin's log: deltas give the same copy however they travel."""

import random

from hypothesis import given
from hypothesis import strategies as st

from discovery.record import DROPPED, UP, Record
from discovery.space import START, Delta, Space


def write(space: Space, key: str, state: int = UP) -> None:
    space.write(Record("orders", key, 1, 1, 0, state, 15, b""), 1)


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
    delta = space.delta_since((2, 0))
    assert delta is not None
    assert [record.key for record in delta.records] == ["c"]
    assert space.delta_since((3, 0)) is None


def test_a_long_delta_is_cut_and_continued() -> None:
    space, reader = Space("A@1"), Space("A@1")
    for number in range(10):
        write(space, f"k{number}")
    while delta := space.delta_since(reader.position, limit=3):
        assert len(delta.records) <= 3
        reader.apply(delta)
    assert copy_of(reader) == copy_of(space)


def test_a_gap_is_not_applied() -> None:
    space, reader = Space("A@1"), Space("A@1")
    for key in ("a", "b"):
        write(space, key)
    late = space.delta_since((1, 0))
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
        delta = space.delta_since((rng.randint(0, space.max_seq - 1), 0), limit=rng.randint(1, 5))
        assert delta is not None
        sent += [delta] * rng.choice((0, 1, 2))
    rng.shuffle(sent)
    for delta in sent:
        reader.apply(delta)
    while missing := space.delta_since(reader.position):
        reader.apply(missing)
    assert copy_of(reader) == copy_of(space)


def test_collected_tombstones_go_from_writer_and_reader() -> None:
    space, reader = Space("A@1"), Space("A@1")
    write(space, "a")
    write(space, "b", DROPPED)
    first = space.delta_since((0, 0))
    assert first is not None
    reader.apply(first)
    space.collect(2)
    write(space, "c")
    second = space.delta_since(reader.position)
    assert second is not None
    reader.apply(second)
    assert copy_of(reader) == copy_of(space) == [("a", 1), ("c", 3)]


def test_a_reader_that_may_have_missed_a_tombstone_gets_the_whole_log() -> None:
    space, reader = Space("A@1"), Space("A@1")
    write(space, "a")
    first = space.delta_since((0, 0))
    assert first is not None
    reader.apply(first)
    write(space, "a", DROPPED)
    write(space, "b")
    space.collect(2)
    whole = space.delta_since(reader.position)
    assert whole is not None
    assert whole.reset
    touched = reader.apply(whole)
    assert touched is not None
    assert set(touched) == {"a", "b"}
    assert copy_of(reader) == [("b", 3)]


def churned(rng: random.Random, keys: int = 60) -> Space:
    space = Space("A@1")
    for _ in range(300):
        write(space, f"k{rng.randrange(keys)}", rng.choice((UP, UP, DROPPED)))
    return space


def test_a_whole_log_in_parts_replaces_the_copy_only_when_it_is_complete() -> None:
    space, reader = Space("A@1"), Space("A@1")
    write(space, "gone")
    write(space, "kept")
    for_reader = space.delta_since(START)
    assert for_reader is not None
    reader.apply(for_reader)
    write(space, "gone", DROPPED)
    for number in range(10):
        write(space, f"k{number}")
    space.collect(3)
    while delta := space.delta_since(reader.position, limit=3):
        assert {"gone", "kept"} <= reader.items.keys()
        touched = reader.apply(delta)
    assert touched is not None
    assert set(touched) == {"gone"} | {f"k{number}" for number in range(10)}
    assert reader.whole
    assert copy_of(reader) == copy_of(space)
    assert (reader.position, reader.sum64) == (space.position, space.sum64)


def test_parts_of_a_whole_log_that_come_again_or_too_late_do_no_harm() -> None:
    rng = random.Random(5)
    space, reader = churned(rng), Space("A@1")
    space.collect(100)
    sent: list[Delta] = []
    while delta := space.delta_since(reader.position, limit=20):
        sent.append(delta)
        for late in rng.sample(sent, min(2, len(sent))):
            reader.apply(late)
        reader.apply(delta)
    write(space, "k1")
    for late in sent:
        reader.apply(late)
    assert not reader.staging
    last = space.delta_since(reader.position)
    assert last is not None
    reader.apply(last)
    assert copy_of(reader) == copy_of(space)


def test_a_log_collected_while_it_is_sent_is_sent_again_from_the_start() -> None:
    space, reader = churned(random.Random(6)), Space("A@1")
    space.collect(50)
    first = space.delta_since(reader.position, limit=20)
    assert first is not None
    reader.apply(first)
    assert reader.staging
    space.collect(299)
    again = space.delta_since(reader.position, limit=20)
    assert again is not None
    assert (again.reset, again.from_seq) == (True, 0)
    while delta := space.delta_since(reader.position, limit=20):
        reader.apply(delta)
    assert copy_of(reader) == copy_of(space)


def test_a_reader_far_behind_is_served_while_the_writer_goes_on() -> None:
    rng = random.Random(7)
    space, reader = Space("A@1"), Space("A@1")
    for number in range(200):
        write(space, f"k{number}")
    while delta := space.delta_since(reader.position, limit=10):
        assert len(delta.records) <= 10
        reader.apply(delta)
        if rng.random() < 0.5:
            write(space, f"k{rng.randrange(250)}", rng.choice((UP, DROPPED)))
    assert copy_of(reader) == copy_of(space)
    assert reader.sum64 == space.sum64


def test_a_message_is_bounded_in_bytes_too() -> None:
    space = Space("A@1")
    for number in range(100):
        space.write(Record("orders", f"k{number}", 1, 1, 0, UP, 15, b"x" * 8000), 1)
    delta = space.delta_since(START)
    assert delta is not None
    assert 1 < len(delta.records) < 40
    assert delta.to_seq == delta.records[-1].seq


def test_a_copy_that_is_distrusted_is_fetched_anew() -> None:
    space, reader = churned(random.Random(8)), Space("A@1")
    while delta := space.delta_since(reader.position):
        reader.apply(delta)
    victim = next(iter(reader.items))
    reader.items.pop(victim)  # damage that no message explains
    reader.distrust()
    while delta := space.delta_since(reader.position, limit=30):
        assert reader.apply(delta) is not None
    assert copy_of(reader) == copy_of(space)


def test_a_copy_in_parts_is_not_whole_until_it_has_the_end() -> None:
    space, reader = Space("A@1"), Space("A@1")
    for key in ("a", "b", "c", "a"):
        write(space, key)
    part = space.delta_since(START, limit=2)
    assert part is not None
    reader.apply(part)
    assert "a" not in reader.items  # though it was written before the others
    assert (reader.max_seq, reader.whole_seq, reader.whole) == (3, 0, False)
    rest = space.delta_since(reader.position)
    assert rest is not None
    reader.apply(rest)
    assert reader.whole


def test_what_a_copy_in_parts_passes_on_is_not_the_end() -> None:
    space, reader, second = Space("A@1"), Space("A@1"), Space("A@1")
    for key in ("a", "b", "c"):
        write(space, key)
    part = space.delta_since(START, limit=2)
    assert part is not None
    reader.apply(part)
    passed_on = reader.delta_since(START)
    assert passed_on is not None
    assert passed_on.end == 3
    second.apply(passed_on)
    assert not second.whole


def test_the_end_of_an_older_copy_does_not_make_a_part_whole() -> None:
    space, older, reader = Space("A@1"), Space("A@1"), Space("A@1")
    for key in ("a", "b", "c"):
        write(space, key)
    if whole := space.delta_since(START):
        older.apply(whole)
    for key in ("a", "d", "e"):
        write(space, key)
    if part := space.delta_since(START, limit=1):
        reader.apply(part)
    if rest := older.delta_since(reader.position):
        reader.apply(rest)
    assert (reader.max_seq, reader.whole) == (3, False)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([UP, DROPPED])), max_size=30), st.integers(0, 30))
def test_equal_positions_have_equal_sums(writes: list[tuple[str, int]], collected: int) -> None:
    space, reader = Space("A@1"), Space("A@1")
    for key, state in writes:
        write(space, key, state)
        if delta := space.delta_since(reader.position, limit=2):
            reader.apply(delta)
    space.collect(min(collected, space.max_seq))
    while delta := space.delta_since(reader.position, limit=2):
        reader.apply(delta)
    assert reader.position == space.position
    assert reader.sum64 == space.sum64
