"""Which signal handlers are held back until a service has left."""

from __future__ import annotations

import asyncio
import signal

import pytest
import uvloop

from plexmesh.farewell import holdable


def test_the_default_is_held_back() -> None:
    assert all(holdable(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))


def test_a_servers_own_handler_is_held_back_but_not_for_hup() -> None:
    def handler(*_: object) -> None: ...

    assert holdable(signal.SIGTERM, handler)
    assert holdable(signal.SIGINT, signal.default_int_handler)
    assert not holdable(signal.SIGHUP, handler)


def test_what_is_ignored_or_not_pythons_stays() -> None:
    assert not holdable(signal.SIGTERM, signal.SIG_IGN)
    assert not holdable(signal.SIGTERM, None)


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_loops_own_handler_cannot_be_held_back(loop_factory: object) -> None:
    async def set_one() -> bool:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, print)
        try:
            return holdable(signal.SIGTERM, signal.getsignal(signal.SIGTERM))
        finally:
            loop.remove_signal_handler(signal.SIGTERM)

    with asyncio.Runner(loop_factory=loop_factory) as runner:  # type: ignore[arg-type]
        assert not runner.run(set_one())
