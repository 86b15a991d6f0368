"""The messages plexmesh's own processes exchange: the registry as its watchers see it, and a component's state.

Peer gossip is spoken between discovery nodes only and lives in `discovery.messages`; Eureka's dialects live in
`discovery.eureka`. No instant of one process crosses the wire, only ages, remaining seconds and versions.
"""

from __future__ import annotations

import zlib
from typing import Literal

import msgspec

Status = Literal["UP", "DOWN", "STARTING", "OUT_OF_SERVICE", "UNKNOWN"]
OwnerState = Literal["alive", "suspect", "dead"]
ComponentState = Literal["starting", "ready", "paused", "stopped", "failed"]

LPAR_KEY = "zos.lpar"
"""Metadata key naming an instance's LPAR; absent = outside the sysplex. Never guessed from an address."""


def authority(host: str, port: int) -> str:
    """As it stands in a URL (RFC 3986, 3.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def in_one_line(text: str) -> str:
    """As the value of a header field, which it can neither end nor follow with another one."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)


class Instance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One registered instance, as a gateway needs it.

    `instance` is opaque and unique within its service, `key` in the sysplex. `service` is lower case. `port` is the one
    to call, with TLS when `secure`. `owner` is the discovery node's boot that holds the lease ("LPAR1@1790000000000").
    `gen` grows when a newer process takes the id over: whatever was learned about the older one no longer holds.
    """

    service: str
    instance: str
    status: Status
    owner: str
    gen: int
    rev: int
    host: str
    ip: str
    port: int
    secure: bool = False
    lease_s: int = 90
    home_page_url: str = ""
    status_page_url: str = ""
    health_check_url: str = ""
    metadata: dict[str, str] = {}

    @property
    def key(self) -> str:
        return f"{self.service}/{self.instance}"

    @property
    def url(self) -> str:
        return f"{'https' if self.secure else 'http'}://{authority(self.host or self.ip, self.port)}"

    @property
    def lpar(self) -> str | None:
        return self.metadata.get(LPAR_KEY)


# --- the watch stream (SSE below /v1/watch): event name = class name in lower case, data = the struct as JSON


class Put(msgspec.Struct, frozen=True):
    """Instances that are new or changed; at most 200, at most 64 kB."""

    instances: list[Instance]


class Del(msgspec.Struct, frozen=True):
    """Keys of instances that are no longer visible."""

    keys: list[str]


class Owner(msgspec.Struct, frozen=True):
    """How this node now judges a discovery node's boot. Nothing is removed by it: leases decide that."""

    owner: str
    state: OwnerState


class Mark(msgspec.Struct, frozen=True):
    """All events up to `token` have been sent. A stream begins with the whole set as puts and a mark with `whole`.

    `checksum` is `checksum()` over the visible set at this token; `count` its size.
    """

    token: str
    count: int
    checksum: int
    whole: bool = False


WatchEvent = Put | Del | Owner | Mark

GEN_FACTOR, REV_FACTOR, MIX_FACTOR = 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x9E3779B97F4A7C15


def checksum(parts: int, key: str, gen: int, rev: int) -> int:
    """XOR one record into a checksum of a set (order does not matter; applying it twice takes the record out again).

    48 bits, mixed from the key's CRC-32, gen and rev; every change costs two of these everywhere, so it is a cheap one.
    """
    mixed = (zlib.crc32(key.encode()) + gen * GEN_FACTOR + rev * REV_FACTOR) * MIX_FACTOR
    return parts ^ ((mixed & 0xFFFF_FFFF_FFFF_FFFF) >> 16)


# --- the launcher's view


class Component(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    state: ComponentState
    pid: int | None = None
    uptime_s: float | None = None
    restarts: int = 0
    url: str | None = None
    why: list[str] = []
    """Why it is not ready, or the last lines of a component that failed."""
    cpu_percent: float | None = None
    """Of one core since it was last asked about; this and the following over all of its processes."""
    rss_bytes: int | None = None
    threads: int | None = None
    descriptors: int | None = None


class Lpar(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    state: ComponentState
    address: str
    components: list[Component] = []
    launcher: str | None = None
    """Its launcher's URL."""


class Adopted(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration was read again: LPARs that were started for it, and those that are not in it any more."""

    added: list[str] = []
    dropped: list[str] = []


class RegistryNode(msgspec.Struct, frozen=True, kw_only=True):
    node: str
    url: str
    reachable: bool
    instances: int | None = None


class NodeSummary(msgspec.Struct, frozen=True):
    """What the launcher reads of a discovery node's GET /v1/summary."""

    node: str
    instances: int


class SysplexAddress(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    state: ComponentState


class Distributor(msgspec.Struct, frozen=True, kw_only=True):
    """Who is on the sysplex address. `active`: the LPARs whose gateways are; `quiesced`: kept off it by an operator."""

    policy: str
    active: list[str] = []
    quiesced: list[str] = []


class SysplexStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`plexmesh status --json`."""

    sysplex: SysplexAddress
    lpars: list[Lpar]
    registry: list[RegistryNode]
    distributor: Distributor | None = None


# --- drills as `up` runs them; a line of a run's progress is a Drill, DrillSlice or DrillMoment, told apart by `type`

DrillState = Literal["running", "passed", "failed", "interrupted", "error"]


class DrillVerdict(msgspec.Struct, frozen=True):
    """An expectation, what was measured, and whether it held; None: it could not be judged."""

    text: str
    measured: str
    passed: bool | None


class Drill(msgspec.Struct, frozen=True, kw_only=True, tag="run"):
    """A run of a drill as far as it has come."""

    run: str
    drill: str
    title: str
    state: DrillState = "running"
    began: float
    """Wall clock, seconds since 1970, for people to read."""
    step: str = ""
    """The last one that was begun."""
    why: str = ""
    """Of `interrupted` and `error`."""
    phase: str = ""
    """Which of its sides is going on: plexmesh, or what stands beside it."""
    verdicts: list[DrillVerdict] = []
    report: bool = False
    """Whether there is a page to be had."""


class DrillSlice(msgspec.Struct, frozen=True, kw_only=True, tag="slice", rename="camel"):
    """The calls that ended in the second from `at` on; seconds count from when the load of that phase began."""

    run: str = ""
    n: int = 0
    phase: str = ""
    at: float
    ok: int = 0
    errors: int = 0
    cut: int = 0
    p99_ms: float | None = None
    served: dict[str, int] = {}
    """Good answers by the LPAR whose instance gave them."""


class DrillMoment(msgspec.Struct, frozen=True, kw_only=True, tag="moment"):
    """A step of the drill, or what some process told meanwhile; `lpar` empty: the sysplex'."""

    run: str = ""
    n: int = 0
    phase: str = ""
    at: float
    kind: Literal["step", "event"]
    lpar: str = ""
    text: str


DrillNews = Drill | DrillSlice | DrillMoment


class KnownDrill(msgspec.Struct, frozen=True):
    """One that can be done to this sysplex."""

    name: str
    title: str
    about: str
    trouble: str = ""
    """Why it cannot be started: its file is not usable."""


class Drills(msgspec.Struct, frozen=True, kw_only=True):
    """`runs`, the oldest first; `running`: the run that goes on, or empty."""

    drills: list[KnownDrill]
    runs: list[Drill]
    running: str = ""


class DrillCourse(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a run."""

    run: Drill
    slices: list[DrillSlice]
    moments: list[DrillMoment]
