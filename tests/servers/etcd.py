"""etcd: one member, or three that elect a leader in about half a second."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers.process import ServerProcess, needed, until

CLIENTS, PEERS = 2379, 2380
NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Member(ServerProcess):
    def __init__(self, folder: Path, hosts: list[str], number: int, *options: str) -> None:
        name, self.host = f"etcd{number}", hosts[number]
        cluster = ",".join(f"etcd{n}=http://{host}:{PEERS}" for n, host in enumerate(hosts))
        clients, peers = f"http://{self.host}:{CLIENTS}", f"http://{self.host}:{PEERS}"
        command = [
            needed("etcd", "etcd-server"), "--name", name, "--data-dir", str(folder / name), "--log-level", "error",
            "--listen-client-urls", clients, "--advertise-client-urls", clients, "--listen-peer-urls", peers,
            "--initial-advertise-peer-urls", peers, "--initial-cluster", cluster, "--initial-cluster-state", "new",
            "--heartbeat-interval", "50", "--election-timeout", "500", *options,
        ]  # fmt: skip
        super().__init__(name, command, (self.host, CLIENTS), folder)

    @property
    def endpoint(self) -> str:
        return f"{self.host}:{CLIENTS}"

    def ask(self, path: str, **body: Any) -> Any:
        asked = urllib.request.Request(f"http://{self.endpoint}/v3/{path}", json.dumps(body).encode())
        with NO_PROXY.open(asked, timeout=2) as answer:
            return json.load(answer)

    def leads(self) -> bool:
        try:
            said = self.ask("maintenance/status")
        except OSError:
            return False
        return bool(said.get("leader")) and said["leader"] == said["header"]["member_id"]


class Etcd:
    def __init__(self, folder: Path, hosts: list[str], *options: str) -> None:
        self.members = [Member(folder, hosts, number, *options) for number in range(len(hosts))]

    @property
    def endpoints(self) -> list[str]:
        return [member.endpoint for member in self.members]

    def leader(self) -> Member:
        found: list[Member] = []

        def look() -> bool:
            found[:] = [member for member in self.members if member.running and member.leads()]
            return bool(found)

        until("etcd has a leader", look)
        return found[0]


@contextmanager
def etcd(folder: Path, hosts: list[str], *options: str) -> Iterator[Etcd]:
    made = Etcd(folder, hosts, *options)
    try:
        for member in made.members:
            member.start()
        made.leader()
        yield made
    finally:
        for member in made.members:
            member.kill()
