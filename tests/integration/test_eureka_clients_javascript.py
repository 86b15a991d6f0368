"""What eureka-js-client trips over, each a test; it is skipped where Node.js or the package is missing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.discovery_rig import PORT, DiscoveryNode
from tests.integration.eureka_rig import CLIENT_HOST, Client, ask, instance, listed, needs_javascript, pair
from tests.integration.launcher_rig import poll

HOSTS = [f"127.0.{third}.{os.getpid() % 250 + 1}" for third in (115, 116)]

Nodes = tuple[DiscoveryNode, DiscoveryNode]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    needs_javascript()
    with pair(tmp_path_factory.mktemp("nodes"), *HOSTS) as both:
        yield both


@contextlib.contextmanager
def client(folder: Path, app: str, *nodes: DiscoveryNode, **options: object) -> Iterator[Client]:
    started = Client(folder, "eureka-js-client", app, 9200, *nodes, **options)
    try:
        yield started.started()
    finally:
        started.kill()


def register(node: DiscoveryNode, app: str, id: str, **fields: Any) -> None:
    assert ask(node, "POST", f"/eureka/apps/{app}", instance(app, id, **fields))[0] == 204


def test_its_own_example_of_a_configuration_works(nodes: Nodes, tmp_path: Path) -> None:
    """The default path, a bare number for a port, no id, no class of a data center: and 204 and 200 to the letter."""
    example = {
        "instance": {
            "app": "jqservice",
            "hostName": CLIENT_HOST,
            "ipAddr": CLIENT_HOST,
            "port": 8080,
            "vipAddress": "jq.test.example",
            "dataCenterInfo": {"name": "MyOwn"},
        },
        "eureka": {"host": nodes[0].host, "port": PORT, "heartbeatInterval": 200, "maxRetries": 0},
    }
    key = f"JQSERVICE/{CLIENT_HOST}"
    with client(tmp_path, "jqservice", nodes[0], **example) as shop:
        assert {"registered", "registryUpdated"} <= set(shop.ask("emitted"))
        poll("it is on both", lambda: all(listed(node).get(key) == "UP" for node in nodes))
        assert shop.ask("vip", "jq.test.example") == [CLIENT_HOST]
        poll("a heartbeat was answered with 200", lambda: "heartbeat" in shop.ask("emitted"))
        shop.ask("stop")
        assert "deregistered" in shop.ask("emitted")
        assert key not in listed(nodes[0])
        assert "FAILED" not in shop.log.read_text()


def test_a_heartbeat_for_nobody_makes_it_register_again(nodes: Nodes, tmp_path: Path) -> None:
    with client(tmp_path, "Again", nodes[0], interval_s=0.2) as shop:
        poll("it has registered", lambda: "registered" in shop.ask("emitted"))
        assert ask(nodes[0], "DELETE", f"/eureka/apps/{shop.key}")[0] == 200
        poll("it has registered again", lambda: "registered" in shop.ask("emitted"))
        assert listed(nodes[0])[shop.key] == "UP"


def test_it_follows_by_deltas(nodes: Nodes, tmp_path: Path) -> None:
    """It never compares hashes, so what a delta leaves out stays wrong: all has to be in it, and `application` always
    a list. Apps of one instance each, since it takes the wrong one out of larger ones.
    """
    with client(tmp_path, "Deltas", nodes[0], shouldUseDelta=True, interval_s=0.2) as shop:
        assert shop.view()[shop.key] == "UP"
        register(nodes[1], "DELTA", "d1")
        shop.sees("DELTA/d1", "UP")
        assert ask(nodes[1], "PUT", "/eureka/apps/DELTA/d1/status?value=OUT_OF_SERVICE")[0] == 200
        shop.sees("DELTA/d1", "OUT_OF_SERVICE")
        assert ask(nodes[1], "DELETE", "/eureka/apps/DELTA/d1/status")[0] == 200
        shop.sees("DELTA/d1", "UP")
        assert ask(nodes[1], "DELETE", "/eureka/apps/DELTA/d1")[0] == 200
        shop.sees("DELTA/d1", None)
        log = shop.log.read_text()
        assert "retrieved delta successfully" in log
        assert "Error fetching" not in log
        assert log.count("retrieved full registry successfully") == 1


def test_ports_go_out_as_numbers_however_they_came(nodes: Nodes, tmp_path: Path) -> None:
    """It tells instances apart by host and port, compared without conversion."""
    register(nodes[1], "TEXTUAL", "t1", port={"$": "8081", "@enabled": True})
    with client(tmp_path, "Ports", nodes[0], interval_s=0.2) as shop:
        shop.sees("TEXTUAL/t1", "UP")
        assert shop.ask("port", "TEXTUAL") == {"$": 8081, "@enabled": "true"}


def test_only_who_is_up_is_kept_by_default(nodes: Nodes, tmp_path: Path) -> None:
    register(nodes[1], "MIXED", "up")
    register(nodes[1], "MIXED", "down", status="DOWN")
    poll("both are at its node", lambda: {"MIXED/up", "MIXED/down"} <= listed(nodes[0]).keys())
    servers = {"default": [f"{nodes[0].url}/eureka/apps/"]}
    with client(tmp_path, "Filter", nodes[0], eureka={"serviceUrls": servers}) as shop:
        assert "MIXED/up" in shop.view()
        assert "MIXED/down" not in shop.view()
