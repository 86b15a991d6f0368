"""What a node shows of itself: a guard that is on, with its reason, wherever people look; and its numbers."""

from __future__ import annotations

from pathlib import Path

from tests.integration.discovery_rig import LPAR1, LPAR2, DiscoveryNode, running
from tests.integration.launcher_rig import poll

SILENT = tuple(f"i{number}" for number in range(60))


def test_a_guard_is_shown_with_its_reason(tmp_path: Path) -> None:
    """All of sixty instances fall silent: the node doubts itself."""
    node = DiscoveryNode(tmp_path, "LPAR1", LPAR1, LPAR1)
    with running(node):
        assert node.metric('guard{guard="owner"}') == 0
        assert node.get("/application/health")["components"]["registry"]["details"]["guards"] == {}
        node.register(*SILENT, lease_s=1)
        said = node.awaited("guard.owner")
        assert said["on"] is True
        assert "the fault may be this node's" in said["why"]
        assert node.metric('guard{guard="owner"}') == 1
        assert node.get("/application/health")["components"]["registry"]["details"]["guards"] == {"owner": said["why"]}
        assert {each["name"]: each["why"] for each in node.get("/v1/guards")["guards"]}["owner"] == said["why"]
        assert len(node.instances()) > 40
        assert node.ready()


def test_the_numbers_say_what_goes_on(tmp_path: Path) -> None:
    nodes = [
        DiscoveryNode(tmp_path, lpar, host, LPAR1, LPAR2, snapshot_s=0.1)
        for lpar, host in (("LPAR1", LPAR1), ("LPAR2", LPAR2))
    ]
    with running(*nodes):
        first, second = nodes
        first.register("i1")
        poll("it is there", lambda: "i1" in second.instances())
        for node in nodes:
            assert node.metric('peers{state="alive"}') == 1
            assert node.metric("covered") == 1
            assert node.metric("stale") == 0
            poll("both are registered", lambda node=node: node.metric('instances{status="UP"}') == 3)
            poll("it is on disk", lambda node=node: node.metric("snapshot_bytes") > 0)
            assert node.metric("snapshot_age_seconds") >= 0
            assert node.metric("quarantined_records_total") == 0
        assert first.metric('messages_total{direction="out",kind="push"}') > 0
        assert second.metric('message_received_bytes_total{direction="in",kind="push"}') > 0
        second.kill()
        poll("it is missed", lambda: first.metric('peers{state="dead"}') == 1)
        assert first.metric("message_failures_total") > 0
