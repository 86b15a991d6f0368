"""Sockets: listening where nobody else does, and calling out from the LPAR's own address.

SO_REUSEPORT hides that a port is taken, so every own listener is bound plainly. Outgoing sockets are bound to the
LPAR's address, or on loopback every caller would look like 127.0.0.1; with IP_BIND_ADDRESS_NO_PORT the port is chosen
at connect, so that many sockets to different peers may share one.

Closing a listening socket resets every connection that waits in its queue, so handshakes are refused first.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import errno
import socket
import ssl
import struct
from collections.abc import Callable, Sequence

import aiohttp
from aiohttp.connector import AddrInfoType

from shared.config import ServiceConfig
from shared.errors import AddressInUse, ConfigError
from shared.tls import Tls, secured
from shared.wire import authority

IP_BIND_ADDRESS_NO_PORT = 24  # linux/in.h; Python names it from 3.12 on
BACKLOG = 1024
HANDSHAKE_S = 5.0
"""Of TLS, for those who connect. Too short: callers over slow links are lost; too long: who says nothing holds a
descriptor so much longer."""

SO_ATTACH_FILTER = 26  # linux/socket.h; Python does not name it
NO_SYN = ((0x30, 0, 0, 13), (0x54, 0, 0, 0x12), (0x15, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))
"""Classic BPF over a TCP header: load the flags, keep SYN and ACK, drop when it is SYN alone, else let pass."""


def listen_on(hosts: Sequence[str], port: int, *, reuse_port: bool = False) -> list[socket.socket]:
    """As `listen`, on each of these or on none: where one cannot be had, those before it are closed again."""
    mixed = len({":" in host for host in hosts}) > 1
    socks: list[socket.socket] = []
    with contextlib.ExitStack() as failed:
        for host in hosts:
            socks.append(failed.enter_context(listen(host, port, reuse_port=reuse_port, only_ipv6=mixed)))
        failed.pop_all()
    return socks


def listen(host: str, port: int, *, reuse_port: bool = False, only_ipv6: bool = False) -> socket.socket:
    """A bound, listening, non-blocking TCP socket. `reuse_port` is for what several processes share.

    `only_ipv6`: `::` leaves IPv4 to somebody else. Raises AddressInUse, ConfigError.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if only_ipv6 and family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise _listen_error(host, port, error) from error
    return sock


async def serve(
    factory: Callable[[], asyncio.BaseProtocol], sock: socket.socket, tls: ssl.SSLContext | None
) -> asyncio.Server:
    """Who connects and says nothing is sent away after `HANDSHAKE_S`, not after the loop's own minute."""
    return await asyncio.get_running_loop().create_server(
        factory, sock=sock, ssl=tls, ssl_handshake_timeout=HANDSHAKE_S if tls else None, backlog=BACKLOG
    )


def refuse_handshakes(sock: socket.socket) -> None:
    """From now on the kernel drops the SYNs that reach this listening socket. Raises OSError."""
    program = array.array("B", b"".join(struct.pack("HBBI", *each) for each in NO_SYN))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", len(NO_SYN), program.buffer_info()[0]))


def _listen_error(host: str, port: int, error: OSError) -> Exception:
    place = authority(host, port)
    if error.errno == errno.EADDRINUSE:
        return AddressInUse(f"{place} is in use; stop what listens there (see `ss -ltnp 'sport = :{port}'`)")
    if error.errno == errno.EADDRNOTAVAIL:
        return ConfigError(f"{place}: this machine has no address {host}")
    return ConfigError(f"{place}: cannot listen: {error.strerror}")


def outgoing(host: str, family: int = socket.AF_INET) -> socket.socket:
    """An unconnected, non-blocking TCP socket whose calls come from `host`, if that is an address.

    A host that has a name is a machine or container of its own: its calls come from there anyway.
    """
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    if family == socket.AF_INET and _numeric(host):
        sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        sock.bind((host, 0))
    return sock


def _numeric(host: str) -> bool:
    try:
        socket.inet_aton(host)
    except OSError:
        return False
    return True


def connector(host: str, *, limit: int = 100, tls: Tls | None = None) -> aiohttp.TCPConnector:
    """An aiohttp connector whose sockets come from `host`, with certificates by `tls`. Node closes idle connections at
    5 s, so we do at 4."""

    def make(address: AddrInfoType) -> socket.socket:
        return outgoing(host, address[0])

    trusted = True if tls is None else tls.client
    return aiohttp.TCPConnector(limit=limit, keepalive_timeout=4, socket_factory=make, ssl=trusted)


def to_ours(config: ServiceConfig, *, limit: int = 100) -> aiohttp.TCPConnector:
    """For calls among plexmesh's own: with TLS where they speak it. Raises ConfigError."""
    return connector(config.host, limit=limit, tls=secured(config))
