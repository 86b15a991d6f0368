"""The network: a link for each pair of machines and direction, and calls over it as the nodes' shell makes them.

A call is one HTTP request with a time-out. A lost request or answer makes the time-out run out; a machine without the
node refuses at once; a machine that is gone, or cut off, says nothing. Every message is encoded and decoded.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from discovery.messages import Ask, Found, Ping, Push, Reply, Request, Sync, SyncReply, decode, encode
from tests.sim.host import SYSPLEX

if TYPE_CHECKING:
    from tests.sim.host import Host, Process
    from tests.sim.simulator import Sim

PING_TIMEOUT_S = 0.5
SYNC_TIMEOUT_S = 0.7
PUSH_TIMEOUT_S = 2.0
CLIENT_TIMEOUT_S = 1.0
STALL_S = 0.2
"""What TCP takes to send a lost packet again."""

MESSAGE_BYTES_MAX = 300 * 1024


@dataclass
class Link:
    """One direction between two machines; shares are probabilities per message."""

    cut: bool = False
    lost: float = 0.0
    stalled: float = 0.0
    doubled: float = 0.0
    reorder_s: float = 0.0
    delay_s: tuple[float, float] = (0.0002, 0.002)

    @property
    def faultless(self) -> bool:
        return not (self.cut or self.lost or self.stalled or self.doubled or self.reorder_s)

    def delay(self, rng: random.Random) -> float | None:
        """Seconds a message takes; None: it does not arrive."""
        low, high = self.delay_s
        seconds = low + (high - low) * rng.random()
        if self.faultless:
            return seconds
        if self.cut or (self.lost and rng.random() < self.lost):
            return None
        if self.stalled and rng.random() < self.stalled:
            seconds += STALL_S
        return seconds + self.reorder_s * rng.random()


def timeout_s(message: Request) -> float:
    if isinstance(message, Ping | Ask | Found):
        return PING_TIMEOUT_S
    return SYNC_TIMEOUT_S if isinstance(message, Sync) else PUSH_TIMEOUT_S


def records_in(message: object) -> int:
    return sum(len(delta.records) for delta in message.deltas) if isinstance(message, Push | SyncReply) else 0


class Call:
    """A message on its way and its answer: ends once, with an answer or a failure."""

    def __init__(self, network: Network, sender: Process, address: str, message: Request, at: float) -> None:
        self.network = network
        self.sender = sender
        self.address = address
        self.message = message
        self.deadline = at + timeout_s(message)
        self.done = False
        self._waits = False

    def answer(self, data: bytes) -> None:
        self._end(lambda: self._take(data))

    def fail_soon(self, refused: bool) -> None:
        """The far end has broken the connection; nothing is heard of one that vanished."""
        sim = self.network.sim
        if refused:
            sim.after(0.0005, lambda: self._end(lambda: self._fail(refused=True)))
        else:
            self.time_out_at_deadline()

    def time_out_at_deadline(self) -> None:
        if not self._waits:
            self._waits = True
            self.network.sim.at(self.deadline, lambda: self._end(lambda: self._fail(refused=False)))

    def _end(self, step: Callable[[], None]) -> None:
        """Have the sender take the outcome in; the first to get there counts."""

        def first() -> None:
            if not self.done:
                self.done = True
                self.network.ended(self)
                step()

        if not self.done and not self.sender.dead:
            self.sender.host.submit(first)

    def _take(self, data: bytes) -> None:
        envelope = decode(SYSPLEX, data)
        assert isinstance(envelope.body, Reply)
        host = self.sender.host
        host.charge(records_in(envelope.body))
        self.sender.node.replied(self.address, self.message, envelope.sender, envelope.body, host.clock())

    def _fail(self, refused: bool) -> None:
        self.sender.node.failed(self.address, self.message, refused, self.sender.host.clock())


class Network:
    """`sent` and `sent_bytes` count by kind of message, `sent_records` what they carry; `in_flight` counts by (sender,
    address, kind)."""

    def __init__(self, sim: Sim) -> None:
        self.sim = sim
        self._links: dict[tuple[int, int], Link] = {}
        self.default = Link()
        self.sent_bytes: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.sent_records = 0
        self.in_flight: Counter[tuple[int, str, str]] = Counter()

    # --- links

    def link(self, one: Host, other: Host) -> Link:
        return self._links.get((one.index, other.index), self.default)

    def own_link(self, one: Host, other: Host) -> Link:
        """The link with faults of its own."""
        return self._links.setdefault((one.index, other.index), Link(**vars(self.default)))

    def cut(self, one: Host, other: Host) -> None:
        """What `one` sends no longer reaches `other`."""
        self.own_link(one, other).cut = True

    def join(self, one: Host, other: Host) -> None:
        if (one.index, other.index) in self._links:
            self._links[one.index, other.index].cut = False

    def heal(self) -> None:
        self._links.clear()
        self.default = Link()

    def together(self, one: Host, other: Host) -> bool:
        """Whether both directions are without fault."""
        return self.link(one, other).faultless and self.link(other, one).faultless

    # --- nodes

    def call(self, sender: Process, address: str, message: Request, at: float) -> None:
        sim = self.sim
        data = encode(SYSPLEX, sender.node.sender, message)
        kind = type(message).__name__
        self.sent[kind] += 1
        self.sent_bytes[kind] += len(data)
        self.sent_records += records_in(message)
        flight = (id(sender), address, kind)
        self.in_flight[flight] += 1
        sim.judge.sent(sender, kind, len(data), self.in_flight[flight])
        call = Call(self, sender, address, message, at)
        target = next((host for host in sim.hosts if host.address == address), None)
        if target is None:
            call.time_out_at_deadline()
            return
        link = self.link(sender.host, target)
        for _ in range(2 if link.doubled and sim.rng.random() < link.doubled else 1):
            seconds = link.delay(sim.rng)
            if seconds is None:
                call.time_out_at_deadline()
            else:
                sim.at(at + seconds, lambda: self._arrive(call, target, data))

    def ended(self, call: Call) -> None:
        flight = (id(call.sender), call.address, type(call.message).__name__)
        self.in_flight[flight] -= 1
        if not self.in_flight[flight]:
            del self.in_flight[flight]

    def _arrive(self, call: Call, target: Host, data: bytes) -> None:
        process = target.process
        if process is None:
            call.fail_soon(refused=not target.vanished)
        else:
            target.submit(lambda: self._serve(call, process, data), call)

    def _serve(self, call: Call, process: Process, data: bytes) -> None:
        host = process.host
        envelope = decode(SYSPLEX, data)
        assert isinstance(envelope.body, Request)
        host.charge(records_in(envelope.body))
        reply = process.node.receive(envelope.sender, envelope.body, host.clock())
        answer = encode(SYSPLEX, process.node.sender, reply)
        kind = type(reply).__name__
        self.sent[kind] += 1
        self.sent_bytes[kind] += len(answer)
        self.sent_records += records_in(reply)
        self.sim.judge.sent(process, kind, len(answer), 1)
        seconds = self.link(host, call.sender.host).delay(self.sim.rng)
        if seconds is None or self.sim.now + host.step_cost_s() + seconds > call.deadline:
            call.time_out_at_deadline()
        else:
            self.sim.after(host.step_cost_s() + seconds, lambda: call.answer(answer))

    # --- clients

    def request(
        self, source: Host, target: Host, serve: Callable[[Process], object], end: Callable[[object], None]
    ) -> None:
        """A client on machine `source` asks the node of `target`.

        `serve` runs as a step of that node; `end` gets what it returned, or the string "failed".
        """
        sim = self.sim
        ended = False

        def finish(answer: object) -> None:
            nonlocal ended
            if not ended:
                ended = True
                end(answer)

        def arrive() -> None:
            process = target.process
            if process is None:
                if not target.vanished:
                    sim.after(0.001, lambda: finish("failed"))
                return
            target.submit(lambda: answer(serve(process)))

        def answer(result: object) -> None:
            seconds = self._client_delay(target, source)
            if seconds is not None:
                sim.after(seconds, lambda: finish(result))

        sim.after(CLIENT_TIMEOUT_S, lambda: finish("failed"))
        seconds = self._client_delay(source, target)
        if seconds is not None:
            sim.after(seconds, arrive)

    def _client_delay(self, one: Host, other: Host) -> float | None:
        return 0.0003 if one is other else self.link(one, other).delay(self.sim.rng)
