"""Any history of calls, on every backend, beside plain dictionaries: they must agree at every step."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from caching.backends.ksds import Attributes
from caching.conditions import ABSENT, ANY, PRESENT, matching
from caching.entries import Entry, Name
from caching.limits import Eviction, Limit
from caching.refusals import Changed, Exists, Full, Missing
from caching.storage import Storage
from caching.writes import Delete
from tests.contract.calls import clear, delete, entries, evict, get, maps, put
from tests.contract.storages import Bench, EtcdBench, InMemoryBench, RedisBench, VsamBench

SIZE = 4
BYTES = 700
OLD = b"0"
"""As an item of a list of rules: written in 1970."""
OWNER_NAMES = ["a", "ab", ""]
OWNERS = st.sampled_from(OWNER_NAMES)
KEYS = st.sampled_from(["bc", "c", "", "k" * 300, "k" * 299 + "l"])
MAPS = st.sampled_from(["", "m", "mn"])
PLACES = st.none() | MAPS
VALUES = st.just(OLD) | st.binary(max_size=20).map(lambda value: b"x" + value)
TTLS = st.sampled_from([None, None, 1_000, 5_000])
CONDITIONS = st.sampled_from(["any", "absent", "present", "right etag", "wrong etag"])


class Kept:
    """The model's idea of one entry or item."""

    def __init__(self, name: Name, value: bytes, expires: int | None, etag: str, write_id: str) -> None:
        self.name = name
        self.value = value
        self.expires = expires
        self.etag = etag
        self.write_id = write_id

    @property
    def size(self) -> int:
        return len(self.name.key) + len(self.value)


class History(RuleBasedStateMachine):
    """`now` is what the stopped clock was put ahead, in ms. What has expired stays in the model, as the most that the
    storage may still count."""

    eviction: Eviction = "reject"

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model: dict[Name, Kept] = {}  # in the order of the last write
        self.now = 0
        self.folder = tempfile.TemporaryDirectory(prefix="caching-")
        self.bench = self.new_bench(Path(self.folder.name))
        self.bench.clock.stop()
        self.storage = self.handle()

    def new_bench(self, folder: Path) -> Bench:
        return InMemoryBench()

    def handle(self) -> Storage:
        made = self.bench.new(Limit(eviction=self.eviction, owner_entries=SIZE, owner_bytes=BYTES))
        self.runner.run(made.open())
        return made

    def teardown(self) -> None:
        self.runner.run(self.storage.close())
        self.runner.close()
        self.folder.cleanup()

    # --- what the model decides

    def live(self, name: Name) -> Kept | None:
        kept = self.model.get(name)
        return None if kept is None or self.expired(kept) else kept

    def expired(self, kept: Kept) -> bool:
        return kept.expires is not None and kept.expires <= self.now

    def of(self, owner: str, *, items: bool) -> list[Kept]:
        return [
            each for each in self.model.values() if each.name.owner == owner and (each.name.map is not None) == items
        ]

    def makes_room(self, name: Name, value: bytes) -> bool:
        """What gives way for it is dropped; False, and nothing is, when that is not enough."""
        there = self.model.get(name)
        own = [each for each in self.model.values() if each.name.owner == name.owner and each.name != name]
        kept = {each.name: each for each in own}

        def fits() -> bool:
            count = sum((each.name.map is None) == (name.map is None) for each in kept.values())
            size = sum(each.size for each in kept.values()) + len(name.key) + len(value)
            grows = there is None or len(name.key) + len(value) > there.size
            return (there is not None or count < SIZE) and (not grows or size <= BYTES)

        victims = [each for each in own if self.expired(each)]
        if self.eviction == "removeOldest":
            victims += [each for each in own if each.name.map is None and not self.expired(each)]
        for victim in victims:
            if fits():
                break
            del kept[victim.name]
        if not fits():
            return False
        for each in own:
            if each.name not in kept and not self.expired(each):
                del self.model[each.name]
        return True

    def expect(self, call: Coroutine[Any, Any, object], error: type[Exception] | None) -> Any:
        with contextlib.nullcontext() if error is None else pytest.raises(error):
            return self.runner.run(call)

    # --- the steps

    @rule(
        owner=OWNERS, key=KEYS, map=st.none() | MAPS, value=VALUES, ttl_ms=TTLS, kind=CONDITIONS, repeat=st.booleans()
    )
    def put(
        self, owner: str, key: str, map: str | None, value: bytes, ttl_ms: int | None, kind: str, repeat: bool
    ) -> None:
        name = Name(owner, key, map)
        live = self.live(name)
        etag = live.etag if live else "1.none"
        conditions = {"any": ANY, "absent": ABSENT, "present": PRESENT, "right etag": matching("0.x", etag)}
        condition = conditions.get(kind, matching("0.x"))
        again = {"write_id": live.write_id} if repeat and live else {}
        call = put(self.storage, owner, key, value, condition, map=map, ttl_ms=ttl_ms, **again)  # type: ignore[arg-type]
        if again:
            assert self.runner.run(call).etag == etag
            return
        if kind == "absent" and live:
            self.expect(call, Exists)
        elif kind == "present" and not live:
            self.expect(call, Missing)
        elif kind == "wrong etag" or (kind == "right etag" and not live):
            self.expect(call, Changed)
        elif not self.makes_room(name, value):
            self.expect(call, Full)
        else:
            made: Entry = self.runner.run(call)
            assert made.first == (live is None)
            self.model.pop(name, None)
            expires = None if ttl_ms is None else self.now + ttl_ms
            self.model[name] = Kept(name, value, expires, made.etag, made.write_id)

    @rule(
        owner=OWNERS, key=KEYS, map=st.none() | MAPS, condition=st.sampled_from(["present", "right etag", "wrong etag"])
    )
    def delete(self, owner: str, key: str, map: str | None, condition: str) -> None:
        name = Name(owner, key, map)
        live = self.live(name)
        wanted = {"present": PRESENT, "right etag": matching(live.etag if live else "x")}.get(condition, matching("x"))
        call = self.storage.write(Delete(name, wanted)) if map is not None else delete(self.storage, owner, key, wanted)
        if condition == "wrong etag" or (condition == "right etag" and not live):
            self.expect(call, Changed)
        else:
            self.expect(call, None if live else Missing)
            if live:
                del self.model[name]

    @rule(owner=OWNERS)
    def clear(self, owner: str) -> None:
        gone = self.of(owner, items=False)
        live = [each for each in gone if not self.expired(each)]
        assert len(live) <= self.runner.run(clear(self.storage, owner)) <= len(gone)
        for each in gone:
            del self.model[each.name]

    @rule(owner=OWNERS, map=MAPS)
    def evict(self, owner: str, map: str) -> None:
        held = [each for each in self.of(owner, items=True) if each.name.map == map and each.value == OLD]
        live = [each for each in held if not self.expired(each)]
        assert len(live) <= self.runner.run(evict(self.storage, owner, map, "rules")) <= len(held)
        for each in live:  # one that has expired is nowhere, and may be counted still
            del self.model[each.name]

    @rule(owner=OWNERS, key=KEYS)
    def get(self, owner: str, key: str) -> None:
        live = self.live(Name(owner, key))
        if live:
            found = self.runner.run(get(self.storage, owner, key))
            assert (found.value, found.etag) == (live.value, live.etag)
        else:
            self.expect(get(self.storage, owner, key), Missing)

    @rule(ms=st.sampled_from([600, 3_000]))
    def time_passes(self, ms: int) -> None:
        self.now += ms
        self.bench.clock.ahead_ms += ms

    @invariant()
    def agrees(self) -> None:
        for owner in OWNER_NAMES:
            live = {name: each.value for name, each in self.model.items() if name.owner == owner and self.live(name)}
            held = {each.name: each.value for each in self.runner.run(entries(self.storage, owner))}
            for items in self.runner.run(maps(self.storage, owner)).values():
                held |= {each.name: each.value for each in items}
            assert held == live
            used = self.runner.run(self.storage.usage(owner))
            cached, listed = self.of(owner, items=False), self.of(owner, items=True)
            assert sum(each.name in live for each in cached) <= used.entries <= len(cached)
            assert sum(each.name in live for each in listed) <= used.items <= len(listed)
            sizes = {each.name: each.size for each in (*cached, *listed)}
            assert sum(size for name, size in sizes.items() if name in live) <= used.bytes <= sum(sizes.values())


class EvictingHistory(History):
    eviction = "removeOldest"


class ReopenedHistory(History):
    """The storage is closed and opened between steps too."""

    @rule()
    def open_again(self) -> None:
        self.runner.run(self.storage.close())
        self.storage = self.handle()


class VsamHistory(ReopenedHistory):
    """Keys are as short as they may be."""

    def new_bench(self, folder: Path) -> Bench:
        return VsamBench(folder, Attributes(23, 4096))


class EvictingVsamHistory(VsamHistory):
    eviction = "removeOldest"


class EtcdHistory(ReopenedHistory):
    def new_bench(self, folder: Path) -> Bench:
        return EtcdBench()


class EvictingEtcdHistory(EtcdHistory):
    eviction = "removeOldest"


class RedisHistory(ReopenedHistory):
    def new_bench(self, folder: Path) -> Bench:
        return RedisBench()


class EvictingRedisHistory(RedisHistory):
    eviction = "removeOldest"


def history(machine: type[History], examples: int) -> type:
    case = machine.TestCase
    case.settings = settings(
        max_examples=examples,
        stateful_step_count=25,
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes where servers are asked
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    return case


TestInMemory = history(History, 40)
TestInMemoryEvicting = history(EvictingHistory, 40)
TestVsam = history(VsamHistory, 12)
TestVsamEvicting = history(EvictingVsamHistory, 12)
TestEtcd = history(EtcdHistory, 8)
TestEtcdEvicting = history(EvictingEtcdHistory, 8)
TestRedis = history(RedisHistory, 12)
TestRedisEvicting = history(EvictingRedisHistory, 12)
