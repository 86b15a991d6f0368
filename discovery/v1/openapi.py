"""The OpenAPI document, from the table of operations and msgspec's schemas of the shapes.

Source: OpenAPI Specification 3.1.0.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from discovery.v1.operations import EVENTS, REFUSALS, Operation, Parameter, refusals
from discovery.v1.shapes import Problem
from shared.openapi import Schemas, frame

PROBLEM_MEDIA = "application/problem+json"


def document(operations: Iterable[Operation], version: str) -> dict[str, Any]:
    operations = list(operations)
    schemas = Schemas([*(each for operation in operations for each in _types(operation)), Problem])
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, schemas)
    return frame("plexmesh discovery", version, paths, schemas)


def _types(operation: Operation) -> list[Any]:
    answers = [each for each in operation.answers.values() if each is not None and each != EVENTS]
    return [*answers, *operation.body]


def _described(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    answers = {str(status): _answer(shape, schemas) for status, shape in operation.answers.items()}
    problem = {"content": {PROBLEM_MEDIA: {"schema": schemas.of(Problem)}}}
    answers |= {str(status): {"description": REFUSALS[status], **problem} for status in refusals(operation)}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "responses": dict(sorted(answers.items())),
    }
    if operation.parameters:
        described["parameters"] = [_parameter(each, operation) for each in operation.parameters]
    if operation.body:
        content = {"application/json": {"schema": {"anyOf": [schemas.of(each) for each in operation.body]}}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _answer(shape: Any, schemas: Schemas) -> dict[str, Any]:
    if shape is None:
        return {"description": "done"}
    if shape == EVENTS:
        return {"description": "server-sent events", "content": {EVENTS: {"schema": {"type": "string"}}}}
    return {"description": "as asked", "content": {"application/json": {"schema": schemas.of(shape)}}}


def _parameter(parameter: Parameter, operation: Operation) -> dict[str, Any]:
    in_query = parameter.name in operation.query
    return {
        "name": parameter.name,
        "in": "query" if in_query else "path",
        "required": not in_query,
        "description": parameter.description,
        "schema": dict(parameter.schema),
    }
