"""What may vary about a discovery node. Times that decide leases and membership are constants beside their rules."""

from __future__ import annotations

from dataclasses import dataclass

from shared.config import ServiceConfig, setting


@dataclass(frozen=True, kw_only=True)
class DiscoveryConfig(ServiceConfig):
    port: int = setting(7553, "port of this node; Eureka answers below /eureka")
    body_bytes: int = setting(1_048_576, "largest request body of a client; peers may send sixteen times as much")
    sync_timeout_s: float = setting(0.7, "a peer silent for longer counts as a failed probe; too low: false suspicion")
    push_timeout_s: float = setting(2.0, "a push not answered for longer is given up and left to the next sync")
    watch_buffer_bytes: int = setting(1_048_576, "a watcher that lags by more is cut off and starts again")
    drain_s: float = setting(1.5, "how long a leaving node still answers, so that others may deregister at it")

    @property
    def address(self) -> str:
        return f"http://{self.host}:{self.port}"
