"""Heartbeats, many at once: what clients send most, so what costs least."""

from __future__ import annotations

from collections import Counter

from discovery import clock
from discovery.driver import Driver
from discovery.hearer import Hearer
from discovery.rights import Caller, Rights
from discovery.v1 import decode
from discovery.v1.answers import Answers
from discovery.v1.shapes import Beaten
from shared.answer import Answer
from shared.identity import Access


class Heartbeats:
    def __init__(
        self, driver: Driver, answers: Answers, hearer: Hearer | None = None, rights: Rights | None = None
    ) -> None:
        self._rights = rights or Rights(Access())
        self._hearer = hearer
        self._driver = driver
        self._node = driver.node
        self._answers = answers

    def beat(self, body: bytes, caller: Caller) -> Answer:
        keys = decode.keys(body)
        for key in keys:
            self._rights.speak(caller, key)
        origin, now = self._node.origin, clock.now()
        others = self._node.renew_all(keys, now)
        if self._hearer is not None:
            for key in keys:
                if others.get(key) != "unknown":
                    self._hearer.heard("Heartbeat", key, now)
        if not others and origin == self._node.origin:  # nothing to send, no news: no step of the driver's
            return self._answers.whole(Beaten(renewed=len(keys), stale=self._answers.stale))
        self._driver.perform()
        counts = Counter(others.get(key, "ours") for key in keys)
        beaten = Beaten(
            renewed=counts["ours"],
            forwarded=self._owners([key for key in keys if others.get(key) == "forwarded"]),
            adopted=counts["adopted"],
            unknown=[key for key, renewal in others.items() if renewal == "unknown"],
            stale=self._answers.stale,
        )
        return self._answers.whole(beaten, 202 if beaten.forwarded else 200)

    def _owners(self, keys: list[str]) -> dict[str, int]:
        """How many of them each address owns."""
        addresses = {peer.origin: peer.address for peer in self._node.peers()} if keys else {}
        held = [self._node.view.get(key) for key in keys]
        return dict(Counter(addresses.get(each[0], "") for each in held if each is not None))
