"""The registry as its clients use it: registrations in and out, and the rules for late, stale and overridden ones.

Eureka's rules, with these departures, all for the better:
  - leases are exact (Eureka's renewal counts the lease twice) and there is no self-preservation by counting renewals
  - an instance may move itself between UP and OUT_OF_SERVICE by registering (Eureka keeps the status it has)
  - a registration with status DOWN within `LATE_DOWN_S` of a deregistration is answered and not stored, at whichever
    node: clients send both at shutdown, and the wrong order would leave a ghost
  - an override covers the instance's own word and is not mixed with it: cleared, that word shows again at once

What a real Eureka server tells of its clients is `replicated`: it is no sign that an instance is ours, and Eureka's
batches overtake each other, so what is known already is only renewed and one that has just left does not come back.

plexmesh's own clients may name their process (`gen`) and are told what Eureka's are not: that a newer process has their
id, or that theirs has left (Gone). They register many at once, all or none (`register_all`); saying again what is held
here already renews the lease and writes nothing.

Source: Netflix Eureka, AbstractInstanceRegistry (register, renew, statusUpdate, deleteStatusOverride).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec
from cachetools import TTLCache

from discovery.hlc import written_ms
from discovery.node import Node, Renewal
from discovery.record import LEFT, MAX_BODY_BYTES, STATE_OF, Record, Status, key_of
from discovery.registration import Registration, effective, pack, unpack
from shared.errors import BadInput, Conflict, Gone, NotFound, PlexmeshError

LATE_DOWN_S = 10.0

LATE_COPY_S = 30.0
"""Eureka servers drop what they could not send each other for so long: what one still says later is news."""

GEN_SHIFT = 16

MAX_INSTANCES = 10_000

Standing = Literal["unknown", "older", "same", "newer"]


class Registry:
    def __init__(self, node: Node, max_instances: int = MAX_INSTANCES) -> None:
        """`max_instances`: of one service."""
        self.node = node
        self._max_instances = max_instances
        self._now = 0.0
        self._left: TTLCache[str, bool] = TTLCache(10_000, LATE_DOWN_S, timer=lambda: self._now)

    # --- changes

    def register(self, given: Registration, now: float, replicated: bool = False) -> None:
        """Take in what a client says of itself, or what a Eureka server says of one. Raises BadInput: too large, or
        one too many."""
        self._now = now
        held = self.node.view.get(given.key)
        if held is None:
            if given.status == "DOWN" and (given.key in self._left or self._left_lately(given.key, LATE_DOWN_S)):
                return
            if replicated and self._left_lately(given.key, LATE_COPY_S, given.dirty_ms << GEN_SHIFT):
                return
            self._check_room({given.service: 1}, BadInput)
        before = unpack(held[1].body) if held else None
        if replicated and given.override == given.status:
            given = msgspec.structs.replace(given, status="UP")  # it tells what it shows; the own word is below
        completed = self._completed(given, before, self.node.wall_ms(now))
        if held is not None and before is not None:
            older = 0 < given.dirty_ms < before.dirty_ms
            known = given.dirty_ms in (0, before.dirty_ms) and _alike(completed, before)
            if older or (known and (replicated or held[0] == self.node.origin)):
                self.node.renew(given.key, now)
                return
        self.node.put(self._record(completed, self._gen(given, now)), now)

    def keep(self, given: Registration, now: float) -> None:
        """Register what is to be there for as long as somebody says so; said again, it is renewed wherever it is held.
        Raises BadInput."""
        held = self.node.view.get(given.key)
        if held is not None:
            before = unpack(held[1].body)
            if _alike(self._completed(given, before, self.node.wall_ms(now)), before):
                self.node.renew(given.key, now)
                return
        self.register(given, now)

    def register_all(
        self, given: Sequence[Registration], gens: Sequence[int], now: float, fields: Sequence[str]
    ) -> list[Record]:
        """Register as plexmesh's own clients do, all or none; `gens` are their processes, 0 where none is given.

        Returns how each is held. Raises Gone, Conflict, BadInput, calling each what `fields` does (empty: just one).
        """
        keys = [each.key for each in given]
        self._check_new(keys, given, fields)
        wall_ms = self.node.wall_ms(now)
        planned = [self._planned(*each, wall_ms) for each in zip(keys, given, gens, fields, strict=True)]
        written = iter(self.node.put_all([record for record in planned if not record.seq], now))
        held = [record.key for record in planned if record.seq]
        if held:
            self.node.renew_all(held, now)
        return [record if record.seq else next(written) for record in planned]

    def renew(self, key: str, dirty_ms: int, now: float) -> Renewal:
        """`dirty_ms`: the client's lastDirtyTimestamp, 0 = not given; one newer than ours means: register again."""
        held = self.node.view.get(key) if dirty_ms > 0 else None
        if held is not None and dirty_ms << GEN_SHIFT != held[1].gen and dirty_ms > unpack(held[1].body).dirty_ms:
            return "unknown"
        return self.node.renew(key, now)

    def compare(self, key: str, dirty_ms: int) -> Standing:
        """How what is held here stands to that stamp of the instance; 0 = no stamp."""
        held = self.node.view.get(key)
        if held is None:
            return "unknown"
        ours = unpack(held[1].body).dirty_ms
        if dirty_ms <= 0 or ours == dirty_ms:
            return "same"
        return "newer" if ours > dirty_ms else "older"

    def cancel(self, key: str, now: float) -> bool:
        self._now = now
        self._left[key] = True
        return self.node.leave(key, now)

    def remove(self, key: str, gen: int, now: float) -> None:
        """Deregister as plexmesh's own clients do; `gen`: only that process, 0: whichever. Raises NotFound, Gone."""
        known = self.node.view.known(key)
        if known is not None:
            self._check_process("gen", known[1], gen or known[1].gen)
        if not self.cancel(key, now):
            raise NotFound(f"{key}: no such instance")

    def override(self, key: str, status: Status, dirty_ms: int, now: float) -> None:
        """Put an operator's status over the instance's own. Raises NotFound."""
        found = self.get(key)
        dirty_ms = max(dirty_ms, found.dirty_ms)
        self._rewrite(msgspec.structs.replace(found, override=status, dirty_ms=dirty_ms), now)

    def clear_override(self, key: str, now: float) -> None:
        """The instance's own word shows again. Raises NotFound."""
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

    # --- inside: all or none

    def _check_new(self, keys: Sequence[str], given: Sequence[Registration], fields: Sequence[str]) -> None:
        """Raises BadInput, Conflict."""
        first: dict[str, int] = {}
        new: dict[str, int] = {}
        for index, key in enumerate(keys):
            if first.setdefault(key, index) != index:
                raise BadInput(f"{fields[index]}: {key!r}, expected another one than {fields[first[key]]}")
            if key not in self.node.view:
                service = given[index].service
                new[service] = new.get(service, 0) + 1
        self._check_room(new, Conflict)

    def _check_room(self, new: Mapping[str, int], error: type[PlexmeshError]) -> None:
        for service, count in new.items():
            held = self.node.view.count(service)
            if held + count > self._max_instances:
                raise error(
                    f"service {service!r}: {count} more than its {held} instances, "
                    f"expected at most {self._max_instances} in all"
                )

    def _check_process(self, field: str, known: Record, gen: int) -> None:
        """Raises Gone: that process is not the one that may speak for the instance any more."""
        if gen < known.gen:
            raise Gone(f"{field}: {gen} for {known.key!r}, expected {known.gen} or more: a newer process has this id")
        if gen == known.gen and known.state == LEFT:
            raise Gone(f"{field}: {gen} for {known.key!r}, expected a larger one: this process has left")

    def _planned(self, key: str, given: Registration, gen: int, field: str, wall_ms: int) -> Record:
        """What is to be written; the record that is held if that says the same already."""
        held = self.node.view.get(key)
        known = held or self.node.view.known(key)
        if known is None:
            return self._record(self._completed(given, None, wall_ms), gen or wall_ms << GEN_SHIFT, field)
        if gen:
            self._check_process(f"{field}.gen" if field else "gen", known[1], gen)
        before = unpack(held[1].body) if held else None
        completed = self._completed(given, before, wall_ms)
        if held is None or before is None or not _alike(completed, before):
            return self._record(completed, gen or self._newer(wall_ms << GEN_SHIFT, known[1]), field)
        if held[0] == self.node.origin and gen in (0, held[1].gen):
            return held[1]
        return self._record(completed, gen or self._newer(wall_ms << GEN_SHIFT, known[1]), field)

    # --- inside

    def _left_lately(self, key: str, within_s: float, gen: int = 0) -> bool:
        """Whether the process `gen` (0: any) has deregistered, at whichever node, by that node's clock."""
        known = self.node.view.known(key)
        if known is None or known[1].state != LEFT or known[1].gen < gen:
            return False
        return abs(self.node.wall_ms(self._now) - written_ms(known[1].rev)) <= within_s * 1000

    def _gen(self, given: Registration, now: float) -> int:
        """The process this is: its own stamp, or the time of arrival. One that says DOWN is no new one: its goodbye may
        be on its way from another node, and is to count."""
        known = self.node.view.known(given.key)
        if known is not None and known[1].live and given.status == "DOWN":
            return known[1].gen
        gen = (given.dirty_ms or self.node.wall_ms(now)) << GEN_SHIFT
        return gen if known is None else self._newer(gen, known[1])

    @staticmethod
    def _newer(gen: int, known: Record) -> int:
        """Never below what is known; past a deregistration it is a new process."""
        return max(gen, known.gen + (1 if known.tombstone else 0))

    def _completed(self, given: Registration, before: Registration | None, wall_ms: int) -> Registration:
        """What clients leave out: the stamps, and an override that stands."""
        override = before.override if before and given.override == "UNKNOWN" else given.override
        up_ms = given.up_ms
        if effective(given.status, override) == "UP":
            up_ms = before.up_ms if before is not None and before.effective == "UP" and before.up_ms else wall_ms
        return msgspec.structs.replace(
            given,
            dirty_ms=given.dirty_ms or wall_ms,
            registered_ms=before.registered_ms if before else wall_ms,
            updated_ms=wall_ms,
            override=override,
            up_ms=up_ms,
            registrant=given.registrant or (before.registrant if before else ""),
        )

    def _rewrite(self, registration: Registration, now: float) -> None:
        held = self.node.view.get(registration.key)
        self._write(registration, held[1].gen if held else 0, now)

    def _write(self, registration: Registration, gen: int, now: float) -> None:
        registration = msgspec.structs.replace(registration, updated_ms=self.node.wall_ms(now))
        self.node.put(self._record(registration, gen), now)

    def _record(self, registration: Registration, gen: int, where: str = "") -> Record:
        """To be written (`seq` 0). Raises BadInput."""
        body = pack(registration)
        if len(body) > MAX_BODY_BYTES:
            raise BadInput(f"{where or 'instance'}: {len(body)} bytes, expected at most {MAX_BODY_BYTES}")
        service = registration.service
        state = STATE_OF[registration.effective]
        return Record(service, key_of(service, registration.instance), gen, 0, 0, state, registration.lease_s, body)


def _alike(said: Registration, before: Registration) -> bool:
    """Whether they differ in nothing but their stamps."""
    return msgspec.structs.replace(said, dirty_ms=before.dirty_ms, updated_ms=before.updated_ms) == before
