"""What one real Eureka server is still to be told of what clients have said to this node.

    heard ──▶ waiting ──take──▶ on the way ──answered──▶ done; a heartbeat's 404: a Register waits; 409: theirs is newer
                 ▲                  └──failed──▶ thrown away (it was refused), or after a pause:
                 └────────────────── first in the queue again

Eureka servers forward what a client has told them, once, and nothing that another server has; each keeps its leases by
itself, so every heartbeat is forwarded, too. What waits is only who and what: how the instance is now is looked up when
the batch is made, and what has gone meanwhile is not sent.

A batch goes off when something has waited for `LINGER_S` or when it is full. One is on the way at a time, so batches
never overtake each other (Eureka's do). The same said again of one instance is sent once: a heartbeat keeps its place,
anything else moves to the end, behind what was said in between. What is older than it is worth is not sent: the next
heartbeat finds out what the server has missed.

Source: Netflix Eureka, PeerEurekaNode, ReplicationTaskProcessor and AcceptorExecutor (limits and times are theirs).

Not here: the bytes (`discovery.eureka.batch`), HTTP (`discovery.eureka.replicator`).
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence
from math import inf
from typing import Any, Literal, NamedTuple

from discovery.eureka import document
from discovery.eureka.batch import Item, Response
from discovery.hearer import Action
from discovery.registration import Registration
from discovery.registry import Registry
from shared.errors import NotFound

MAX_WAITING = 10_000
MAX_BATCH = 250
LINGER_S = 0.5
EXPIRES_S = 30.0
"""A registration or heartbeat is worth something for its instance's renewal interval, anything else for so long."""

BUSY_PAUSE_S = 1.0
FIRST_PAUSE_S, LAST_PAUSE_S = 0.1, 5.0
"""When it cannot be reached: doubled each time."""

Failure = Literal["busy", "unreachable", "refused"]
"""Busy: it says so, or does not answer in time; refused: any other answer that is not one."""

Loss = Literal["overflow", "expired", "refused"]


class Said(NamedTuple):
    action: Action
    key: str
    at: float
    status: str


class Outbox:
    """`dropped` counts what was not told, by why."""

    def __init__(self, registry: Registry) -> None:
        self.dropped: Counter[Loss] = Counter()
        self._registry = registry
        self._waiting: OrderedDict[tuple[Action, str], Said] = OrderedDict()
        self._since = inf  # when the first of them came
        self._sent: list[Said] = []
        self._paused_until = -inf
        self._pause_s = FIRST_PAUSE_S

    @property
    def queued(self) -> int:
        """How much is to be told, what is on the way included."""
        return len(self._waiting) + len(self._sent)

    def heard(self, action: Action, key: str, now: float, status: str = "") -> bool:
        """Whether `due_at` may have come nearer."""
        waiting, name = self._waiting, (action, key)
        if action != "Heartbeat":
            waiting.pop(name, None)
        waiting[name] = Said(action, key, now, status)
        count = len(waiting)
        if count > MAX_WAITING:
            waiting.popitem(last=False)
            self.dropped["overflow"] += 1
        if self._since == inf:
            self._since = now
            return True
        return count == MAX_BATCH

    def due_at(self) -> float:
        """When the next batch is to be made; never: while one is on the way, or with nothing to tell."""
        if self._sent or not self._waiting:
            return inf
        filled_at = -inf if len(self._waiting) >= MAX_BATCH else self._since + LINGER_S
        return max(filled_at, self._paused_until)

    def hurry(self) -> None:
        """This node stops: what waits is due now."""
        if self._waiting:
            self._since = -inf

    def take(self, now: float) -> list[Item]:
        """The next batch, on the way from now on; empty: there is nothing to tell after all."""
        items: list[Item] = []
        while self._waiting and len(items) < MAX_BATCH:
            _, said = self._waiting.popitem(last=False)
            item = self._item(said, now)
            if item is not None:
                items.append(item)
                self._sent.append(said)
        self._since = now if self._waiting else inf
        return items

    def answered(self, responses: Sequence[Response], now: float) -> list[dict[str, Any]]:
        """The batch on the way was taken; returns the instances that are newer at the other server."""
        sent, self._sent = self._sent, []
        self._pause_s = FIRST_PAUSE_S
        newer: list[dict[str, Any]] = []
        for said, response in zip(sent, responses, strict=True):
            if said.action != "Heartbeat":
                continue
            if response.status_code == 404:
                self.heard("Register", said.key, now)
            elif response.response_entity is not None:
                newer.append(response.response_entity)
        return newer

    def failed(self, how: Failure, now: float) -> None:
        """The batch on the way was not taken."""
        sent, self._sent = self._sent, []
        if how == "refused":
            self.dropped["refused"] += len(sent)
            return
        for said in reversed(sent):
            name = (said.action, said.key)
            if name not in self._waiting:
                self._waiting[name] = said
                self._waiting.move_to_end(name, last=False)
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popitem(last=False)
            self.dropped["overflow"] += 1
        self._since = -inf if self._waiting else inf
        self._paused_until = now + (BUSY_PAUSE_S if how == "busy" else self._pause_s)
        if how == "unreachable":
            self._pause_s = min(2 * self._pause_s, LAST_PAUSE_S)

    # --- inside

    def _item(self, said: Said, now: float) -> Item | None:
        """As it is to be said now; None: it is not."""
        service, _, instance = said.key.partition("/")
        try:
            found = self._registry.get(said.key)
        except NotFound:
            found = None
        worth_s = found.renew_s if found and said.action in ("Register", "Heartbeat") else EXPIRES_S
        if now - said.at > worth_s:
            self.dropped["expired"] += 1
            return None
        if said.action == "Cancel":
            back = found is not None and ("Register", said.key) not in self._waiting  # another node tells that
            return None if back else Item(service.upper(), instance, "Cancel")
        return None if found is None else _told(said, found)


def _told(said: Said, found: Registration) -> Item:
    item = Item(found.app, found.instance, said.action, found.dirty_ms, found.effective)
    match said.action:
        case "Register":
            item.instance_info = document.instance(found)
        case "Heartbeat":
            item.overridden_status = None if found.override == "UNKNOWN" else found.override
        case _:
            item.status = said.status or found.effective
    return item
