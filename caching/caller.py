"""Who calls: the owner of the entries a request is about.

    way in                                          owner
    in plain                                        what X-CS-Service-ID says, and alone: nobody can prove a name
    with TLS, directly
      a peer (an LPAR's component, a gateway)       the same: the certificates of LPARs differ, and their data is shared
      anybody else                                  the name in the certificate
    with TLS, through a gateway
      a peer called the gateway                     what X-CS-Service-ID says
      anybody else                                  the name in the certificate, which the gateway tells

A certificate's name is followed by ", SERVICE=" and X-CS-Service-ID where that is said. No name of a certificate holds
that: a comma in a value is quoted.

X-Certificate-* are believed of peers only, from anybody else they mean nothing. What came through a gateway that does
not tell whose certificate its caller has shown is refused, since it would pass for a peer's. The id `gateway` is
refused from anybody who came through a gateway (`X-Forwarded-For`): the gateway itself calls directly.

Source: Zowe's Caching Service, which believes X-Certificate-DistinguishedName of anybody who has a certificate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared import identity
from shared.errors import Forbidden, PlexmeshError
from shared.identity import Identity

HEADER = "X-CS-Service-ID"
FORWARDED = "X-Forwarded-For"
DISTINGUISHED_NAME, ROLE = "X-Certificate-DistinguishedName", "X-Certificate-Role"
GATEWAY = "gateway"
MAX_CHARACTERS = 255
MAX_NAME_CHARACTERS = 1024


class NoCaller(PlexmeshError):
    status = 401


@dataclass(frozen=True)
class Said:
    """What a request says of its caller: a header's values, one per line of it."""

    ids: Sequence[str] = ()
    names: Sequence[str] = ()
    roles: Sequence[str] = ()
    forwarded: bool = False

    @classmethod
    def by(cls, values: Callable[[str], Sequence[str]]) -> Said:
        """`values` gives those of a header."""
        return cls(values(HEADER), values(DISTINGUISHED_NAME), values(ROLE), bool(values(FORWARDED)))


def owner(said: Said, caller: Identity | None) -> str:
    """`caller`: at the other end of the connection; None: in plain. Raises NoCaller or Forbidden."""
    if caller is None:
        return _service(said)
    if caller.role != "peer":
        return _named(_checked(caller.distinguished_name), said)
    if not said.names:
        if said.forwarded:
            raise Forbidden("The gateway this came through does not tell whose certificate its caller has shown")
        return _service(said)
    name = _told(said.names)
    return _service(said) if list(said.roles) == ["peer"] else _named(name, said)


def _service(said: Said) -> str:
    """Without a certificate of its own it has to say who it is."""
    if len(said.ids) != 1 or not said.ids[0].strip():
        raise NoCaller(f"Say who you are, once, in the header {HEADER}")
    name = _id(said.ids[0])
    if said.forwarded and name.casefold() == GATEWAY:
        raise Forbidden(f"The id {GATEWAY!r} is not for callers from outside")
    return name


def _named(name: str, said: Said) -> str:
    """By its certificate; a service id tells the data of several services of one holder apart."""
    if not said.ids:
        return name
    if len(said.ids) > 1 or not said.ids[0].strip():
        raise NoCaller(f"{HEADER} is said once, or not at all")
    return f"{name}, SERVICE={_id(said.ids[0])}"


def _id(text: str) -> str:
    name = text.strip()
    if len(name) > MAX_CHARACTERS or not name.isprintable():
        raise NoCaller(f"{HEADER} has to be at most {MAX_CHARACTERS} printable characters")
    return name


def _told(names: Sequence[str]) -> str:
    """In its one spelling, as the certificate itself would give it."""
    if len(names) != 1:
        raise NoCaller(f"{DISTINGUISHED_NAME} is said once")
    try:
        return _checked(identity.normal(names[0]))
    except ValueError as error:
        raise NoCaller(f"{DISTINGUISHED_NAME}: {error}") from error


def _checked(name: str) -> str:
    if not name or len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        raise Forbidden(f"Its certificate names nobody in at most {MAX_NAME_CHARACTERS} printable characters")
    return name
