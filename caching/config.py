"""What may vary about a caching instance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared.config import ServiceConfig, setting


@dataclass(frozen=True, kw_only=True)
class CachingConfig(ServiceConfig):
    port: int = setting(7555, "port of this instance")
    storage: str | dict[str, Any] = setting(
        "vsam:PLEX.CACHE", "where entries are kept: vsam:NAME, redis://…, etcd://…, inMemory, or Zowe's mapping"
    )
    identity: str = setting(
        "trustedHeaders",
        "who calls is who X-CS-Service-ID says, unproven; the only way there is without TLS, and not asked with it",
    )
    compat: dict[str, Any] | None = setting(None, "{oversizeStatus: 400} answers a value too long as the original does")
    write_deadline_s: float = setting(
        2.0, "seconds a write waits for the data set's lock before 503; too low: refusals under load"
    )
    fence_after_s: float = setting(
        3.0,
        "seconds that one who holds the lock longer than write_deadline_s may give no sign of life before its launcher "
        "is asked to end it; 0: never; too low: a stalled machine is taken for a stopped process",
    )
    read_deadline_s: float = setting(5.0, "seconds a list may take before 503; a single entry gets a fifth of it")
    body_bytes: int = setting(1_048_576, "largest request body; larger ones are refused unread")
    clock_offset_s: float = setting(0.0, "seconds this instance's clock is wrong by, for drills and tests only")
    drain_s: float = setting(1.0, "seconds between leaving the registry's rotation and closing")

    @property
    def instance(self) -> str:
        return f"{self.host}:cachingservice:{self.port}"
