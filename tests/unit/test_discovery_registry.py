"""Registrations in and out: Eureka's rules of stamps and overrides, where plexmesh departs from them, and its own."""

import random

import msgspec
import pytest

from discovery.messages import Push
from discovery.node import Node
from discovery.record import MAX_BODY_BYTES, Record
from discovery.registration import Registration, pack
from discovery.registry import GEN_SHIFT, LATE_COPY_S, LATE_DOWN_S, Registry
from shared.errors import BadInput, Conflict, Gone, NotFound
from tests.fakes import a_node

WALL_MS = 1_700_000_000_000
KEY = "orders/a"


def new(max_instances: int = 100) -> Registry:
    node = Node("A", "http://a", [], sysplex="P", now=0.0, wall_ms=WALL_MS, rng=random.Random(1))
    return Registry(node, max_instances)


def given(**fields: object) -> Registration:
    first = Registration(app="ORDERS", instance="a", host="a.test", ip="192.0.2.1", dirty_ms=WALL_MS)
    return msgspec.structs.replace(first, **fields)


def test_what_is_registered_is_found() -> None:
    registry = new()
    registry.register(given(metadata={"zone": "north"}), 0.0)
    assert registry.get(KEY).metadata == {"zone": "north"}
    assert [each.instance for each in registry.of("Orders")] == ["a"]


def test_two_services_may_use_one_instance_id() -> None:
    registry = new()
    registry.register(given(), 0.0)
    registry.register(given(app="MAIL"), 0.0)
    registry.cancel(KEY, 1.0)
    assert [each.app for each in registry.all()] == ["MAIL"]


def test_an_older_saying_renews_but_does_not_replace() -> None:
    registry = new()
    registry.register(given(dirty_ms=WALL_MS + 2, ip="192.0.2.2"), 0.0)
    registry.register(given(dirty_ms=WALL_MS + 1, ip="192.0.2.1"), 1.0)
    assert registry.get(KEY).ip == "192.0.2.2"


def test_a_missing_stamp_is_the_time_of_arrival() -> None:
    registry = new()
    registry.register(given(dirty_ms=0), 5.0)
    assert registry.get(KEY).dirty_ms == WALL_MS + 5_000


def test_a_heartbeat_with_a_newer_stamp_must_register_again() -> None:
    registry = new()
    registry.register(given(), 0.0)
    assert registry.renew(KEY, WALL_MS + 1, 1.0) == "unknown"
    assert registry.renew(KEY, WALL_MS - 1, 1.0) == "ours"
    assert registry.renew(KEY, 0, 1.0) == "ours"


def test_a_process_may_come_back_after_its_deregistration_even_with_its_old_stamp() -> None:
    registry = new()
    registry.register(given(), 0.0)
    assert registry.cancel(KEY, 1.0)
    assert registry.renew(KEY, WALL_MS, 2.0) == "unknown"
    registry.register(given(), 3.0)
    assert registry.get(KEY).status == "UP"


def test_a_late_down_after_a_deregistration_leaves_no_ghost() -> None:
    registry = new()
    registry.register(given(), 0.0)
    registry.cancel(KEY, 1.0)
    registry.register(given(status="DOWN", dirty_ms=WALL_MS + 9), 1.0 + LATE_DOWN_S / 2)
    with pytest.raises(NotFound):
        registry.get(KEY)
    registry.register(given(status="DOWN", dirty_ms=WALL_MS + 9), 1.0 + LATE_DOWN_S + 1)
    assert registry.get(KEY).status == "DOWN"


def test_an_override_holds_over_up_until_it_is_cleared_and_survives_registering() -> None:
    registry = new()
    registry.register(given(), 0.0)
    registry.override(KEY, "OUT_OF_SERVICE", 0, 1.0)
    assert registry.get(KEY).effective == "OUT_OF_SERVICE"
    registry.register(given(dirty_ms=WALL_MS + 5), 2.0)
    assert registry.get(KEY).effective == "OUT_OF_SERVICE"
    registry.register(given(dirty_ms=WALL_MS + 6, status="DOWN"), 3.0)
    assert registry.get(KEY).effective == "DOWN"
    registry.register(given(dirty_ms=WALL_MS + 7), 4.0)
    registry.clear_override(KEY, 5.0)
    assert registry.get(KEY).effective == "UP"


def test_an_instance_may_take_itself_out_and_in() -> None:
    registry = new()
    registry.register(given(), 0.0)
    registry.register(given(dirty_ms=WALL_MS + 1, status="OUT_OF_SERVICE"), 1.0)
    assert registry.get(KEY).effective == "OUT_OF_SERVICE"
    registry.register(given(dirty_ms=WALL_MS + 2), 2.0)
    assert registry.get(KEY).effective == "UP"


def test_the_stamps_of_life_are_kept() -> None:
    registry = new()
    registry.register(given(status="STARTING"), 0.0)
    assert registry.get(KEY).up_ms == 0
    registry.register(given(dirty_ms=WALL_MS + 1), 3.0)
    registry.register(given(dirty_ms=WALL_MS + 2), 9.0)
    found = registry.get(KEY)
    assert (found.registered_ms, found.up_ms, found.updated_ms) == (WALL_MS, WALL_MS + 3_000, WALL_MS + 9_000)


def test_metadata_is_added() -> None:
    registry = new()
    registry.register(given(metadata={"a": "1", "b": "1"}), 0.0)
    registry.annotate(KEY, {"b": "2"}, 1.0)
    assert registry.get(KEY).metadata == {"a": "1", "b": "2"}


def test_too_large_a_registration_is_refused_and_nothing_is_kept() -> None:
    registry = new()
    with pytest.raises(BadInput, match=f"at most {MAX_BODY_BYTES}"):
        registry.register(given(metadata={"k": "v" * MAX_BODY_BYTES}), 0.0)
    assert list(registry.all()) == []


def test_operations_on_the_unknown_say_so() -> None:
    registry = new()
    with pytest.raises(NotFound):
        registry.override(KEY, "DOWN", 0, 0.0)
    with pytest.raises(NotFound):
        registry.clear_override(KEY, 0.0)
    with pytest.raises(NotFound):
        registry.annotate(KEY, {}, 0.0)


# --- plexmesh's own clients: processes, many at once


def register(registry: Registry, *several: Registration, gen: int = 0, now: float = 0.0) -> list[Record]:
    fields = [f"instances[{index}]" for index in range(len(several))]
    return registry.register_all(several, [gen] * len(several), now, fields)


def test_a_newer_process_takes_the_id_and_the_older_one_is_told() -> None:
    registry = new()
    (first,) = register(registry, given(), gen=7)
    (second,) = register(registry, given(ip="192.0.2.9"), gen=8)
    assert (first.gen, second.gen) == (7, 8)
    with pytest.raises(Gone, match=r"instances\[0\].gen: 7 .* expected 8 or more"):
        register(registry, given(), gen=7)
    assert registry.get(KEY).ip == "192.0.2.9"


def test_a_process_that_has_left_does_not_come_back_and_a_newer_one_may() -> None:
    registry = new()
    register(registry, given(), gen=7)
    registry.remove(KEY, 7, 1.0)
    with pytest.raises(Gone, match="this process has left"):
        register(registry, given(), gen=7, now=2.0)
    with pytest.raises(Gone):
        registry.remove(KEY, 0, 2.0)
    register(registry, given(), gen=8, now=3.0)
    assert registry.get(KEY).status == "UP"


def test_only_the_named_process_is_deregistered() -> None:
    registry = new()
    register(registry, given(), gen=7)
    with pytest.raises(Gone):
        registry.remove(KEY, 6, 1.0)
    registry.remove(KEY, 7, 1.0)
    with pytest.raises(NotFound):
        registry.remove("orders/nobody", 0, 1.0)


def test_without_a_number_a_process_is_as_new_as_its_arrival_and_never_older_than_what_is_known() -> None:
    registry = new()
    (first,) = register(registry, given(), now=5.0)
    assert first.gen == (WALL_MS + 5_000) << GEN_SHIFT
    (ahead,) = register(registry, given(instance="b"), gen=2**62)
    (second,) = register(registry, given(instance="b", ip="192.0.2.2"), now=6.0)
    assert second.gen == ahead.gen
    registry.remove("orders/b", 0, 7.0)
    (third,) = register(registry, given(instance="b"), now=8.0)
    assert third.gen == ahead.gen + 1


def test_saying_the_same_again_renews_and_writes_nothing() -> None:
    registry = new()
    (first,) = register(registry, given(lease_s=10))
    for now in range(1, 19):
        registry.node.tick(float(now))
        if now == 9:
            assert register(registry, given(lease_s=10), now=9.0) == [first]
    assert registry.node.positions()[registry.node.origin] == 1
    assert KEY in registry.node.view
    (changed,) = register(registry, given(lease_s=10, status="OUT_OF_SERVICE"), now=19.0)
    assert changed.seq == 2


def test_of_many_all_are_registered_or_none() -> None:
    registry = new()
    register(registry, given(instance="old"), gen=9)
    with pytest.raises(Gone, match=r"instances\[1\].gen"):
        register(registry, given(instance="new"), given(instance="old"), gen=8)
    with pytest.raises(BadInput, match=r"instances\[1\]: \d+ bytes"):
        register(registry, given(instance="new"), given(instance="big", metadata={"k": "v" * MAX_BODY_BYTES}))
    with pytest.raises(BadInput, match=r"instances\[2\]: 'orders/new', expected another one than instances\[0\]"):
        register(registry, given(instance="new"), given(instance="other"), given(instance="new"))
    assert [each.instance for each in registry.all()] == ["old"]


def test_a_service_has_a_bound_and_others_are_not_affected() -> None:
    registry = new(max_instances=3)
    register(registry, given(instance="a"), given(instance="b"))
    with pytest.raises(Conflict, match="2 more than its 2 instances, expected at most 3"):
        register(registry, given(instance="a"), given(instance="c"), given(instance="d"))
    register(registry, given(app="MAIL", instance="c"), given(instance="a", ip="192.0.2.7"))
    assert len(list(registry.all())) == 3


def test_one_instance_too_many_is_bad_input_to_eurekas_clients() -> None:
    registry = new(max_instances=1)
    registry.register(given(), 0.0)
    with pytest.raises(BadInput, match="1 more than its 1 instances"):
        registry.register(given(instance="b"), 1.0)
    registry.register(given(dirty_ms=WALL_MS + 1), 2.0)


def test_an_override_survives_the_own_way_of_registering_too() -> None:
    registry = new()
    register(registry, given())
    registry.override(KEY, "OUT_OF_SERVICE", 0, 1.0)
    register(registry, given(ip="192.0.2.3"), now=2.0)
    assert registry.get(KEY).effective == "OUT_OF_SERVICE"


def test_what_is_written_is_what_was_said() -> None:
    registry = new()
    (record,) = register(registry, given(metadata={"a": "1"}), gen=3)
    assert record.body == pack(registry.get(KEY))
    assert (record.service, record.key, record.lease_s) == ("orders", KEY, 90)


def test_what_a_eureka_server_repeats_is_only_renewed() -> None:
    registry = new()
    registry.register(given(), 0.0)
    rev = registry.node.view.get(KEY)[1].rev  # type: ignore[index]
    registry.register(given(), 1.0, replicated=True)
    registry.register(given(dirty_ms=WALL_MS - 5, ip="192.0.2.9"), 1.0, replicated=True)
    assert registry.node.view.get(KEY)[1].rev == rev  # type: ignore[index]
    registry.register(given(ip="192.0.2.9"), 1.0, replicated=True)
    assert registry.get(KEY).ip == "192.0.2.9"


def test_a_eureka_servers_late_copy_does_not_bring_back_who_has_left() -> None:
    registry = new()
    registry.register(given(), 0.0)
    registry.cancel(KEY, 1.0)
    registry.register(given(), 1.0 + LATE_COPY_S / 2, replicated=True)
    assert KEY not in registry.node.view
    registry.register(given(dirty_ms=WALL_MS + 1), 1.0 + LATE_COPY_S / 2, replicated=True)  # a newer process
    assert registry.get(KEY).status == "UP"
    registry.cancel(KEY, 20.0)
    registry.register(given(dirty_ms=WALL_MS + 1), 21.0 + LATE_COPY_S, replicated=True)
    assert registry.get(KEY).status == "UP"


def test_a_late_down_leaves_no_ghost_at_another_node_either() -> None:
    one, other = new(), Registry(a_node("B", "http://b"))
    one.register(given(), 0.0)
    one.cancel(KEY, 1.0)
    spaces = [space.delta_since((0, 0), 100) for space in one.node.spaces.values()]
    other.node.receive(one.node.sender, Push([each for each in spaces if each], []), 1.1)
    other.register(given(status="DOWN", dirty_ms=WALL_MS + 9), 2.0)
    assert KEY not in other.node.view
    other.register(given(status="DOWN", dirty_ms=WALL_MS + 9), 2.0 + LATE_DOWN_S)
    assert KEY in other.node.view


def test_who_says_down_is_no_new_process_so_its_goodbye_at_another_node_counts() -> None:
    registry = new()
    registry.register(given(), 0.0)
    gen = registry.node.view.get(KEY)[1].gen  # type: ignore[index]
    registry.register(given(status="DOWN", dirty_ms=WALL_MS + 9), 1.0)
    assert registry.node.view.get(KEY)[1].gen == gen  # type: ignore[index]
    assert (registry.get(KEY).status, registry.get(KEY).dirty_ms) == ("DOWN", WALL_MS + 9)
    registry.register(given(dirty_ms=WALL_MS + 10), 2.0)
    assert registry.node.view.get(KEY)[1].gen > gen  # type: ignore[index]


def test_what_shows_through_an_override_of_a_eureka_server_is_the_instances_own_word() -> None:
    registry = new()
    registry.register(given(status="OUT_OF_SERVICE", override="OUT_OF_SERVICE"), 0.0, replicated=True)
    assert registry.get(KEY).effective == "OUT_OF_SERVICE"
    registry.clear_override(KEY, 1.0)
    assert registry.get(KEY).effective == "UP"


def test_saying_the_same_again_writes_nothing_unless_the_stamp_is_newer() -> None:
    registry = new()
    registry.register(given(), 0.0)
    rev = registry.node.view.get(KEY)[1].rev  # type: ignore[index]
    registry.register(given(), 1.0)
    registry.register(given(dirty_ms=0), 1.0)
    registry.keep(given(dirty_ms=0), 1.0)
    assert registry.node.view.get(KEY)[1].rev == rev  # type: ignore[index]
    registry.register(given(dirty_ms=WALL_MS + 1), 2.0)
    assert registry.renew(KEY, WALL_MS + 1, 3.0) == "ours"


def test_what_is_kept_is_registered_and_follows_what_is_said_of_it() -> None:
    registry = new()
    registry.keep(given(dirty_ms=0), 0.0)
    registry.keep(given(dirty_ms=0, ip="192.0.2.7"), 1.0)
    assert registry.get(KEY).ip == "192.0.2.7"


def test_how_what_is_held_stands_to_a_stamp() -> None:
    registry = new()
    assert registry.compare(KEY, 1) == "unknown"
    registry.register(given(), 0.0)
    stands = [registry.compare(KEY, WALL_MS + each) for each in (-1, 0, 1)]
    assert [*stands, registry.compare(KEY, 0)] == ["newer", "same", "older", "same"]
