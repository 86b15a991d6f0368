"""What a process answers, as a table, and its OpenAPI document made from that.

    table of operations ──document()──▶ OpenAPI, of one table
    documents + the routes of the application ──whole()──▶ GET /application/openapi.json, everything the process answers

The routes decide what is in the whole one: none can be missing, and what no table tells about is there without a
summary. What a process answers past its router (`beside`) is added as it is.

Source: OpenAPI Specification 3.1.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from shared.openapi import Schemas, frame

Document = dict[str, Any]

TEXT, PAGE, EVENTS, LINES, ANY = "text/plain", "text/html", "text/event-stream", "application/x-ndjson", "*/*"
JSON: Any = Any
"""Of no fixed shape."""

PARAMETER = re.compile(r"\{(\w+)\}")
TAIL = re.compile(r"\{\w+\}$")
EVERY = "*"


@dataclass(frozen=True)
class Operation:
    """`answers` maps a status to the shape of its JSON, a media type, or None: it has no body."""

    method: str
    path: str
    summary: str
    answers: Mapping[int, Any] = field(default_factory=lambda: {200: JSON})
    body: Any = None
    """A shape, or a media type."""
    query: tuple[str, ...] = ()


def document(title: str, operations: Iterable[Operation]) -> Document:
    operations = list(operations)
    schemas = Schemas(
        [each for operation in operations for each in (*operation.answers.values(), operation.body) if _shaped(each)]
    )
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, schemas)
    return frame(title, version("plexmesh-sysplex"), paths, schemas)


def whole(
    title: str,
    routes: Iterable[tuple[str, str]],
    documents: Iterable[Document],
    beside: Iterable[Document] = (),
) -> Document:
    """`routes`: method and path, as aiohttp's canonical ones."""
    told: dict[tuple[str, str], Any] = {}
    added: dict[tuple[str, str], Any] = {}
    schemas: dict[str, Any] = {}
    for operations, of in ((told, documents), (added, beside)):
        for each in of:
            operations |= dict(_operations(each))
            schemas |= each.get("components", {}).get("schemas", {})
    for method, path in routes:
        added |= _of_route(method.upper(), path, told)
    paths: dict[str, dict[str, Any]] = {}
    for (method, path), operation in sorted(added.items(), key=lambda each: each[0][::-1]):
        paths.setdefault(path, {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version("plexmesh-sysplex")},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _operations(document: Document) -> Iterable[tuple[tuple[str, str], Any]]:
    base = document["servers"][0]["url"] if document.get("servers") else ""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield (method.upper(), base + path), operation


def _of_route(method: str, path: str, told: Mapping[tuple[str, str], Any]) -> dict[tuple[str, str], Any]:
    """A route of every method or path stands for all that is told of it; one with a slash at its end for the other."""
    if method == EVERY:
        prefix = TAIL.sub("", path)
        found = {
            key: each for key, each in told.items() if key[1] == path or (prefix != path and key[1].startswith(prefix))
        }
        return found or {("GET", path): _bare(path)}
    trimmed = path.rstrip("/") or path
    key = (method, path) if (method, path) in told else (method, trimmed)
    return {key: told.get(key) or _bare(key[1])}


def _bare(path: str) -> dict[str, Any]:
    return {"parameters": _parameters(path, ()), "responses": {"default": {"description": "not described"}}}


def _described(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "parameters": _parameters(operation.path, operation.query),
        "responses": {
            str(status): {"description": "as asked", **_content(each, schemas)}
            for status, each in operation.answers.items()
        },
    }
    if operation.body is not None:
        described["requestBody"] = {"required": True, **_content(operation.body, schemas)}
    return described


def _parameters(path: str, query: Iterable[str]) -> list[dict[str, Any]]:
    text = {"type": "string"}
    found = [{"name": each, "in": "path", "required": True, "schema": text} for each in PARAMETER.findall(path)]
    return found + [{"name": each, "in": "query", "required": False, "schema": text} for each in query]


def _content(of: Any, schemas: Schemas) -> dict[str, Any]:
    if of is None:
        return {}
    if isinstance(of, str):
        return {"content": {of: {}}}
    return {"content": {"application/json": {"schema": schemas.of(of) if _shaped(of) else {}}}}


def _shaped(of: Any) -> bool:
    return of is not None and of is not JSON and not isinstance(of, str)
