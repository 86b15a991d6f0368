"""The loop of every process: uvloop's, without one of its faults.

A connection that is made of a socket object and lost while TLS is being set up (the other end was killed) is closed by
uvloop, but the socket object keeps the descriptor's number, and closes it once more when it goes. Meanwhile the number
may be another connection's, which is then closed unseen, or mixed up with a third one.

Source: uvloop 0.22 and 0.23, `create_connection`; MagicStack/uvloop#645 and #738 for the same before TLS begins.
"""

from __future__ import annotations

import socket
from typing import Any

import uvloop


class Loop(uvloop.Loop):
    async def create_connection(self, *args: Any, sock: socket.socket | None = None, **options: Any) -> Any:
        """As uvloop's; one that fails leaves the socket without a descriptor."""
        try:
            return await super().create_connection(*args, sock=sock, **options)
        except BaseException:
            if sock is not None:
                sock.detach()  # uvloop has closed it, or is about to
            raise
