"""What a caching service says of itself, as the console shows it."""

from __future__ import annotations

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from caching import health
from caching.backends.in_memory import InMemoryStorage
from caching.clock import Clock
from caching.limits import Limit
from caching.metrics import CachingMetrics
from gateway.console.caches import Read, health_told, operations, rates, unreachable


def page(**storage: object) -> bytes:
    details = {"colour": "green", "why": [], "backend": "vsam", "dataSet": "ZOWE.CACHE", "size": 100} | storage
    return msgspec.json.encode({"status": "UP", "components": {"storage": {"status": "UP", "details": details}}})


def test_the_health_page_of_a_real_storage_is_read() -> None:
    storage = InMemoryStorage(Limit(size=50, eviction="reject"), alone=True, clock=Clock(0.0))
    parts = health.parts(storage, "trustedHeaders")
    told = health_told(msgspec.json.encode({"status": "UP", "components": {"caching": {"status": "UP"}, **parts}}))
    capabilities = storage.capabilities
    assert told["backend"] == "inMemory"
    assert (told["entries"], told["size"], told["place"]) == (0, 50, "")
    assert (told["shared"], told["durable"], told["remark"]) == (
        capabilities.shared,
        capabilities.durable,
        capabilities.remark,
    )
    assert told["ackedLoss"] == capabilities.acked_loss
    assert told["identity"]["colour"] == "yellow"


def test_the_place_is_a_data_set_a_master_or_endpoints() -> None:
    assert health_told(page())["place"] == "ZOWE.CACHE"
    assert health_told(page(dataSet=None, master="127.0.0.1:6379"))["place"] == "127.0.0.1:6379"
    assert health_told(page(dataSet=None, endpoints=["a:1", "b:2"], quotaEntries=7, size=None))["place"] == "a:1, b:2"


def test_what_strangers_write_is_made_visible() -> None:
    assert health_told(page(why=["a\u202eb\n"]))["why"] == ["a\ufffdb "]


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"status": "UP"}', page(entries="many")])
def test_another_page_is_refused(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        health_told(body)


def test_real_metrics_become_rates() -> None:
    registry = CollectorRegistry()
    metrics = CachingMetrics(registry)
    metrics.operation("read", None, 0.001)
    before = operations(generate_latest(registry).decode())
    assert before == {("read", "ok"): 1.0}
    for _ in range(6):
        metrics.operation("read", None, 0.001)
    metrics.operation("create", 503, 0.001)
    metrics.operation("create", 409, 0.001)
    counted = operations(generate_latest(registry).decode())
    assert rates(Read(10.0, before, {}), counted, 12.0) == {"perS": {"create": 1.0, "read": 3.0}, "errorsPerS": 0.5}


def test_a_new_process_counts_from_the_beginning() -> None:
    assert rates(Read(0.0, {("read", "ok"): 100.0}, {}), {("read", "ok"): 4.0}, 2.0)["perS"] == {"read": 2.0}


def test_without_a_reading_before_there_is_no_rate() -> None:
    assert rates(None, {("read", "ok"): 4.0}, 2.0) == {"perS": {}, "errorsPerS": 0.0}


def test_one_that_is_silent_keeps_what_was_known_of_its_storage() -> None:
    last = Read(0.0, {}, {**health_told(page()), "reachable": True, "perS": {"read": 3.0}, "errorsPerS": 0.0})
    entry = unreachable("LPAR1", "http://h:1", "no answer within 1 s", last)
    assert (entry["reachable"], entry["colour"], entry["why"]) == (False, "red", ["no answer within 1 s"])
    assert (entry["backend"], entry["perS"]) == ("vsam", {})
    assert unreachable("LPAR1", "http://h:1", "x", None).keys() == entry.keys()
