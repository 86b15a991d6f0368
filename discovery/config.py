"""What may vary about a discovery node. Times that decide leases and membership are constants beside their rules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from shared.config import ServiceConfig, setting
from shared.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class DiscoveryConfig(ServiceConfig):
    port: int = setting(7553, "port of this node; Eureka answers below /eureka")
    body_bytes: int = setting(1_048_576, "largest request body of a client; peers may send sixteen times as much")
    ping_timeout_s: float = setting(0.5, "a probe not answered for longer has failed; too low: false suspicion")
    sync_timeout_s: float = setting(2.0, "an exchange of digests not answered for longer is given up")
    push_timeout_s: float = setting(2.0, "a push not answered for longer is given up and left to the next sync")
    watch_buffer_bytes: int = setting(1_048_576, "a watcher that lags by more is told later, in one go")
    watch_stalled_s: float = setting(
        10.0, "a watcher that takes nothing for longer is cut; it comes back with its token"
    )
    watchers_max: int = setting(1000, "watch streams and waiting polls; one more is answered 503")
    in_flight_max: int = setting(1000, "requests on /v1 worked on at once; one more is answered 503")
    heartbeat_by_get: bool = setting(
        True, "a GET of an instance with status and lastDirtyTimestamp renews it: how Zowe's Python enabler beats"
    )
    registrations_per_s: float = setting(20_000.0, "instances registered on /v1 in the long run, then 429; 0: no limit")
    registrations_burst: float = setting(50_000.0, "instances registered on /v1 at once, after a quiet time")
    instances_per_service: int = setting(10_000, "one more is refused: made-up ids must not fill the mesh")
    keys_s: float = setting(5.0, "the file of gossip keys is looked at this often; wait twice as long between changes")
    fence_s: float = setting(
        30.0, "a node that stood still for longer begins a new log; more than peers take to bury it"
    )
    snapshot_s: float = setting(30.0, "the registry is written to disk this often, if it changed")
    static_api_definitions_directories: tuple[Path, ...] = setting(
        (),
        "folders of static definitions (*.yml), separated by semicolons; <data>/volume/api-defs if none is named",
        "apiml.discovery.staticApiDefinitionsDirectories",
    )
    static_s: float = setting(
        30.0, "static instances are renewed, and their files looked at, this often; well below their lease of 90 s"
    )
    service_id_prefix_replacer: str = setting(
        "",
        "'old,new': services whose ids begin with the old prefix go by the new one",
        "apiml.discovery.serviceIdPrefixReplacer",
    )
    eureka_peers: tuple[str, ...] = setting(
        (), "URLs of real Eureka servers to keep in step with, such as http://host:8761/eureka/; each lists ours, too"
    )
    drain_s: float = setting(1.5, "how long a leaving node still answers, so that others may deregister at it")
    clock_offset_s: float = setting(0.0, "for tests: this node's wall clock is so far off")

    def __post_init__(self) -> None:
        """Raises ConfigError."""
        super().__post_init__()
        object.__setattr__(self, "eureka_peers", tuple(_service_url(each) for each in self.eureka_peers))

    @property
    def address(self) -> str:
        return self.url(self.port)


def _service_url(given: str) -> str:
    """With a slash at its end. Raises ConfigError, which does not show a password."""
    try:
        parts = urlsplit(given)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment:
        shown = given.rpartition("@")[2]
        raise ConfigError(f"discovery.eurekaPeers: {shown!r}, expected a URL such as http://host:8761/eureka/")
    return given if given.endswith("/") else f"{given}/"
