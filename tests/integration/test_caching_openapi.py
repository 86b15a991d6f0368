"""The OpenAPI document says what the caching service does: every route is in it, and what is generated from it is
answered so.

Schemathesis makes requests out of the document, good and bad ones, and holds every answer's status, media type and
shape against it. They are few, and the same each time.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from prometheus_client import CollectorRegistry
from schemathesis.checks import CHECKS

from caching.api import BASE, CachingApi
from caching.app import api_info, nobody
from caching.backends.in_memory import InMemoryStorage
from caching.calls import Calls
from caching.clock import Clock
from caching.config import CachingConfig
from caching.limits import Limit
from caching.messages import BY_ERROR, status_of
from caching.metrics import CachingMetrics
from caching.openapi import document
from caching.operations import OPERATIONS, REFUSALS, refusals
from tests.integration.caching_rig import NO_PROXY, PORT, Instance, served

MADE = document(OPERATIONS, "0", BASE)
DOCUMENT = schemathesis.openapi.from_dict(MADE)
FEW = settings(max_examples=10, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))

ACCEPTED = [CHECKS.get_one("positive_data_acceptance")]
"""Not held against an instance: what is well-formed may be refused all the same (no such key, another ETag)."""

REJECTED = CHECKS.get_one("negative_data_rejection")
UNKNOWN = "x-schemathesis-unknown-property"
"""A field of the head that nobody knows is no reason to refuse, whatever Schemathesis thinks."""


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with served("vsam", tmp_path_factory.mktemp("caching"), "quotaEntries=50") as made:
        yield made


def test_the_document_is_served_to_anybody(instance: Instance) -> None:
    with NO_PROXY.open(f"{instance.url}/openapi.json", timeout=5) as answer:
        found = json.load(answer)
    assert answer.headers["Content-Type"].startswith("application/json")
    assert found["openapi"].startswith("3.1")
    assert found["servers"] == [{"url": BASE}]
    assert found["paths"] == json.loads(json.dumps(MADE["paths"]))


def test_the_registry_is_told_where_it_is(instance: Instance) -> None:
    told = api_info(CachingConfig(host=instance.host, port=PORT))
    api, tile = "apiml.apiInfo.api-v1.", "apiml.catalog.tile."
    assert {name.removeprefix(api) for name in told if name.startswith(api)} == {
        "apiId", "version", "gatewayUrl", "swaggerUrl",
    }  # fmt: skip
    assert {name.removeprefix(tile) for name in told if name.startswith(tile)} == {"id", "title", "description"}
    assert told["plexmesh.visibility"] == "internal"
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
        told["apiml.apiInfo.api-v1.swaggerUrl"], timeout=5
    ) as answer:
        assert json.load(answer)["openapi"].startswith("3.1")


def test_every_route_is_in_it_and_nothing_else() -> None:
    storage = InMemoryStorage(Limit(), alone=True, clock=Clock())
    routes = CachingApi(Calls(storage, CachingMetrics(CollectorRegistry())), nobody).routes()
    served = {(route.method, plain(route.path)) for route in routes}
    documented = {(method.upper(), BASE + path) for path, methods in MADE["paths"].items() for method in methods}
    assert {each for each in served if not each[1].endswith("/")} == documented
    assert {(method, path.removesuffix("/")) for method, path in served if path.endswith("/")} == documented


def plain(path: str) -> str:
    return path.replace(":[^/]+}", "}").replace(":tokens|rules}", "}")


def test_every_refusal_is_documented() -> None:
    raised = {status_of(error.__new__(error)) for error in BY_ERROR}
    assert raised <= REFUSALS.keys()
    assert {status for each in OPERATIONS for status in refusals(each)} == REFUSALS.keys()


def test_each_call_of_a_caller_says_who_calls() -> None:
    for path, methods in MADE["paths"].items():
        for described in methods.values():
            required = [each["name"] for each in described["parameters"] if each["required"] and each["in"] == "header"]
            assert required == ([] if path == "/openapi.json" else ["X-CS-Service-ID"])


@DOCUMENT.parametrize()
@FEW
def test_answers_are_as_documented(case: schemathesis.Case, instance: Instance) -> None:
    unknown = UNKNOWN in (case.headers or {})
    case.call_and_validate(
        base_url=instance.url, excluded_checks=[*ACCEPTED, REJECTED] if unknown else ACCEPTED, timeout=10
    )


def test_nothing_of_it_was_a_defect(instance: Instance) -> None:
    assert "Traceback" not in instance.logged
