"""What a request shows: a name and a password, or a token.

    Authorization: Basic …      name and password, UTF-8
    {"username", "password"}    the same, as the body of a login
    Cookie: apimlAuthenticationToken=…, else Authorization: Bearer …

Of several cookies of that name the first counts, which a browser puts there for the narrowest path.

Sources: RFC 7617 (Basic), RFC 6750 (Bearer), RFC 6265, 5.4 (order of cookies); Zowe API Mediation Layer.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from shared.errors import BadInput

COOKIE = "apimlAuthenticationToken"

MAX_NAME = 128
MAX_PASSWORD_BYTES = 1024


class Basic(NamedTuple):
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Basic({self.user!r}, …)"


class _Body(msgspec.Struct):
    username: str
    password: str
    new_password: str | None = msgspec.field(default=None, name="newPassword")


_body = msgspec.json.Decoder(_Body)


def basic(authorization: str) -> Basic | None:
    """None: it is of another scheme, or there is none. Raises BadInput."""
    scheme, _, rest = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(rest.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise BadInput("Authorization: expected Basic and name:password in base64 of UTF-8") from None
    user, colon, password = text.partition(":")
    if not colon:
        raise BadInput("Authorization: expected a colon between name and password")
    return _sound(user, password)


def of_body(body: bytes) -> Basic:
    """Raises BadInput."""
    try:
        said = _body.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # its text may quote what was sent
        raise BadInput('the body: expected {"username": …, "password": …}') from None
    if said.new_password is not None:
        raise BadInput("newPassword: passwords are not changed by a login here")
    return _sound(said.username, said.password)


def _sound(user: str, password: str) -> Basic:
    if not user or len(user) > MAX_NAME or not user.isprintable():
        raise BadInput(f"the user's name: expected 1 to {MAX_NAME} characters that can be seen")
    if "\0" in password or not 0 < _bytes(password) <= MAX_PASSWORD_BYTES:
        raise BadInput(f"the password: expected 1 to {MAX_PASSWORD_BYTES} bytes without NUL")
    return Basic(user, password)


def _bytes(text: str) -> int:
    """0: half a character, which no encoding has."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return 0


def token(cookies: Iterable[str], authorization: str) -> str:
    """Of the Cookie fields and the Authorization field; empty: none is shown."""
    for field in cookies:
        for pair in field.split(";"):
            name, _, value = pair.partition("=")
            if name.strip() == COOKIE:
                return value.strip().strip('"')
    scheme, _, rest = authorization.strip().partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else ""


def set_cookie(text: str, *, secure: bool) -> str:
    """The value of Set-Cookie; empty: the cookie is to be forgotten. A browser would not keep one that is Secure and
    comes in plain."""
    parts = [f"{COOKIE}={text}", "Path=/", *(["Secure"] if secure else []), "HttpOnly", "SameSite=Strict"]
    return "; ".join(parts if text else [*parts, "Max-Age=0"])
