"""The setting for Redis in its forms, and refusals that never show a password."""

from __future__ import annotations

from typing import Any

import pytest

from caching.backends.redis.settings import Login, Node, RedisSettings, Tls
from caching.limits import Limit
from caching.settings import StorageChoice, choose
from shared.errors import ConfigError

NODES = (Node("h1", 26379), Node("h2", 26380))


def redis(setting: Any) -> RedisSettings:
    choice = choose(setting)
    assert choice.mode == "redis"
    return choice.redis


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("redis://h", RedisSettings(Node("h", 6379))),
        ("redis://h:1", RedisSettings(Node("h", 1))),
        ("redis://me:s3@h:1/2", RedisSettings(Node("h", 1), Login("me", "s3"), 2)),
        ("redis://:s%403%2F@h:1", RedisSettings(Node("h", 1), Login("", "s@3/"))),
        ("redis://s3@h:1", RedisSettings(Node("h", 1), Login("", "s3"))),
        ("redis://h:1?minReplicas=2", RedisSettings(Node("h", 1), min_replicas=2)),
        ("rediss://h:1", RedisSettings(Node("h", 1), tls=Tls())),
        ("redis+sentinel://h1,h2:26380/m", RedisSettings(Node("", 0), sentinels=NODES, master="m")),
        (
            "redis+sentinel://me:s3@h1:26379,h2:26380/m?db=3&sentinelUser=you&sentinelPassword=s4",
            RedisSettings(Node("", 0), Login("me", "s3"), 3, NODES, "m", Login("you", "s4")),
        ),
    ],
)
def test_urls(text: str, wanted: RedisSettings) -> None:
    assert redis(text) == wanted


def test_zowes_mapping() -> None:
    section = {
        "masterNodeUri": "me:s3@h:1",
        "timeout": 60,
        "sentinel": {"enabled": True, "masterInstance": "m", "nodes": ["s4@h1:26379", "h2:26380"]},
        "ssl": {"enabled": True, "keyStore": "/k.pem", "keyStorePassword": "s5", "trustStore": "/t.pem"},
    }
    choice = choose({"mode": "redis", "redis": section})
    tls = Tls("/t.pem", "/k.pem", "s5")
    assert choice.redis == RedisSettings(Node("h", 1), Login("me", "s3"), 0, NODES, "m", Login("", "s4"), tls)
    assert choice.notes == (
        "components.caching.storage.redis.timeout does not apply here; writeDeadlineS and readDeadlineS do",
    )


def test_sentinels_and_tls_can_be_switched_off() -> None:
    section = {"masterNodeUri": "h", "sentinel": {"enabled": False, "nodes": ["x"]}, "ssl": {"enabled": False}}
    assert redis({"mode": "redis", "redis": section}) == RedisSettings(Node("h", 6379))


def test_limits_are_for_each_owner_and_size_is_told_to_be_of_no_use() -> None:
    choice = choose("redis://h?evictionStrategy=removeOldest&quotaEntries=5&quotaBytes=7&size=3")
    assert choice.limit == Limit(None, "removeOldest", 5, 7)
    assert "size does not apply to redis" in choice.notes[0]
    assert choose("redis://h") == StorageChoice(
        "redis", Limit(None, owner_entries=10_000), redis=RedisSettings(Node("h", 6379))
    )


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"mode": "redis"}, "redis.masterNodeUri: expected [[user:]password@]host:port"),
        ("redis://", "masterNodeUri: expected"),
        ("redis://h:0", "masterNodeUri: expected"),
        ("redis://h:99999", "masterNodeUri: expected"),
        ("redis://me:s3cret", "masterNodeUri: expected"),
        ("redis://me:s3cret@", "masterNodeUri: expected"),
        ("redis://:s3cret?x@h:1", "have to be written with %"),
        ("redis://:s3cret#x@h:1", "have to be written with %"),
        ("redis://h/x", "redis.db: expected a whole number from 0"),
        ("redis://h?minReplica=1", "storage.minReplica: unknown key"),
        ("redis://h?quotaEntrys=1", "did you mean 'quotaEntries'?"),
        ("redis://h?cluster=true", "storage.cluster: unknown key"),
        ("redis+sentinel://h1:1", "masterInstance: expected the name"),
        ("redis+sentinel://:s3cret@/m", "sentinel.nodes: expected"),
        ("redsi://:s3cret@h", "did you mean 'redis'?"),
        ({"mode": "redis", "redis": {"masterNodeUrl": "s3cret"}}, "did you mean 'masterNodeUri'?"),
        ({"mode": "redis", "redis": {"masterNodeUri": "h", "sentinel": {"node": []}}}, "did you mean 'nodes'?"),
        (
            {"mode": "redis", "redis": {"masterNodeUri": "h", "sentinel": "s3cret"}},
            "sentinel: expected keys and values",
        ),
        ({"mode": "redis", "redis": {"masterNodeUri": "h", "ssl": {"enabled": "no"}}}, "expected true or false"),
        ({"mode": "redis", "redis": {"masterNodeUri": "h", "ssl": {"keyStore": "k.p12"}}}, "a file in PEM form"),
        ({"mode": "redis", "redis": {"masterNodeUri": "h", "minReplicas": -1}}, "minReplicas: expected"),
    ],
)
def test_refusals_name_the_key_and_no_password(setting: Any, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        choose(setting)
    assert says in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_no_password_is_in_a_representation() -> None:
    text = "redis+sentinel://me:s3cret@h1:1/m?sentinelPassword=s3cret"
    tls = {"enabled": True, "keyStorePassword": "s3cret"}
    for setting in (text, {"mode": "redis", "redis": {"masterNodeUri": "s3cret@h", "ssl": tls}}):
        assert "s3cret" not in repr(choose(setting))
