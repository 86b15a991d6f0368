"""What the gateway knows of the sysplex: an immutable snapshot, and the fold of watch events that makes the next one.

Requests read one `Snapshot`; it is replaced in one assignment, so a request sees all of a change or nothing of it.
Instances that are not UP stay known: a service with instances of which none is usable is answered differently (503)
from one nobody has heard of (404). Only UP instances are candidates.

The fold keeps its set in step with the sender's. What a stream says is kept aside until a mark: at one that says
`whole` it is the set, and what it does not hold is gone; at any other it is a change of the set, and shown with it. So
a stream that breaks off leaves the set at its last mark, whose token the next stream, of whichever node, goes on from.
A mark whose count or checksum differs from ours means that a change was lost: `OutOfStep`, and all anew, without a
token.

Not here: what this gateway has learned about an instance by itself (`health`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from gateway import sticky
from gateway.routes import Route, routable, routes_of
from shared.errors import PlexmeshError
from shared.wire import Del, Instance, Mark, Owner, OwnerState, Put, WatchEvent, checksum


class OutOfStep(PlexmeshError):
    """The set folded here is not the sender's."""


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
    health_check_url: str = ""


@dataclass(frozen=True, slots=True)
class Upstream:
    """A named group: a service's routes, and its endpoints that are UP."""

    service: str
    routes: tuple[Route, ...]
    endpoints: tuple[Endpoint, ...]
    known: int
    """Instances of any status."""
    sticky: bool = False
    """A user's calls go to the same instance (`gateway.sticky`)."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    upstreams: Mapping[bytes, Upstream]
    """By service id, as it stands in a path; those that are never routed are not in it."""
    endpoints: Mapping[str, Endpoint]
    """By key, UP ones of routed services."""
    instances: Mapping[str, Instance]
    owners: Mapping[str, OwnerState]
    token: str = ""


def instance_id(key: str) -> str:
    """Of an endpoint's key."""
    return key.partition("/")[2]


NAME = re.compile(r"[A-Za-z0-9._:-]{1,255}\Z")
"""A host or address that may stand in a Host field."""

EMPTY = Snapshot(MappingProxyType({}), MappingProxyType({}), MappingProxyType({}), MappingProxyType({}))


def usable(instance: Instance) -> bool:
    """A candidate for requests: UP, and called in a way this gateway can (plain HTTP, a name that is one)."""
    return instance.status == "UP" and not instance.secure and bool(_names(instance)) and 0 < instance.port < 65536


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
        health_check_url=instance.health_check_url,
    )


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def upstream_of(service: str, instances: Mapping[str, Instance]) -> Upstream:
    ordered = sorted(instances.values(), key=lambda each: each.instance)
    up = [each for each in ordered if usable(each)]
    routes = routes_of(service, (each.metadata for each in up or ordered))
    by_user = bool(ordered) and sticky.wanted((up or ordered)[0].metadata)
    return Upstream(service, routes, tuple(endpoint_of(each) for each in up), len(ordered), by_user)


@dataclass(slots=True)
class _Set:
    """One stream's set. `changed` are services whose upstream must be made anew."""

    instances: dict[str, Instance] = field(default_factory=dict)
    services: dict[str, dict[str, Instance]] = field(default_factory=dict)
    owners: dict[str, OwnerState] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    parts: int = 0

    def put(self, instance: Instance) -> None:
        self.remove(instance.key)
        self.instances[instance.key] = instance
        self.services.setdefault(instance.service, {})[instance.key] = instance
        self.changed.add(instance.service)
        self.parts = checksum(self.parts, instance.key, instance.gen, instance.rev)

    def remove(self, key: str) -> None:
        old = self.instances.pop(key, None)
        if old is None:
            return
        self.parts = checksum(self.parts, old.key, old.gen, old.rev)
        self.changed.add(old.service)
        group = self.services[old.service]
        del group[key]
        if not group:
            del self.services[old.service]


@dataclass(slots=True)
class _Aside:
    """What was said since the last mark, and of what nothing is left."""

    said: _Set = field(default_factory=_Set)
    gone: dict[str, None] = field(default_factory=dict)

    def put(self, instance: Instance) -> None:
        self.said.put(instance)
        self.gone.pop(instance.key, None)

    def remove(self, key: str) -> None:
        self.said.remove(key)
        self.gone[key] = None


class Fold:
    """Watch events in, snapshots out. `begin` is called when a stream is opened, with `token` as where it goes on."""

    def __init__(self) -> None:
        self.snapshot = EMPTY
        self.token = ""
        """Of the last mark; empty: a stream is to begin with the whole set."""
        self._set = _Set()
        self._aside = _Aside()
        self._whole = False

    def begin(self) -> None:
        self._aside = _Aside()
        self._whole = bool(self.token)

    def forget(self) -> None:
        """What was folded is not to be relied on; the snapshot stays in force until there is another."""
        self.token = ""

    def apply(self, event: WatchEvent) -> Snapshot | None:
        """The next snapshot when the event completes one. Raises OutOfStep."""
        match event:
            case Put(instances):
                for instance in instances:
                    self._aside.put(instance)
            case Del(keys):
                for key in keys:
                    self._aside.remove(key)
            case Owner(owner, state):
                self._aside.said.owners[owner] = state
            case Mark():
                return self._mark(event)
        return None

    def _mark(self, mark: Mark) -> Snapshot | None:
        if not (self._whole or mark.whole):
            return None
        self._whole = True
        aside, self._aside = self._aside, _Aside()
        if mark.whole:
            self._set = aside.said
        else:
            self._change(aside)
        if mark.count != len(self._set.instances) or mark.checksum != self._set.parts:
            self.forget()
            raise OutOfStep(f"{len(self._set.instances)} instances here, {mark.count} there, at {mark.token}")
        self.token = mark.token
        self.snapshot = self._next(mark.token)
        return self.snapshot

    def _change(self, aside: _Aside) -> None:
        for key in aside.gone:
            self._set.remove(key)
        for instance in aside.said.instances.values():
            self._set.put(instance)
        self._set.owners |= aside.said.owners

    def _next(self, token: str) -> Snapshot:
        now, old = self._set, self.snapshot
        upstreams = {name: up for name, up in old.upstreams.items() if up.service in now.services}
        for service in now.changed:
            if service in now.services and routable(service):
                upstreams[service.encode()] = upstream_of(service, now.services[service])
        now.changed = set()
        endpoints = {each.key: each for upstream in upstreams.values() for each in upstream.endpoints}
        return Snapshot(
            MappingProxyType(upstreams),
            MappingProxyType(endpoints),
            MappingProxyType(dict(now.instances)),
            MappingProxyType(dict(now.owners)),
            token,
        )
