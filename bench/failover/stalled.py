"""What is under way to an instance that its kernel hides: it reads nothing, so the kernel of the proxy is asked.

A connection to it that is not made yet, or that holds bytes which nobody has acknowledged, is an attempt: a call, or a
probe of the proxy. It lasts until the proxy gives up, so that looking every `EVERY_S` misses few. Attempts are counted
when they are first seen.

Source: Linux, sock_diag(7): sockets in these states, to this address only (a condition in the kernel's own little
language, inet_diag.h). Needs no rights. Reading /proc/net/tcp would cost ten times as much where there are many.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time

EVERY_S = 0.02

SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY, DONE, ERROR = 20, 3, 2
REQUEST_DUMP = 0x301
BYTECODE, TO_ADDRESS = 1, 8
ESTABLISHED, SYN_SENT = 1, 2


def question(address: tuple[str, int]) -> bytes:
    """The netlink message."""
    host, port = address
    condition = struct.pack("=BBxxi4s", socket.AF_INET, 32, port, socket.inet_aton(host))
    length = 4 + len(condition)  # jump behind it when it holds, and past the end (4 more) when not
    operation = struct.pack("=BBH", TO_ADDRESS, length, length + 4) + condition
    attribute = struct.pack("=HH", 4 + len(operation), BYTECODE) + operation
    states = 1 << ESTABLISHED | 1 << SYN_SENT
    request = struct.pack("=BBBxI48x", socket.AF_INET, socket.IPPROTO_TCP, 0, states)
    body = request + attribute
    return struct.pack("=IHHII", 16 + len(body), SOCK_DIAG_BY_FAMILY, REQUEST_DUMP, 1, 0) + body


def stalled_ports(answer: bytes) -> tuple[set[int], bool]:
    """Own ports of the stalled connections in one datagram, and whether it was the last one. Raises OSError."""
    ports: set[int] = set()
    at = 0
    while at < len(answer):
        length, kind = struct.unpack_from("=IH", answer, at)
        if kind == DONE:
            return ports, True
        if kind == ERROR:
            raise OSError(-struct.unpack_from("=i", answer, at + 16)[0], "sock_diag")
        state = answer[at + 17]
        (port,) = struct.unpack_from("!H", answer, at + 20)
        (unacknowledged,) = struct.unpack_from("=I", answer, at + 16 + 60)
        if state == SYN_SENT or unacknowledged:
            ports.add(port)
        at += length + 3 & ~3
    return ports, False


class Stalled:
    """`attempts` are seconds since it was made."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.attempts: list[float] = []
        self._begun = time.monotonic()
        self._question = question(address)
        self._ports: set[int] = set()

    async def watch(self, until_s: float) -> None:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, SOCK_DIAG) as kernel:
            while (now := time.monotonic() - self._begun) < until_s:
                ports = self._look(kernel)
                self.attempts += [now] * len(ports - self._ports)
                self._ports = ports
                await asyncio.sleep(EVERY_S)

    def _look(self, kernel: socket.socket) -> set[int]:
        kernel.sendto(self._question, (0, 0))
        ports: set[int] = set()
        done = False
        while not done:
            more, done = stalled_ports(kernel.recv(65536))
            ports |= more
        return ports
