"""Listening on several addresses: all of them, or none. Addresses lie in 127.0.90.x and 127.0.91.x, x by our pid."""

from __future__ import annotations

import os
import socket

import pytest

from shared.errors import AddressInUse, ConfigError
from shared.net import listen, listen_on

N = os.getpid() % 250 + 1
FIRST, SECOND = f"127.0.90.{N}", f"127.0.91.{N}"
PORT = 7554


def close(socks: list[socket.socket]) -> None:
    for each in socks:
        each.close()


def test_each_address_is_listened_on_in_their_order() -> None:
    socks = listen_on((FIRST, SECOND), PORT)
    try:
        assert [each.getsockname() for each in socks] == [(FIRST, PORT), (SECOND, PORT)]
        for host in (FIRST, SECOND):
            socket.create_connection((host, PORT), 5).close()
    finally:
        close(socks)


def test_several_processes_may_share_all_of_them() -> None:
    shared = [listen_on((FIRST, SECOND), PORT, reuse_port=True) for _ in range(2)]
    for socks in shared:
        close(socks)


def test_one_that_is_taken_is_named_and_the_others_are_free_again() -> None:
    with listen(SECOND, PORT), pytest.raises(AddressInUse, match=f"^{SECOND}:{PORT} is in use"):
        listen_on((FIRST, SECOND), PORT)
    listen(FIRST, PORT).close()


def test_one_that_is_not_there_is_named_and_the_others_are_free_again() -> None:
    with pytest.raises(ConfigError, match=f"^192.0.2.1:{PORT}: this machine has no address 192.0.2.1"):
        listen_on((FIRST, "192.0.2.1"), PORT)
    listen(FIRST, PORT).close()
