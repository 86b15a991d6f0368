"""A connection that is reset while TLS is being set up takes nobody else's descriptor with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import struct
import threading
from collections.abc import Iterator

import pytest

from shared.loop import Loop

AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER: closing resets."""


@pytest.fixture
def resetting() -> Iterator[tuple[str, int]]:
    """Whoever connects there is cut off at once."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:

        def cut() -> None:
            while True:
                try:
                    found, _ = server.accept()
                except OSError:
                    return
                with found:
                    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)

        thread = threading.Thread(target=cut)
        thread.start()
        yield server.getsockname()
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_socket_whose_connection_failed_has_no_descriptor_any_more(resetting: tuple[str, int]) -> None:
    async def stale() -> list[int]:
        found, tried = [], 0
        while tried < 300:
            with contextlib.suppress(ConnectionResetError), socket.create_connection(resetting) as sock:
                sock.setblocking(False)
                number, tried = sock.fileno(), tried + 1
                with pytest.raises(OSError):
                    await loop.create_connection(asyncio.Protocol, sock=sock, ssl=tls, server_hostname="nobody")
                await asyncio.sleep(0)
                if sock.fileno() == number and str(number) not in os.listdir("/proc/self/fd"):
                    found.append(sock.detach())
        return found

    tls = ssl.create_default_context()
    with asyncio.Runner(loop_factory=Loop) as runner:
        loop = runner.get_loop()
        assert runner.run(stale()) == []


def test_a_connection_that_is_given_up_in_its_handshake_is_closed() -> None:
    async def given_up(address: tuple[str, int]) -> int:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            sock = socket.socket()
            sock.setblocking(False)
            await loop.sock_connect(sock, address)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await loop.create_connection(asyncio.Protocol, sock=sock, ssl=tls, server_hostname="nobody")
            assert sock.fileno() == -1
        await asyncio.sleep(0.1)
        return len(os.listdir("/proc/self/fd")) - before

    tls = ssl.create_default_context()
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent, asyncio.Runner(loop_factory=Loop) as runner:
        loop = runner.get_loop()
        assert runner.run(given_up(silent.getsockname())) <= 2
