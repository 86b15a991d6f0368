"""Who must wait before he may try another password: a brake on guessing, by user and by the address of the caller.

    failures of a user       the first FREE cost nothing; then 1 s, 2 s, 4 s, … up to LONGEST_S until the next try
    failures of an address   the same, after FREE_OF_ADDRESS, since many may call from one
    success                  forgets the user's failures, not the address'
    FORGOTTEN_S of peace     forgets both

A try within that time is refused without looking at the password, and does not make it longer; so whoever waits as long
as he was told gets his try. A loopback address is a machine and not a client: behind it may be all of a sysplex, and it
has no count. The names that are remembered are bounded; the one that has been quiet longest is forgotten first.

What it costs: a stranger who fails on somebody's name makes that user wait too, LONGEST_S at most, at this gateway.

Source: NIST SP 800-63B, 5.2.2 (rate limiting); OWASP, Authentication Cheat Sheet (exponential lock-out).
Not here: the answer 429 (`api`).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from cachetools import LRUCache

FREE = 5
FREE_OF_ADDRESS = 30
FIRST_S = 1.0
LONGEST_S = 300.0
FORGOTTEN_S = 900.0
REMEMBERED = 10_000


@dataclass(slots=True)
class _Count:
    failures: int = 0
    last: float = 0.0
    until: float = 0.0
    """The next try is not before."""


class Guard:
    def __init__(self, remembered: int = REMEMBERED) -> None:
        """`remembered`: users, and as many addresses."""
        self._users = _Counts(remembered, FREE)
        self._addresses = _Counts(remembered, FREE_OF_ADDRESS)

    def wait_s(self, user: str, address: str, now: float) -> float:
        """Seconds until the next try; 0: it may be now. `address` empty: it is not known."""
        return max(self._users.wait_s(_name(user), now), self._addresses.wait_s(_place(address), now))

    def failed(self, user: str, address: str, now: float) -> None:
        self._users.failed(_name(user), now)
        if place := _place(address):
            self._addresses.failed(place, now)

    def succeeded(self, user: str) -> None:
        self._users.forget(_name(user))


class _Counts:
    def __init__(self, remembered: int, free: int) -> None:
        self._free = free
        self._counts: LRUCache[str, _Count] = LRUCache(remembered)

    def wait_s(self, key: str, now: float) -> float:
        count = self._counts.get(key)
        return max(count.until - now, 0.0) if count is not None else 0.0

    def failed(self, key: str, now: float) -> None:
        count = self._counts.get(key)
        if count is None or now - count.last > FORGOTTEN_S:
            count = self._counts[key] = _Count()
        count.failures += 1
        count.last = now
        beyond = count.failures - self._free
        if beyond >= 0:
            count.until = now + min(FIRST_S * 2.0 ** min(beyond, 30), LONGEST_S)

    def forget(self, key: str) -> None:
        self._counts.pop(key, None)


def _name(user: str) -> str:
    """Upper and lower case are one user."""
    return user.casefold()


def _place(address: str) -> str:
    """What is counted as one caller: an address, of IPv6 the network /64 that a single line has; empty: no client."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    found = getattr(found, "ipv4_mapped", None) or found
    if found.is_loopback:
        return ""
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))
