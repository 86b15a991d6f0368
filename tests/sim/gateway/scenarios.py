"""The goals of the gateway, each a small play: load, a fault, and what must hold; with guards left out, some do not.

Unless it says otherwise: one gateway, 300 calls a second of 4 ms each, every tenth a POST; the fault begins at 3 s.
Each returns its line of figures. A goal that is missed raises `Missed`.

`bad` is the share of tries that the bad instance gets from 2 s after the fault on.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.guards import ALL, Guards
from gateway.policy import PLAIN
from tests.sim.gateway.figures import Figures
from tests.sim.gateway.scenes import FAULT_AT, Scene
from tests.sim.gateway.server import Way

Scenario = Callable[..., str]
"""(seed, guards) → a line."""

SETTLED = FAULT_AT + 2
END = FAULT_AT + 7
BAD_SHARE = 0.03
MOVED_S = 2.6
"""A GET at an instance that hangs is elsewhere by then: a second of silence, the next look up to a second later, two
probes."""


class Missed(AssertionError):
    """A goal is."""


def goal(holds: bool, what: str) -> None:
    if not holds:
        raise Missed(what)


def no_get_lost(figures: Figures) -> None:
    lost = figures.lost("GET")
    goal(not lost, f"{len(lost)} GETs lost, the first: {lost[:1]}")


def only_sent_posts_lost(figures: Figures) -> None:
    unsent = [each for each in figures.lost("POST") if not each.sent]
    goal(not unsent, f"{len(unsent)} POSTs lost that no instance had got")


def avoided(figures: Figures, share: float = BAD_SHARE) -> None:
    bad = figures.share(figures.faults, SETTLED, END)
    goal(bad < share, f"the bad one's share is {bad:.1%}")


def quick(figures: Figures, within_s: float, method: str = "GET", since: float = FAULT_AT) -> None:
    slowest_s = figures.latency_s(1.0, method, since)
    goal(slowest_s <= within_s, f"a {method} took {slowest_s:.3f} s")


def few_tries(figures: Figures, most: float, since: float = FAULT_AT) -> None:
    tries = figures.tries_per_call(since, END)
    goal(tries <= most, f"{tries:.3f} tries a call")


def one_of(seed: int, way: Way, guards: Guards, servers: int = 2, *, mean_s: float = 0.004) -> Figures:
    """Something is wrong with one of them, from 3 s on."""
    scene = Scene(seed, servers, guards=guards, mean_s=mean_s)
    scene.bad(way, 0)
    scene.load(300, END)
    return scene.finish()


# --- one instance


def killed(seed: int, guards: Guards = ALL) -> str:
    """Calls take 20 ms, so that some are there when it dies."""
    figures = one_of(seed, "dead", guards, mean_s=0.02)
    no_get_lost(figures)
    only_sent_posts_lost(figures)
    avoided(figures)
    quick(figures, 0.5)
    few_tries(figures, 1.05)
    return figures.line("killed, one of two")


def failing(seed: int, guards: Guards = ALL) -> str:
    figures = one_of(seed, "failing", guards)
    no_get_lost(figures)
    avoided(figures)
    few_tries(figures, 1.05)
    return figures.line("503 at once, one of two")


def hung(seed: int, guards: Guards = ALL) -> str:
    figures = one_of(seed, "hung", guards)
    no_get_lost(figures)
    only_sent_posts_lost(figures)
    avoided(figures)
    quick(figures, MOVED_S)
    return figures.line("hung, one of two")


def vanished(seed: int, guards: Guards = ALL) -> str:
    """Those that went over a connection at rest wait as at one that hangs."""
    figures = one_of(seed, "vanished", guards)
    no_get_lost(figures)
    only_sent_posts_lost(figures)
    avoided(figures)
    quick(figures, MOVED_S)
    return figures.line("black hole, one of two")


def slow(seed: int, guards: Guards = ALL, picker: str = PLAIN.picker, per_s: float = 300) -> str:
    """Measured over 5 s, or over as many calls."""
    scene = Scene(seed, 3, guards=guards, picker=picker)
    scene.bad("slow", 0)
    end = SETTLED + max(5, 1500 / per_s)
    scene.load(per_s, end)
    figures = scene.finish()
    no_get_lost(figures)
    bad = figures.share((0,), SETTLED, end)
    goal(bad < BAD_SHARE, f"the bad one's share is {bad:.1%}")
    return figures.line(f"300 ms slower, {picker}, {per_s}/s")


def lossy(seed: int, guards: Guards = ALL) -> str:
    """Every other call dies; on a connection that had rested it says nothing, so it takes long to see."""
    figures = one_of(seed, "lossy", guards, servers=3)
    no_get_lost(figures)
    only_sent_posts_lost(figures)
    few_tries(figures, 1.2)
    return figures.line("calls die, one of three")


def flapping(seed: int, guards: Guards = ALL) -> str:
    """Up and down, from half a second to three each."""
    scene = Scene(seed, 3, guards=guards)
    scene.figures.faults = (0,)
    time, random = FAULT_AT, scene.world.random
    while time < 28:
        scene.become(time, "dead", 0)
        time += random.uniform(0.5, 3)
        scene.become(time, "well", 0)
        time += random.uniform(0.5, 3)
    scene.load(150, 30)
    figures = scene.finish()
    no_get_lost(figures)
    only_sent_posts_lost(figures)
    few_tries(figures, 1.05)
    return figures.line("flapping, one of three")


# --- many


def all_failing(seed: int, guards: Guards = ALL) -> str:
    scene = Scene(seed, 3, guards=guards)
    scene.bad("failing", 0, 1, 2)
    scene.load(300, END)
    figures = scene.finish()
    few_tries(figures, 1.1)
    return figures.line("503 at once, all")


def all_half_failing(seed: int, guards: Guards = ALL) -> str:
    """None of them looks dead: only the budget limits retries."""
    scene = Scene(seed, 4, guards=guards)
    scene.bad("half", 0, 1, 2, 3, share=0.5)
    scene.load(300, END)
    figures = scene.finish()
    few_tries(figures, 1.35)
    return figures.line("every other call 503, all")


def eight_gateways(seed: int, guards: Guards = ALL, way: Way = "dead") -> str:
    """None of them tells the others what it has learned."""
    scene = Scene(seed, 12, gateways=8, guards=guards)
    scene.bad(way, 0)
    scene.load(1000, FAULT_AT + 4)
    figures = scene.finish()
    no_get_lost(figures)
    bad = figures.share((0,), SETTLED)
    goal(bad < BAD_SHARE, f"the bad one's share is {bad:.1%}")
    quick(figures, MOVED_S)
    return figures.line(f"8 gateways, one of 12 {way}")


def hundred(seed: int, guards: Guards = ALL, way: Way = "dead") -> str:
    """30 of a hundred, at 4 gateways: each sees three calls a second of an instance. Two that are drawn are both bad in
    9 % of the draws, and until that is known three tries are in 2.7 %."""
    scene = Scene(seed, 100, gateways=4, guards=guards)
    scene.bad(way, *range(30))
    scene.load(1200, FAULT_AT + 4)
    figures = scene.finish()
    lost = len(figures.lost("GET")) / len(figures.of("GET", FAULT_AT))
    goal(lost <= (0.005 if way == "failing" else 0), f"{lost:.2%} of the GETs lost")
    only_sent_posts_lost(figures)
    few_tries(figures, 1.2)
    bad = figures.share(scene.figures.faults, SETTLED)
    goal(bad < 0.12, f"the bad ones' share is {bad:.1%}")
    return figures.line(f"30 of 100 {way}, 4 gateways")


def few_left(seed: int, guards: Guards = ALL) -> str:
    """Four are half well and ejected, three of the others die: the last one alone would be overrun."""
    scene = Scene(seed, 8, guards=guards, workers=1, mean_s=0.01)
    scene.bad("half", 0, 1, 2, 3, share=0.6)
    scene.become(8, "dead", 4, 5, 6)
    scene.load(250, 14, posts=0)
    figures = scene.finish()
    good = figures.goodput(0.5, 9, 14)
    goal(good >= 0.4 * 250, f"{good:.0f} good answers a second, of 250 calls")
    return figures.line("few left: panic")


def overrun(seed: int, guards: Guards = ALL) -> str:
    """Three times as many calls as they can answer: 800 a second."""
    scene = Scene(seed, 2, guards=guards, workers=4, mean_s=0.01, maxCallsPerInstance="8", maxQueue="0")
    scene.load(2400, 6, posts=0)
    figures = scene.finish()
    good = figures.goodput(0.1, 1, 6)
    goal(good >= 0.9 * 800, f"{good:.0f} good answers a second, of 800")
    slowest_s = max((each.seconds for each in figures.calls if each.reason == "crowded"), default=0.0)
    goal(slowest_s < 0.005, f"a refusal took {slowest_s:.3f} s")
    return figures.line("three times too many calls")


# --- what nobody has called yet


def hung_at_night(seed: int, guards: Guards = ALL) -> str:
    """Two of four hang while nobody calls."""
    scene = Scene(seed, 4, guards=guards)
    scene.bad("hung", 0, 1)
    scene.load(20, 2)
    scene.at(30, lambda: scene.load(20, 34, posts=0))
    figures = scene.finish()
    quick(figures, 0.2, since=30)
    return figures.line("hung while nobody calls")


def lpar_lost(seed: int, guards: Guards = ALL) -> str:
    """With its discovery node, and half of forty instances that are called seldom."""
    scene = Scene(seed, 40, lpars=2, guards=guards)
    scene.bad("vanished", *range(1, 40, 2))
    scene.silence(FAULT_AT + 1.2, "LPAR2@1")
    scene.load(20, 15)
    figures = scene.finish()
    no_get_lost(figures)
    quick(figures, 0.2, since=FAULT_AT + 1.7)
    return figures.line("an LPAR lost, seldom called")


# --- coming back


def returned(
    seed: int,
    guards: Guards = ALL,
    way: Way = "dead",
    lasts_s: float = 7.0,
    picker: str = PLAIN.picker,
    within_s: float = 30.0,
) -> str:
    """Its share is even again so long after the fault's end. Costs of peakEwma go up and down, and shares with them, so
    that is looked at for longer."""
    scene = Scene(seed, 3, guards=guards, picker=picker)
    even = FAULT_AT + lasts_s + within_s
    scene.bad(way, 0, until=FAULT_AT + lasts_s)
    scene.load(60, even + 30)
    figures = scene.finish()
    no_get_lost(figures)
    at_once, later = 3 * figures.share((0,), even, even + 5), 3 * figures.share((0,), even)
    goal(at_once >= 0.3, f"{within_s:g} s after the end it has {at_once:.2f} of its share")
    goal(0.7 <= later <= 1.35, f"from {within_s:g} s after the end on it has {later:.2f} of its share")
    return figures.line(f"back after {lasts_s:g} s {way}, {picker}")


def returned_cold(seed: int, guards: Guards = ALL) -> str:
    """For 4 s each call takes eight times as long. They go in turn, because that asks for nothing else."""
    scene = Scene(seed, 3, guards=guards, workers=2, mean_s=0.01, picker="roundRobin")
    scene.bad("dead", 0, until=6)
    scene.at(6, lambda: scene.servers[0].cold(4, 8))
    scene.load(300, 12, posts=0)
    figures = scene.finish()
    good = figures.goodput(0.2, 6, 12)
    goal(good >= 0.8 * 300, f"{good:.0f} quick answers a second, of 300")
    return figures.line("back, and cold")


def restarted(seed: int, guards: Guards = ALL) -> str:
    """A new process takes the id over: it begins without a past."""
    scene = Scene(seed, 2, guards=guards)
    scene.bad("failing", 0)
    scene.restart(FAULT_AT + 3, 0)
    scene.load(300, FAULT_AT + 6)
    figures = scene.finish()
    no_get_lost(figures)
    again = 2 * figures.share((0,), FAULT_AT + 4)
    goal(0.8 <= again <= 1.2, f"a second after, it has {again:.2f} of its share")
    return figures.line("restarted, one of two")


# --- affinity


def peak_in_one_lpar(seed: int, guards: Guards = ALL) -> str:
    """Two instances here can answer 800 a second. 100 stay; of 1,100 some go elsewhere, and come back."""
    scene = Scene(seed, 4, lpars=2, gateways=2, guards=guards, workers=4, mean_s=0.01, affinity="lpar")
    here, there = scene.gateways
    scene.load(100, 16, at=here)
    scene.load(100, 16, at=there)
    scene.at(4, lambda: scene.load(1000, 10, at=here))
    figures = scene.finish()
    far = (1, 3)
    before, peak, after = (figures.share(far, *span, at="LPAR1") for span in ((0, 4), (5, 10), (12, 16)))
    goal(before < 0.02 and after < 0.02, f"{before:.1%} go elsewhere before, {after:.1%} after the peak")
    goal(0.2 < peak < 0.5, f"{peak:.1%} go elsewhere in the peak")
    quick(figures, 0.3)
    return figures.line("affinity: a peak in one LPAR")


def lpar_without_instances(seed: int, guards: Guards = ALL) -> str:
    """Those of the own LPAR die: the others do."""
    scene = Scene(seed, 4, lpars=2, gateways=2, guards=guards, affinity="lpar")
    scene.bad("dead", 0, 2)
    scene.load(300, END)
    figures = scene.finish()
    no_get_lost(figures)
    only_sent_posts_lost(figures)
    avoided(figures)
    quick(figures, 0.2)
    return figures.line("affinity: none left here")
