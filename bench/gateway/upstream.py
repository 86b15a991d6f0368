"""What stands behind the proxies: an nginx with small answers and a large one, and a process of ours that takes uploads
and echoes websocket frames. Both share the load's cores.

`python -P -m bench.gateway.upstream HOST PORT` is the second. It reads a request's head, then all of its body, and
answers with the number of bytes it got; after `Upgrade: websocket` each masked frame comes back unmasked. It takes one
request at a time and frames under 126 bytes: what this bench sends.
"""

from __future__ import annotations

import asyncio
import base64
import getpass
import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import uvloop

from bench.gateway.cores import Cores
from bench.gateway.process import Process

SMALL = b'{"service":"orders","status":"ok","items":[1,2,3],"total":3,"next":null,"currency":"EUR","paid":true}'
LARGE_BYTES = 1 << 20
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

NGINX = """
daemon off; worker_processes 1; {user} pid {folder}/upstream.pid; error_log stderr error;
events {{ worker_connections 16384; }}
http {{
  access_log off; default_type application/json; sendfile on; tcp_nopush on; tcp_nodelay on;
  open_file_cache max=10 inactive=1h;
  keepalive_timeout 1h; keepalive_requests 1000000000;
  client_body_temp_path {folder}/upstream-body;
  server {{
    listen {host}:{port} backlog=4096;
    root {folder};
    location / {{ return 200 '{small}'; }}
    location = /large {{ }}
  }}
}}
"""


def nginx_user() -> str:
    """Root's workers would be somebody who may not read the bench's folder."""
    return f"user {getpass.getuser()} {getpass.getuser()};" if os.geteuid() == 0 else ""


def answering(binary: str, address: tuple[str, int], cores: Cores, folder: Path) -> Process:
    (folder / "large").write_bytes(os.urandom(LARGE_BYTES))
    conf = folder / "upstream.conf"
    host, port = address
    conf.write_text(NGINX.format(folder=folder, host=host, port=port, small=SMALL.decode(), user=nginx_user()))
    return Process("upstream", address, [binary, "-p", str(folder), "-c", str(conf)], cores, folder)


def taking(address: tuple[str, int], cores: Cores, folder: Path) -> Process:
    host, port = address
    command = [sys.executable, "-P", "-m", "bench.gateway.upstream", host, str(port)]
    return Process("sink", address, command, cores, folder)


class Sink(asyncio.Protocol):
    """Reads a head (`missing` None), a body (`missing` bytes of it), or frames (`frames`)."""

    def __init__(self) -> None:
        self.buffer = b""
        self.missing: int | None = None
        self.length = 0
        self.frames = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        if self.frames:
            self._echo(data)
        elif self.missing is not None:
            self._body(len(data))
        else:
            self._head(data)

    def _head(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        self.buffer = b""
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if fields.get(b"upgrade") == b"websocket":
            self._upgrade(head)
        elif fields.get(b"transfer-encoding"):
            self.transport.write(b"HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self.transport.close()
        else:
            self.length = self.missing = int(fields.get(b"content-length", b"0"))
            self._body(len(rest))

    def _body(self, size: int) -> None:
        assert self.missing is not None
        self.missing -= size
        if self.missing <= 0:
            told = b'{"bytes":%d}' % (self.length - self.missing)
            self.missing = None
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told)
            )

    def _upgrade(self, head: bytes) -> None:
        key = next(line[19:] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: "))
        accepted = base64.b64encode(hashlib.sha1(key + GUID).digest())
        self.frames = True
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %b\r\n\r\n" % accepted
        )

    def _echo(self, data: bytes) -> None:
        data = self.buffer + data
        while len(data) >= 6 and len(data) >= (end := 6 + (size := data[1] & 127)):
            masked, mask = data[6:end], (data[2:6] * (size // 4 + 1))[:size]
            plain = (int.from_bytes(masked) ^ int.from_bytes(mask)).to_bytes(size)
            self.transport.write(bytes((data[0], size)) + plain)
            data = data[end:]
        self.buffer = data


async def main(host: str, port: str) -> None:
    server = await asyncio.get_running_loop().create_server(Sink, host, int(port), backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(*sys.argv[1:]))
