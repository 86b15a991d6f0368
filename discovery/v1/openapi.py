"""The OpenAPI document, from the table of operations and msgspec's schemas of the shapes.

Source: OpenAPI Specification 3.1.0.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from discovery.v1.operations import EVENTS, REFUSALS, Operation, Parameter, refusals
from discovery.v1.shapes import Problem

REF = "#/components/schemas/{name}"
PROBLEM_MEDIA = "application/problem+json"


def document(operations: Iterable[Operation], version: str) -> dict[str, Any]:
    operations = list(operations)
    types = [each for operation in operations for each in _types(operation)] + [Problem]
    schemas, components = msgspec.json.schema_components(types, ref_template=REF)
    schema_of = {str(type_): _plain(schema) for type_, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {"title": "plexmesh discovery", "version": version},
        "paths": paths,
        "components": {"schemas": _plain(components)},
    }


def _types(operation: Operation) -> list[Any]:
    answers = [each for each in operation.answers.values() if each is not None and each != EVENTS]
    return [*answers, *operation.body]


def _described(operation: Operation, schema_of: Mapping[str, Any]) -> dict[str, Any]:
    answers = {str(status): _answer(shape, schema_of) for status, shape in operation.answers.items()}
    problem = {"content": {PROBLEM_MEDIA: {"schema": schema_of[str(Problem)]}}}
    answers |= {str(status): {"description": REFUSALS[status], **problem} for status in refusals(operation)}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "responses": dict(sorted(answers.items())),
    }
    if operation.parameters:
        described["parameters"] = [_parameter(each, operation) for each in operation.parameters]
    if operation.body:
        content = {"application/json": {"schema": {"anyOf": [schema_of[str(each)] for each in operation.body]}}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _answer(shape: Any, schema_of: Mapping[str, Any]) -> dict[str, Any]:
    if shape is None:
        return {"description": "done"}
    if shape == EVENTS:
        return {"description": "server-sent events", "content": {EVENTS: {"schema": {"type": "string"}}}}
    return {"description": "as asked", "content": {"application/json": {"schema": schema_of[str(shape)]}}}


def _parameter(parameter: Parameter, operation: Operation) -> dict[str, Any]:
    in_query = parameter.name in operation.query
    return {
        "name": parameter.name,
        "in": "query" if in_query else "path",
        "required": not in_query,
        "description": parameter.description,
        "schema": dict(parameter.schema),
    }


def _plain(schema: Any) -> Any:
    """Without the indentation of docstrings."""
    if isinstance(schema, dict):
        return {name: _plain(value) for name, value in schema.items()}
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    return inspect.cleandoc(schema) if isinstance(schema, str) else schema
