"""Who is at a page of the console, and who may give orders from it.

    GET /console/v1/me    {"name", "by": "certificate" | "login" | "", "operator", "needed", "login"}

With TLS an order needs an operator: somebody who has shown the certificate of one, or an LPAR's, or has logged in as
one. In plain nothing could be proved, and nobody is asked (`needed` is false). `login`: one can log in here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec
from aiohttp import web

from gateway import vouching
from shared.access import refusal
from shared.config import ServiceConfig
from shared.errors import Forbidden


class User(msgspec.Struct, frozen=True):
    """Somebody who has logged in."""

    name: str
    operator: bool


Logins = Callable[[web.Request], Awaitable[User | None]]
"""Whose token a request has; None: it has none that is good."""


class Visitor(msgspec.Struct, frozen=True):
    name: str = ""
    by: Literal["certificate", "login", ""] = ""
    operator: bool = False


class Operators:
    def __init__(self, config: ServiceConfig, logins: Logins | None = None) -> None:
        """`logins`: None, nobody can log in."""
        self._config = config
        self._logins = logins

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/console/v1/me", self.me)]

    async def me(self, request: web.Request) -> web.Response:
        visitor = await self.who(request)
        said = {"needed": self._config.tls, "login": self._logins is not None, **msgspec.to_builtins(visitor)}
        return web.Response(body=msgspec.json.encode(said), content_type="application/json")

    async def who(self, request: web.Request) -> Visitor:
        """A login that may do more than the certificate goes first."""
        shown = vouching.vouched(request.headers)
        if shown is not None and shown.operates:
            return Visitor(shown.common_name, "certificate", operator=True)
        user = await self._logins(request) if self._logins is not None else None
        if user is not None:
            return Visitor(user.name, "login", user.operator)
        return Visitor(shown.common_name, "certificate") if shown is not None else Visitor()

    async def require(self, request: web.Request) -> None:
        """With TLS: an order is taken from operators. Raises Forbidden."""
        if not self._config.tls or (visitor := await self.who(request)).operator:
            return
        why = refusal(vouching.vouched(request.headers), "operator")
        if self._logins is not None:
            as_whom = f"; {visitor.name} is none" if visitor.by == "login" else ""
            why = f"{why}; or log in as an operator{as_whom}"
        raise Forbidden(why)
