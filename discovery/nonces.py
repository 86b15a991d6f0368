"""Nonces: how a receiver knows that a signed request was made for it, in this boot, and comes for the first time.

No clock is asked. The receiver issues a nonce; the sender counts its requests under it. A nonce carries its serial
number and a tag over it under a secret of this boot, so the receiver need not remember what it issued: strangers may
ask for as many as they like. Only the first *valid* request under a nonce makes an entry, with a sliding window over
the counters (requests go in parallel, so they may overtake one another a little).

Invariant: a pair (nonce, counter) is taken at most once. The table is bounded; dropping the oldest nonce raises a floor
below which none is ever taken again, so forgetting one cannot make it fresh. Whoever held it is given a new one.

Source: RFC 4303 section 3.4.3 (IPsec's anti-replay window), RFC 7616 (server nonces and counts).
"""

from __future__ import annotations

import hashlib
import hmac

WINDOW = 256
"""Requests under one nonce may overtake one another by this many."""

HELD = 512
"""Nonces in use at a time; a peer uses one, a restarted peer one more."""

MAX_COUNTER = 2**53

TAG_BYTES = 16
SERIAL_HEX = 16


class Window:
    """Which counters have been taken: all that matter lie within WINDOW below the highest."""

    __slots__ = ("_seen", "_top")

    def __init__(self) -> None:
        self._top = 0
        self._seen = 0

    def take(self, counter: int) -> bool:
        """False: taken before, or too old to tell."""
        ahead = counter - self._top
        if ahead > 0:
            kept = self._seen << ahead if ahead < WINDOW else 0
            self._seen = (kept | 1) & ((1 << WINDOW) - 1)
            self._top = counter
            return True
        bit = 1 << -ahead if -ahead < WINDOW else 0
        if not bit or self._seen & bit:
            return False
        self._seen |= bit
        return True


class Nonces:
    """`secret` must be new at each boot."""

    def __init__(self, secret: bytes, held: int = HELD) -> None:
        self._secret = secret
        self._held = held
        self._serial = 0
        self._floor = 0
        self._windows: dict[int, Window] = {}

    def __len__(self) -> int:
        return len(self._windows)

    def issue(self) -> str:
        self._serial += 1
        return self._text(self._serial)

    def issued(self, nonce: str) -> bool:
        """Whether it is one of this boot."""
        return self._serial_of(nonce) is not None

    def take(self, nonce: str, counter: int) -> bool:
        """Whether this is the first request of that counter under a nonce of ours; only for authentic requests."""
        serial = self._serial_of(nonce)
        if serial is None or not 0 < counter <= MAX_COUNTER:
            return False
        window = self._windows.get(serial)
        if window is None:
            if serial <= self._floor:
                return False
            window = self._windows[serial] = Window()
            if len(self._windows) > self._held:
                self._floor = min(self._windows)
                del self._windows[self._floor]
        return window.take(counter)

    def _serial_of(self, nonce: str) -> int | None:
        try:
            serial = int(nonce[:SERIAL_HEX], 16)
        except ValueError:
            return None
        return serial if nonce.isascii() and hmac.compare_digest(self._text(serial), nonce) else None

    def _text(self, serial: int) -> str:
        tag = hashlib.blake2b(b"%d" % serial, key=self._secret, digest_size=TAG_BYTES)
        return f"{serial & (1 << 64) - 1:0{SERIAL_HEX}x}{tag.hexdigest()}"
