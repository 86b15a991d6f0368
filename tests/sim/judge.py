"""The invariants I1-I8, watched while the world runs.

    I1 convergence    after the last fault all nodes have equal positions, sums and views        `agreed`, `settle`
    I2 nothing lost   who beats successfully is visible at every node connected to that one      `look`, `settle`
    I3 no ghosts      who stopped is visible nowhere after its lease and a sweep                 `look`, `settle`
    I4 no return      what a node has seen deregistered it never shows again                     `look`
    I5 monotone       positions, epochs and versions never fall                                  `look`, `stepped`
    I6 single writer  every record of a log was written there by its one writer                  `look`, `stepped`
    I7 bounded        message sizes, calls in flight, steps per second, logs held                `sent`, `stepped`
    I8 watch          folding the stream by token is the view                                    `tests.sim.watcher`

What is checked at once is a fault of one node alone. What takes messages is checked between nodes that have been
`together` (both running, unpaused, links without fault) for `SPREAD_S`.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, NoReturn

from discovery.messages import epoch_of, node_of
from discovery.record import LEFT, Record
from discovery.view import Change
from tests.sim.client import LEASE_S
from tests.sim.journal import STORY_LINES
from tests.sim.network import MESSAGE_BYTES_MAX

if TYPE_CHECKING:
    from tests.sim.client import Client
    from tests.sim.host import Host, Process
    from tests.sim.simulator import Sim

SPREAD_S = 5.0
"""Nodes together for so long know the same."""

MOVE_S = 2.0
"""A lease that moves to another owner may take so long to be seen by a way round a bad link."""

STEPS_PER_S_MAX = 2_000
"""A node that takes more steps spins."""

IN_FLIGHT_MAX = {"Push": 1, "Sync": 1, "Touch": 1}


class Watched:
    """What the judge remembers of one boot."""

    def __init__(self) -> None:
        self.origin = ""
        self.written = 0
        self.steps = 0
        self.positions: dict[str, tuple[int, int]] = {}
        self.finals: dict[str, int] = {}
        """Instance to the gen that this boot has seen deregistered."""


class Judge:
    def __init__(self, sim: Sim) -> None:
        self.sim = sim
        self._ledger: defaultdict[str, dict[int, Record]] = defaultdict(dict)
        self._writers: dict[str, Process] = {}
        self._watched: defaultdict[Process, Watched] = defaultdict(Watched)
        self._together: dict[tuple[int, int], tuple[float, Process, Process]] = {}
        self._leaves: dict[str, int] = {}
        self._missing: dict[tuple[str, str], float] = {}
        self._shape: tuple[object, ...] = ()
        self.calm_since = 0.0
        """Since when there has been no fault and no node has come or gone."""

    # --- told

    def stepped(self, process: Process) -> None:
        """After every step: the writer's own log goes into the ledger."""
        seen, node = self._watched[process], process.node
        origin = node.origin
        seen.steps += 1
        if origin != seen.origin:
            self._begin(process, seen, origin)
        space = node.spaces[origin]
        if space.max_seq == seen.written:
            return
        if space.max_seq < seen.written:
            self.fail(f"I5: {origin} went back from {seen.written} to {space.max_seq}")
        ledger = self._ledger[origin]
        for record in reversed(space.items.values()):
            if record.seq <= seen.written:
                break
            ledger[record.seq] = record
        seen.written = space.max_seq

    def _begin(self, process: Process, seen: Watched, origin: str) -> None:
        if epoch_of(origin) < epoch_of(seen.origin):
            self.fail(f"I5: {seen.origin} became {origin}")
        if self._writers.setdefault(origin, process) is not process:
            self.fail(f"I6: a second boot of {process.host.name} writes {origin}")
        seen.origin, seen.written = origin, 0

    def sent(self, process: Process, kind: str, size: int, in_flight: int) -> None:
        if size > MESSAGE_BYTES_MAX:
            self.fail(f"I7: {process.host.name} sends a {kind} of {size} bytes")
        if in_flight > IN_FLIGHT_MAX.get(kind, 2 * len(self.sim.hosts)):
            self.fail(f"I7: {in_flight} {kind} of {process.host.name} to one peer at once")

    def left(self, key: str, process: Process) -> None:
        """A deregistration was acknowledged by that node. Where two processes share an id it may have hit the other."""
        known = process.node.view.known(key)
        if known is None or known[1].state != LEFT or key in process.node.view:
            self.fail(f"I4: {process.host.name} acknowledged the leave of {key}, but holds {known}")
        if key not in self.sim.beating():
            self._leaves[key] = known[1].gen

    def said(self, process: Process, event: str, fields: dict[str, object]) -> None:
        """Copies at equal positions are equal."""
        if event == "log.audit_failed":
            self.fail(f"I1: {process.host.name} {event} {fields}")

    def changed(self, process: Process, changes: Iterable[Change]) -> None:
        """What has left does not come back, not even for a moment (unless another process beats with its id: one whose
        clock is behind inherits the gen of the one before)."""
        finals = self._watched[process].finals
        if finals:
            for key, _, after in changes:
                if after is not None and after[1].gen == finals.get(key) and key not in self.sim.beating():
                    self.fail(f"I4: {process.host.name} shows {after} again, which it has seen leave")

    def answered(self, client: Client, process: Process, answer: str) -> None:
        """A node has taken in a registration or heartbeat: it shows it at once, or, if that is forwarded to an
        owner just returned, when it has that one's log."""
        if answer not in ("unknown", "forwarded") and client.state == "beating" and client.key not in process.node.view:
            self.fail(f"I2: {process.host.name} answered {answer!r} to {client.key} but does not show it")

    def lost(self, client: Client, process: Process) -> None:
        """A node does not know an instance that beats: never in calm times."""
        streak, now = client.streak, self.sim.now
        if streak is None or self._twins(client):
            return
        if min(now - streak[1], now - self.calm_since) > SPREAD_S + client.lease_s:
            self.fail(f"I2: {process.host.name} forgot {client.key}, which beat there since {streak[1]:.1f}")

    # --- looking

    def look(self) -> None:
        sim = self.sim
        self._see_who_is_together()
        for process in sim.processes():
            seen = self._watched[process]
            self._check_spinning(process, seen)
            self._check_logs(process, seen)
            self._learn_finals(process, seen)
        self._check_beating()
        self._check_ghosts()

    def _check_spinning(self, process: Process, seen: Watched) -> None:
        if seen.steps > STEPS_PER_S_MAX / 4:
            self.fail(f"I7: {process.host.name} took {seen.steps} steps in 0.25 s")
        seen.steps = 0

    def _check_logs(self, process: Process, seen: Watched) -> None:
        node = process.node
        for origin, space in node.spaces.items():
            position = (space.max_seq, space.gc_seq)
            before = seen.positions.get(origin, (0, 0))
            if position == before or origin == node.origin:
                continue
            if position[0] < before[0] or position[1] < before[1]:
                self.fail(f"I5: {process.host.name}'s copy of {origin} went from {before} to {position}")
            ledger = self._ledger[origin]
            for record in reversed(space.items.values()):
                if record.seq <= before[0]:
                    break
                if ledger.get(record.seq) != record:
                    self.fail(f"I6: {process.host.name} holds {record} of {origin}; written: {ledger.get(record.seq)}")
            seen.positions[origin] = position
        if len(seen.positions) > len(node.spaces):
            seen.positions = {origin: at for origin, at in seen.positions.items() if origin in node.spaces}
        if len(node.spaces) > self._logs_max():
            self.fail(f"I7: {process.host.name} holds {len(node.spaces)} logs")

    def _logs_max(self) -> int:
        return len(self.sim.hosts) + len(self._writers)

    def _learn_finals(self, process: Process, seen: Watched) -> None:
        view = process.node.view
        for key, gen in self._leaves.items():
            if key not in view and seen.finals.get(key) != gen:
                known = view.known(key)
                if known is not None and known[1].state == LEFT and known[1].gen == gen:
                    seen.finals[key] = gen

    def _check_beating(self) -> None:
        now = self.sim.now
        views = [(each, each.node.view) for each in self.sim.processes() if each.node.covered]
        missing: dict[tuple[str, str], float] = {}
        for client in self.sim.clients:
            streak = client.streak
            if client.state != "beating" or streak is None or client.balanced or now - client.last_ack > client.beat_s:
                continue
            process, since = streak
            if process.dead or now - since < SPREAD_S or self._twins(client):
                continue
            for other, view in views:
                if client.key in view or other is process:
                    continue
                if now - self.together_since(process, other) > SPREAD_S:
                    self._miss(client, process, other, missing)
        self._missing = missing

    def _miss(self, client: Client, process: Process, other: Process, missing: dict[tuple[str, str], float]) -> None:
        """What moves to an owner that `other` has no good link to may be missing there for a moment."""
        place = (client.key, other.host.name)
        held = process.node.view.get(client.key)
        owner = self._writers.get(held[0]) if held else None
        missing[place] = since = self._missing.get(place, self.sim.now)
        linked = owner is None or self.sim.now - self.together_since(owner, other) > SPREAD_S
        if linked or self.sim.now - since > MOVE_S:
            self.fail(
                f"I2: {client.key} beats at {process.host.name} since {client.streak[1] if client.streak else 0:.1f}, "
                f"{other.host.name} does not show it; {self._ownership(process, client.key)}"
            )

    def _ownership(self, process: Process, key: str) -> str:
        """Who owns an instance, as that node sees it, and how they get on."""
        held = process.node.view.get(key)
        owner = self._writers.get(held[0]) if held else None
        if held is None or owner is None or owner is process:
            return "its own" if held else "unknown there"
        since = self.together_since(process, owner)
        how = f"together since {since:.1f}" if since < self.sim.now else "not together"
        return f"owner {held[0]} is {process.node.owners().get(held[0])} there, {how}"

    def _check_ghosts(self) -> None:
        sim, now = self.sim, self.sim.now
        if now - self.calm_since < SPREAD_S + 2:
            return
        beating = sim.beating()
        signs: dict[str, float] = {}
        for client in sim.clients:
            signs[client.key] = max(client.last_sign, signs.get(client.key, 0.0))
        quiet_s = LEASE_S + SPREAD_S + 2
        for process in sim.processes():
            if any(guard.on for guard in process.node.guards(process.host.clock())):
                continue
            for _, record in process.node.view.all():
                if record.key not in beating and now - max(signs[record.key], self.calm_since) > quiet_s:
                    self.fail(f"I3: {process.host.name} still shows {record.key}, silent since {signs[record.key]:.1f}")

    def _twins(self, client: Client) -> bool:
        """Whether another process has, or had, its id: what that one says counts for both."""
        return sum(each.key == client.key for each in self.sim.clients) > 1

    # --- who is together

    def together_since(self, one: Process, other: Process) -> float:
        """Since when both have run without a fault between them; now, if there is one."""
        index = tuple(sorted((one.host.index, other.host.index)))
        held = self._together.get(index)  # type: ignore[arg-type]
        return held[0] if held and {held[1], held[2]} == {one, other} else self.sim.now

    def _see_who_is_together(self) -> None:
        sim, now = self.sim, self.sim.now
        for one, other in itertools.combinations(sim.hosts, 2):
            index = (one.index, other.index)
            if not self._well(one, other):
                self._together.pop(index, None)
                continue
            held = self._together.get(index)
            if held is None or held[1] is not one.process or held[2] is not other.process:
                assert one.process is not None
                assert other.process is not None
                self._together[index] = (now, one.process, other.process)
        there = [host for host in sim.hosts if host.process is not None]
        shape = tuple(host.process for host in sim.hosts)
        calm = all(self._well(one, other) for one, other in itertools.combinations(there, 2))
        if not calm or shape != self._shape or any(host.paused for host in there):
            self.calm_since, self._shape = now, shape

    def _well(self, one: Host, other: Host) -> bool:
        return (
            one.process is not None
            and other.process is not None
            and not (one.paused or other.paused)
            and one.slow == other.slow == 1.0
            and self.sim.network.together(one, other)
        )

    # --- at the end

    def disagreement(self) -> str:
        """In what the running nodes differ; empty: in nothing.

        Up to where tombstones are collected, and which logs of the dead are forgotten, follows by offers within seconds
        and moves on meanwhile: that is looked at log by log (`_once_equal`).
        """
        nodes = [process.node for process in self.sim.processes()]
        if not nodes:
            return ""
        for origin in (node.origin for node in nodes):
            held = {(s.max_seq, s.gc_seq, s.sum64) for node in nodes if (s := node.spaces.get(origin)) is not None}
            ends = {node.spaces[origin].max_seq if origin in node.spaces else 0 for node in nodes}
            if len(ends) > 1 or len(held) > len({gc_seq for _, gc_seq, _ in held}):
                return f"the log {origin}"
        views = [{record.key: (origin, record.gen, record.rev) for origin, record in node.view.all()} for node in nodes]
        return "views" if any(each != views[0] for each in views) else ""

    def _once_equal(self, logs: set[str]) -> bool:
        """Take out those logs that are the same everywhere now, or nowhere; True: none is left."""
        nodes = [process.node for process in self.sim.processes()]
        for origin in list(logs):
            spaces = (node.spaces.get(origin) for node in nodes)
            if len({(s.max_seq, s.gc_seq, s.sum64) if s and s.max_seq else None for s in spaces}) == 1:
                logs.discard(origin)
        return not logs

    def agreed(self) -> bool:
        return not self.disagreement()

    def truth(self) -> str:
        """In what some running node's view differs from what truly lives; empty: in nothing."""
        living = self.sim.beating()
        for process in self.sim.processes():
            view = {record.key for _, record in process.node.view.all()}
            if living - view:
                return f"{process.host.name} lost {sorted(living - view)}"
            if view - living:
                return f"{process.host.name} shows ghosts {sorted(view - living)}"
        return ""

    def settle(self, agree_s: float = 10.0, true_s: float = 20.0) -> None:
        """After the last fault: within those times all agree (I1), and on the truth (I2, I3)."""
        self.sim.wait("all nodes agree", self.agreed, agree_s)
        self.sim.wait("all nodes show what lives", lambda: not self.truth(), true_s, 0.25)
        self.sim.wait("all nodes agree on the truth", lambda: self.agreed() and not self.truth(), agree_s)
        logs = {origin for process in self.sim.processes() for origin in process.node.spaces}
        self.sim.wait("each log has been the same everywhere", lambda: self._once_equal(logs), agree_s)

    # --- failing

    def fail(self, what: str) -> NoReturn:
        sim = self.sim
        digests = [
            f"{process.host.name} {process.node.origin} covered={process.node.covered} stale={process.node.stale} "
            f"view={len(process.node.view)} {self._digest(process)}"
            for process in sim.processes()
        ]
        story = list(sim.journal.story)[-STORY_LINES:]
        trouble = " ".join(filter(None, (self.disagreement(), self.truth())))
        raise AssertionError(
            "\n".join([f"seed {sim.seed} at {sim.now:.3f}: {what}", trouble, *story, "digests:", *digests])
        )

    def _digest(self, process: Process) -> str:
        owners = process.node.owners()
        return " ".join(
            f"{origin}:{space.max_seq}/{space.gc_seq}({owners.get(origin, '?')})"
            for origin, space in sorted(process.node.spaces.items(), key=lambda each: node_of(each[0]))
        )
