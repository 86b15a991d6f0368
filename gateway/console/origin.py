"""Who may give an order: the console's own pages, opened in a browser at an address of this sysplex.

A page of another site can send a POST here, and a name of its own that suddenly means 127.0.0.1 (DNS rebinding) makes
it look like one of ours. So an order needs all three:

    Host           an IP address, localhost, or a name of the configuration: no name that somebody else can point here
    Origin         the same host and port as Host; browsers send it with every POST and DELETE, and pages cannot set it
    Content-Type   application/json, where there is a body: no form can send that

Source: RFC 6454 (origins); Fetch, "Origin header".
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection

from aiohttp import web

from shared.config import ServiceConfig
from shared.errors import Forbidden

AUTHORITY = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?", re.ASCII)
PORTS = {"http": 80, "https": 443}
MAX_SHOWN = 80


def names_of(config: ServiceConfig) -> frozenset[str]:
    """The host names in the configuration, lower case: the gateway's own, and that of the sysplex address."""
    vipa = config.vipa.rpartition(":")[0].strip("[]")
    return frozenset(each.lower() for each in (config.host, vipa) if each)


def same_origin(request: web.Request, config: ServiceConfig) -> None:
    """Raises Forbidden."""
    headers = request.headers
    content_type = request.content_type if request.body_exists else None
    host, origin = headers.get("Host", ""), headers.get("Origin", "")
    why = refusal(host, origin, content_type, names_of(config), tls=config.tls)
    if why:
        raise Forbidden(why)


def refusal(host: str, origin: str, content_type: str | None, names: Collection[str] = (), *, tls: bool = False) -> str:
    """Why such an order is refused, or empty. `content_type` is None where there is no body; `tls`: this gateway has no
    pages in plain, so one in plain is somebody's on the way."""
    scheme, found, from_ = origin.partition("://")
    port = PORTS.get(scheme, 0)
    here = _place(host, port or PORTS["http"])
    if here is None or not _known(here[0], names):
        return f"Host: {_shown(host)}, expected an IP address, localhost or a name in the configuration"
    if not found or not port or (tls and scheme != "https") or _place(from_, port) != here:
        return f"Origin: {_shown(origin)}, expected this console's own, {_shown(host)}"
    if content_type not in (None, "application/json"):
        return f"Content-Type: {_shown(content_type or '')}, expected application/json"
    return ""


def _place(authority: str, port: int) -> tuple[str, int] | None:
    """Host and port; `port` is the one that need not be said. None: it is more, or less, than that."""
    match = AUTHORITY.fullmatch(authority.lower())
    return (match["host"].strip("[]"), int(match["port"] or port)) if match else None


def _known(host: str, names: Collection[str]) -> bool:
    if host in ("localhost", *names):
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _shown(text: str) -> str:
    """One line, whatever it holds."""
    return repr(text[:MAX_SHOWN]) if text else "none"
