"""Passwords that a z/OSMF knows: POST /zosmf/services/authenticate with Basic and X-CSRF-ZOSMF-HEADER.

    200 or 204, with a cookie jwtToken or LtpaToken2    right
    401                                                 wrong
    anything else, or no answer in time                 not to be found out now

Its token is thrown away: the users' is the gateway's own. Redirects are not followed, for they would take the password
along. Its certificate is checked like that of any other service (`certificateAuthorities`, `verifyCertificates`).

Source: IBM, z/OSMF programming guide: "Log in to the z/OSMF server" (authentication services).
"""

from __future__ import annotations

import base64

import aiohttp

from gateway.config import GatewayConfig
from shared.errors import Unavailable
from shared.tls import trust

PATH = "/zosmf/services/authenticate"
COOKIES = ("jwtToken", "LtpaToken2")
WITHIN_S = 10.0
AT_ONCE = 8


class Zosmf:
    def __init__(self, config: GatewayConfig) -> None:
        """Raises ConfigError: certificates cannot be used."""
        self._url = config.zosmf_url.rstrip("/")
        self._trust = trust(config)
        self._session: aiohttp.ClientSession | None = None
        self.notice = "" if self._url else "nobody can log in: the provider zosmf needs components.gateway.zosmfUrl"

    async def verify(self, user: str, password: str) -> str:
        if not self._url:
            raise Unavailable("logins are checked by z/OSMF, and its address is not configured (zosmfUrl)")
        try:
            return user if await self._asked(user, password) else ""
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unavailable(f"z/OSMF does not answer: {_told(error)}") from error

    async def _asked(self, user: str, password: str) -> bool:
        shown = base64.b64encode(f"{user}:{password}".encode()).decode()
        async with self._open().post(
            self._url + PATH,
            headers={"Authorization": f"Basic {shown}", "X-CSRF-ZOSMF-HEADER": "plexmesh"},
            allow_redirects=False,
            ssl=self._trust.context,
        ) as answer:
            if answer.status == 401:
                return False
            if answer.status not in (200, 204):
                raise Unavailable(f"z/OSMF answered {answer.status}")
            if not any(answer.cookies.get(each) and answer.cookies[each].value for each in COOKIES):
                raise Unavailable("z/OSMF answered without a token")
            return True

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=AT_ONCE, keepalive_timeout=4),
                timeout=aiohttp.ClientTimeout(total=WITHIN_S),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def _told(error: BaseException) -> str:
    return "not in time" if isinstance(error, TimeoutError) else type(error).__name__
