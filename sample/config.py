"""What may vary about a sample instance."""

from __future__ import annotations

from dataclasses import dataclass

from shared.config import ServiceConfig, setting


@dataclass(frozen=True, kw_only=True)
class SampleConfig(ServiceConfig):
    port: int = setting(7560, "port of this instance")
    drain_s: float = setting(1.0, "seconds between leaving the registry's rotation and closing")

    @property
    def instance(self) -> str:
        return f"{self.host}:sample:{self.port}"
