"""Which hosts a registration may name: gateways call them, and browsers follow them (server-side request forgery).

    always         loopback, the sysplex' own names and addresses, the address the caller calls from, and what stands in
                   the caller's own certificate
    by an entry    of `plexmesh.access.hosts` or `zowe.network.allowedDomains`: a name, `*.domain` (what is below it), a
                   network
    by its own     link-local addresses, where clouds keep their secrets, and 0.0.0.0, which is everything that listens
                   here: an entry inside those ranges alone allows them

A name is allowed by its name, wherever it leads. An address has one spelling; 2130706433 and 127.1 are names here, and
nobody has allowed them. A URL is read as narrowly as possible: what two readers could read differently is refused.

Looked at are the host, the address and the URLs a registration consists of, and of its metadata those that are called:
`apiml.service.externalUrl`, `apiml.apiInfo.*.swaggerUrl` and `graphqlUrl`. Links to documentation may lead anywhere.

Sources: RFC 3986, 3.2; RFC 3927 and RFC 4291, 2.5.6 (link-local); Zowe API Mediation Layer, allowed domains.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from discovery.registration import Registration

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", re.ASCII)
URL = re.compile(
    r"[a-z][a-z0-9+.-]*://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{0,5})?([/?#].*)?", re.ASCII | re.IGNORECASE
)
PATH = re.compile(r"(/(?!/)|[?#]|[^/:?#]+([/?#]|$)).*")
"""On the instance itself."""
UNREADABLE = re.compile(r"[\x00-\x1f\x7f\\]|^ ")
"""Readers of URLs leave these out, or take them for others."""

CALLED = re.compile(r"apiml\.service\.externalUrl|apiml\.apiInfo\..+\.(swaggerUrl|graphqlUrl)", re.DOTALL)

SPECIAL: tuple[Network, ...] = tuple(map(ipaddress.ip_network, ("169.254.0.0/16", "fe80::/10", "0.0.0.0/32", "::/128")))


class Hosts:
    def __init__(self, own: Iterable[str], named: Iterable[str] = ()) -> None:
        """`own`: of the sysplex; `named`: as `shared.identity.Access` has them."""
        self._names = {"localhost"}
        self._addresses: set[Ip] = set()
        for place in own:
            self._take(place)
        self._below: list[str] = []
        self._networks: list[Network] = []
        for entry in named:
            network = _network(entry)
            if network is not None:
                self._networks.append(network)
            elif entry.startswith("*."):
                self._below.append(entry[1:])
            else:
                self._names.add(entry)

    def refused(self, places: Iterable[tuple[str, str]], near: Collection[str]) -> tuple[str, str] | None:
        """The first of these fields (`named_in`) that names nobody who is allowed. `near`: the caller's address, and
        what is in his certificate."""
        for field, text in places:
            host = plain(text) if field in ("host", "ip") else host_in(text)
            if host is None or (host and not self._allowed(host, near)):
                return field, text
        return None

    def _allowed(self, host: str, near: Collection[str]) -> bool:
        address = address_of(host)
        if address is None:
            return self._named(host, near)
        if any(address in each for each in SPECIAL):
            return any(address in each for each in self._networks if _inside(each, SPECIAL))
        near_by = address.is_loopback or address in self._addresses or str(address) in near
        return near_by or any(address in each for each in self._networks)

    def _named(self, name: str, near: Collection[str]) -> bool:
        if name in self._names or name in near or any(name.endswith(each) for each in self._below):
            return True
        return f"*.{name.partition('.')[2]}" in near  # a certificate's asterisk stands for one label

    def _take(self, place: str) -> None:
        host = plain(place)
        if host:
            address = address_of(host)
            if address is None:
                self._names.add(host)
            else:
                self._addresses.add(address)


def named_in(given: Registration) -> Iterator[tuple[str, str]]:
    """Field of a registration → what it says."""
    yield "host", given.host
    yield "ip", given.ip
    yield "home_page_url", given.home_page_url
    yield "status_page_url", given.status_page_url
    yield "health_check_url", given.health_check_url
    yield "secure_health_check_url", given.secure_health_check_url
    yield from called(given.metadata)


def called(metadata: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for key, text in metadata.items():
        if CALLED.fullmatch(key):
            yield f"metadata.{key}", text


def plain(text: str) -> str | None:
    """A host by itself, in its one spelling; None: it is none."""
    host = text.strip().lower().removesuffix(".")
    address = address_of(host.removeprefix("[").removesuffix("]"))
    if address is not None:
        return str(address)
    return host if not host or NAME.fullmatch(host) else None


def host_in(url: str) -> str | None:
    """The host of a URL; empty: it leads to the instance itself. None: it is not to be read."""
    if UNREADABLE.search(url):
        return None
    found = URL.fullmatch(url)
    if found is not None:
        return plain(found["host"])
    return "" if not url or PATH.fullmatch(url) else None


def address_of(host: str) -> Ip | None:
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _network(entry: str) -> Network | None:
    try:
        return ipaddress.ip_network(entry)
    except ValueError:
        return None


def _inside(network: Network, ranges: Iterable[Network]) -> bool:
    return any(
        network.version == each.version and network.prefixlen >= each.prefixlen and network.network_address in each
        for each in ranges
    )
