"""The frame of an OpenAPI document, and msgspec's schemas of the shapes in it; what it describes is each service's own.

Source: OpenAPI Specification 3.1.0.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import msgspec

REF = "#/components/schemas/{name}"


class Schemas:
    """Of all types of one document: `of` refers to the one that stands among its components."""

    def __init__(self, types: Iterable[Any]) -> None:
        types = list(types)
        schemas, components = msgspec.json.schema_components(types, ref_template=REF)
        self._of = {str(type_): _plain(schema) for type_, schema in zip(types, schemas, strict=True)}
        self.components: dict[str, Any] = _plain(components)

    def of(self, type_: Any) -> dict[str, Any]:
        found: dict[str, Any] = self._of[str(type_)]
        return found


def frame(
    title: str, version: str, paths: dict[str, dict[str, Any]], schemas: Schemas, base: str = ""
) -> dict[str, Any]:
    """`base`: what the paths are below."""
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        **({"servers": [{"url": base}]} if base else {}),
        "paths": paths,
        "components": {"schemas": schemas.components},
    }


def _plain(schema: Any) -> Any:
    """Without the indentation of docstrings."""
    if isinstance(schema, dict):
        return {name: _plain(value) for name, value in schema.items()}
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    return inspect.cleandoc(schema) if isinstance(schema, str) else schema
