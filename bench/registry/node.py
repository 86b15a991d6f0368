"""`python -P -m bench.registry.node`: a discovery node as it is, that also notes when it learns of what.

Three methods of the product are wrapped, none is changed:
    Node.ready                    its effects tell what became visible, or not, and how owners are judged
    Node.receive, Node.replied    the moment of the first message
    Peers.call                    for a split: calls to the peers cut off go to an address that takes and never answers

So a cut looks like lost packets: what is on the way stays unanswered until the product's own time-outs. A wrapper is
the same everywhere; a network namespace per node would need root.
"""

from __future__ import annotations

import cProfile
import gc
import io
import pstats
import socket
import sys
import time
from array import array
from collections import Counter
from typing import Any

from bench.registry import control
from discovery.__main__ import main as serve
from discovery.effects import Changed, OwnerChanged
from discovery.node import Node
from discovery.peers import Peers
from shared import lifecycle

PROBE = "change/c"
"""Keys of the changes that are timed: this and a number."""


class Notes:
    """`changes` holds (number, 1 visible or 0 gone, ns) one after the other."""

    def __init__(self) -> None:
        self.node: Node | None = None
        self.changes = array("q")
        self.count = 0
        self.last_ns = 0
        self.gone: list[tuple[int, str]] = []
        self.owners: list[tuple[int, str, str]] = []
        self.first_message_ns = 0

    def effects(self, node: Node, effects: list[Any]) -> None:
        self.node = node
        now_ns = time.monotonic_ns()
        for effect in effects:
            if isinstance(effect, Changed):
                self._changed(effect, now_ns)
            elif isinstance(effect, OwnerChanged):
                self.owners.append((now_ns, effect.origin, effect.state))

    def _changed(self, effect: Changed, now_ns: int) -> None:
        self.count += len(effect.changes)
        self.last_ns = now_ns
        for change in effect.changes:
            key = change.key
            if key.startswith(PROBE):
                self.changes.extend((int(key[len(PROBE) :]), change.after is not None, now_ns))
            elif change.after is None:
                self.gone.append((now_ns, key))

    def message(self) -> None:
        self.first_message_ns = self.first_message_ns or time.monotonic_ns()

    # --- asked by the parent

    def state(self) -> dict[str, Any]:
        node = self.node
        return {
            "count": self.count,
            "last_ns": self.last_ns,
            "visible": len(node.view) if node else 0,
            "leases": node.leases if node else 0,
            "covered": node.covered if node else False,
            "origin": node.origin if node else "",
            "doubt": node.health_score if node else 0,
            "gone": len(self.gone),
            "first_message_ns": self.first_message_ns,
        }

    def take(self) -> dict[str, Any]:
        """What was noted since the last time."""
        taken = {"changes": self.changes.tolist(), "gone": self.gone, "owners": self.owners}
        self.changes, self.gone, self.owners = array("q"), [], []
        return taken


def hook(notes: Notes, cut: set[str]) -> None:
    ready, receive, replied, call = Node.ready, Node.receive, Node.replied, Peers.call
    silent = socket.create_server(("127.0.0.1", 0), backlog=4096)
    nowhere = f"http://127.0.0.1:{silent.getsockname()[1]}"

    def noting_ready(self: Node) -> Any:
        effects = ready(self)
        if effects:
            notes.effects(self, effects)
        return effects

    def noting_receive(self: Node, *arguments: Any) -> Any:
        notes.message()
        return receive(self, *arguments)

    def noting_replied(self: Node, *arguments: Any) -> Any:
        notes.message()
        return replied(self, *arguments)

    async def cut_call(self: Peers, address: str, *arguments: Any) -> Any:
        return await call(self, nowhere if address in cut else address, *arguments)

    cut_call.silent = silent  # type: ignore[attr-defined]
    Node.ready = noting_ready  # type: ignore[method-assign]
    Node.receive = noting_receive  # type: ignore[method-assign,assignment]
    Node.replied = noting_replied  # type: ignore[method-assign,assignment]
    Peers.call = cut_call  # type: ignore[method-assign,assignment]


class Profile:
    """Processor time of this node's Python code, by file and by function."""

    def __init__(self) -> None:
        self._profile = cProfile.Profile(time.thread_time)

    def start(self) -> bool:
        self._profile.enable()
        return True

    def stop(self, lines: int = 30, by: str = "tottime") -> str:
        self._profile.disable()
        text = io.StringIO()
        stats = pstats.Stats(self._profile, stream=text).strip_dirs().sort_stats(by)
        files: Counter[str] = Counter()
        for (file, _, _), (_, _, own_s, _, _) in stats.stats.items():  # type: ignore[attr-defined]
            files[file] += own_s
        text.write(", ".join(f"{file} {own_s:.2f} s" for file, own_s in files.most_common(24)) + "\n")
        stats.print_stats(lines)
        self._profile = cProfile.Profile(time.thread_time)
        return text.getvalue()


async def main(life: lifecycle.Lifecycle) -> None:
    notes, cut, profile = Notes(), set[str](), Profile()
    hook(notes, cut)

    def change_cut(addresses: list[str]) -> bool:
        cut.clear()
        cut.update(addresses)
        return True

    await control.listen(
        {
            "state": notes.state,
            "take": notes.take,
            "cut": change_cut,
            "collect": gc.collect,
            "profile": profile.start,
            "profiled": profile.stop,
        }
    )
    await serve(life)


if __name__ == "__main__":
    sys.exit(lifecycle.run(main))
