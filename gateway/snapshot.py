"""What the gateway knows of the sysplex: an immutable snapshot, made of registered instances and the configuration.

Requests read one `Snapshot`; it is replaced in one assignment, so a request sees all of a change or nothing of it.
Instances that are not UP stay known: a service with instances of which none is usable is answered differently (503)
from one nobody has heard of (404). Only UP instances are candidates.

Not here: the watch events it comes from (`fold`), what this gateway has learned about an instance by itself (`health`).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import urlsplit

from gateway.policy import PLAIN, Policies, Policy
from gateway.routes import Route, read_routes, routable
from shared.wire import Instance, OwnerState

WEIGHT, MAX_WEIGHT = 100, 10_000
"""Of an instance that names none (`plexmesh.weight`); and the most one may have."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One instance as requests need it: who it is, where it is, what it is called in X-Plexmesh-Path."""

    key: str
    """"service/instance id", as `Instance.key`."""
    service: str
    gen: int
    owner: str
    host: str
    ip: str
    port: int
    authority: bytes
    """The Host field of requests to it."""
    authorities: tuple[bytes, ...]
    """All names of it a Location may use, lower case."""
    path_name: bytes
    probe_url: str = ""
    """Its health URL, if that is on its own address: a registration cannot make a gateway call anybody else."""
    lpar: str = ""
    """Empty: outside the sysplex."""
    weight: int = WEIGHT
    leaving: bool = False
    """It is about to end: sessions do not stay either."""
    secure: bool = False
    """It is called with TLS."""

    @property
    def url(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.authority.decode()}"

    def same_process(self, other: Endpoint) -> bool:
        return self._place == other._place

    @property
    def _place(self) -> tuple[int, str, str, int, bool]:
        return self.gen, self.host, self.ip, self.port, self.secure


@dataclass(frozen=True, slots=True)
class Upstream:
    """A named group: a service's routes, and its endpoints that are UP."""

    service: str
    routes: tuple[Route, ...]
    endpoints: tuple[Endpoint, ...]
    known: int
    """Instances of any status."""
    policy: Policy = PLAIN
    faults: tuple[str, ...] = ()
    """What is wrong with its registrations, each a sentence; it concerns this service alone."""
    drained: tuple[Endpoint, ...] = ()
    """OUT_OF_SERVICE: sticky sessions may stay there for a while."""
    special: bool = False
    """Something of its policy is looked at with each call."""

    @property
    def sticky(self) -> bool:
        """A user's calls go to the same instance (`gateway.sticky`)."""
        return self.policy.sticky == "user"


OWN = Upstream("gateway", (Route(b"", b"", b""),), (), 1)
"""The gateway's own pages."""
OWN_SEGMENTS = frozenset((b"", b"gateway", b"application", b"static", b"console"))


def own(segment: bytes) -> Upstream | None:
    """The gateway's own pages, if a path that begins with this segment is one of theirs."""
    return OWN if segment in OWN_SEGMENTS else None


@dataclass(frozen=True, slots=True)
class Snapshot:
    upstreams: Mapping[bytes, Upstream]
    """By service id, as it stands in a path; those that are never routed are not in it."""
    endpoints: Mapping[str, Endpoint]
    """By key, UP ones of routed services."""
    instances: Mapping[str, Instance]
    owners: Mapping[str, OwnerState]
    token: str = ""
    drained: Mapping[str, Endpoint] = field(default_factory=dict)
    """By key, OUT_OF_SERVICE ones of routed services."""

    def newcomers(self, old: Snapshot) -> list[Endpoint]:
        """Processes that `old` did not have."""
        found = []
        for key, endpoint in self.endpoints.items():
            before = old.endpoints.get(key) or old.drained.get(key)
            if before is None or not before.same_process(endpoint):
                found.append(endpoint)
        return found


@dataclass(frozen=True, slots=True)
class Settings:
    """What the configuration adds to the registry: policies, services outside of it, this gateway's own domain."""

    policies: Policies = field(default_factory=Policies)
    static: tuple[Instance, ...] = ()
    apiml_id: str = ""


AS_REGISTERED = Settings()
NOTHING_SAID = AS_REGISTERED.policies


def instance_id(key: str) -> str:
    """Of an endpoint's key."""
    return key.partition("/")[2]


NAME = re.compile(r"[A-Za-z0-9._:-]{1,255}\Z")
"""A host or address that may stand in a Host field."""

EMPTY = Snapshot(MappingProxyType({}), MappingProxyType({}), MappingProxyType({}), MappingProxyType({}))


def callable_here(instance: Instance) -> bool:
    """It has a name that is one, and a port."""
    return bool(_names(instance)) and 0 < instance.port < 65536


def usable(instance: Instance) -> bool:
    """A candidate for requests."""
    return instance.status == "UP" and callable_here(instance)


def _names(instance: Instance) -> list[str]:
    return [name for name in (instance.host, instance.ip) if NAME.match(name)]


def endpoint_of(instance: Instance) -> Endpoint:
    authorities = tuple(f"{_bracketed(name)}:{instance.port}".lower().encode() for name in _names(instance))
    place = re.sub(r"[^\x21-\x7e]", "?", f"{instance.lpar or 'outside'}/{instance.service}:{instance.port}")
    return Endpoint(
        key=instance.key,
        service=instance.service,
        gen=instance.gen,
        owner=instance.owner,
        host=instance.host,
        ip=instance.ip,
        port=instance.port,
        authority=authorities[0],
        authorities=authorities,
        path_name=place.encode(),
        probe_url=instance.health_check_url if _on_itself(instance, authorities) else "",
        lpar=instance.lpar or "",
        weight=_weight(instance.metadata.get("plexmesh.weight", "")) or WEIGHT,
        leaving=instance.metadata.get("plexmesh.leaving", "") == "true",
        secure=instance.secure,
    )


def _on_itself(instance: Instance, authorities: tuple[bytes, ...]) -> bool:
    scheme, _, rest = instance.health_check_url.partition("://")
    place = rest.partition("/")[0].lower().encode("utf-8", "replace")
    return scheme == ("https" if instance.secure else "http") and place in authorities


def _weight(text: str) -> int:
    """0: it is none."""
    return int(text) if re.fullmatch(r"[0-9]{1,5}", text) and 0 < int(text) <= MAX_WEIGHT else 0


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def upstream_of(service: str, instances: Mapping[str, Instance], policies: Policies = NOTHING_SAID) -> Upstream:
    """One service. Where its instances disagree on routes or policy, the first one that is UP says it."""
    ordered = sorted(instances.values(), key=lambda each: each.instance)
    up = [each for each in ordered if usable(each)]
    routes, faults = read_routes(service, (each.metadata for each in up or ordered))
    policy, more = policies.of(service, (up or ordered)[0].metadata if ordered else {})
    endpoints = tuple(endpoint_of(each) for each in up)
    if policy.external_url and endpoints:
        endpoints = external_endpoints(service, policy.external_url, endpoints[0])
        if not endpoints:
            more += (f"apiml.service.externalUrl: {policy.external_url} names nobody who can be called",)
    return Upstream(
        service,
        routes,
        endpoints,
        len(ordered),
        policy,
        (*faults, *more, *_weight_faults(ordered)),
        tuple(endpoint_of(each) for each in ordered if each.status == "OUT_OF_SERVICE" and callable_here(each)),
        policy.admits or bool(policy.sticky) or policy.picker == "ringHash",
    )


def _weight_faults(instances: Sequence[Instance]) -> list[str]:
    said = {each.instance: each.metadata.get("plexmesh.weight", "") for each in instances}
    wanted = f"plexmesh.weight: expected 1 to {MAX_WEIGHT}"
    return [f"{wanted} (that of {id} is {text[:16]!r})" for id, text in said.items() if text and not _weight(text)][:4]


def external_endpoints(service: str, url: str, like: Endpoint) -> tuple[Endpoint, ...]:
    """The one that is called in place of a service's instances; none where the URL is none."""
    try:
        parts = urlsplit(url)
        host, secure = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
    except ValueError:
        return ()
    if parts.scheme not in ("http", "https") or not NAME.match(host):
        return ()
    authority = f"{_bracketed(host)}:{port}".encode()
    return (
        Endpoint(
            f"{service}/{url}", service, like.gen, "", host, "", port, authority, (authority,),
            f"outside/{service}:{port}".encode(), secure=secure,
        ),
    )  # fmt: skip


DOMAIN = "apiml.service.apimlId"
EXTERNAL = "apiml.service.externalUrl"
DOMAIN_NAME = re.compile(r"[a-z0-9-]{1,64}\Z")


def domains_of(gateways: Mapping[str, Instance], own: str) -> dict[bytes, Upstream]:
    """Gateways of other API ML domains: `/{apimlId}/{serviceId}/…` is theirs, below the URL they are known by."""
    endpoints: dict[str, dict[str, Endpoint]] = {}
    known: dict[str, int] = {}
    for each in sorted(gateways.values(), key=lambda each: each.instance):
        domain = each.metadata.get(DOMAIN, "").strip().lower()
        if not DOMAIN_NAME.match(domain) or domain == own.lower() or not routable(domain):
            continue
        known[domain] = known.get(domain, 0) + 1
        found = endpoints.setdefault(domain, {})
        for endpoint in _domain_endpoints(domain, each):
            found[endpoint.key] = endpoint
    return {
        domain.encode(): Upstream(
            domain,
            (Route(f"/{domain}".encode(), b"", f"/{domain}".encode()),),
            tuple(endpoints[domain].values()),
            count,
        )
        for domain, count in known.items()
    }


def _domain_endpoints(domain: str, gateway: Instance) -> tuple[Endpoint, ...]:
    if not usable(gateway):
        return ()
    endpoint = dataclasses.replace(endpoint_of(gateway), service=domain)
    url = gateway.metadata.get(EXTERNAL, "")
    return external_endpoints(domain, url, endpoint) if url else (endpoint,)


def snapshot_of(
    instances: Mapping[str, Instance], owners: Mapping[str, OwnerState], settings: Settings = AS_REGISTERED
) -> Snapshot:
    """What is routed, and where to, for these instances (by key) and this configuration. It depends on nothing else, so
    another data plane may be told by it."""
    return drawn(instances, grouped(instances.values()), owners, settings, grouped(settings.static), "", {})


def drawn(
    instances: Mapping[str, Instance],
    services: Mapping[str, Mapping[str, Instance]],
    owners: Mapping[str, OwnerState],
    settings: Settings,
    static: Mapping[str, Mapping[str, Instance]],
    token: str,
    kept: Mapping[str, Upstream],
) -> Snapshot:
    """`kept` are upstreams that are what they would be made anew."""
    upstreams = domains_of(services.get("gateway", {}), settings.apiml_id)
    for service in services.keys() | static.keys():
        if routable(service):
            found = kept.get(service)
            if found is None:
                members = {**static.get(service, {}), **services.get(service, {})}
                found = upstream_of(service, members, settings.policies)
            upstreams[service.encode()] = found
    return Snapshot(
        MappingProxyType(upstreams),
        MappingProxyType({each.key: each for upstream in upstreams.values() for each in upstream.endpoints}),
        MappingProxyType({each.key: each for each in settings.static} | dict(instances)),
        MappingProxyType(dict(owners)),
        token,
        MappingProxyType({each.key: each for upstream in upstreams.values() for each in upstream.drained}),
    )


def grouped(instances: Iterable[Instance]) -> dict[str, dict[str, Instance]]:
    found: dict[str, dict[str, Instance]] = {}
    for each in instances:
        found.setdefault(each.service, {})[each.key] = each
    return found
