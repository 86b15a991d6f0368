"""The measures that break something: a node killed, one that comes back empty, a split and its end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Any

from bench.registry.cluster import NODES, url
from bench.registry.load import Pacer, steadily
from bench.registry.measures import Bench, Changes, check_beats, learn, say
from bench.registry.population import BEAT_S, close

DEAD, LOST = "kill -9: dead on all others", "kill -9: instances lost from view"
HEALED = "split, 1,000 changes a side: healed"
JOINED, JOINED_MESSAGE = "empty node serves all, from its start", "empty node serves all, from first message"

VICTIM = NODES - 1
REST = list(range(VICTIM))
SIDES = [0, 1], [2, 3, 4]


async def kill(bench: Bench) -> None:
    """kill -9 of one node while all instances beat; those that beat there go elsewhere with their next beat."""
    cluster = bench.cluster
    origin = (await cluster.states())[VICTIM]["origin"]
    doubts = [state["doubt"] for state in await cluster.states(REST)]
    seen_before = [state["visible"] for state in await cluster.states(REST)]
    await cluster.take()
    async with bench.population.beating(cluster), bench.measured("kill -9 of node5"):
        killed_ns = time.monotonic_ns()
        await cluster.nodes[VICTIM].kill()
        dead_ns: dict[int, int] = {}
        gone: set[str] = set()

        async def dead_everywhere() -> bool:
            for index, notes in zip(REST, await take(bench), strict=True):
                gone.update(residents(notes))
                for at_ns, owner, state in notes["owners"]:
                    if owner == origin and state == "dead":
                        dead_ns.setdefault(index, at_ns)
            return len(dead_ns) == len(REST)

        await cluster.until(dead_everywhere, "the killed node is dead on all others")
        if bench.large:
            await asyncio.sleep(BEAT_S + 2.0)  # each client beats once more: nothing hangs on a grace
        await dead_everywhere()
    states = await cluster.states(REST)
    bench.note(DEAD, max(at_ns - killed_ns for at_ns in dead_ns.values()) / 1e9)
    bench.note(LOST, len(gone))
    missing = [was - state["visible"] for was, state in zip(seen_before, states, strict=True)]
    say(
        f"  kill -9: dead after {', '.join(f'{(at_ns - killed_ns) / 1e9:.2f}' for at_ns in dead_ns.values())} s; "
        f"{len(gone)} instances went from a view, {max(missing)} fewer now; "
        f"leases of the others: {sum(state['leases'] for state in states):,} of {bench.population.size:,}; "
        f"how much the others doubted their own health: {doubts}"
    )
    check_beats(bench)


def residents(notes: dict[str, Any]) -> set[str]:
    """Those that went from the view, without the nodes' own instances: these die with them, or are cut off."""
    return {key for _, key in notes["gone"] if not key.startswith("discovery/")}


async def take(bench: Bench) -> list[dict[str, Any]]:
    return list(await asyncio.gather(*(bench.cluster.nodes[index].ask("take") for index in REST)))


async def join(bench: Bench) -> None:
    """The killed node starts again, without its disk."""
    cluster = bench.cluster
    wanted = bench.population.size
    begun_ns = time.monotonic_ns()
    served_ns = first_ns = 0
    async with bench.population.beating(cluster), bench.measured("empty node5 joins"):
        await cluster.restart_empty(VICTIM)

        async def serves() -> bool:
            nonlocal served_ns, first_ns
            (state,) = await cluster.states([VICTIM])
            served_ns, first_ns = time.monotonic_ns(), state["first_message_ns"]
            return bool(state["covered"] and state["visible"] >= wanted)

        await cluster.until(serves, "the empty node serves everything", pause_s=0.01)
    bench.note(JOINED, (served_ns - begun_ns) / 1e9)
    bench.note(JOINED_MESSAGE, (served_ns - first_ns) / 1e9)
    say(
        f"  join: serves {wanted:,} after {(served_ns - begun_ns) / 1e9:.2f} s, "
        f"{(served_ns - first_ns) / 1e9:.2f} s after its first message"
    )


async def split(bench: Bench, seconds: float, changes_a_side: int) -> None:
    """Two nodes and three that cannot reach each other; both sides change, then the cut is mended.

    Half of the changes are instances that leave, half are new ones: each has to be told to the other side.
    """
    cluster = bench.cluster
    lines = await cluster.lines(1)
    sides = [Changes([Pacer(lines[index]) for index in side], list(side), bench.numbers) for side in SIDES]
    counts = await bench.counts()
    for _ in range(changes_a_side // 2):
        for side in sides:
            side.come()
    await bench.everywhere(counts, changes_a_side // 2 * 2)
    for side in sides:
        side.asked_ns.clear()
    await cluster.take()
    async with bench.population.beating(cluster), bench.measured("split and healing"):
        await cut(bench, SIDES)
        await asyncio.gather(*(turn_over(side, changes_a_side, seconds) for side in sides))
        states = await cluster.states()
        healed_ns = time.monotonic_ns()
        await cut(bench, ())
        asked = {change for side in sides for change in side.asked_ns}
        seen: list[dict[tuple[int, int], int]] = [{} for _ in range(NODES)]
        gone: set[str] = set()

        async def agreed() -> bool:
            for each, notes in zip(seen, (await cluster.take())[:NODES], strict=True):
                learn(each, notes["changes"])
                gone.update(residents(notes))
            return all(len(each) >= len(asked) for each in seen)

        await cluster.until(agreed, "all nodes have the changes of both sides")
    close(lines)
    assert not any(side.wrong for side in sides), "changes were refused during the split"
    last_ns = max(at_ns for each in seen for at_ns in each.values())
    visible = sorted({state["visible"] for state in await cluster.states()})
    bench.note(HEALED, (last_ns - healed_ns) / 1e9)
    say(
        f"  split of {seconds:.0f} s, {changes_a_side:,} changes a side (nodes then had "
        f"{[state['visible'] for state in states]}): all nodes agree {(last_ns - healed_ns) / 1e9:.2f} s after it was "
        f"mended; {len(gone)} residents went from a view; instances now {visible}"
    )
    check_beats(bench)


async def cut(bench: Bench, sides: Sequence[Sequence[int]]) -> None:
    """Nodes of one side reach none of the others; no sides: everybody reaches everybody."""
    for index, node in enumerate(bench.cluster.nodes):
        others = [url(each) for side in sides if index not in side for each in side]
        await node.ask("cut", addresses=others)


async def turn_over(side: Changes, changes: int, seconds: float) -> None:
    left = changes

    def step() -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            (side.leave if left % 2 else side.come)()

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await steadily(changes / seconds * 1.05, step)
