"""The address a caller used, for ASGI applications behind a gateway: `app.add_middleware(plexmesh.asgi.Prefix)`.

A gateway asks an instance for `/docs` when its caller asked for `/orders/api/v1/docs`, and says so in
`X-Forwarded-Prefix: /orders/api/v1`, `X-Forwarded-Host` and `X-Forwarded-Proto`. The application then sees that prefix
as its mount point (`root_path`) and that host as its own, so every link, redirect and OpenAPI document it makes leads
through the gateway. A direct call has none of these fields and sees no difference.

The fields of a direct caller would be believed too. So only harmless ones are: a path of plain segments, a host, http
or https; each at most once.

Source: the ASGI HTTP specification (`root_path` is the beginning of `path`, not left out of it). WSGI programs have
`werkzeug.middleware.proxy_fix.ProxyFix` for the same.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PREFIX = re.compile(rb"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
HOST = re.compile(rb"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
PROTO = re.compile(rb"https?")


class Prefix:
    """Middleware: any ASGI application in, one out that knows the address its caller used."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            scope = as_called(scope)
        await self._app(scope, receive, send)


def as_called(scope: Scope) -> Scope:
    """The scope as it would be without a gateway in between; a copy where anything differs."""
    headers: list[tuple[bytes, bytes]] = list(scope["headers"])
    changed: dict[str, Any] = {}
    prefix = _said(headers, b"x-forwarded-prefix", PREFIX)
    if prefix and scope.get("root_path", "") != prefix:
        changed |= {"root_path": prefix + scope.get("root_path", ""), "path": prefix + scope["path"]}
        if scope.get("raw_path"):
            changed["raw_path"] = prefix.encode() + scope["raw_path"]
    if host := _said(headers, b"x-forwarded-host", HOST):
        others = [(name, value) for name, value in headers if name != b"host"]
        changed["headers"] = [(b"host", host.encode()), *others]
    if proto := _said(headers, b"x-forwarded-proto", PROTO):
        changed["scheme"] = proto if scope["type"] == "http" else proto.replace("http", "ws")
    return {**scope, **changed} if changed else scope


def _said(headers: list[tuple[bytes, bytes]], name: bytes, form: re.Pattern[bytes]) -> str:
    """A field that is there once and has this form; else empty."""
    values = [value for key, value in headers if key == name]
    return values[0].decode() if len(values) == 1 and form.fullmatch(values[0]) else ""
