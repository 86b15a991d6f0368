"""A node and its disk: what is kept over a restart, and what is said when a snapshot cannot be read or written."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from discovery import disk
from tests.integration.discovery_rig import LPAR1, LPAR2, DiscoveryNode, running
from tests.integration.launcher_rig import poll, request

SMALL_DISK_BYTES = 65_536


@pytest.fixture
def node(tmp_path: Path) -> Iterator[DiscoveryNode]:
    """One node whose disk is written every 0.1 s, not started."""
    node = DiscoveryNode(tmp_path, "LPAR1", LPAR1, LPAR1, LPAR2, snapshot_s=0.1)
    yield node
    node.kill()


def saved(node: DiscoveryNode) -> set[str]:
    """The ids in its snapshot."""
    if not node.snapshot.exists():
        return set()
    image = disk.load(node.snapshot, "PLEX1", node.lpar)
    assert image is not None
    return {record.key for space in image.spaces for record in space.records if record.live}


def stale(node: DiscoveryNode) -> bool:
    return bool(node.get("/v1/summary").get("stale"))


def test_a_node_that_finds_no_peer_serves_what_it_had_and_says_that_it_is_stale(node: DiscoveryNode) -> None:
    node.started()
    assert not stale(node)
    node.register("i1", "i2", "i3")
    assert node.eureka("DELETE", "ORDERS/i3") == 200
    poll("it is on disk", lambda: saved(node) >= {"orders/i1", "orders/i2"} and "orders/i3" not in saved(node))
    epoch = node.get("/v1/summary")["origin"]
    node.kill()
    node.started()
    assert node.instances() == {"i1", "i2"}
    assert stale(node)
    assert b"<instanceId>i1</instanceId>" in request(f"{node.url}/eureka/apps")[1]
    assert node.get("/v1/summary")["origin"] > epoch
    assert node.awaited("node.covered")["stale"] is True
    assert node.eureka("PUT", "ORDERS/i1") == 200
    assert node.awaited("lease.adopted")["key"] == "orders/i1"


def test_the_end_is_written_too(tmp_path: Path) -> None:
    node = DiscoveryNode(tmp_path, "LPAR1", LPAR1, LPAR1, snapshot_s=3600, drain_s=0)
    with running(node):
        node.register("i1")
        assert node.stop() == 0
        assert "orders/i1" in saved(node)


def test_a_peer_is_believed_rather_than_the_disk(node: DiscoveryNode, tmp_path: Path) -> None:
    other = DiscoveryNode(tmp_path, "LPAR2", LPAR2, LPAR1, LPAR2)
    with running(other):
        node.started()
        node.register("i1", "i2")
        poll("it is on disk", lambda: saved(node) >= {"orders/i1", "orders/i2"})
        poll("the other has it", lambda: other.instances() == {"i1", "i2"})
        node.kill()
        assert other.eureka("DELETE", "ORDERS/i2") == 200
        node.started()
        poll("both have the same", lambda: node.instances() == other.instances() == {"i1"})
        assert not stale(node)


def test_a_snapshot_cut_in_half_is_said_once_and_moved_aside(node: DiscoveryNode) -> None:
    node.started()
    node.register("i1")
    poll("it is on disk", lambda: "orders/i1" in saved(node))
    node.kill()
    whole = node.snapshot.read_bytes()
    node.snapshot.write_bytes(whole[: len(whole) // 2])
    node.started()
    (refused,) = node.events("snapshot.refused")
    assert refused["reason"].startswith("cut off: ")
    assert refused["path"] == str(node.snapshot)
    assert node.snapshot.with_name("registry.snapshot.refused").stat().st_size == len(whole) // 2
    assert node.instances() == set()
    node.register("i2")
    poll("the next one is written", lambda: "orders/i2" in saved(node))


def test_the_snapshot_of_another_node_is_refused(node: DiscoveryNode, tmp_path: Path) -> None:
    node.started()
    poll("it is on disk", node.snapshot.exists)
    node.kill()
    other = DiscoveryNode(tmp_path, "LPAR2", LPAR2, LPAR2)
    other.snapshot.parent.mkdir(parents=True)
    node.snapshot.rename(other.snapshot)
    with running(other):
        assert other.awaited("snapshot.refused")["reason"] == "of node 'LPAR1', this is 'LPAR2'"


def test_a_full_disk_is_said_once_and_so_is_its_recovery(node: DiscoveryNode) -> None:
    """Full: the node's files may not grow beyond 64 kB, which its log never does."""
    node.started()
    assert node.process is not None
    node.register("i1")
    poll("it is on disk", lambda: "orders/i1" in saved(node))
    resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (SMALL_DISK_BYTES, resource.RLIM_INFINITY))
    node.register(*(f"large-{number}" for number in range(20)), filler="x" * 4000)
    assert node.awaited("snapshot.failed")["reason"].startswith("EFBIG: ")
    node.register("i2")
    poll("it is tried again and again", lambda: node.metric("snapshot_failures_total") >= 3)
    assert node.get("/application/health")["components"]["registry"]["details"]["snapshotFailing"] is True
    assert "i2" in node.instances()
    assert "orders/i1" in saved(node)
    assert saved(node).isdisjoint({"orders/i2", "orders/large-19"})
    resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    node.awaited("snapshot.recovered")
    assert saved(node) >= {"orders/i1", "orders/i2", "orders/large-19"}
    assert len(node.events("snapshot.failed")) == 1
    assert node.ready()
