"""Who may say what of whom, where callers have shown a certificate (`shared.identity`).

    peer        anything, and what Eureka servers tell one another
    operator    anything of services that are no part of the mesh (`shared.plexfile.RESERVED`); any status
    service     the same; where `plexmesh.access.services` is given, of those ids alone that it has for his name;
                and an instance that another one's certificate has registered is not for him to change. A gateway of
                another domain has `gateway` in that list; no other part of the mesh can be in it

Virtual addresses, by which Eureka's clients find instances, are held to the same. A service id is the one that is
stored: a prefix that is replaced is replaced before. In plain nobody is known, and everybody may say all of it. Which
hosts may be named (`discovery.hosts`) is looked at where there are certificates, or hosts in the configuration.

A renewal is held to the service id only: it changes nothing, and it is said more often than all else together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from discovery.hosts import Hosts, address_of, called, named_in
from discovery.registration import Registration
from shared.errors import BadInput, Forbidden
from shared.identity import Access, Identity
from shared.plexfile import RESERVED

NOT_ALLOWED = "expected a host of plexmesh.access.hosts, one in the caller's certificate, or the address it calls from"


GATEWAY = "gateway"
"""Of other domains, which register here as well."""

MAX_SHOWN = 200


class NotAllowedHost(BadInput):
    pass


class Caller(NamedTuple):
    """`address`: where the call comes from."""

    identity: Identity | None
    address: str

    @property
    def name(self) -> str:
        """Distinguished, or empty."""
        return self.identity.distinguished_name if self.identity is not None else ""

    @property
    def operates(self) -> bool:
        return self.identity is not None and self.identity.operates

    @property
    def near(self) -> frozenset[str]:
        """Names and addresses that are his own."""
        address = address_of(self.address)
        places = self.identity.places if self.identity is not None else frozenset()
        return places | ({str(address)} if address is not None else set())


UNKNOWN = Caller(None, "")


class Rights:
    def __init__(self, access: Access, own: Iterable[str] = (), *, tls: bool = False, replicas: bool = True) -> None:
        """`own`: names and addresses of the sysplex. `replicas`: there are Eureka servers beside this mesh."""
        self._services = access.services
        self._tls = tls
        self._replicas = replicas
        in_force = tls or access.hosts is not None
        self._hosts = Hosts([*own, *access.own], access.hosts or ()) if in_force else None

    def speak(self, caller: Caller, key: str) -> None:
        """For that service, by an instance's key. Raises Forbidden."""
        service = key.partition("/")[0]
        if not self._tls or _is(caller, "peer"):
            return
        listed = self._services is not None and service in self._services.get(caller.name, ())
        if service in RESERVED and not (listed and service == GATEWAY):
            raise Forbidden(f"service {service!r}: it is a part of the mesh, which LPARs alone register{_as(caller)}")
        if not listed and self._services is not None and not _is(caller, "operator"):
            raise Forbidden(f"service {service!r}: plexmesh.access.services does not have it{_as(caller)}")

    def change(self, caller: Caller, key: str, held: Registration | None) -> None:
        """An instance, which is registered as `held`. Raises Forbidden."""
        self.speak(caller, key)
        if not self._tls or held is None or not _is(caller, "service"):
            return
        if held.registrant and held.registrant != caller.name:
            raise Forbidden(f"instance {key!r}: {held.registrant!r} has registered it{_as(caller)}")

    def register(
        self, caller: Caller, given: Registration, held: Registration | None, fields: Mapping[str, str], where: str = ""
    ) -> Registration:
        """As it is to be stored. `fields`: what the caller's dialect calls ours; `where`: which of several it is.
        Raises Forbidden, NotAllowedHost."""
        try:
            self.change(caller, given.key, held)
            for name in _virtual(given):
                self.speak(caller, name)
        except Forbidden as error:
            raise Forbidden(f"{where}: {error}" if where else str(error)) from None
        self._check(caller, named_in(given), fields, where)
        return msgspec.structs.replace(given, registrant=caller.name) if caller.name else given

    def annotate(self, caller: Caller, metadata: Mapping[str, str]) -> None:
        """Raises NotAllowedHost."""
        self._check(caller, called(metadata), {}, "")

    def replicate(self, caller: Caller) -> None:
        """As a Eureka server does. Raises Forbidden."""
        if _is(caller, "peer"):
            return
        if self._tls:
            raise Forbidden(f"what Eureka servers tell one another is for plexmesh.access.peers alone{_as(caller)}")
        if self._hosts is not None and not self._replicas:
            raise Forbidden("what Eureka servers tell one another: there are none (components.discovery.eurekaPeers)")

    def _check(self, caller: Caller, places: Iterable[tuple[str, str]], fields: Mapping[str, str], where: str) -> None:
        if self._hosts is None or _is(caller, "peer"):
            return
        refused = self._hosts.refused(places, caller.near)
        if refused is not None:
            field, text = refused
            name = fields.get(field, field)
            place = f"{where}.{name}" if where else name
            raise NotAllowedHost(f"{place}: {text[:MAX_SHOWN]!r}, {NOT_ALLOWED}")


def _virtual(given: Registration) -> set[str]:
    """Other names by which clients of Eureka find it."""
    names = {each.strip().lower() for each in f"{given.vip},{given.secure_vip}".split(",")}
    return names - {"", given.service}


def _is(caller: Caller, role: str) -> bool:
    return caller.identity is not None and caller.identity.role == role


def _as(caller: Caller) -> str:
    return f"; the caller is {caller.name!r}" if caller.name else ""
