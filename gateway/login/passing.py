"""Credentials on their way to a service with the scheme zoweJwt, as lines of a request's head.

    a good token, from the cookie or as Bearer     goes on as the cookie, and as nothing else
    none                                           ZWEAG160E
    a bad one                                      ZWEAG102E, one whose time is over ZWEAG103E; it does not go on

What failed is told in X-Zowe-Auth-Failure, to the service and to the caller, and the call goes on without credentials:
the service decides. A departure from the original, which lets a bad credential go on: whoever takes it for a good one,
because it came through the gateway, is wrong.

Source: Zowe API Mediation Layer, scheme zoweJwt and its authentication failures.
Not here: whether a token is good (`table` asks).
"""

from __future__ import annotations

from typing import Literal

from gateway.login import credentials
from gateway.login.credentials import COOKIE

Outcome = Literal["good", "none", "bad", "old", "not known"]

FAILURE = b"x-zowe-auth-failure"
FAILURES: dict[Outcome, bytes] = {
    "none": b"X-Zowe-Auth-Failure: ZWEAG160E No authentication provided in the request\r\n",
    "bad": b"X-Zowe-Auth-Failure: ZWEAG102E Token is not valid\r\n",
    "old": b"X-Zowe-Auth-Failure: ZWEAG103E The token has expired\r\n",
}


def token_in(lines: bytes) -> str:
    """Empty: none is shown."""
    fields = [_split(line) for line in lines.split(b"\r\n")]
    cookies = [value for name, value in fields if name == b"cookie"]
    bearers = [value for name, value in fields if name == b"authorization"]
    return credentials.token((each.decode("latin-1") for each in cookies), (bearers or [b""])[0].decode("latin-1"))


def passed_on(lines: bytes, token: str) -> bytes:
    """The lines with that token (empty: none) in place of what was shown. Cookies become one field (RFC 6265, 5.4)."""
    kept, cookies = [], []
    for line in lines.split(b"\r\n")[:-1]:
        name, value = _split(line)
        if name == b"cookie":
            cookies += [pair for each in value.split(b";") if (pair := each.strip()) and not _is_token(pair)]
        elif name != FAILURE and not (name == b"authorization" and value[:7].lower() == b"bearer "):
            kept.append(line + b"\r\n")
    if token:
        cookies.append(f"{COOKIE}={token}".encode("latin-1"))
    if cookies:
        kept.append(b"Cookie: %b\r\n" % b"; ".join(cookies))
    return b"".join(kept)


def _split(line: bytes) -> tuple[bytes, bytes]:
    """Name in lower case, and value. Names that differ in "_" are one to some programs."""
    name, _, value = line.partition(b":")
    return name.lower().replace(b"_", b"-"), value.strip()


def _is_token(pair: bytes) -> bool:
    return pair.partition(b"=")[0].strip() == COOKIE.encode()
