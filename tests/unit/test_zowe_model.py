"""The model of what Zowe documents: its figures, divided by the speed, and that nothing of it is there without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from discovery import zowe_model as registry_model
from discovery.guards import OwnerGuard
from gateway import zowe_model as gateway_model
from gateway.config import GatewayConfig
from gateway.guards import NAMES, guards_without
from gateway.watch import Pace
from shared import guards, plexfile
from shared.config import ServiceConfig
from shared.errors import ConfigError


def test_leases_are_doubled_and_looked_at_once_a_minute() -> None:
    policy = registry_model.policy(speed=10, fence_s=30)
    assert policy.lease(90) == 180
    assert policy.sweep_s == 6
    assert registry_model.policy(speed=1, fence_s=30).sweep_s == 60


def test_self_preservation_holds_where_one_of_two_lpars_is_lost_and_is_a_guard() -> None:
    policy = registry_model.policy(speed=1, fence_s=30)
    guard = OwnerGuard(policy.owner_guard)
    assert guard.admit(["a", "b"], 180, 4, 1000.0) == []
    assert guard.admit(["a", "b"], 180, 4, 1_000_000.0) == [], "until they are back"
    assert registry_model.policy(speed=1, fence_s=30, guarded=False).owner_guard is None


def test_the_gateway_fetches_waits_and_retries_as_documented() -> None:
    config = gateway_model.modelled(GatewayConfig(behaviour="zowe", speed=10))
    assert (config.registry_fetch_s, config.connect_timeout_s, config.response_timeout_s) == (3, 6, 6)
    assert config.services["*"] == {"picker": "roundRobin", "retries": 5}
    left = guards_without(config.without)
    assert left.retries, "GETs are tried again"
    assert not any((left.ejection, left.probes, left.evidence, left.silence, left.reroute))


def test_plexmesh_is_as_it_was() -> None:
    config = GatewayConfig()
    assert gateway_model.modelled(config) is config
    assert (ServiceConfig().renew_s, ServiceConfig().lease_s) == (5, 15)
    model = ServiceConfig(behaviour="zowe", speed=10)
    assert (model.renew_s, model.lease_s) == (3, 9)


def test_what_is_fetched_now_and_then_is_shown_no_more_often() -> None:
    pace = Pace(every_s=3.0)
    pace.drew(100.0, 100.01)
    assert pace.left_s(101.01) == 2.0


def test_the_guards_are_those_of_the_gateway_and_two_more() -> None:
    assert set(guards.GATEWAY) == set(NAMES)
    guards.check(["ejection", "fencing"], "--without")
    with pytest.raises(ConfigError, match=r"plexmesh.without: 'ejektion' is no guard.*ejection"):
        plexfile.parse({"plexmesh": {"without": ["ejektion"]}}, Path("plexmesh.yaml"))
