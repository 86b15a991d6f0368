"""Redis: one node; or a primary, replicas and sentinels, whose failover takes about two seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from tests.servers.process import ServerProcess, needed, until

PORT, SENTINEL_PORT = 6379, 26379
MASTER = "mymaster"
EVERYSEC = {"appendonly": "yes", "appendfsync": "everysec"}


class RedisNode(ServerProcess):
    """Options as in redis.conf. Its data stay in the folder when it is killed and started again."""

    def __init__(self, folder: Path, host: str, name: str = "redis", **options: object) -> None:
        self.host = host
        self.folder = folder / name
        self.folder.mkdir(exist_ok=True)
        given = {"bind": host, "port": PORT, "dir": self.folder, "save": '""', **EVERYSEC, **options}
        lines = [f"{key.replace('_', '-')} {value}" for key, value in given.items()]
        config = self.folder / "redis.conf"
        config.write_text("\n".join(lines) + "\n")
        super().__init__(name, [needed("redis-server", "redis-server"), str(config)], (host, PORT), folder)
        self._password = str(options.get("requirepass", "")) or None

    @property
    def url(self) -> str:
        return f"redis://{self.host}:{PORT}"

    def ask(self, *command: Any) -> Any:
        with redis.Redis(self.host, PORT, password=self._password, socket_timeout=5, protocol=2) as client:
            return client.execute_command(*command)

    def answers(self) -> bool:
        """Not while it loads its data."""
        try:
            return bool(self.ask("PING"))
        except redis.RedisError:
            assert self.running, f"{self.name} has ended: {self.said()}"
            return False

    def up(self) -> RedisNode:
        self.start()
        until(f"{self.name} answers", self.answers)
        return self


class SentinelNode(ServerProcess):
    def __init__(self, folder: Path, host: str, primary: str, quorum: int, **options: object) -> None:
        self.host = host
        name = f"sentinel-{host}"
        (folder / name).mkdir(exist_ok=True)
        config = folder / name / "sentinel.conf"
        given = {"down-after-milliseconds": 1000, "failover-timeout": 3000, "parallel-syncs": 2} | options
        config.write_text(
            f"bind {host}\nsentinel announce-ip {host}\nport {SENTINEL_PORT}\ndir {folder / name}\n"
            f"sentinel monitor {MASTER} {primary} {PORT} {quorum}\n"
            + "".join(f"sentinel {key} {MASTER} {value}\n" for key, value in given.items())
        )
        command = [needed("redis-sentinel", "redis-sentinel"), str(config)]
        super().__init__(name, command, (host, SENTINEL_PORT), folder)

    def says(self) -> Mapping[str, Any]:
        with redis.Redis(self.host, SENTINEL_PORT, socket_timeout=5, protocol=2) as client:
            return dict(client.sentinel_master(MASTER))


class Trio:
    """A primary and its replicas, each with a sentinel beside it."""

    def __init__(self, folder: Path, hosts: Sequence[str], *, min_replicas: int = 1, sentinels: int = 3) -> None:
        guards = {"min-replicas-to-write": min_replicas, "min-replicas-max-lag": 1}
        common: dict[str, Any] = {**guards, "repl-diskless-sync-delay": 0, "repl-ping-replica-period": 1}
        replica: dict[str, Any] = {"replicaof": f"{hosts[0]} {PORT}"}
        self.nodes = []
        for number, host in enumerate(hosts):
            options = {**common, "replica-announce-ip": host} | (replica if number else {})
            self.nodes.append(RedisNode(folder, host, f"redis-{host}", **options))
        quorum = sentinels // 2 + 1
        self.sentinels = [SentinelNode(folder, host, hosts[0], quorum) for host in hosts[:sentinels]]

    @property
    def url(self) -> str:
        nodes = ",".join(f"{each.host}:{SENTINEL_PORT}" for each in self.sentinels)
        return f"redis+sentinel://{nodes}/{MASTER}"

    @property
    def primary(self) -> RedisNode:
        return next(each for each in self.nodes if each.host == self.sentinels[0].says()["ip"])

    def start(self) -> None:
        for each in self.nodes:
            each.up()
        until("the replicas are connected", lambda: len(self.nodes[0].ask("ROLE")[2]) == len(self.nodes) - 1)
        for sentinel in self.sentinels:
            sentinel.start()
            until(f"{sentinel.name} listens", sentinel.listens)
        until("the sentinels know each other and the replicas", self._complete)

    def _complete(self) -> bool:
        said = [each.says() for each in self.sentinels]
        others, replicas = len(self.sentinels) - 1, len(self.nodes) - 1
        return all(
            each["num-other-sentinels"] == others and each["num-slaves"] == replicas and each["flags"] == "master"
            for each in said
        )


@contextmanager
def redis_node(folder: Path, host: str, **options: Any) -> Iterator[RedisNode]:
    made = RedisNode(folder, host, **options)
    try:
        yield made.up()
    finally:
        made.kill()


@contextmanager
def trio(folder: Path, hosts: Sequence[str], **options: Any) -> Iterator[Trio]:
    made = Trio(folder, hosts, **options)
    try:
        made.start()
        yield made
    finally:
        for each in (*made.sentinels, *made.nodes):
            each.kill()
