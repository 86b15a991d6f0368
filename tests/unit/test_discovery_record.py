"""Which of several sayings about one instance holds."""

import itertools

from discovery.record import DROPPED, LEFT, UP, Record, rank


def record(gen: int = 1, rev: int = 1, state: int = UP) -> Record:
    return Record("orders", "orders/a", gen, rev, 1, state, 15, b"")


def test_a_newer_process_beats_an_older_one_whatever_was_written_last() -> None:
    assert rank(record(gen=2, rev=1), "A@1") > rank(record(gen=1, rev=9), "B@1")


def test_a_deregistration_is_final_for_its_process() -> None:
    assert rank(record(rev=1, state=LEFT), "A@1") > rank(record(rev=9), "B@1")


def test_a_deregistration_does_not_touch_the_next_process() -> None:
    assert rank(record(gen=2), "A@1") > rank(record(gen=1, rev=9, state=LEFT), "B@1")


def test_the_newest_write_holds_and_ties_are_broken_alike_everywhere() -> None:
    assert rank(record(rev=2), "A@1") > rank(record(rev=1), "B@1")
    assert rank(record(), "B@1") > rank(record(), "A@1")


def test_the_order_is_total() -> None:
    said = [
        (record(gen, rev, state), origin)
        for gen, rev, state, origin in itertools.product((1, 2), (1, 2), (UP, LEFT), ("A@1", "B@1"))
    ]
    ranks = [rank(each, origin) for each, origin in said]
    assert len(set(ranks)) == len(ranks)


def test_tombstones_are_not_live_and_lose_their_body() -> None:
    gone = Record("orders", "orders/a", 1, 1, 1, UP, 15, b"body").buried(DROPPED)
    assert not gone.live
    assert (gone.rev, gone.body, gone.key) == (1, b"", "orders/a")
