"""Who is at the other end of a connection, by the certificate that was shown and believed, and what that makes it.

    peer        an LPAR of this sysplex, or `plexmesh up` and the command; it may do all that an operator may
    operator    may give orders
    service     may read the registry, and register

What the sysplex' own authority has issued has its role by its OU. What another one has issued is a service's, unless
`plexmesh.access` names it: an authority in ca.pem is believed as to who somebody is, not as to what he may do.

A distinguished name has one spelling here, "CN=orders, OU=plexmesh client, O=PLEX1": the narrowest part first, kinds in
capitals, parts of one rank joined by " + ". In the configuration RFC 4514's spelling is understood too; values are
compared letter by letter.

Sources: RFC 4514, RFC 1779 (names as text); RFC 5280, 4.2.1.6 (names and addresses in a certificate).
Not here: what each role may do (`shared.access`), whether a certificate is believed (`shared.tls`).
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared.errors import ConfigError, nearest

Role = Literal["service", "operator", "peer"]

LPAR, OPERATOR = "plexmesh LPAR", "plexmesh operator"
UNITS: Mapping[str, Role] = {LPAR: "peer", OPERATOR: "operator"}
"""By OU, of certificates of the own authority."""

SHORT = {
    "commonName": "CN", "organizationalUnitName": "OU", "organizationName": "O", "localityName": "L",
    "stateOrProvinceName": "ST", "countryName": "C", "domainComponent": "DC", "userId": "UID",
    "streetAddress": "STREET", "emailAddress": "EMAILADDRESS",
}  # fmt: skip
"""Of the kinds as OpenSSL names them."""

KINDS = {kind.upper(): short for kind, short in SHORT.items()} | {
    "S": "ST", "E": "EMAILADDRESS", "1.2.840.113549.1.9.1": "EMAILADDRESS",
}  # fmt: skip

SPECIAL = frozenset(',+="<>#;\\\n')

PART = re.compile(
    r"""\s*(?P<kind>[A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)\s*=\s*
        (?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>(?:[^",;+<>\\]|\\.)*?))
        \s*(?P<end>[,;+]|\Z)""",
    re.DOTALL | re.VERBOSE,
)
ESCAPED = re.compile(r"(?P<bytes>(?:\\[0-9A-Fa-f]{2})+)|\\(?P<letter>.)", re.DOTALL)

NAME = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*", re.ASCII)


@dataclass(frozen=True)
class Access:
    """`plexmesh.access` of plexmesh.yaml, checked. Distinguished names are in their one spelling.

    `services`: which service ids each may register; None: nothing is said, and everybody may register any. `hosts`:
    what registrations may name besides what is allowed anyway, as names, *.domain and networks, in small letters.
    """

    operators: frozenset[str] = frozenset()
    peers: frozenset[str] = frozenset()
    services: Mapping[str, frozenset[str]] | None = None
    hosts: tuple[str, ...] | None = None
    own: frozenset[str] = frozenset()
    """Names and addresses of the sysplex itself: its LPARs', and those it is known by outside."""
    sysplex: str = "PLEX1"
    """Whose authority is the own one."""


@dataclass(frozen=True)
class Identity:
    """`places`: the names and addresses in the certificate, in small letters."""

    common_name: str
    distinguished_name: str
    role: Role
    places: frozenset[str] = frozenset()

    @property
    def operates(self) -> bool:
        return self.role in ("operator", "peer")


def identity(certificate: Mapping[str, Any] | None, access: Access) -> Identity | None:
    """Of what `getpeercert` gives of a certificate that was believed; None: none was shown."""
    if not certificate:
        return None
    name = distinguished_name(certificate.get("subject", ()))
    return Identity(common_name(certificate), name, _role(certificate, name, access), frozenset(_places(certificate)))


def common_name(certificate: Mapping[str, Any]) -> str:
    """Or empty."""
    return next(iter(_values(certificate.get("subject", ()), "commonName")), "")


def _role(certificate: Mapping[str, Any], name: str, access: Access) -> Role:
    if name in access.peers:
        return "peer"
    if name in access.operators:
        return "operator"
    if not _own(certificate, access.sysplex):
        return "service"
    units = _values(certificate["subject"], "organizationalUnitName")
    return UNITS.get(units[0], "service") if len(units) == 1 else "service"


def _own(certificate: Mapping[str, Any], sysplex: str) -> bool:
    """Issued by the authority of this sysplex, which has its name."""
    issuer = distinguished_name(certificate.get("issuer", ()))
    return issuer == rendered([[("commonName", f"{sysplex} authority")], [("organizationName", sysplex)]])


def _values(name: Iterable[Iterable[tuple[str, str]]], kind: str) -> list[str]:
    return [value for part in name for each, value in part if each == kind]


def _places(certificate: Mapping[str, Any]) -> Iterator[str]:
    for kind, value in certificate.get("subjectAltName", ()):
        if kind == "DNS":
            yield value.lower()
        elif kind == "IP Address":
            with contextlib.suppress(ValueError):  # one of an odd length has no spelling
                yield str(ipaddress.ip_address(value.strip()))


# --- names as text


def distinguished_name(name: Iterable[Iterable[tuple[str, str]]]) -> str:
    """Of a certificate's subject or issuer as `getpeercert` gives it, the widest part first."""
    return rendered(list(name)[::-1])


def rendered(name: Iterable[Iterable[tuple[str, str]]]) -> str:
    """The narrowest part first, each with the kinds and values of its rank."""
    return ", ".join(" + ".join(f"{_kind(kind)}={_quoted(value)}" for kind, value in part) for part in name)


def normal(text: str) -> str:
    """A name in its one spelling. Raises ValueError: it is none."""
    parts: list[list[tuple[str, str]]] = [[]]
    place, end = 0, "+"
    while end:
        found = PART.match(text, place)
        if found is None:
            raise ValueError('expected a distinguished name such as "CN=orders, OU=plexmesh client, O=PLEX1"')
        if end != "+":
            parts.append([])
        value = found["plain"] if found["quoted"] is None else found["quoted"]
        parts[-1].append((found["kind"], ESCAPED.sub(_unescaped, value)))
        place, end = found.end(), found["end"]
    return rendered(parts)


def _kind(kind: str) -> str:
    return KINDS.get(kind.upper(), kind.upper())


def _quoted(value: str) -> str:
    if not SPECIAL.intersection(value) and value == value.strip():
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _unescaped(found: re.Match[str]) -> str:
    if found["letter"] is not None:
        return found["letter"]
    return bytes.fromhex(found["bytes"].replace("\\", "")).decode()  # an error of it is a ValueError


# --- the configuration


def access(value: object, where: str, sysplex: str = "PLEX1") -> Access:
    """What `plexmesh.access` says. Raises ConfigError, which names the place."""
    said = _mapping(value, where)
    known = ("operators", "peers", "services", "hosts")
    for key in said:
        if key not in known:
            raise ConfigError(f"{where}.{key}: unknown key{nearest(key, known)}")
    services = said.get("services")
    return Access(
        operators=frozenset(_named(each, f"{where}.operators") for each in _list(said, "operators", where)),
        peers=frozenset(_named(each, f"{where}.peers") for each in _list(said, "peers", where)),
        services=None if services is None else _services(services, f"{where}.services"),
        hosts=None if said.get("hosts") is None else hosts(said, "hosts", where),
        sysplex=sysplex,
    )


def hosts(said: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    """A list of hosts there. Raises ConfigError."""
    return tuple(_host(each, f"{where}.{key}") for each in _list(said, key, where))


def _services(value: object, where: str) -> dict[str, frozenset[str]]:
    """A name that is there twice, in two spellings, may register what both say."""
    found: dict[str, frozenset[str]] = {}
    said = _mapping(value, where)
    for name in said:
        ids = _list(said, name, where)
        key = _named(name, where)
        found[key] = found.get(key, frozenset()) | {each.lower() for each in ids}
    return found


def _host(text: str, where: str) -> str:
    place = text.strip().lower()
    try:
        return str(ipaddress.ip_network(place.strip("[]")))
    except ValueError as error:
        numeric = place.rpartition(".")[2].isdigit()
        if "/" in place or ":" in place or numeric or not NAME.fullmatch(place):
            expected = "expected a name, *.domain, an address or a network such as 10.0.0.0/8"
            raise ConfigError(f"{where}: {text!r}: {expected}") from error
    return place


def _named(text: str, where: str) -> str:
    try:
        return normal(text)
    except ValueError as error:
        raise ConfigError(f"{where}: {text!r}: {error}") from error


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ConfigError(f"{where}: expected keys and values (the value is {value!r})")
    return value


def _list(said: Mapping[str, Any], key: str, where: str) -> list[str]:
    value = said.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, str) and each.strip() for each in value):
        raise ConfigError(f"{where}.{key}: expected a list of texts (the value is {value!r})")
    return value
