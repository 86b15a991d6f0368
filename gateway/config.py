"""What may vary in a gateway. Times are in seconds, sizes in bytes."""

from __future__ import annotations

from dataclasses import dataclass

from shared.config import ServiceConfig, setting


@dataclass(frozen=True, kw_only=True)
class GatewayConfig(ServiceConfig):
    port: int = setting(7554, "port of this gateway on its LPAR's address")
    path_header: bool = setting(True, "name each answer's way in X-Plexmesh-Path; off hides the inside from callers")

    max_head_bytes: int = setting(32_768, "largest head of a request or an answer; too low refuses long tokens (431)")
    max_fields: int = setting(100, "most header fields in a head; more are answered 431")
    max_request_line_bytes: int = setting(16_384, "longest request line; longer ones are answered 414")
    max_body_bytes: int = setting(0, "largest request body, answered 413 beyond; 0: no limit of the gateway's own")
    max_connections: int = setting(10_000, "client connections at once; beyond it, new ones wait in the kernel's queue")
    max_idle_per_endpoint: int = setting(256, "kept-alive connections to one instance; too low costs connects")

    head_timeout_s: float = setting(10.0, "a request's head must be whole by then (408); too high feeds slow attacks")
    idle_timeout_s: float = setting(75.0, "how long a client's connection may rest; too low costs reconnects")
    body_timeout_s: float = setting(30.0, "longest pause in a request's body (408), or of a client that reads nothing")
    connect_timeout_s: float = setting(0.3, "to connect to an instance; for a vanished one it is waited in full")
    response_timeout_s: float = setting(60.0, "from the end of the request to the first byte of the answer (504)")
    upstream_idle_s: float = setting(4.0, "how long idle connections to instances are kept; servers close at 5")
    half_closed_s: float = setting(10.0, "how long a client that closed its sending side may wait for its answer")
    linger_s: float = setting(2.0, "after an early answer, how long the rest of a request is read and thrown away")
    drain_s: float = setting(1.0, "at the end, how long calls in flight may go on; longer ones are cut")
    tick_s: float = setting(1.0, "how often time-outs are looked at; lower is more exact and costs more when idle")

    watch_silence_s: float = setting(12.0, "a watch stream without a mark for so long is dead; discovery marks every 5")
    watch_home_s: float = setting(3.0, "while on another LPAR's discovery, how often the own one is tried")
    probe_timeout_s: float = setting(0.2, "a probe must have ended in this time; too low ejects busy instances")
