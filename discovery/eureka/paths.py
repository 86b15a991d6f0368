"""Eureka's resource paths, as sloppily as clients write them.

`/eureka/apps`, `/eureka/v2/apps` and `/v2/apps` are one; slashes may be doubled or trail; `%3A` and `:` are the same
id, and an id may hold an encoded slash.
"""

from __future__ import annotations

from urllib.parse import unquote


def segments(raw_path: str) -> list[str]:
    """The decoded steps below the prefix: `/eureka//apps/ORDERS/a%3Ab/` → ["apps", "ORDERS", "a:b"]."""
    steps = [step for step in raw_path.split("/") if step]
    if steps[:1] == ["eureka"]:
        steps = steps[1:]
    if len(steps) > 1 and steps[0] in ("v1", "v2"):
        steps = steps[1:]
    return [unquote(step) for step in steps]
