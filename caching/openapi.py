"""The OpenAPI document of the caching service, from the table of operations. Errors have Zowe's form.

Source: OpenAPI Specification 3.1.0; Zowe's Caching Service for the interface it is a part of.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from caching.operations import CALLER, HEADERS, RAW, REFUSALS, Operation, Outcome, Parameter, refusals
from shared.openapi import Schemas, frame

JSON = "application/json"
WITH_ETAG = (409, 412)


class Message(msgspec.Struct):
    """An error, in Zowe's words."""

    messageType: str  # noqa: N815 - Zowe's names
    messageNumber: str  # noqa: N815
    messageContent: str  # noqa: N815
    messageAction: str  # noqa: N815
    messageReason: str  # noqa: N815
    messageKey: str  # noqa: N815


class Messages(msgspec.Struct):
    messages: list[Message]


def document(operations: Iterable[Operation], version: str, base: str) -> dict[str, Any]:
    operations = list(operations)
    schemas = Schemas([*(each for operation in operations for each in _types(operation)), Messages])
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, schemas)
    return frame("plexmesh caching service", version, paths, schemas, base)


def _types(operation: Operation) -> list[Any]:
    shapes = [each.shape for each in operation.outcomes.values() if each.shape is not None]
    return shapes if operation.body in (None, RAW) else [*shapes, operation.body]


def _described(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    answers = {str(status): _answer(outcome, schemas) for status, outcome in operation.outcomes.items()}
    answers |= {str(status): _refusal(status, schemas) for status in refusals(operation)}
    parameters = operation.parameters if operation.public else (CALLER, *operation.parameters)
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [_parameter(each) for each in parameters],
        "responses": dict(sorted(answers.items())),
    }
    if operation.body is not None:
        raw = operation.body == RAW
        content = {RAW: {}} if raw else {JSON: {"schema": schemas.of(operation.body)}}
        described["requestBody"] = {"required": not raw, "content": content}
    return described


def _answer(outcome: Outcome, schemas: Schemas) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": outcome.description}
    if outcome.headers:
        answer["headers"] = {each: _header(each) for each in outcome.headers}
    if outcome.shape is not None:
        answer["content"] = {JSON: {"schema": schemas.of(outcome.shape)}}
    if outcome.raw:
        answer["content"][RAW] = {}
    return answer


def _refusal(status: int, schemas: Schemas) -> dict[str, Any]:
    refusal: dict[str, Any] = {
        "description": REFUSALS[status],
        "content": {JSON: {"schema": schemas.of(Messages)}},
    }
    if status in WITH_ETAG:
        refusal["headers"] = {"ETag": _header("ETag")}
    return refusal


def _header(name: str) -> dict[str, Any]:
    description, schema = HEADERS[name]
    return {"description": description, "schema": dict(schema)}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": parameter.description,
        "schema": dict(parameter.schema),
    }
