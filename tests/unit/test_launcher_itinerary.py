"""A rolling restart on paper."""

from __future__ import annotations

import pytest

from launcher.itinerary import alone, stops
from shared.errors import Conflict, NotFound
from shared.wire import Component, ComponentState, Lpar

NAMES = ("discovery", "gateway", "sample")


def an_lpar(name: str, **states: ComponentState) -> Lpar:
    parts = [Component(name=each, state=states.get(each, "ready"), url=f"http://{name}:{each}") for each in NAMES]
    return Lpar(id=name, state="ready", address=name, components=parts)


BOTH = [an_lpar("LPAR1"), an_lpar("LPAR2")]


def words(lpar: str = "", component: str = "", lpars: list[Lpar] = BOTH) -> list[str]:
    return [str(each) for each in stops(lpars, lpar, component)]


def test_everything_goes_lpar_by_lpar_in_start_order() -> None:
    assert words() == [f"{lpar} {name}" for lpar in ("LPAR1", "LPAR2") for name in NAMES]


def test_it_is_narrowed_down_to_an_lpar_a_kind_or_one_instance() -> None:
    assert words("LPAR2") == [f"LPAR2 {name}" for name in NAMES]
    assert words(component="gateway") == ["LPAR1 gateway", "LPAR2 gateway"]
    assert words("LPAR2", "gateway") == ["LPAR2 gateway"]


def test_what_does_not_run_is_left_as_it_is() -> None:
    assert words(component="sample", lpars=[an_lpar("LPAR1"), an_lpar("LPAR2", sample="stopped")]) == ["LPAR1 sample"]
    with pytest.raises(Conflict, match="no sample is ready in LPAR1"):
        words("LPAR1", "sample", [an_lpar("LPAR1", sample="failed")])


def test_unknown_names_are_said_with_the_nearest_one() -> None:
    with pytest.raises(NotFound, match="there is no LPAR LPAR3"):
        words("LPAR3")
    with pytest.raises(NotFound, match=r"did you mean 'gateway'"):
        words(component="gatway")


def test_nobody_is_alone_while_a_twin_is_ready() -> None:
    assert alone(BOTH, stops(BOTH, "", ""), []) == []


def test_alone_is_what_is_ready_nowhere_else() -> None:
    lpars = [an_lpar("LPAR1"), an_lpar("LPAR2", sample="starting")]
    assert list(map(str, alone(lpars, stops(lpars, "", ""), []))) == ["LPAR1 sample"]
    assert len(alone(lpars[:1], stops(lpars[:1], "", ""), [])) == len(NAMES)


def test_a_quiesced_gateway_stands_in_for_nobody() -> None:
    assert list(map(str, alone(BOTH, stops(BOTH, "", ""), ["LPAR2"]))) == ["LPAR1 gateway"]
