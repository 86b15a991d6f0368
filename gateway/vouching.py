"""What a service with the scheme x509 is told of its caller's certificate, in lines that only a gateway may say.

    X-Certificate-Public               the certificate, DER in base64
    X-Certificate-DistinguishedName    CN=orders, OU=plexmesh client, O=PLEX1
    X-Certificate-CommonName           orders
    X-Certificate-Role                 service, operator or peer: what that makes its holder (`shared.identity`)

The service says in `apiml.authentication.headers` which of them it wants; nothing said: Zowe's, which are the first
three. A call of somebody who has
shown none goes on, with the reason in X-Zowe-Auth-Failure, which the caller hears too.

Source: Zowe API Mediation Layer, x509 scheme. A name's form is that of Java's X500Principal (RFC 1779); what is not
ASCII in it is said in bytes of UTF-8, as RFC 4514 has it, so that two names are never told alike.
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping, Sequence
from typing import cast

from shared.identity import Access, Identity, Role, identity
from shared.wire import in_one_line

PUBLIC, DISTINGUISHED_NAME, COMMON_NAME = (
    "X-Certificate-Public",
    "X-Certificate-DistinguishedName",
    "X-Certificate-CommonName",
)
ROLE = "X-Certificate-Role"
ZOWES = (PUBLIC, DISTINGUISHED_NAME, COMMON_NAME)
HEADERS = {each.lower(): each for each in (*ZOWES, ROLE)}

NOT_SHOWN = b"X-Zowe-Auth-Failure: ZWEAG167E No client certificate was provided with the request\r\n"


def wanted(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Headers of a service whose scheme is x509, none otherwise. Raises ValueError: one that is not known."""
    if metadata.get("apiml.authentication.scheme") != "x509":
        return ()
    said = [each.strip() for each in metadata.get("apiml.authentication.headers", "").split(",") if each.strip()]
    strangers = [each for each in said if each.lower() not in HEADERS]
    if strangers:
        raise ValueError(f"expected of {', '.join(HEADERS.values())}")
    return tuple(HEADERS[each.lower()] for each in said) or ZOWES


def lines(shown: ssl.SSLObject | None, headers: Sequence[str], access: Access) -> bytes:
    """What is said of the certificate of that connection, which is believed; without one, why nothing is."""
    der = shown.getpeercert(binary_form=True) if shown is not None else None
    if shown is None or not der:
        return NOT_SHOWN
    found = identity(shown.getpeercert(), access) or Identity("", "", "service")
    said = _said(found) | {PUBLIC: base64.b64encode(der)}
    return b"".join(b"%b: %b\r\n" % (each.encode(), said[each]) for each in headers)


def introduction(found: Identity) -> bytes:
    """What the gateway's own pages are told of a caller, in lines of this kind."""
    return b"".join(b"%b: %b\r\n" % (name.encode(), value) for name, value in _said(found).items())


def _said(found: Identity) -> dict[str, bytes]:
    return {
        COMMON_NAME: in_one_line(found.common_name).encode(),
        DISTINGUISHED_NAME: _escaped(found.distinguished_name),
        ROLE: found.role.encode(),
    }


def vouched(headers: Mapping[str, str]) -> Identity | None:
    """Who calls, as the door has said it; None: nobody has shown a certificate."""
    role = headers.get(ROLE)
    if role not in ("service", "operator", "peer"):
        return None
    return Identity(headers.get(COMMON_NAME, ""), headers.get(DISTINGUISHED_NAME, ""), cast(Role, role))


def _escaped(name: str) -> bytes:
    """It cannot end its line, and no two are spelled alike: a "\\" of a name is never alone in it."""
    return "".join(each if " " <= each <= "~" else _bytes(each) for each in name).encode()


def _bytes(letter: str) -> str:
    return "".join(f"\\{each:02X}" for each in letter.encode(errors="surrogatepass"))
