"""What a token says, and whether it is good at a given time.

    header    alg, kid, typ: JWT
    claims    sub (the user), iat, exp (seconds since 1970), jti (its own name), iss: APIML, dom: security-domain

    check     not three parts, an unknown key, another alg than the key's, a wrong signature, other claims   Invalid
              all of that right, and exp is reached                                                          Expired
              else                                                                                           Genuine

The alg of the header is compared and never followed: a key says itself what it is for, so neither `none` nor a public
key taken for a shared secret opens anything.

Sources: RFC 7515, RFC 7519; RFC 8725 (algorithm confusion, kid); Zowe API Mediation Layer, its token's claims.
Not here: whether it was revoked (`revocations`), where a request has it (`credentials`).
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from typing import Annotated

import msgspec

from gateway.login.ring import Ring, SigningKey

ISSUER = "APIML"
DOMAIN = "security-domain"
LIFE_S = 8 * 3600

MAX_CHARS = 4096
"""A token of ours has some 600."""
MAX_HEAD_CHARS = 512

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Instant = Annotated[int, msgspec.Meta(ge=0, lt=1 << 40)]


class Token(msgspec.Struct, frozen=True, rename={"user": "sub", "issued_s": "iat", "expires_s": "exp", "id": "jti",
                                                 "issuer": "iss", "domain": "dom"}):  # fmt: skip
    """Its claims. Instants are seconds since 1970."""

    user: Text
    issued_s: Instant
    expires_s: Instant
    id: Text
    issuer: str = ISSUER
    domain: str = DOMAIN


class Genuine(msgspec.Struct, frozen=True):
    token: Token


class Expired(msgspec.Struct, frozen=True):
    token: Token


class Invalid(msgspec.Struct, frozen=True):
    """`why` is for us, and not for whoever shows it."""

    why: str


Checked = Genuine | Expired | Invalid

_token = msgspec.json.Decoder(Token)


class _Header(msgspec.Struct):
    kid: str = ""


_header = msgspec.json.Decoder(_Header)


def sign(token: Token, key: SigningKey) -> str:
    from joserfc import jwt

    header = {"alg": key.algorithm, "kid": key.id}
    return jwt.encode(header, msgspec.to_builtins(token), key.key, algorithms=[key.algorithm])


def key_id(text: str) -> str:
    """Of the key it says it is signed with; empty: it says none, or is no token."""
    head, dot, _ = text.partition(".")
    if not dot or len(text) > MAX_CHARS or len(head) > MAX_HEAD_CHARS:
        return ""
    try:
        return _header.decode(urlsafe_b64decode(head + "=" * (-len(head) % 4))).kid
    except (ValueError, RecursionError):  # msgspec's and base64's errors are ValueErrors
        return ""


def check(text: str, ring: Ring, now_s: float) -> Checked:
    key = ring.get(key_id(text))
    if key is None:
        return Invalid("no key of ours has signed it")
    from joserfc import jws
    from joserfc.errors import JoseError

    try:
        found = jws.deserialize_compact(text.encode("ascii"), key.key, algorithms=[key.algorithm])
        token = _token.decode(found.payload or b"")
    except (JoseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        return Invalid(type(error).__name__)
    header = found.headers()
    if header.get("kid") != key.id or "b64" in header or token.issuer != ISSUER:
        return Invalid("it is no login token")
    return Expired(token) if token.expires_s <= now_s else Genuine(token)
