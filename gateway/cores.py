"""How many cores this process may use: its affinity, and the quota of its container (cgroup v2), rounded up.

Source: sched_getaffinity(2); the kernel's cgroup-v2 documentation, `cpu.max`.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable(quota: Path = QUOTA) -> int:
    return max(1, min(len(os.sched_getaffinity(0)), allowed(_read(quota))))


def allowed(text: str) -> int:
    """Of `cpu.max`: "max 100000" has no limit, "150000 100000" is one and a half cores."""
    quota, _, period = text.strip().partition(" ")
    if not quota.isdigit() or not period.isdigit() or period == "0":
        return 1_000_000
    return math.ceil(int(quota) / int(period))


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
