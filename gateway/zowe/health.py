"""Whether the gateway is well, and what stands behind it: its part of /application/health.

It is DOWN only as long as no registry has ever been seen whole. A discovery that is lost later makes no difference to
calls, because the last snapshot stays in force; it shows in the details, as does any other part that is missing.

Source: Zowe API Mediation Layer, the gateway's health indicator. Zowe sees discovery by its registration; we by the
stream we follow, too.
Not here: readiness, which is about taking new calls now (`gateway.desk`).
"""

from __future__ import annotations

from collections import Counter

from gateway.report import Report
from gateway.snapshot import Snapshot


def health(snapshot: Snapshot, report: Report) -> tuple[bool, dict[str, object]]:
    """Whether it is UP, and the details."""
    count = Counter(each.service for each in snapshot.instances.values() if each.status == "UP")
    details: dict[str, object] = {
        "discovery": _word(bool(report.watch.node) or count["discovery"] > 0),
        "zaas": _word(count["zaas"] > 0),
        "gatewayCount": count["gateway"],
        "zaasCount": count["zaas"],
        "apicatalog": _word(count["apicatalog"] > 0),
        "caching": _word(count["cachingservice"] > 0),
    }
    return bool(snapshot.token), details


def _word(up: bool) -> str:
    return "UP" if up else "DOWN"
