"""An API's own description, OpenAPI 3 or Swagger 2, made to call it through a gateway.

The document says where the API is on its instance; a browser reaches it at the API's base path here. So the server is
replaced (OpenAPI: `servers`, Swagger: `host`, `schemes`, `basePath`), and what stands below it is matched to the route:

    the document's base      the route                  becomes
    /orders/api/v1           api/v1 → /orders/api/v1    /orders/api/v1                paths as they are
    /orders/api/v1/admin     api/v1 → /orders/api/v1    /orders/api/v1/admin          paths as they are
    /                        api/v1 → /                 /orders/api/v1                paths as they are
    /                        api/v1 → /orders/api/v1    /orders/api/v1                paths without /orders/api/v1
    /orders/api/v1           api/v1 → /                 /orders/api/v1                it means the gateway's already

Paths that the route does not lead to are left out, and named in `x-plexmesh-left-out`.

A document is a stranger's: aliases and nesting that blow it up are refused, and so is what is no such document.

Sources: OpenAPI Specification 3.0 and 3.1 (server object, relative URLs), Swagger 2.0; Zowe API Mediation Layer's
catalog, which also replaces the servers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import msgspec
import yaml

from gateway.routes import within
from shared.errors import BadInput

Document = dict[str, Any]

MAX_DEPTH = 100
MAX_NODES = 200_000
"""Values in a document, each time they are referred to: what it is when it is written out."""

MAX_YAML_BYTES = 1_000_000
"""It is read a hundred times slower than JSON."""

LEFT_OUT = "x-plexmesh-left-out"
OPERATIONS = frozenset(("get", "put", "post", "delete", "options", "head", "patch", "trace"))


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Dates stay text, as JSON has them."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read(body: bytes) -> Document:
    """JSON or YAML. Raises BadInput, whose text says what is wrong as the rest of a sentence."""
    document = _tree(body)
    if not isinstance(document, dict) or not (_says(document, "openapi", "3.") or _says(document, "swagger", "2.")):
        raise BadInput("is neither OpenAPI 3 nor Swagger 2")
    if not isinstance(document.get("paths", {}), dict):
        raise BadInput("has paths that are no mapping")
    return document


def through(document: Document, url: str, base_path: str, target: str) -> Document:
    """A copy that calls `base_path` (the API's here), which leads to `target`, a path on an instance (empty: its root).
    `url` is where the document came from."""
    base = _base(document, url)
    if _within(base, base_path):
        here, cut = base, ""
    elif _within(base, target):
        here, cut = base_path + base[len(target) :], ""
    else:
        here, cut = base_path, target
    return _called(document, here) | _paths(document, base, cut)


def _tree(body: bytes) -> Any:
    try:
        tree = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        tree = _yaml(body)
    return _plain(tree, MAX_DEPTH, [MAX_NODES])


def _yaml(body: bytes) -> Any:
    if len(body) > MAX_YAML_BYTES:
        raise BadInput(f"is no JSON, and longer than the {MAX_YAML_BYTES} bytes that YAML may have")
    depth = 0
    try:
        for event in yaml.parse(body, Loader=_Loader):  # its reader crashes on what is too deep
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise BadInput(f"is nested deeper than {MAX_DEPTH} levels")
        return yaml.load(body, Loader=_Loader)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise BadInput("is neither JSON nor YAML") from error


def _plain(value: Any, depth: int, left: list[int]) -> Any:
    """As JSON would have it: every key a text; a copy, because aliases share. `left` is how many may follow."""
    left[0] -= 1
    if depth == 0 or left[0] < 0:
        raise BadInput(f"is nested deeper than {MAX_DEPTH} levels, or has more than {MAX_NODES} values")
    if isinstance(value, Mapping):
        return {_key(key): _plain(each, depth - 1, left) for key, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(each, depth - 1, left) for each in value]
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    return str(value)


def _key(key: object) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _says(document: Document, name: str, version: str) -> bool:
    return str(document.get(name, "")).startswith(version)


def _base(document: Document, url: str) -> str:
    """The path on the instance that the document's paths are below, without a slash at its end."""
    if "swagger" in document:
        base = document.get("basePath") or "/"
    else:
        servers = document.get("servers")
        base = _server(servers[0]) if isinstance(servers, list) and servers else "/"
    try:
        return urlsplit(urljoin(url, base if isinstance(base, str) else "/")).path.rstrip("/")
    except ValueError:
        return ""


def _server(server: Any) -> str:
    """Its URL, with variables as they are when nobody chooses."""
    if not isinstance(server, dict) or not isinstance(server.get("url"), str):
        return "/"
    url: str = server["url"]
    variables = server.get("variables")
    for name, about in variables.items() if isinstance(variables, dict) else ():
        if isinstance(about, dict):
            url = url.replace(f"{{{name}}}", str(about.get("default", "")))
    return url


def _called(document: Document, here: str) -> Document:
    if "swagger" in document:
        kept = {name: value for name, value in document.items() if name not in ("host", "schemes")}
        return kept | {"basePath": here or "/"}
    return document | {"servers": [{"url": here or "/"}]}


def _paths(document: Document, base: str, cut: str) -> Document:
    found: Document = {}
    left_out = []
    for path, item in document.get("paths", {}).items():
        whole = base + path if cut else path
        if path.startswith("/") and _within(whole, cut):
            found[whole[len(cut) :] or "/"] = _unserved(item)
        elif not path.startswith("x-"):
            left_out.append(path)
    return {"paths": found} | ({LEFT_OUT: left_out} if left_out else {})


def _unserved(item: Any) -> Any:
    """A path, none of whose operations is somewhere else."""
    if not isinstance(item, dict):
        return item
    kept = {name: value for name, value in item.items() if name != "servers"}
    for name in OPERATIONS & kept.keys():
        if isinstance(kept[name], dict):
            kept[name] = {key: value for key, value in kept[name].items() if key not in ("servers", "schemes")}
    return kept


def _within(path: str, prefix: str) -> bool:
    return not prefix or within(path.encode(), prefix.encode())
