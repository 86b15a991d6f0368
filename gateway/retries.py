"""After an attempt failed: once more elsewhere, or what answer.

    what happened                              safe method        other methods
    connect failed (nothing was written)       elsewhere          elsewhere
    died before a byte of an answer            elsewhere          503, outcome unknown
    garbage instead of an answer               elsewhere          502
    it answered 503, with no time to wait      elsewhere          the answer is passed on
    no first byte in time                      504                504
    put out by probes while waiting            elsewhere          it waits on
    died, stalled after the head was passed on (not here: the client's connection is reset)

"Elsewhere" after a failed connect, or when put out, is each other endpoint once; with one endpoint only, it is tried
twice. After the other faults it is at most `retries` of them, each one that has not failed lately, and the budget must
have one left: these may be a service's trouble rather than an instance's, and retries would multiply it. That a
connection which had rested turned out dead says nothing about its endpoint, so once in a request it does not count as a
try. A body that can no longer be sent again (more of it was passed on than is kept) makes a safe method like any other.
When nobody is left: 503.

Source: RFC 9110, 9.2.2 (a proxy must not repeat a request that is not idempotent unless it knows it was not begun).
"""

from __future__ import annotations

from typing import Literal

Fault = Literal["connect", "died", "garbage", "refused", "slow", "stalled", "put out", "gateway"]
Verdict = Literal["again", "unknown", "unavailable", "garbage", "slow", "wait", "pass"]

MIN_TRIES = 2


def after(fault: Fault, *, repeatable: bool, more: bool) -> Verdict:
    """`repeatable`: safe, with a body (if any) that can be sent again. `more`: another try is allowed, and somebody is
    there for it."""
    match fault:
        case "gateway":
            return "unavailable"
        case "connect":
            return "again" if more else "unavailable"
        case "slow":
            return "slow"
        case "put out":
            return "again" if repeatable and more else "wait"
        case "garbage":
            return "again" if repeatable and more else "garbage"
        case "refused":
            return "again" if repeatable and more else "pass"
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
