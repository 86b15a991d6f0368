"""What may vary in a launcher. What it is to run stands in plexmesh.yaml (`launcher.spec`)."""

from __future__ import annotations

from dataclasses import dataclass

from shared.config import ServiceConfig, setting


@dataclass(frozen=True, kw_only=True)
class LauncherConfig(ServiceConfig):
    stop_s: float = setting(
        20.0,
        "seconds from SIGTERM to SIGKILL; too short cuts calls that drain, too long keeps a hung LPAR up (Zowe: 20)",
    )
    probe_s: float = setting(
        3.0, "seconds between readiness probes of a ready component; low costs CPU when idle, high shows a fault late"
    )
    after_s: float = setting(
        60.0, "seconds a component waits for those it is to start after; then it starts anyway, and that is said"
    )
    components: tuple[str, ...] = setting(
        (), "run only these, as where a container runs one component; none: all that are enabled"
    )
    log_bytes: int = setting(
        5_000_000, "size at which a component's log file is set aside (one older file is kept); low loses history"
    )
    echo: bool = setting(
        True, "pass the components' lines on to the launcher's own output, as in a container; `up` keeps them in files"
    )
