"""Eureka's resource paths and queries, as sloppily as clients write them.

`/eureka/apps`, `/eureka/v2/apps` and `/v2/apps` are one; slashes may be doubled or trail; `%3A` and `:` are the same
id, and an id may hold an encoded slash. Of a parameter given twice the first counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote, unquote_plus


def segments(raw_path: str) -> list[str]:
    """The decoded steps below the prefix: `/eureka//apps/ORDERS/a%3Ab/` → ["apps", "ORDERS", "a:b"]."""
    steps = [step for step in raw_path.split("/") if step]
    if steps[:1] == ["eureka"]:
        steps = steps[1:]
    if len(steps) > 1 and steps[0] in ("v1", "v2"):
        steps = steps[1:]
    return [unquote(step) for step in steps] if "%" in raw_path else steps


def parameters(raw_query: str) -> Mapping[str, str]:
    """`status=UP&x` → {"status": "UP", "x": ""}."""
    found: dict[str, str] = {}
    plain = "%" not in raw_query and "+" not in raw_query
    for part in raw_query.split("&"):
        name, _, value = part.partition("=")
        if name:
            found.setdefault(*((name, value) if plain else (unquote_plus(name), unquote_plus(value))))
    return found
