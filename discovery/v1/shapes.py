"""What goes in and out of /v1, beside the shapes of `shared.wire`. Each field of input says what is expected of it: the
document and the errors use the same words."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from discovery.limits import MAX_BATCH, MAX_METADATA, MAX_METADATA_KEY_CHARS, MAX_METADATA_VALUE_CHARS
from discovery.messages import MemberState
from discovery.peer_view import PeerView
from discovery.registration import Registration
from shared.wire import Instance, OwnerState, Status

MAX_GEN = 2**63 - 1

EXPECTED = {
    "service": "1 to 128 letters, digits, '.', '_' or '-', beginning with neither '.' nor '-'",
    "instance": "1 to 255 printable ASCII characters without '/', not beginning with '.'",
    "host": "a host name or address, 1 to 255 letters, digits, '.', '_', ':' or '-'",
    "ip": "an address, 1 to 255 letters, digits, '.', '_', ':' or '-'",
    "port": "a whole number from 1 to 65535",
    "status": "UP, STARTING, DOWN, OUT_OF_SERVICE or UNKNOWN",
    "secure": "true or false",
    "lease_s": "whole seconds from 1 to 86400",
    "gen": f"a whole number from 1 to {MAX_GEN}, larger for a newer process",
    "home_page_url": "at most 2048 characters",
    "status_page_url": "at most 2048 characters",
    "health_check_url": "at most 2048 characters",
    "metadata": f"an object of at most {MAX_METADATA} texts",
    "metadata key": f"1 to {MAX_METADATA_KEY_CHARS} characters",
    "metadata value": f"a text of at most {MAX_METADATA_VALUE_CHARS} characters",
    "instances": f"a list of 1 to {MAX_BATCH} instances",
    "keys": f"a list of at most {MAX_BATCH} keys",
    "key": "a text, service/instance",
}

NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
ID = r"[!-\-0-~][!-.0-~]{0,254}"
HOST = r"[A-Za-z0-9._:-]{1,255}"

_WELL_FORMED = re.compile("\n".join((NAME, ID, HOST, HOST)))


def _like(pattern: str, name: str, more: str = "") -> Meta:
    """Said in the document, and looked at by `NewInstance.fault`: msgspec's own patterns cost five times as much."""
    return Meta(description=EXPECTED[name] + more, extra_json_schema={"pattern": f"^{pattern}$"})


Url = Annotated[str, Meta(max_length=2048)]
MetadataKey = Annotated[str, Meta(min_length=1, max_length=MAX_METADATA_KEY_CHARS)]
MetadataValue = Annotated[str, Meta(max_length=MAX_METADATA_VALUE_CHARS)]


class NewInstance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An instance that registers. `gen` is its process: the milliseconds of its start times 2^16, plus a random number
    below that, say; without it each registration that says something new counts as a newer process."""

    service: Annotated[str, _like(NAME, "service")]
    host: Annotated[str, _like(HOST, "host")]
    port: Annotated[int, Meta(ge=1, le=65535, description=EXPECTED["port"])]
    instance: Annotated[str, _like(ID, "instance", "; host:service:port if left out")] | msgspec.UnsetType = (
        msgspec.UNSET
    )
    ip: Annotated[str, _like(HOST, "ip", "; the host if left out")] | msgspec.UnsetType = msgspec.UNSET
    status: Status = "UP"
    secure: bool = False
    lease_s: Annotated[int, Meta(ge=1, le=86400, description=EXPECTED["lease_s"])] = 90
    gen: Annotated[int, Meta(ge=1, le=MAX_GEN, description=EXPECTED["gen"])] | msgspec.UnsetType = msgspec.UNSET
    home_page_url: Url = ""
    status_page_url: Url = ""
    health_check_url: Url = ""
    metadata: Annotated[dict[MetadataKey, MetadataValue], Meta(max_length=MAX_METADATA)] = {}

    def fault(self) -> str | None:
        """The name of a field that is not as expected of it."""
        instance = "i" if self.instance is msgspec.UNSET else self.instance
        ip = self.host if self.ip is msgspec.UNSET else self.ip
        if _WELL_FORMED.fullmatch(f"{self.service}\n{instance}\n{self.host}\n{ip}"):
            return None
        given = {
            "service": (NAME, self.service),
            "instance": (ID, instance),
            "host": (HOST, self.host),
            "ip": (HOST, ip),
        }
        return next(name for name, (pattern, text) in given.items() if not re.fullmatch(pattern, text))

    def registration(self) -> Registration:
        secure = self.secure
        return Registration(
            app=self.service.upper(),
            instance=f"{self.host}:{self.service.lower()}:{self.port}"
            if self.instance is msgspec.UNSET
            else self.instance,
            host=self.host,
            ip=self.host if self.ip is msgspec.UNSET else self.ip,
            status=self.status,
            port=7001 if secure else self.port,
            port_enabled=not secure,
            secure_port=self.port if secure else 7002,
            secure_port_enabled=secure,
            lease_s=self.lease_s,
            renew_s=max(self.lease_s // 3, 1),
            metadata=self.metadata,
            home_page_url=self.home_page_url,
            status_page_url=self.status_page_url,
            health_check_url="" if secure else self.health_check_url,
            secure_health_check_url=self.health_check_url if secure else "",
        )


class NewInstances(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    instances: Annotated[list[NewInstance], Meta(min_length=1, max_length=MAX_BATCH)]


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """How an instance is held now; `key` is what heartbeats name."""

    key: str
    gen: int
    rev: int


class Registered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`owner`: the boot of the node that holds the leases."""

    owner: str
    instances: list[Held]
    stale: bool = False


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """`owner`: the boot of the node that holds it; `renewed_s`: since the last heartbeat, null at any other node."""

    owner: str
    lease_s: int
    renewed_s: float | None


class Beats(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keys: Annotated[list[str], Meta(max_length=MAX_BATCH)]


class Beaten(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`forwarded` maps the address of an owner to how many of its leases were told to it: better beat there.
    `adopted`: their owner is dead, this node holds them now. `unknown`: register again."""

    renewed: int
    forwarded: dict[str, int] = {}
    adopted: int = 0
    unknown: list[str] = []
    stale: bool = False


class Instances(msgspec.Struct, frozen=True, omit_defaults=True):
    instances: list[Instance]
    stale: bool = False


class Poll(msgspec.Struct, frozen=True, omit_defaults=True):
    """The instances of a service, or, when nothing has changed since the token given, none of them (left out)."""

    token: str
    changed: bool = msgspec.field()
    instances: list[Instance] | msgspec.UnsetType = msgspec.UNSET
    stale: bool = False


class Services(msgspec.Struct, frozen=True, omit_defaults=True):
    """Name to status to number of instances."""

    services: dict[str, dict[Status, int]]
    stale: bool = False


class Problem(msgspec.Struct, frozen=True):
    """RFC 9457; `detail` names the field, its value and what was expected."""

    type: str
    title: str
    status: int
    detail: str


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """Another node as this one sees it: `state` for `state_s` seconds (null: nobody has answered there yet); `lag`:
    changes of this node it has not acknowledged; `acked` maps origins to how far its copy of their logs goes;
    `elsewhere`: the same node has another address, too."""

    address: str
    origin: str | None
    state: MemberState | None
    incarnation: int
    state_s: float
    suspected_by: list[str]
    lag: int
    acked: dict[str, int]
    elsewhere: bool
    seed: bool

    @classmethod
    def of(cls, view: PeerView) -> Peer:
        return cls(
            address=view.address,
            origin=view.origin,
            state=view.state,
            incarnation=view.incarnation,
            state_s=round(view.state_s, 3),
            suspected_by=list(view.suspected_by),
            lag=view.lag,
            acked={origin: position[0] for origin, position in view.acked.items()},
            elsewhere=view.elsewhere,
            seed=view.seed,
        )


class Peers(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`node` is this node's boot; `owners` its judgement of every boot of every node; `positions` how far its copies of
    their logs go."""

    node: str
    address: str
    peers: list[Peer]
    owners: dict[str, OwnerState]
    positions: dict[str, int]
    stale: bool = False


class Guard(msgspec.Struct, frozen=True):
    """`since_s`: for how long it has been on."""

    name: str
    on: bool
    why: str
    since_s: float


class Guards(msgspec.Struct, frozen=True, omit_defaults=True):
    guards: list[Guard]
    stale: bool = False


class Summary(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`leases`: how many this node holds; `covered`: whether it serves lists."""

    node: str
    origin: str
    covered: bool
    instances: int
    services: int
    leases: int
    watchers: int
    stale: bool = False


class TargetGroup(msgspec.Struct, frozen=True):
    """Of Prometheus' http_sd."""

    targets: list[str]
    labels: dict[str, str]
