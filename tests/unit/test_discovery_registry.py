"""Registrations in and out: Eureka's rules of stamps and overrides, and where plexmesh departs from them."""

import msgspec
import pytest

from discovery.node import Node
from discovery.record import MAX_BODY_BYTES
from discovery.registration import Registration
from discovery.registry import LATE_DOWN_S, Registry
from shared.errors import BadInput, NotFound

WALL_MS = 1_700_000_000_000
KEY = "orders/a"


def new() -> Registry:
    return Registry(Node("A", "http://a", [], WALL_MS, WALL_MS, 0.0))


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
