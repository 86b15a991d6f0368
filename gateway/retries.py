"""After an attempt failed: once more elsewhere, or what answer.

    what happened                              safe method        other methods
    connect failed (nothing was written)       elsewhere          elsewhere
    died before a byte of an answer            elsewhere          503, outcome unknown
    garbage instead of an answer               elsewhere          502
    no first byte in time                      504                504
    put out by probes while waiting            elsewhere          it waits on
    died, stalled after the head was passed on (not here: the client's connection is reset)

"Elsewhere" is each other endpoint once; with one endpoint only, it is tried twice. That a connection which had rested
turned out dead says nothing about its endpoint, so once in a request it does not count as a try. A body that can no
longer be sent again (more of it was passed on than is kept) makes a safe method like any other. When all have been
tried: 503.

Source: RFC 9110, 9.2.2 (a proxy must not repeat a request that is not idempotent unless it knows it was not begun).
"""

from __future__ import annotations

from typing import Literal

Fault = Literal["connect", "died", "garbage", "slow", "stalled", "put out", "gateway"]
Verdict = Literal["again", "unknown", "unavailable", "garbage", "slow", "wait"]

MIN_TRIES = 2


def after(fault: Fault, *, repeatable: bool, tries: int, endpoints: int) -> Verdict:
    """`repeatable`: safe, with a body (if any) that can be sent again. `endpoints`: how many there are now."""
    more = endpoints > 0 and tries < max(endpoints, MIN_TRIES)
    match fault:
        case "gateway":
            return "unavailable"
        case "connect":
            return "again" if more else "unavailable"
        case "slow":
            return "slow"
        case "put out":
            return "again" if repeatable and more and endpoints > 1 else "wait"
        case "garbage":
            return "again" if repeatable and more else "garbage"
    if not repeatable:
        return "unknown"
    return "again" if more else "unavailable"


def told(verdict: Verdict, name: str, tries: int, why: str) -> tuple[int, str]:
    """Status and content of the answer when it ends here; `name` is the last endpoint's."""
    match verdict:
        case "unknown":
            return 503, f"outcome unknown: {name} had been sent the call when it failed: {why}"
        case "slow":
            return 504, f"{name} did not answer in time"
        case "garbage":
            return 502, f"{name} sent a malformed answer: {why}"
    return 503, f"{name} could not be called, in {tries} tries: {why}"
