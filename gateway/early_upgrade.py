"""Zowe's way with websockets, by a switch of the service (`plexmesh.earlyUpgrade=true`): the client's handshake is
accepted before its instance is asked, and what goes wrong then is told by a close frame, 1011.

The handshake's answer cannot know what the instance would have chosen, so neither a subprotocol nor an extension is
agreed on; the wish for extensions is not passed on. Without the switch the instance's own answer is the client's.

Source: Zowe API Mediation Layer's websocket routing; RFC 6455, sections 1.3 (accept), 5.5.1 and 7.4.1 (close).
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct

from gateway.fields import Malformed
from gateway.heads import RequestFields

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY = re.compile(rb"(?:\A|\n)sec-websocket-key:[ \t]*([A-Za-z0-9+/]{22}==)[ \t]*\r", re.IGNORECASE)
WISHES = re.compile(rb"(?:(?<=\n)|\A)sec-websocket-(?:extensions|protocol):[^\n]*\n", re.IGNORECASE)

INTERNAL_ERROR = 1011
MAX_REASON_BYTES = 123


def accepting(fields: RequestFields, way: bytes) -> bytes:
    """The answer to a handshake. Raises Malformed when it is none of a websocket."""
    key = KEY.search(fields.lines)
    if key is None or fields.facts.upgrade.lower() != b"websocket":
        raise Malformed(400, "this route takes websockets only, with a Sec-WebSocket-Key")
    accept = base64.b64encode(hashlib.sha1(key[1] + GUID, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Accept: %b\r\n%b\r\n" % (accept, way)
    )


def without_wishes(lines: bytes) -> bytes:
    """The fields of the handshake, without what can no longer be agreed on."""
    return WISHES.sub(b"", lines)


def closing(reason: str) -> bytes:
    """A close frame: 1011, and why."""
    text = reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore").encode()
    return struct.pack("!BBH", 0x88, 2 + len(text), INTERNAL_ERROR) + text
