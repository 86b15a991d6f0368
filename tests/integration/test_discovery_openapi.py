"""The OpenAPI document says what the node does: every route is in it, and what is generated from it is answered so.

Schemathesis makes requests out of the document, good and bad ones, and holds every answer's status, media type and
shape against it. They are few, and the same each time; the watch stream has no end and is looked at elsewhere.
"""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Iterator
from typing import NoReturn

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS

from discovery.api import Api
from discovery.config import DiscoveryConfig
from discovery.driver import Driver
from discovery.node import Node
from discovery.registry import Registry
from discovery.v1.openapi import document
from discovery.v1.operations import OPERATIONS
from discovery.watch import Watch
from shared.events import Events
from tests.integration.discovery_rig import DiscoveryNode, running

HOST = f"127.0.76.{os.getpid() % 250 + 1}"

DOCUMENT = schemathesis.openapi.from_dict(document(OPERATIONS, "0")).exclude(path="/v1/watch")
FEW = settings(max_examples=15, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))

ACCEPTED = [CHECKS.get_one("positive_data_acceptance")]
"""Not held against a node: what is well-formed may be refused all the same (an id twice, a process that has left)."""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DiscoveryNode]:
    made = DiscoveryNode(tmp_path_factory.mktemp("discovery"), "LPAR1", HOST)
    with running(made):
        yield made


def test_the_document_is_served(node: DiscoveryNode) -> None:
    served = node.get("/v1/openapi.json")
    assert served["openapi"].startswith("3.1")
    assert served["paths"] == document(OPERATIONS, "0")["paths"]


def test_every_route_is_in_it_and_nothing_else() -> None:
    config = DiscoveryConfig()
    node = Node("A", "http://a", [], sysplex="P", now=0.0, wall_ms=0, rng=random.Random(1))
    watch = Watch(node, 1000)
    driver = Driver(node, nobody, watch, [], Events(logging.getLogger("test")))
    routes = Api(config, driver, Registry(node), watch).routes()
    paths = document(OPERATIONS, "0")["paths"]
    documented = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert {(route.method, route.path.replace(":.+}", "}")) for route in routes} == documented


async def nobody(*_: object) -> NoReturn:
    raise AssertionError("nothing is sent here")


@DOCUMENT.parametrize()
@FEW
def test_answers_are_as_documented(case: schemathesis.Case, node: DiscoveryNode) -> None:
    case.call_and_validate(base_url=node.url, excluded_checks=ACCEPTED, timeout=10)
