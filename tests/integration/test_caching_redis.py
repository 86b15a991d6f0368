"""The cache on one real Redis: killed, frozen, full, refused, damaged, and unlike what it should be."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

from caching.backends.redis import scripts
from caching.backends.redis.keys import Keys
from caching.backends.redis.scripts import LONGEST_VALUE
from caching.backends.redis.storage import RedisStorage
from caching.conditions import ABSENT
from caching.entries import Name
from caching.limits import Limit
from caching.refusals import Corrupt, Exists, Full, Missing, OutcomeUnknown, ValueTooLong, VolumeFull
from caching.settings import choose
from caching.writes import Delete
from shared.errors import ConfigError, Unavailable
from shared.events import Events
from tests.contract.calls import clear, create, delete, entries, get, items, put, put_item, replace
from tests.contract.storages import SetClock
from tests.integration.caching_rig import ME, Instance, apoll, instances
from tests.nemesis.link import link
from tests.servers.process import needed, until
from tests.servers.redis import PORT, RedisNode, redis_node

N = os.getpid() % 250 + 1
HOST, LINK = f"127.0.144.{N}", f"127.0.145.{N}"
PASSWORD = "s3cret"

New = Callable[..., RedisStorage]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisNode]:
    with redis_node(tmp_path, HOST) as made:
        yield made


@pytest.fixture
async def new() -> AsyncIterator[New]:
    made: list[RedisStorage] = []

    def new_one(
        url: str | dict[str, object] = f"redis://{HOST}", limit: Limit | None = None, **more: object
    ) -> RedisStorage:
        usual = {"sysplex": "TEST", "instance": "test", "write_deadline_s": 1.0, "read_deadline_s": 5.0}
        events, clock = Events(logging.getLogger("test")), SetClock()
        made.append(RedisStorage(choose(url).redis, events, clock, limit or Limit(None), **(usual | more)))  # type: ignore[arg-type]
        return made[-1]

    yield new_one
    for each in made:
        await each.close()


@pytest.fixture
async def storage(server: RedisNode, new: New) -> RedisStorage:
    made = new()
    await made.open()
    return made


async def comes_back(write: Callable[[], Awaitable[object]]) -> None:
    async def done() -> bool:
        try:
            await write()
        except (Unavailable, OutcomeUnknown):
            return False
        return True

    await apoll("a write is taken again", done)


# --- killed, frozen, cut off


async def test_what_was_acknowledged_is_there_when_the_server_was_killed_and_comes_back(
    server: RedisNode, storage: RedisStorage
) -> None:
    for n in range(50):
        await put(storage, "me", f"k{n}", b"v")
    server.kill()
    with pytest.raises(Unavailable):
        await put(storage, "me", "no", b"v")
    with pytest.raises(Unavailable):
        await get(storage, "me", "k1")
    await asyncio.to_thread(server.up)
    await comes_back(lambda: put(storage, "me", "again", b"v"))
    held = {each.name.key for each in await entries(storage, "me")}
    assert held == {f"k{n}" for n in range(50)} | {"again"}
    assert (await storage.usage("me")).entries == 51


async def test_a_server_that_restarts_while_nobody_calls_leaves_no_doubt(
    server: RedisNode, storage: RedisStorage
) -> None:
    await put(storage, "me", "k", b"v")
    server.kill()
    await asyncio.to_thread(server.up)
    await put(storage, "me", "k", b"w")
    assert (await get(storage, "me", "k")).value == b"w"


async def test_of_writes_to_a_frozen_server_only_those_that_were_sent_are_unknown(
    server: RedisNode, storage: RedisStorage
) -> None:
    await put(storage, "me", "k", b"v")
    await asyncio.to_thread(server.freeze)
    sent = asyncio.create_task(put(storage, "me", "sent", b"v"))
    await apoll("it has arrived", lambda: asyncio.to_thread(arrived))
    waits = [put(storage, "me", f"waits{n}", b"v") for n in range(3)]
    outcomes = await asyncio.gather(sent, *waits, return_exceptions=True)
    with pytest.raises(Unavailable):
        await get(storage, "me", "k")
    server.thaw()
    assert [type(each) for each in outcomes] == [OutcomeUnknown, Unavailable, Unavailable, Unavailable]
    await comes_back(lambda: put(storage, "me", "after", b"v"))
    assert {each.name.key for each in await entries(storage, "me")} - {"sent"} == {"k", "after"}


def arrived() -> bool:
    """Something longer than a probe waits for the server to read it."""
    address = "".join(f"{int(part):02X}" for part in reversed(HOST.split("."))) + f":{PORT:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    return any(row[1] == address and int(row[4].partition(":")[2], 16) > 200 for row in rows[1:])


async def test_a_write_whose_answer_got_lost_is_found_by_its_id(server: RedisNode, new: New) -> None:
    async with link(LINK, PORT, (HOST, PORT)) as way:
        storage = new(f"redis://{LINK}", write_deadline_s=5.0)
        await storage.open()
        made = await create(storage, "me", "k", b"0")
        way.slow(0.5)
        under_way = asyncio.create_task(create(storage, "me", "lost", b"v"))
        removing = asyncio.create_task(delete(storage, "me", "k"))
        await apoll("both have arrived", lambda: asyncio.to_thread(_is_done, server))
        way.cut()
        way.heal()
        assert (await under_way).first
        with pytest.raises(OutcomeUnknown):  # nothing tells who removed it
            await removing
        assert [each.name.key for each in await entries(storage, "me")] == ["lost"]
        assert made.rev == 1
        await storage.close()


def _is_done(server: RedisNode) -> bool:
    return [server.ask("EXISTS", f"plexmesh:TEST:{{2:me}}:e{key}") for key in ("lost", "k")] == [1, 0]


async def test_a_script_that_was_forgotten_is_loaded_again(server: RedisNode, storage: RedisStorage) -> None:
    await put(storage, "me", "k", b"v")
    server.ask("SCRIPT", "FLUSH")
    await asyncio.gather(*(put(storage, "me", f"k{n}", b"v") for n in range(20)))
    assert (await storage.usage("me")).entries == 21


# --- refused


async def test_a_server_without_memory_is_full_and_still_gives_and_drops(
    server: RedisNode, storage: RedisStorage
) -> None:
    await put(storage, "me", "k", b"v")
    await put(storage, "me", "l", b"v")
    server.ask("CONFIG", "SET", "maxmemory", "1mb")
    with pytest.raises(VolumeFull):
        await put(storage, "me", "m", b"v" * 1000)
    assert any("no memory left" in each for each in storage.remarks())
    assert {each.name.key for each in await entries(storage, "me")} == {"k", "l"}
    await delete(storage, "me", "k")
    assert await clear(storage, "me") == 1
    server.ask("CONFIG", "SET", "maxmemory", "0")
    await put(storage, "me", "m", b"v")
    assert (await storage.usage("me")).entries == 1
    assert storage.remarks() == []


async def test_too_few_replicas_refuse_writes_and_leave_reads(server: RedisNode, storage: RedisStorage) -> None:
    await put(storage, "me", "k", b"v")
    server.ask("CONFIG", "SET", "min-replicas-to-write", "1")
    for write in (put(storage, "me", "l", b"v"), delete(storage, "me", "k"), clear(storage, "me")):
        with pytest.raises(Unavailable, match="too few replicas"):
            await write
    with pytest.raises(Exists):
        await create(storage, "me", "k", b"v")
    assert [each.name.key for each in await entries(storage, "me")] == ["k"]
    await storage.probe()
    assert "replicas connected: 0, needed for writes: 1" in storage.remarks()
    server.ask("CONFIG", "SET", "min-replicas-to-write", "0")
    await put(storage, "me", "l", b"v")
    assert (await storage.usage("me")).entries == 2


async def test_a_server_that_has_become_a_replica_is_left_alone(server: RedisNode, storage: RedisStorage) -> None:
    await put(storage, "me", "k", b"v")
    server.ask("REPLICAOF", HOST, "1")
    with pytest.raises(Unavailable):
        await put(storage, "me", "l", b"v")
    server.ask("REPLICAOF", "NO", "ONE")
    await comes_back(lambda: put(storage, "me", "m", b"v"))
    assert {each.name.key for each in await entries(storage, "me")} == {"k", "m"}


@pytest.mark.parametrize(
    ("options", "url", "says"),
    [
        ({"requirepass": PASSWORD}, f"redis://:wr0ng@{HOST}", "refuses the login"),
        ({"requirepass": PASSWORD}, f"redis://{HOST}", "refuses the login"),
        ({"maxmemory-policy": "allkeys-lru"}, f"redis://{HOST}", "maxmemory-policy is allkeys-lru"),
        ({"cluster-enabled": "yes"}, f"redis://{HOST}", "belongs to a Redis Cluster"),
        ({"min-replicas-to-write": 0}, f"redis://{HOST}?minReplicas=1", "says minReplicas 1"),
    ],
)
async def test_servers_that_never_can_are_refused(
    tmp_path: Path, new: New, options: dict[str, object], url: str, says: str
) -> None:
    with redis_node(tmp_path, HOST, **options), pytest.raises(ConfigError) as refused:
        await new(url).open()
    assert says in str(refused.value)
    assert PASSWORD not in str(refused.value)
    assert "wr0ng" not in str(refused.value)


async def test_a_server_that_is_not_there_yet_can_be_opened_later(tmp_path: Path, new: New) -> None:
    storage = new()
    with pytest.raises(Unavailable, match="cannot be reached"):
        await storage.open()
    assert storage.why()
    with redis_node(tmp_path, HOST, appendonly="no"):
        await storage.open()
        assert storage.why() == []
        assert "appendonly is off" in storage.remarks()[0]
        assert not storage.capabilities.durable
        await storage.close()


async def test_what_another_format_or_sysplex_wrote_is_not_touched(server: RedisNode, new: New) -> None:
    server.ask("SET", "plexmesh:TEST:about", "2 TEST")
    with pytest.raises(ConfigError, match=r"written as '2 TEST'.*writes '1 TEST'"):
        await new().open()


async def test_a_user_who_may_not_ask_for_the_configuration_is_remarked(server: RedisNode, new: New) -> None:
    server.ask("ACL", "SETUSER", "me", "on", f">{PASSWORD}", "~plexmesh:*", "+@all", "-config")
    storage = new(f"redis://me:{PASSWORD}@{HOST}")
    await storage.open()
    await put(storage, "me", "k", b"v")
    assert storage.remarks() == ["CONFIG GET is forbidden: min-replicas-to-write could not be checked"]
    assert PASSWORD not in str(storage.details())


async def test_over_tls_the_server_has_to_prove_itself(tmp_path: Path, new: New) -> None:
    pem, subject = tmp_path / "server.pem", ["-subj", "/CN=redis", "-addext", f"subjectAltName=IP:{HOST}"]
    command = [needed("openssl", "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    files = ["-nodes", "-days", "2", "-keyout", str(pem), "-out", str(tmp_path / "ca.pem")]
    await asyncio.to_thread(subprocess.run, [*command, *files, *subject], check=True, capture_output=True)
    tls = {"port": 0, "tls-port": PORT, "tls-key-file": pem, "tls-cert-file": tmp_path / "ca.pem"}
    server = RedisNode(tmp_path, HOST, **tls, **{"tls-ca-cert-file": tmp_path / "ca.pem", "tls-auth-clients": "no"})
    try:
        server.start()
        await asyncio.to_thread(until, "it listens", server.listens)
        with pytest.raises(Unavailable, match="certificate"):
            await new(f"rediss://{HOST}").open()
        section = {"masterNodeUri": HOST, "ssl": {"enabled": True, "trustStore": str(tmp_path / "ca.pem")}}
        storage = new({"mode": "redis", "redis": section})
        await storage.open()
        await put(storage, "me", "k", b"v" * 100_000)
        assert len((await get(storage, "me", "k")).value) == 100_000
        await storage.close()
    finally:
        server.kill()


# --- damaged, odd, long


async def test_a_key_of_a_wrong_kind_is_damaged_and_spoils_no_other(server: RedisNode, storage: RedisStorage) -> None:
    await put(storage, "me", "good", b"v")
    for key in ("text", "short"):
        await put(storage, "me", key, b"v")
    server.ask("SET", "plexmesh:TEST:{2:me}:etext", "x")
    server.ask("HDEL", "plexmesh:TEST:{2:me}:eshort", "r")
    for key in ("text", "short"):
        with pytest.raises(Corrupt):
            await get(storage, "me", key)
        with pytest.raises(Corrupt):
            await replace(storage, "me", key, b"w")
    assert [each.name.key for each in await entries(storage, "me")] == ["good"]
    await put(storage, "me", "other", b"v")
    assert await clear(storage, "me") == 4
    assert (await storage.usage("me")).bytes == 0
    await create(storage, "me", "text", b"v")


@pytest.mark.parametrize("size", [0, 1, 100, 70_000, 1 << 20, 8 << 20])
async def test_values_of_any_size(storage: RedisStorage, size: int) -> None:
    value = os.urandom(size)
    await put(storage, "me", "k", value, type="image/png")
    assert (await get(storage, "me", "k")).value == value


async def test_a_value_too_long_is_refused_after_its_condition(server: RedisNode, new: New) -> None:
    storage = new(limit=Limit(None, owner_bytes=1 << 30), write_deadline_s=10.0)
    await storage.open()
    await put(storage, "me", "k", b"v")
    value = bytes(LONGEST_VALUE + 1)
    with pytest.raises(Exists):
        await put(storage, "me", "k", value, ABSENT)
    with pytest.raises(ValueTooLong):
        await put(storage, "me", "k", value)
    assert (await get(storage, "me", "k")).value == b"v"


async def test_owners_lists_and_keys_of_any_text_are_apart(storage: RedisStorage) -> None:
    texts = ["", "{", "}", "{}", "a}b", "1:a", ":", "a", "e", "i1:a", "\r\n", "\0", "ü"]
    for owner in texts:
        for key in texts:
            await put(storage, owner, key, f"{owner}|{key}".encode())
            await put_item(storage, owner, key, owner, b"item")
    for owner in texts:
        held = {each.name.key: each.value.decode() for each in await entries(storage, owner)}
        assert held == {key: f"{owner}|{key}" for key in texts}
        assert await storage.maps(owner) == sorted(texts, key=str.encode)
    await clear(storage, "}")
    assert (await storage.usage("}")).entries == 0
    assert (await storage.usage("a}b")).entries == len(texts)


# --- what has expired


async def test_what_has_expired_is_swept_and_counted(server: RedisNode, new: New) -> None:
    storage = new()
    await storage.open()
    for owner in ("me", "you"):
        await put(storage, owner, "stays", b"v")
        for n in range(120):
            await put(storage, owner, f"k{n}", b"v", ttl_ms=1_000, map="list" if n % 2 else None)
    before = server.ask("DBSIZE")
    storage._clock.ahead_ms = 1_001  # type: ignore[attr-defined]
    assert await storage.sweep() == 240
    assert await storage.sweep() == 0
    for owner in ("me", "you"):
        used = await storage.usage(owner)
        assert (used.entries, used.items, used.bytes) == (1, 0, 6)
        assert await storage.maps(owner) == []
    assert server.ask("DBSIZE") == before - 240 - 2 * 3  # x, m and the list's index go too


async def test_a_list_is_evicted_of_what_was_seen_and_not_of_what_was_written_meanwhile(storage: RedisStorage) -> None:
    seen = [await put_item(storage, "me", "list", key, b"0") for key in ("a", "b")]
    await put_item(storage, "me", "list", "a", b"1")
    command = scripts.drop(Keys("TEST"), "me", seen, SetClock().now_ms())
    assert await storage._writes.ask(*command, within_s=1.0) == [b"removed", 1]
    assert [each.value for each in await items(storage, "me", "list")] == [b"1"]


async def test_a_write_that_does_not_grow_fits_into_a_quota_made_smaller(storage: RedisStorage, new: New) -> None:
    await put(storage, "me", "k", b"v" * 100)
    smaller = new(limit=Limit(None, owner_bytes=10))
    await smaller.open()
    await put(smaller, "me", "k", b"v" * 99)
    with pytest.raises(Full):
        await put(smaller, "me", "k", b"v" * 100)


# --- the server and what is kept there, from outside


async def test_nothing_is_left_of_what_has_gone(server: RedisNode, storage: RedisStorage) -> None:
    """However it went: deleted, replaced by what stays, cleared, evicted for room."""
    for key in ("deleted", "stays", "cleared"):
        await put(storage, "me", key, b"v", ttl_ms=60_000)
        await put(storage, "me", key, b"v", map="list", ttl_ms=60_000)
    await delete(storage, "me", "deleted")
    await storage.write(Delete(Name("me", "deleted", "list")))
    await put(storage, "me", "stays", b"v")
    await put_item(storage, "me", "list", "stays", b"v")
    base = "plexmesh:TEST:{2:me}:"
    assert server.ask("ZRANGE", f"{base}k", 0, -1) == [b"cleared", b"stays"]
    assert server.ask("ZRANGE", f"{base}a", 0, -1) == [b"cleared", b"stays"]  # in the order of their writes
    assert server.ask("ZRANGE", f"{base}x", 0, -1) == [b"ecleared", b"i4:listcleared"]
    await clear(storage, "me")
    left = {f"{base}u", f"{base}m", f"{base}x", f"{base}l4:list", f"{base}i4:listcleared", f"{base}i4:liststays"}
    assert {each.decode() for each in server.ask("KEYS", f"{base}*")} == left
    assert server.ask("ZRANGE", f"{base}x", 0, -1) == [b"i4:listcleared"]


async def test_over_rest_with_a_password_that_is_nowhere_to_be_seen(tmp_path: Path) -> None:
    with redis_node(tmp_path, HOST, requirepass=PASSWORD) as server:
        times = {"writeDeadlineS": 0.5, "readDeadlineS": 1.0}
        one, other = (Instance(tmp_path, n, storage=f"redis://:{PASSWORD}@{HOST}", **times) for n in (1, 2))
        wrong = Instance(tmp_path, 3, storage=f"redis://:wr0ng@{HOST}").start()
        with instances(one, other, wrong):
            one.up()
            other.up()
            async with aiohttp.ClientSession() as session:
                url, body = f"{one.url}/cache", {"key": "k", "value": "v"}
                async with session.post(url, json=body, headers=ME) as answer:
                    assert answer.status == 201
                async with session.get(f"{other.url}/cache/k", headers=ME) as answer:
                    assert (await answer.json())["value"] == "v"
                server.kill()
                for method in ("POST", "GET"):
                    async with session.request(method, url, json={"key": "l", "value": "v"}, headers=ME) as answer:
                        assert answer.status == 503, await answer.text()
                        assert "Retry-After" in answer.headers
                async with session.get(f"http://{one.host}:7555/application/health") as answer:
                    assert PASSWORD not in await answer.text()
            assert wrong.ended() == 2
            for each in (one, other, wrong):
                assert PASSWORD not in each.logged
                assert "wr0ng" not in each.logged
                assert "Traceback" not in each.logged
            assert "refuses the login" in wrong.logged


async def test_a_slow_change_by_somebody_else_is_seen_at_once(server: RedisNode, new: New) -> None:
    """Two instances, one server: nobody answers from memory."""
    one, other = new(), new()
    await one.open()
    await other.open()
    made = await create(one, "me", "k", b"0")
    for n in range(50):
        made = await put(one if n % 2 else other, "me", "k", str(n).encode())
        assert await get(other if n % 2 else one, "me", "k") == made
    await delete(one, "me", "k")
    with pytest.raises(Missing):
        await get(other, "me", "k")
