"""How the sysplex is called from outside: the gateways' common address, and URLs of instances as they look behind it.

A URL is changed only when it leads to the instance itself, and a route of its service leads there too: the rule for a
`Location` (`gateway.relocation`). Any other stays as it was registered.
"""

from __future__ import annotations

from gateway.config import GatewayConfig
from gateway.relocation import relocated
from gateway.routes import Route
from shared.wire import Instance


def external_url(config: GatewayConfig) -> str:
    """Of the sysplex address; where there is none, of this gateway."""
    return f"{config.scheme}://{config.vipa}" if config.vipa else config.url(config.port)


def public_url(url: str, instance: Instance, routes: tuple[Route, ...], gateway_url: str, external: str) -> str:
    """`routes` are those that may lead there; the one of `gateway_url` wins a tie."""
    if not routes:
        return url
    preferred = next((route for route in routes if route.gateway_url == gateway_url), routes[0])
    found = relocated(url.encode(), _authorities(instance), routes, preferred).decode()
    return external + found if found.startswith("/") else url


def _authorities(instance: Instance) -> tuple[bytes, ...]:
    names = [f"[{name}]" if ":" in name else name for name in (instance.host, instance.ip) if name]
    return tuple(f"{name}:{instance.port}".lower().encode() for name in names)
