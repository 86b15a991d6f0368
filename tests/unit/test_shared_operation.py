"""The document of everything a process answers: its routes decide, its tables describe."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import schemathesis

from caching.api import BASE
from caching.openapi import document as of_caching
from caching.operations import OPERATIONS as CACHING
from discovery import operations as of_discovery
from gateway import operations as of_gateway
from launcher import operations as of_launcher
from sample import operations as of_sample
from shared.application import OPERATIONS
from shared.operation import TEXT, Document, Operation, document, whole


class Thing(msgspec.Struct):
    name: str


TABLE = (
    Operation("GET", "/things/{id}", "One thing", {200: Thing, 404: None}, query=("at",)),
    Operation("PUT", "/things/{id}", "Change it", {204: None}, Thing),
    Operation("GET", "/old/a", "As it was", {200: TEXT}),
    Operation("POST", "/old/b", "The same"),
)


def paths(routes: list[tuple[str, str]], beside: tuple[Document, ...] = ()) -> dict[str, Any]:
    found: dict[str, Any] = whole("x", routes, [document("x", TABLE)], beside)["paths"]
    return found


def test_a_route_is_described_by_its_operation() -> None:
    found = paths([("GET", "/things/{id}")])
    assert list(found) == ["/things/{id}"]
    assert list(found["/things/{id}"]) == ["get"]
    said = found["/things/{id}"]["get"]
    assert said["summary"] == "One thing"
    assert [(each["name"], each["in"], each["required"]) for each in said["parameters"]] == [
        ("id", "path", True), ("at", "query", False),
    ]  # fmt: skip
    assert said["responses"]["200"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Thing"}


def test_a_route_that_no_table_tells_about_is_there_without_a_summary() -> None:
    assert "summary" not in paths([("DELETE", "/things/{id}")])["/things/{id}"]["delete"]
    assert "summary" not in paths([("*", "/other{tail}")])["/other{tail}"]["get"]


def test_what_has_no_route_is_not_there_unless_it_is_beside() -> None:
    assert paths([]) == {}
    assert list(paths([], (document("y", TABLE[:1]),))) == ["/things/{id}"]


def test_a_route_of_every_method_stands_for_all_that_is_told_of_it() -> None:
    assert {path: list(methods) for path, methods in paths([("*", "/old{tail}")]).items()} == {
        "/old/a": ["get"], "/old/b": ["post"],
    }  # fmt: skip
    assert list(paths([("*", "/things/{id}")])["/things/{id}"]) == ["get", "put"]


def test_a_slash_at_the_end_is_the_same() -> None:
    assert list(paths([("GET", "/things/{id}/"), ("GET", "/things/{id}")])) == ["/things/{id}"]


@pytest.mark.parametrize(
    "told",
    [
        of_launcher.launcher(), of_launcher.up(), [*of_discovery.documents(), *of_discovery.beside()],
        of_gateway.documents(), [of_caching(CACHING, "", BASE)], of_sample.documents(),
    ],
    ids=("launcher", "up", "discovery", "gateway", "caching", "sample"),
)  # fmt: skip
def test_what_the_processes_tell_is_open_api(told: list[Document]) -> None:
    schemathesis.openapi.from_dict(whole("x", [], [], [*told, document("x", OPERATIONS)])).validate()
