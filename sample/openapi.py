"""The sample's API as an OpenAPI 3.1 document, and where a catalog finds it (Zowe's metadata)."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from sample.config import SampleConfig

PATH = "/api/v1/openapi.json"


def _get(summary: str, *parameters: dict[str, Any], kind: str = "application/json") -> dict[str, Any]:
    answer = {"description": "Says which LPAR answered", "content": {kind: {"schema": {}}}}
    return {"get": {"summary": summary, "parameters": list(parameters), "responses": {"200": answer}}}


def _parameter(name: str, place: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": place, "description": description, "schema": schema, "required": place == "path"}


CODE = _parameter("code", "path", "The status to answer", {"type": "integer", "minimum": 200, "maximum": 599})
SECONDS = _parameter("s", "query", "Seconds to wait, 30 at most", {"type": "number", "default": 1})
LINES = _parameter("n", "query", "Events to send, one each 0.2 s", {"type": "integer", "default": 10})

ECHO = {
    "summary": "What the service was asked, as it came through the gateway",
    "requestBody": {"content": {"text/plain": {"schema": {"type": "string"}, "example": "hello"}}},
    "responses": {"200": {"description": "Method, path, headers, body", "content": {"application/json": {}}}},
}

PATHS = {
    "/hello": _get("Who answers"),
    "/echo": {"post": ECHO, "put": ECHO},
    "/slow": _get("Answers late", SECONDS),
    "/status/{code}": _get("Answers with that status", CODE, kind="text/plain"),
    "/stream": _get("Server-sent events", LINES, kind="text/event-stream"),
}


def document() -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sample service", "version": version("plexmesh-sysplex"), "description": "Says who answers."},
        "servers": [{"url": "/api/v1"}],
        "paths": PATHS,
    }


def metadata(config: SampleConfig) -> dict[str, str]:
    api = {
        "apiId": "org.plexmesh.sample",
        "version": version("plexmesh-sysplex"),
        "gatewayUrl": "api/v1",
        "swaggerUrl": f"{config.url(config.port)}{PATH}",
    }
    tile = {"id": "examples", "title": "Examples", "description": "Services to try things with"}
    return {
        **{f"apiml.apiInfo.api-v1.{name}": value for name, value in api.items()},
        **{f"apiml.catalog.tile.{name}": value for name, value in tile.items()},
    }
