"""Each guard of the core is there for a reason: taken away, some scenario fails.

The guards have no switches; they are taken away by patching the core, which is what these tests are for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

import discovery.record
import discovery.replica
import discovery.view
from discovery.record import Record
from discovery.space import Delta, Position, Space
from discovery.view import View
from tests.sim import scenes
from tests.sim import test_sim_returns as returns
from tests.sim import test_sim_scenarios as scenarios
from tests.sim.simulator import POLICY


def weaken(monkeypatch: pytest.MonkeyPatch, **rules: object) -> None:
    """Let scenarios begin with other rules."""
    monkeypatch.setitem(scenes.started.__kwdefaults__, "policy", replace(POLICY, **rules))  # type: ignore[arg-type]


def test_without_fencing_a_node_that_was_stopped_brings_back_what_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    weaken(monkeypatch, fence_s=float("inf"))
    with pytest.raises(AssertionError, match=r"lists|I4"):
        returns.test_14_what_left_stays_away_when_a_stopped_node_returns_with_it("paused", 45.0)


def test_without_the_rule_of_left_a_late_heartbeat_undoes_a_deregistration(monkeypatch: pytest.MonkeyPatch) -> None:
    def rank(record: Record, origin: str) -> tuple[int, bool, int, str]:
        return (record.gen, False, record.rev, origin)

    for module in (discovery.record, discovery.view):
        monkeypatch.setattr(module, "rank", rank)
    with pytest.raises(AssertionError):
        returns.test_a_deregistration_on_one_side_of_a_split_outlives_a_late_heartbeat_on_the_other()


def test_without_staging_a_log_sent_anew_makes_instances_blink(monkeypatch: pytest.MonkeyPatch) -> None:
    def apply(space: Space, delta: Delta) -> list[str] | None:
        """Begin again in place when a whole log comes."""
        if not (delta.reset and space.max_seq < delta.gc_seq):
            return space._take(delta) if space._continued_by(delta) else None
        gone = list(space.items)
        space.items.clear()
        space._tombs.clear()
        space.max_seq, space.gc_seq, space.sum64 = 0, delta.gc_seq, 0
        return gone + space._take(delta)

    monkeypatch.setattr(Space, "apply", apply)
    with pytest.raises(AssertionError, match=r"Gone\(|I5"):
        returns.test_20_a_log_sent_anew_replaces_the_old_copy_at_once()


def test_without_grace_orphans_vanish(monkeypatch: pytest.MonkeyPatch) -> None:
    hide = View.hide
    monkeypatch.setattr(View, "hide", lambda view, origin, dead_s: hide(view, origin, 1e9))
    with pytest.raises(AssertionError, match="does not list"):
        scenarios.test_3_instances_that_die_with_their_owner_go_a_lease_after_it()


def test_without_an_end_of_grace_orphans_stay_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(View, "hide", lambda view, origin, dead_s: [])
    with pytest.raises(AssertionError, match="gone everywhere"):
        scenarios.test_3_instances_that_die_with_their_owner_go_a_lease_after_it()


def test_without_the_rule_of_positions_a_reader_misses_tombstones(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader behind the collected tombstones is sent only what is new, as if none were gone."""
    delta_since = Space.delta_since

    def careless(space: Space, position: Position, *limit: int) -> Delta | None:
        seq = position[0]
        return delta_since(space, (seq, space.gc_seq if seq < space.max_seq else position[1]), *limit)

    monkeypatch.setattr(Space, "delta_since", careless)
    monkeypatch.setattr(Space, "_continued_by", lambda space, delta: delta.from_seq <= space.max_seq)
    with pytest.raises(AssertionError):
        returns.test_20_a_log_sent_anew_replaces_the_old_copy_at_once()


@pytest.mark.parametrize(
    ("guard", "scenario"),
    [
        ("owner_guard", returns.test_17_when_many_clients_fall_silent_together_the_owner_doubts_itself),
        ("isolation_guard", scenarios.test_7_nodes_all_alone_keep_serving_and_are_one_again_soon),
    ],
)
def test_without_self_preservation_instances_go(
    monkeypatch: pytest.MonkeyPatch, guard: str, scenario: Callable[[], None]
) -> None:
    weaken(monkeypatch, **{guard: None})
    with pytest.raises(AssertionError, match=r"len\(|Extra items|shown\("):
        scenario()
