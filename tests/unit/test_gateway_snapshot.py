"""The fold of watch events: aside until whole, checked at every mark, replaced in one step."""

from __future__ import annotations

import random

import pytest

from gateway.fold import Fold, OutOfStep
from gateway.snapshot import EMPTY, endpoint_of, usable
from shared.wire import Del, Instance, Mark, Owner, Put, checksum
from tests.fakes import an_instance

A, B = an_instance(), an_instance(host="127.0.40.2", lpar="LPAR2")


def a_mark(*instances: Instance, whole: bool = False, token: str = "t") -> Mark:
    parts = 0
    for each in instances:
        parts = checksum(parts, each.key, each.gen, each.rev)
    return Mark(token, len(instances), parts, whole)


def folded(*instances: Instance) -> Fold:
    fold = Fold()
    fold.begin()
    fold.apply(Put(list(instances)))
    assert fold.apply(a_mark(*instances, whole=True)) is not None
    return fold


def test_a_set_is_shown_at_the_mark_that_makes_it_whole() -> None:
    fold = Fold()
    fold.begin()
    assert fold.apply(Put([A])) is None
    assert fold.apply(a_mark(A)) is None
    assert fold.snapshot is EMPTY
    snapshot = fold.apply(a_mark(A, whole=True))
    assert snapshot is not None
    assert list(snapshot.endpoints) == [A.key]


def test_a_stream_that_breaks_off_early_changes_nothing() -> None:
    fold = folded(A, B)
    before = fold.snapshot
    fold.begin()
    fold.apply(Put([A]))
    assert fold.snapshot is before


def test_what_a_new_stream_does_not_hold_is_gone() -> None:
    fold = folded(A, B)
    fold.begin()
    fold.apply(Put([B]))
    snapshot = fold.apply(a_mark(B, whole=True))
    assert snapshot is not None
    assert list(snapshot.endpoints) == [B.key]


def test_a_stream_that_goes_on_from_the_token_changes_what_it_says_and_keeps_the_rest() -> None:
    fold = folded(A, B)
    fold.apply(Owner("LPAR1@1", "dead"))
    fold.apply(a_mark(A, B, token="t2"))
    assert fold.token == "t2"
    fold.begin()
    fold.apply(Del([B.key]))
    fold.apply(Owner("LPAR2@1", "alive"))
    snapshot = fold.apply(a_mark(A, token="t3"))
    assert snapshot is not None
    assert list(snapshot.endpoints) == [A.key]
    assert snapshot.owners == {"LPAR1@1": "dead", "LPAR2@1": "alive"}
    assert fold.token == "t3"


def test_a_stream_that_breaks_off_leaves_the_set_at_its_last_token() -> None:
    fold = folded(A)
    fold.apply(Put([B]))
    fold.begin()
    assert fold.token == "t"
    snapshot = fold.apply(a_mark(A, token="t4"))
    assert snapshot is not None
    assert list(snapshot.endpoints) == [A.key]


def test_a_whole_set_in_the_middle_of_a_stream_replaces_all() -> None:
    fold = folded(A)
    fold.apply(Put([B]))
    fold.apply(a_mark(A, B))
    fold.apply(Put([B]))
    snapshot = fold.apply(a_mark(B, whole=True))
    assert snapshot is not None
    assert list(snapshot.instances) == [B.key]


def test_of_several_words_about_one_instance_the_last_one_counts() -> None:
    fold = folded(A, B)
    fold.apply(Del([A.key]))
    fold.apply(Put([A]))
    fold.apply(Put([B]))
    fold.apply(Del([B.key]))
    snapshot = fold.apply(a_mark(A))
    assert snapshot is not None
    assert list(snapshot.instances) == [A.key]


def test_out_of_step_means_to_begin_without_a_token() -> None:
    fold = folded(A)
    with pytest.raises(OutOfStep):
        fold.apply(a_mark(A, B))
    assert fold.token == ""
    fold.begin()
    assert fold.apply(a_mark(A)) is None
    assert list(fold.snapshot.instances) == [A.key]


def test_changes_are_shown_at_marks_and_old_snapshots_stay_as_they_are() -> None:
    fold = folded(A)
    before = fold.snapshot
    fold.apply(Put([B]))
    after = fold.apply(a_mark(A, B))
    assert after is not None
    assert len(after.upstreams[b"orders"].endpoints) == 2
    assert len(before.upstreams[b"orders"].endpoints) == 1
    fold.apply(Del([A.key, B.key, "never heard of"]))
    last = fold.apply(a_mark())
    assert last is not None
    assert b"orders" not in last.upstreams


def test_a_lost_change_is_noticed() -> None:
    fold = folded(A)
    with pytest.raises(OutOfStep):
        fold.apply(a_mark(A, B))
    changed = an_instance(rev=2)
    with pytest.raises(OutOfStep):
        fold.apply(a_mark(changed))


def test_only_up_instances_are_candidates_and_all_are_known() -> None:
    down = an_instance(host="127.0.40.3", status="DOWN")
    tls = an_instance(host="127.0.40.4", secure=True)
    upstream = folded(A, down, tls).snapshot.upstreams[b"orders"]
    assert [(each.key, each.secure) for each in upstream.endpoints] == [(A.key, False), (tls.key, True)]
    assert upstream.known == 3


def test_owners_are_part_of_a_snapshot() -> None:
    fold = folded(A)
    fold.apply(Owner("LPAR1@1", "dead"))
    snapshot = fold.apply(a_mark(A))
    assert snapshot is not None
    assert snapshot.owners == {"LPAR1@1": "dead"}


def test_discovery_is_known_and_never_routed() -> None:
    snapshot = folded(an_instance("discovery", 7553)).snapshot
    assert len(snapshot.instances) == 1
    assert not snapshot.upstreams
    assert not snapshot.endpoints


def test_names_of_endpoints() -> None:
    assert endpoint_of(A).path_name == b"LPAR1/orders:9000"
    assert endpoint_of(an_instance(lpar="")).path_name == b"outside/orders:9000"
    assert endpoint_of(A).authority == b"127.0.40.1:9000"
    odd = an_instance(lpar="L\r\nX: 1")
    assert b"\r" not in endpoint_of(odd).path_name


def test_a_host_that_is_none_is_never_written_into_a_head() -> None:
    evil = an_instance(host="127.0.40.1\r\nX: 1")
    assert not usable(evil)


def test_the_fold_keeps_in_step_whatever_happens() -> None:
    """Random histories: a fold that is fed every change always agrees with the sender's checksum."""
    draw = random.Random(7)
    fold, held = folded(), {}
    for step in range(300):
        each = an_instance(draw.choice(["a", "b", "c"]), host=f"127.0.40.{draw.randrange(1, 9)}", rev=step)
        if draw.random() < 0.4 and each.key in held:
            del held[each.key]
            fold.apply(Del([each.key]))
        else:
            held[each.key] = each
            fold.apply(Put([each]))
        snapshot = fold.apply(a_mark(*held.values()))
        assert snapshot is not None
        assert set(snapshot.endpoints) == set(held)
