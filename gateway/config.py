"""What may vary in a gateway. Times are in seconds, sizes in bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from gateway.cores import usable
from shared.config import ServiceConfig, setting
from shared.errors import ConfigError

MAX_WORKERS = 64


@dataclass(frozen=True, kw_only=True)
class GatewayConfig(ServiceConfig):
    port: int = setting(7554, "port of this gateway on its LPAR's address")
    workers: int | str = setting(1, "processes that share the port, or auto: one per core; many cost 25 MB each")
    path_header: bool = setting(True, "name each answer's way in X-Plexmesh-Path; off hides the inside from callers")

    access_log: Literal["off", "json", "combined"] = setting("json", "form of <data>/<LPAR>/logs/gateway-access.log")
    access_log_max_bytes: int = setting(20_000_000, "size at which it becomes NAME.1; low loses history; 0: never")
    access_log_per_s: int = setting(1000, "calls a second beyond which it samples; high costs CPU; 0: only failed ones")

    max_head_bytes: int = setting(32_768, "largest head of a request or an answer; too low refuses long tokens (431)")
    max_fields: int = setting(100, "most header fields in a head; more are answered 431")
    max_request_line_bytes: int = setting(16_384, "longest request line; longer ones are answered 414")
    max_body_bytes: int = setting(0, "largest request body, answered 413 beyond; 0: no limit of the gateway's own")
    max_requests_per_connection: int = setting(0, "after so many its client must connect anew; 0: no limit")
    max_connections_per_client: int = setting(
        1_000, "of one address, but for loopback and trusted proxies; 0: no limit"
    )
    trusted_proxies: tuple[str, ...] = setting(
        (), "addresses or networks whose X-Forwarded-*, Forwarded and Via are believed"
    )
    max_connections: int = setting(10_000, "of clients, at each worker; beyond it, new ones wait in the kernel's queue")
    max_connections_per_endpoint: int = setting(10_000, "to one instance at once; calls that would need more get 503")
    max_idle_per_endpoint: int = setting(256, "kept-alive connections to one instance; too low costs connects")
    warm_connections: int = setting(0, "opened to an instance as soon as it is known; 0: with its first calls")

    head_timeout_s: float = setting(10.0, "a request's head must be whole by then (408); too high feeds slow attacks")
    idle_timeout_s: float = setting(75.0, "how long a client's connection may rest; too low costs reconnects")
    body_timeout_s: float = setting(30.0, "longest pause in a request's body (408), or of a client that reads nothing")
    connect_timeout_s: float = setting(0.3, "to connect to an instance; for a vanished one it is waited in full")
    response_timeout_s: float = setting(60.0, "from the end of the request to the first byte of the answer (504)")
    answer_idle_s: float = setting(600.0, "longest pause in an answer's body, but for event streams; 0: no limit")
    tunnel_idle_s: float = setting(3600.0, "longest pause in a websocket or other tunnel; 0: no limit")
    upstream_age_s: float = setting(600.0, "oldest a connection to an instance may get; high keeps old name look-ups")
    upstream_idle_s: float = setting(4.0, "how long idle connections to instances are kept; servers close at 5")
    half_closed_s: float = setting(10.0, "how long the answer to a client that closed its sending side may stand still")
    linger_s: float = setting(2.0, "after an early answer, how long the rest of a request is read and thrown away")
    drain_s: float = setting(1.0, "at the end, how long calls in flight may go on; longer ones are cut")
    reload_drain_s: float = setting(30.0, "how long calls and websockets of a replaced worker may go on; low cuts them")
    tick_s: float = setting(1.0, "how often time-outs are looked at; lower is more exact and costs more when idle")

    services: dict[str, Any] = setting({}, "how services are called: their ids, or *, to keys such as picker, sticky")
    static: dict[str, Any] = setting({}, "services outside the registry: their ids to urls, routes, and how")
    without: tuple[str, ...] = setting((), "guards left out, for drills: evidence, ejection, retries, budget, ...")
    doubt_s: float = setting(1.0, "calls wait and none is answered for so long: the instance is probed; 0: never")
    registry_fetch_s: float = setting(0.0, "changes of the registry are taken in this often; 0: as they come")
    probe_rounds: bool = setting(True, "ask instances that appear, and health URLs now and then (plexmesh.probeS)")
    max_calls: int = setting(0, "under way at a worker; more are answered 503 at once; 0: no limit")
    cors_enabled: bool = setting(
        False, "pages of other origins may call, as services say", zowe="apiml.service.corsEnabled"
    )
    hsts_s: int = setting(
        31_536_000, "with TLS, browsers use nothing else with this host for so long; 0: they are not told"
    )
    allow_encoded_slashes: bool = setting(
        True, "false: %2F in a path is refused (400)", zowe="apiml.service.allowEncodedSlashes"
    )
    instance_id_header: bool = setting(
        False, "tell a caller who sent X-InstanceId which one answered", zowe="apiml.routing.instanceIdHeader"
    )
    apiml_id: str = setting("", "the API ML domain of this gateway, for those of others", zowe="apiml.service.apimlId")

    sticky_expiration_hours: float = setting(8.0, "a user's instance is chosen anew after so long without a call")
    sticky_users: int = setting(100_000, "users a worker remembers; beyond it, the caching service is asked more often")
    sticky_read_s: float = setting(0.1, "a user's first call waits so long for what other gateways know of him")
    sticky_recheck_s: float = setting(60.0, "how long a gateway may not notice that another led a user elsewhere")

    watch_silence_s: float = setting(12.0, "a watch stream without a mark for so long is dead; discovery marks every 5")
    watch_home_s: float = setting(3.0, "while on another LPAR's discovery, how often the own one is tried")
    probe_timeout_s: float = setting(0.2, "a probe must have ended in this time; too low ejects busy instances")

    login_provider: Literal["users", "saf", "dummy", "zosmf"] = setting(
        "users",
        "who knows passwords: the user file (saf too), z/OSMF, or nobody (dummy)",
        zowe="apiml.security.auth.provider",
    )
    zosmf_url: str = setting("", "of the z/OSMF that logins are checked by, such as https://zosmf.example:443")
    login_refresh: bool = setting(
        False, "holders of a certificate may change a token for a new one", zowe="apiml.security.allowTokenRefresh"
    )
    login_algorithm: Literal["RS256", "ES256"] = setting(
        "RS256", "of the first key made; others: plexmesh login rotate"
    )

    console_lab: bool | None = setting(
        None, "true: who reaches the console may break things; none: only where `up` runs it", zowe="console.lab"
    )
    registry_endpoint: bool = setting(False, "serve /gateway/api/v1/registry; on shows everybody what is registered")

    @property
    def worker_count(self) -> int:
        """Raises ConfigError."""
        wanted = str(self.workers)
        if wanted == "auto":
            return min(usable(), MAX_WORKERS)
        if wanted.isdecimal() and 1 <= int(wanted) <= MAX_WORKERS:
            return int(wanted)
        raise ConfigError(f"components.gateway.workers: expected 1 to {MAX_WORKERS}, or auto (it is {self.workers!r})")
