"""Who may be fenced: not everybody at once because the machine is busy."""

from __future__ import annotations

from launcher.fence import WITNESS_S, Witnesses


def test_another_gateway_that_has_answered_lately_is_a_witness() -> None:
    witnesses = Witnesses()
    witnesses.answered("LPAR1", 100.0)
    assert witnesses.against("LPAR2", 100.0 + WITNESS_S)


def test_nobody_bears_witness_against_himself_or_after_a_while() -> None:
    witnesses = Witnesses()
    assert not witnesses.against("LPAR1", 100.0)
    witnesses.answered("LPAR1", 100.0)
    assert not witnesses.against("LPAR1", 100.0)
    assert not witnesses.against("LPAR2", 100.1 + WITNESS_S)
