"""Any history of calls, on every backend, beside a plain dictionary: they must agree at every step."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from caching.backends.in_memory import InMemoryStorage
from caching.backends.ksds import Attributes
from caching.clock import Clock
from caching.limits import Limit
from caching.refusals import Exists, Full, Missing
from caching.storage import Storage
from tests.contract.calls import clear, create, delete, entries, evict, get, maps, put_item, replace
from tests.contract.test_caching_storage import vsam

SIZE = 4
OLD = b"0"
"""As an item of a list of rules: written in 1970."""
OWNERS = st.sampled_from(["a", "ab", ""])
KEYS = st.sampled_from(["bc", "c", "", "k" * 300, "k" * 299 + "l"])
VALUES = st.just(OLD) | st.binary(max_size=20).map(lambda value: b"x" + value)


class History(RuleBasedStateMachine):
    eviction = "reject"

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model: dict[tuple[str, str], bytes] = {}  # in the order of the last write
        self.items: dict[tuple[str, str, str], bytes] = {}
        self.storage = self.new_storage()
        self.runner.run(self.storage.open())

    def new_storage(self) -> Storage:
        return InMemoryStorage(Limit(SIZE, self.eviction), alone=True, clock=Clock())  # type: ignore[arg-type]

    def teardown(self) -> None:
        self.runner.run(self.storage.close())
        self.runner.close()

    def expect(self, call: Coroutine[Any, Any, object], error: type[Exception] | None) -> None:
        with contextlib.nullcontext() if error is None else pytest.raises(error):
            self.runner.run(call)

    @rule(owner=OWNERS, key=KEYS, value=VALUES)
    def create(self, owner: str, key: str, value: bytes) -> None:
        there, full = (owner, key) in self.model, len(self.model) == SIZE
        own = [name for name in self.model if name[0] == owner] if self.eviction == "removeOldest" else []
        refused = Exists if there else Full if full and not own else None
        self.expect(create(self.storage, owner, key, value), refused)
        if refused is None:
            if full:
                del self.model[own[0]]
            self.model[owner, key] = value

    @rule(owner=OWNERS, key=KEYS, value=VALUES)
    def replace(self, owner: str, key: str, value: bytes) -> None:
        there = self.model.pop((owner, key), None) is not None
        self.expect(replace(self.storage, owner, key, value), None if there else Missing)
        if there:
            self.model[owner, key] = value

    @rule(owner=OWNERS, key=KEYS)
    def delete(self, owner: str, key: str) -> None:
        there = self.model.pop((owner, key), None) is not None
        self.expect(delete(self.storage, owner, key), None if there else Missing)

    @rule(owner=OWNERS)
    def clear(self, owner: str) -> None:
        gone = [name for name in self.model if name[0] == owner]
        assert self.runner.run(clear(self.storage, owner)) == len(gone)
        for name in gone:
            del self.model[name]

    @rule(owner=OWNERS, map=KEYS, key=KEYS, value=VALUES)
    def put_item(self, owner: str, map: str, key: str, value: bytes) -> None:
        full = len(self.items) == SIZE and (owner, map, key) not in self.items
        self.expect(put_item(self.storage, owner, map, key, value), Full if full else None)
        if not full:
            self.items[owner, map, key] = value

    @rule(owner=OWNERS, map=KEYS)
    def evict(self, owner: str, map: str) -> None:
        gone = [name for name, value in self.items.items() if name[:2] == (owner, map) and value == OLD]
        assert self.runner.run(evict(self.storage, owner, map, "rules")) == len(gone)
        for name in gone:
            del self.items[name]

    @rule(owner=OWNERS, key=KEYS)
    def get(self, owner: str, key: str) -> None:
        if (owner, key) in self.model:
            assert self.runner.run(get(self.storage, owner, key)).value == self.model[owner, key]
        else:
            self.expect(get(self.storage, owner, key), Missing)

    @precondition(lambda self: self.model or self.items)
    @invariant()
    def agrees(self) -> None:
        for owner in ("a", "ab", ""):
            held = {each.name.key: each.value for each in self.runner.run(entries(self.storage, owner))}
            assert held == {key: value for (whose, key), value in self.model.items() if whose == owner}
            lists = self.runner.run(maps(self.storage, owner))
            assert {(owner, map, each.name.key): each.value for map, items in lists.items() for each in items} == {
                name: value for name, value in self.items.items() if name[0] == owner
            }
        told = self.storage.details()
        assert (told["entries"], told["items"]) == (len(self.model), len(self.items))


class EvictingHistory(History):
    eviction = "removeOldest"


class VsamHistory(History):
    """The data set is closed and opened between steps too, and its keys are as short as they may be."""

    def new_storage(self) -> Storage:
        self.folder = tempfile.TemporaryDirectory(prefix="caching-")
        return self.handle()

    def handle(self) -> Storage:
        limit = Limit(SIZE, self.eviction)  # type: ignore[arg-type]
        return vsam(Path(self.folder.name), limit, attributes=Attributes(23, 4096))

    @rule()
    def open_again(self) -> None:
        self.runner.run(self.storage.close())
        self.storage = self.handle()
        self.runner.run(self.storage.open())

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()


class EvictingVsamHistory(VsamHistory):
    eviction = "removeOldest"


def history(machine: type[History], examples: int) -> type:
    case = machine.TestCase
    case.settings = settings(
        max_examples=examples,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    return case


TestInMemory = history(History, 40)
TestInMemoryEvicting = history(EvictingHistory, 40)
TestVsam = history(VsamHistory, 12)
TestVsamEvicting = history(EvictingVsamHistory, 12)
