"""Gateways that follow the watch stream, going from node to node (invariant I8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from discovery.record import Record
from discovery.token import behind, changed_since, formatted, parsed, token_at
from tests.sim.host import Process

if TYPE_CHECKING:
    from tests.sim.simulator import Sim

READ_S = 0.5
PATIENCE_S = 10.0
"""A node behind the watcher's token waits this long before it sends the whole set."""


class Watcher:
    """Folds what changed since its token into `held`; that must be the node's view at the new token, exactly.

    It stays at a node for `stay_s`, then goes on to the next, taking its token along.
    """

    def __init__(self, sim: Sim, stay_s: float) -> None:
        self.sim = sim
        self.stay_s = stay_s
        self.held: dict[str, tuple[str, Record]] = {}
        self.token = ""
        self.wholes = 0
        self.increments = 0
        self._at = 0
        self._since = sim.now
        self._behind_since: float | None = None
        sim.after(READ_S, self._read)

    def _read(self) -> None:
        now = self.sim.now
        process = self.sim.hosts[self._at].process
        gone = process is None or self.sim.hosts[self._at].paused
        if gone or now - self._since > self.stay_s:
            self._at = (self._at + 1) % len(self.sim.hosts)
            self._since, self._behind_since = now, None
        elif process is not None and process.node.covered:
            self._take(process)
        self.sim.after(READ_S, self._read)

    def _take(self, process: Process) -> None:
        node = process.node
        token = parsed(self.token) if self.token else None
        if token is not None and behind(token, node.spaces):
            self._behind_since = self.sim.now if self._behind_since is None else self._behind_since
            if self.sim.now - self._behind_since < PATIENCE_S:
                return
            token = None
        self._behind_since = None
        changed = changed_since(token, node.spaces, node.hidden()) if token is not None else None
        if changed is None:
            self.wholes += 1
            self.held = {held[1].key: held for held in node.view.all()}
        else:
            self.increments += 1
            for key in changed:
                held = node.view.get(key)
                if held is None:
                    self.held.pop(key, None)
                else:
                    self.held[key] = held
        before = self.token
        self.token = formatted(token_at(node.spaces, node.hidden()))
        self._compare(process, before)

    def _compare(self, process: Process, before: str) -> None:
        view = {held[1].key: held for held in process.node.view.all()}
        if self.held != view:
            differ = sorted(key for key in self.held.keys() | view.keys() if self.held.get(key) != view.get(key))
            first = differ[0]
            self.sim.judge.fail(
                f"I8: folded {before!r} to {self.token!r} at {process.host.name}, not its view: {differ}; "
                f"{first} is {self.held.get(first)}, should be {view.get(first)}"
            )

    def settle(self) -> None:
        """In peace it reads on without the whole set being sent again."""
        self.sim.run(self.sim.now + PATIENCE_S + 2 * self.stay_s)
        before = self.wholes
        self.sim.run(self.sim.now + 2 * self.stay_s)
        if self.wholes > before:
            self.sim.judge.fail("I8: the whole set was sent again in peace")
