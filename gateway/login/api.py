"""Zowe's endpoints for logins, over HTTP, below /gateway/api/v1/auth.

    POST login                Basic, {"username", "password"}, or a certificate a user has    204, Set-Cookie
    GET  query                a token                                                         200 {"userId", …}
    POST logout               a token                                                         204
    POST refresh              a token and a certificate, where `loginRefresh` is on           204, Set-Cookie
    GET  keys/public/all      JWK set of all keys that are believed, the one that signs first
    GET  keys/public/current  JWK set of the one that signs
    GET  keys/public          its public key, PEM

A token comes in the cookie or as Bearer (`credentials`). What browsers send by themselves does nothing for pages of
others: the cookie is SameSite=Strict, and a login, logout or refresh with a foreign Origin is refused (403), whatever
the gateway's CORS allows.

Source: Zowe API Mediation Layer, authentication endpoints.
Not here: their errors (`messages`), what they do (`service`).
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import msgspec
from aiohttp import web

from gateway import cors
from gateway.callers import Callers
from gateway.config import GatewayConfig
from gateway.console.operators import User
from gateway.login import credentials, messages
from gateway.login.service import Admitted, Logins, TooOften, Wrong
from gateway.login.tokens import Token
from gateway.login.verdict import NotKnown, NotOurs, Revoked, TooOld, Valid
from gateway.vouching import vouched
from shared.errors import BadInput, Unavailable
from shared.identity import Identity
from shared.zowe import Message

HOME = "/gateway/api/v1/auth"
MAX_BODY_BYTES = 8192

Answering = Callable[[web.Request], Awaitable[web.Response]]


class Refused(Exception):
    """An answer other than the one wanted."""

    def __init__(self, status: int, message: Message, content: str, **headers: str) -> None:
        super().__init__(content)
        self.answer = web.Response(
            status=status, body=messages.body(message, content), content_type="application/json", headers=headers
        )


class LoginApi:
    def __init__(self, config: GatewayConfig, logins: Logins) -> None:
        self._config = config
        self._logins = logins
        self._callers = Callers(config.trusted_proxies, 0)

    def routes(self) -> list[web.RouteDef]:
        found = {
            "login": ("POST", self.login),
            "query": ("GET", self.query),
            "logout": ("POST", self.logout),
            "keys/public/all": ("GET", self.all_keys),
            "keys/public/current": ("GET", self.current_key),
            "keys/public": ("GET", self.pem),
        }
        if self._config.login_refresh:
            found["refresh"] = ("POST", self.refresh)
        return [web.route("*", f"{HOME}/{name}", _only(method, answer)) for name, (method, answer) in found.items()]

    def _from_here(self, request: web.Request) -> None:
        """No page of another origin asks; with TLS none in plain, which is somebody's on the way. Raises Refused."""
        origin, host = request.headers.get("Origin"), request.headers.get("Host", "")
        if origin is None:
            return
        own = cors.is_own(origin.encode("utf-8", "replace"), host.encode("utf-8", "replace"))
        if not own or (self._config.tls and not origin.startswith("https://")):
            raise Refused(403, messages.FORBIDDEN, "logins and logouts are taken from pages of this gateway only")

    # --- in

    async def login(self, request: web.Request) -> web.Response:
        self._from_here(request)
        shown = await self._shown(request)
        address = self._address(request)
        if isinstance(shown, credentials.Basic):
            found = await self._logins.login(shown.user, shown.password, address)
        else:
            found = await self._logins.login_holder(shown.distinguished_name, address)
        match found:
            case Wrong():
                raise Refused(401, messages.WRONG, f"Invalid username or password for URL '{request.path}'")
            case TooOften(wait_s):
                why = f"Too many wrong passwords for URL '{request.path}'"
                raise Refused(429, messages.TOO_OFTEN, why, **{"Retry-After": str(math.ceil(wait_s))})
            case Admitted(token):
                return self._with(token)

    async def _shown(self, request: web.Request) -> credentials.Basic | Identity:
        """Raises Refused."""
        try:
            if shown := credentials.basic(request.headers.get("Authorization", "")):
                return shown
            if body := await _body(request):
                return credentials.of_body(body)
        except BadInput as error:
            raise Refused(400, messages.NOTHING_SHOWN, f"{error}, for URL '{request.path}'") from error
        if holder := vouched(request.headers):
            return holder
        missing = "Authorization header is missing, or the request body is missing or invalid"
        raise Refused(400, messages.NOTHING_SHOWN, f"{missing} for URL '{request.path}'")

    async def refresh(self, request: web.Request) -> web.Response:
        self._from_here(request)
        if vouched(request.headers) is None:
            raise Refused(403, messages.FORBIDDEN, "a token is refreshed for holders of a certificate of this sysplex")
        token = (await self._valid(request)).token
        return self._with((await self._logins.refresh(token, self._address(request))).token)

    def _with(self, token: str) -> web.Response:
        """The cookie, new or (empty) forgotten."""
        cookie = credentials.set_cookie(token, secure=self._config.tls)
        return web.Response(status=204, headers={"Set-Cookie": cookie, "Cache-Control": "no-store"})

    # --- of a token

    async def query(self, request: web.Request) -> web.Response:
        return _json(_told((await self._valid(request)).token))

    async def logout(self, request: web.Request) -> web.Response:
        self._from_here(request)
        await self._logins.logout((await self._valid(request)).token)
        return self._with("")

    async def _valid(self, request: web.Request) -> Valid:
        """Raises Refused."""
        text, where = _token(request), f"for URL '{request.path}'"
        if not text:
            raise Refused(401, messages.NO_TOKEN, f"No authorization token provided {where}")
        match await self._logins.check(text):
            case Valid() as valid:
                return valid
            case TooOld():
                raise Refused(401, messages.TOO_OLD, f"Token is expired {where}")
            case NotOurs() | Revoked():
                raise Refused(401, messages.NOT_OURS, f"Token is not valid {where}")
            case NotKnown(why):
                raise Unavailable(why)

    def _address(self, request: web.Request) -> str:
        """The client's, as the worker has it, or as a proxy that is trusted says."""
        *_, before, peer = ["", *(part.strip() for part in request.headers.get("X-Forwarded-For", "").split(","))]
        return before if before and self._callers.trusts(peer) else peer

    # --- keys

    async def all_keys(self, _: web.Request) -> web.Response:
        return _json((await self._logins.ring()).key_set())

    async def current_key(self, _: web.Request) -> web.Response:
        return _json((await self._logins.ring()).key_set(newest_only=True))

    async def pem(self, _: web.Request) -> web.Response:
        return web.Response(text=(await self._logins.ring()).newest.public_pem, content_type="application/x-pem-file")


def whose(logins: Logins) -> Callable[[web.Request], Awaitable[User | None]]:
    """For other pages: who has logged in, by the token of a request. It raises Unavailable."""

    async def found(request: web.Request) -> User | None:
        text = _token(request)
        match await logins.check(text) if text else None:
            case Valid(token, operator):
                return User(token.user, operator)
            case NotKnown(why):
                raise Unavailable(why)
        return None

    return found


def _token(request: web.Request) -> str:
    return credentials.token(request.headers.getall("Cookie", ()), request.headers.get("Authorization", ""))


def _only(method: str, answer: Answering) -> Answering:
    async def answered(request: web.Request) -> web.Response:
        try:
            if request.method != method:
                why = f"Authentication method '{request.method}' is not supported for URL '{request.path}'"
                raise Refused(405, messages.METHOD, why, Allow=method)
            return await answer(request)
        except Refused as refused:
            return refused.answer
        except Unavailable as error:
            return Refused(503, messages.UNAVAILABLE, str(error)).answer

    return answered


async def _body(request: web.Request) -> bytes:
    """Raises BadInput: it is too large for a name and a password."""
    found = b""
    async for piece in request.content.iter_any():
        found += piece
        if len(found) > MAX_BODY_BYTES:
            raise BadInput(f"the body: expected at most {MAX_BODY_BYTES} bytes")
    return found


def _told(token: Token) -> dict[str, object]:
    return {
        "domain": token.domain,
        "userId": token.user,
        "creation": _instant(token.issued_s),
        "expiration": _instant(token.expires_s),
        "expired": False,
    }


def _instant(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _json(body: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")
