"""For how long a member may stay suspect before it is taken for dead: the more agree, the shorter.

With C confirmations of K wanted the time is max - (max - min) * log(C + 1) / log(K + 1). Where nobody else could
confirm, it is `min`.

Source: Lifeguard (2017), section IV-B; `min` is memberlist's, 4 * max(1, log10 of the members) probe intervals.
"""

from __future__ import annotations

import math

MIN_PROBES = 4
MAX_TIMES = 6
CONFIRMATIONS = 3


def timeout_s(suspecters: int, members: int, probe_s: float) -> float:
    """`suspecters`: nodes whose own probes failed, the first among them; `members`: those there, this node included."""
    shortest = MIN_PROBES * max(1.0, math.log10(max(members, 1))) * probe_s
    wanted = min(CONFIRMATIONS, members - 2)
    if wanted < 1:
        return shortest
    longest = MAX_TIMES * shortest
    confirmed = min(max(suspecters - 1, 0), wanted)
    return longest - (longest - shortest) * math.log(confirmed + 1) / math.log(wanted + 1)
