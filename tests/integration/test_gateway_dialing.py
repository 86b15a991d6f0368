"""A name that means another address from now on: a container that comes back with one."""

from __future__ import annotations

import socket

import pytest

from gateway.dialing import Dialer
from gateway.snapshot import endpoint_of
from shared.net import listen
from tests.fakes import an_instance, until

GONE, BACK, PORT = "127.0.57.1", "127.0.57.2", 9000


async def test_a_name_is_looked_up_again_when_nothing_answers_at_what_it_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    """(The machine's resolver is replaced: there is no name server that a test could change.)"""
    meaning = [GONE]
    looked_up: list[str] = []

    async def getaddrinfo(name: str) -> list[object]:
        looked_up.append(name)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (meaning[0], 0))]

    monkeypatch.setattr("gateway.dialing.UNKNOWN_S", 0.0)
    monkeypatch.setattr("gateway.dialing._getaddrinfo", getaddrinfo)
    dialer = Dialer("127.0.57.3", timeout_s=0.3)
    endpoint = endpoint_of(an_instance("named", PORT, "lpar2"))
    with listen(BACK, PORT):
        with pytest.raises(ConnectionRefusedError):
            await dialer.dial(endpoint)
        meaning[0] = BACK
        looked_up.clear()
        await until(lambda: looked_up, "the name is looked up again")
        (await dialer.dial(endpoint)).close()
