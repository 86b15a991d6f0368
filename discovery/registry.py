"""The registry as its clients use it: registrations in and out, and the rules for late, stale and overridden ones.

Eureka's rules, with these departures, all for the better:
  - leases are exact (Eureka's renewal counts the lease twice) and there is no self-preservation by counting renewals
  - an instance may move itself between UP and OUT_OF_SERVICE by registering (Eureka keeps the status it has)
  - a registration with status DOWN within `LATE_DOWN_S` of a deregistration is answered and not stored: clients send
    both at shutdown, and the wrong order would leave a ghost

Source: Netflix Eureka, AbstractInstanceRegistry (register, renew, statusUpdate, deleteStatusOverride).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from cachetools import TTLCache

from discovery.node import Node, Renewal
from discovery.record import MAX_BODY_BYTES, STATE_OF, Record, Status
from discovery.registration import Registration, pack, unpack
from discovery.view import Held
from shared.errors import BadInput, NotFound
from shared.wire import Instance

LATE_DOWN_S = 10.0

GEN_SHIFT = 16


class Registry:
    def __init__(self, node: Node) -> None:
        self.node = node
        self._now = 0.0
        self._left: TTLCache[str, bool] = TTLCache(10_000, LATE_DOWN_S, timer=lambda: self._now)

    # --- changes

    def register(self, given: Registration, now: float) -> None:
        """Raises BadInput: too large."""
        self._now = now
        if given.status == "DOWN" and given.key in self._left:
            return
        held = self.node.view.get(given.key)
        before = unpack(held[1].body) if held else None
        if before is not None and 0 < given.dirty_ms < before.dirty_ms:
            self.node.renew(given.key, now)  # an older saying of a process we know better
            return
        self._write(self._completed(given, before, now), self._gen(given, now), now)

    def renew(self, key: str, dirty_ms: int, now: float) -> Renewal:
        """`dirty_ms`: the client's lastDirtyTimestamp, 0 = not given; one newer than ours means: register again."""
        if dirty_ms > 0:
            held = self.node.view.get(key)
            if held is not None and dirty_ms > unpack(held[1].body).dirty_ms:
                return "unknown"
        return self.node.renew(key, now)

    def cancel(self, key: str, now: float) -> bool:
        self._now = now
        self._left[key] = True
        return self.node.leave(key, now)

    def override(self, key: str, status: Status, dirty_ms: int, now: float) -> None:
        """Put an operator's status over the instance's own. Raises NotFound."""
        found = self.get(key)
        dirty_ms = max(dirty_ms, found.dirty_ms)
        self._rewrite(msgspec.structs.replace(found, override=status, dirty_ms=dirty_ms), now)

    def clear_override(self, key: str, now: float) -> None:
        """Raises NotFound."""
        self._rewrite(msgspec.structs.replace(self.get(key), override="UNKNOWN"), now)

    def annotate(self, key: str, metadata: dict[str, str], now: float) -> None:
        """Add to an instance's metadata. Raises NotFound, BadInput."""
        found = self.get(key)
        self._rewrite(msgspec.structs.replace(found, metadata=found.metadata | metadata), now)

    # --- reading

    def get(self, key: str) -> Registration:
        """Raises NotFound."""
        held = self.node.view.get(key)
        if held is None:
            raise NotFound(f"no instance {key!r}")
        return unpack(held[1].body)

    def of(self, service: str) -> list[Registration]:
        """The instances of a service, by id; none when it is unknown."""
        return [unpack(record.body) for _, record in self.node.view.of(service.lower())]

    def all(self) -> Iterator[Registration]:
        """Every instance, service by service."""
        for service in self.node.view.services():
            yield from self.of(service)

    # --- inside

    def _gen(self, given: Registration, now: float) -> int:
        """The process this is: its own stamp, or the time of arrival; past a deregistration it is a new process."""
        gen = (given.dirty_ms or self.node.wall_ms(now)) << GEN_SHIFT
        known = self.node.view.known(given.key)
        if known is None:
            return gen
        return max(gen, known[1].gen + (1 if known[1].tombstone else 0))

    def _completed(self, given: Registration, before: Registration | None, now: float) -> Registration:
        """What clients leave out: the stamps, and an override that stands."""
        wall_ms = self.node.wall_ms(now)
        full = msgspec.structs.replace(
            given,
            dirty_ms=given.dirty_ms or wall_ms,
            registered_ms=before.registered_ms if before else wall_ms,
            override=before.override if before and given.override == "UNKNOWN" else given.override,
        )
        was_up = before is not None and before.effective == "UP" and before.up_ms
        up_ms = before.up_ms if before and was_up else wall_ms
        return msgspec.structs.replace(full, up_ms=up_ms) if full.effective == "UP" else full

    def _rewrite(self, registration: Registration, now: float) -> None:
        held = self.node.view.get(registration.key)
        self._write(registration, held[1].gen if held else 0, now)

    def _write(self, registration: Registration, gen: int, now: float) -> None:
        registration = msgspec.structs.replace(registration, updated_ms=self.node.wall_ms(now))
        body = pack(registration)
        if len(body) > MAX_BODY_BYTES:
            raise BadInput(f"instance {registration.instance!r}: {len(body)} bytes, at most {MAX_BODY_BYTES} allowed")
        state = STATE_OF[registration.effective]
        record = Record(registration.service, registration.key, gen, 0, 0, state, registration.lease_s, body)
        self.node.put(record, now)


def seen_by_watchers(held: Held) -> Instance:
    origin, record = held
    return unpack(record.body).seen_by_watchers(origin, record.gen, record.rev)
