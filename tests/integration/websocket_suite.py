"""The cases of the websocket suite: each a script for a client, by name.

They follow RFC 6455: framing (5.2), fragments (5.4), control frames (5.5), closing (7), what makes a connection fail
(5.1, 5.2, 8.1), the opening handshake (4.2), and RFC 7692 (compression). A tunnel must not be able to be told from the
server itself, so a case says nothing about what is right: the same script is played at the server and through the
gateway, and the two verdicts must be equal. `ANCHORS` say of some what a verdict must hold, so that a suite in which
nothing happens cannot pass.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any

from tests.integration.websocket_wire import (
    ACCEPT,
    BINARY,
    CLOSE,
    CONTINUED,
    HANDSHAKE,
    KEY,
    PING,
    PONG,
    RSV1,
    RSV2,
    RSV3,
    TEXT,
    Do,
    Place,
    Script,
    Verdict,
    close_frame,
    frame,
    play,
)

BYE: Script = (close_frame(), Do.END)
DEFLATE = HANDSHAKE + b"\r\nSec-WebSocket-Extensions: permessage-deflate"
UMLAUTS = "Grüße, κόσμε, 🚀".encode()
LONG = bytes(range(256)) * 4096


@dataclass(frozen=True)
class Case:
    script: Script
    path: str = "/echo"
    fields: bytes = HANDSHAKE
    first: bytes = b""
    method: bytes = b"GET"
    raw: bool = False
    """At the raw server."""
    framed: bool = True

    async def play(self, place: Place, id: str) -> Verdict:
        return await play(
            place, self.path, self.script, id=id, fields=self.fields, first=self.first, method=self.method,
            framed=self.framed,
        )  # fmt: skip


def echoed(*frames: bytes, answers: int | None = None, **more: Any) -> Case:
    """Sent one after the other, answered by as many frames, and closed."""
    return Case((*frames, len(frames) if answers is None else answers, *BYE), **more)


def fails(*frames: bytes, **more: Any) -> Case:
    """The server ends it."""
    return Case((*frames, Do.END), **more)


def deflated(message: bytes, zip: Any = None) -> bytes:
    zip = zip or zlib.compressobj(wbits=-15)
    return (zip.compress(message) + zip.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\0\0\xff\xff")


def extension(parameters: bytes) -> bytes:
    return DEFLATE + b"; " + parameters


def without(name: bytes) -> bytes:
    return b"\r\n".join(line for line in HANDSHAKE.split(b"\r\n") if not line.startswith(name + b":"))


ZIP = zlib.compressobj(wbits=-15)

FRAMING = {
    "text": echoed(frame(TEXT, b"hello")),
    "text beyond ascii": echoed(frame(TEXT, UMLAUTS)),
    "binary": echoed(frame(BINARY, bytes(range(256)))),
    "empty text": echoed(frame(TEXT)),
    "empty binary": echoed(frame(BINARY)),
    **{f"{size} bytes": echoed(frame(BINARY, LONG[:size])) for size in (1, 125, 126, 127, 65_535, 65_536)},
    "a megabyte": echoed(frame(BINARY, LONG)),
    "a zero mask": echoed(frame(TEXT, b"hello", mask=bytes(4))),
    "a length wider than need be": fails(frame(TEXT, b"hello", wide=8), close_frame()),
    "three messages": echoed(*(frame(TEXT, b"%d" % number) for number in range(3))),
    "many small ones in one write": echoed(b"".join(frame(TEXT, b"%d" % n) for n in range(1000)), answers=1000),
    "byte by byte": Case((Do.DRIP, frame(TEXT, UMLAUTS) + frame(BINARY, LONG[:300]), 2, Do.DRIP, *BYE)),
    "a head and its payload apart": Case((frame(TEXT, b"hello")[:2], frame(TEXT, b"hello")[2:], 1, *BYE)),
    "larger than the server takes": fails(frame(BINARY, LONG * 2 + b"x")),
    "unmasked": fails(frame(TEXT, b"hello", mask=None)),
    "reserved bit 1": fails(frame(TEXT, b"hello", rsv=RSV1)),
    "reserved bit 2": fails(frame(TEXT, b"hello", rsv=RSV2)),
    "reserved bit 3": fails(frame(TEXT, b"hello", rsv=RSV3)),
    **{f"opcode {opcode}": fails(frame(opcode, b"x")) for opcode in (3, 7, 11, 15)},
    "a length with its highest bit set": fails(b"\x82\xff" + struct.pack(">Q", 1 << 63) + bytes(4)),
}

FRAGMENTS = {
    "two fragments": echoed(frame(TEXT, b"hel", fin=False) + frame(CONTINUED, b"lo"), answers=1),
    "empty fragments": echoed(
        frame(TEXT, fin=False) + frame(CONTINUED, fin=False) + frame(CONTINUED, b"x") + frame(TEXT, b"y"), answers=2
    ),
    "a character cut by a fragment": echoed(
        frame(TEXT, UMLAUTS[:3], fin=False) + frame(CONTINUED, UMLAUTS[3:]), answers=1
    ),
    "a hundred fragments": echoed(
        frame(BINARY, fin=False) + 99 * frame(CONTINUED, b"x" * 700, fin=False) + frame(CONTINUED), answers=1
    ),
    "a ping between fragments": echoed(
        frame(TEXT, b"hel", fin=False) + frame(PING, b"now") + frame(CONTINUED, b"lo"), answers=2
    ),
    "the server's fragments": Case((4, *BYE), path="/fragments"),
    "continued without a start": fails(frame(CONTINUED, b"x")),
    "a start inside a message": fails(frame(TEXT, b"a", fin=False), frame(TEXT, b"b")),
}

CONTROL = {
    "ping": echoed(frame(PING)),
    "ping with a payload": echoed(frame(PING, b"\x00\xff" * 62)),
    "ten pings": echoed(*(frame(PING, b"%d" % number) for number in range(10))),
    "a pong nobody asked for": echoed(frame(PONG, b"x") + frame(TEXT, b"after"), answers=1),
    "the server pings": Case((1, frame(PONG, b"are-you-there"), 1, *BYE), path="/ping/are-you-there"),
    "a ping of 126 bytes": fails(frame(PING, b"x" * 126)),
    "a ping in fragments": fails(frame(PING, b"x", fin=False)),
}

CLOSING = {
    "close": Case(BYE),
    "close without a code": Case((close_frame(None), Do.END)),
    **{f"close with {code}": Case((close_frame(code, b"going"), Do.END)) for code in (1001, 1011, 3000, 4999)},
    "close with a long reason": Case((close_frame(1000, b"r" * 123), Do.END)),
    "messages before a close": Case((frame(TEXT, b"a") + frame(TEXT, b"b"), 2, *BYE)),
    "what comes behind a close": Case((close_frame() + frame(TEXT, b"late"), Do.END)),
    **{f"bad close code {code}": fails(close_frame(code)) for code in (0, 999, 1004, 1005, 1006, 1016, 2999, 5000)},
    "a close of one byte": fails(frame(CLOSE, b"\x03")),
    "a close reason that is no utf-8": fails(close_frame(1000, b"\xff")),
    "the server closes": Case((1, close_frame(1000), Do.END), path="/close/1000/done"),
    "the server closes with its own code": Case((1, close_frame(4321), Do.END), path="/close/4321/own"),
    "text that is no utf-8": fails(frame(TEXT, b"\xce\xba\xff")),
    "text that ends inside a character": fails(frame(TEXT, UMLAUTS[:3])),
    "the server drops it": Case((1, frame(TEXT, b"go"), Do.END), path="/drop"),
    "the client resets it": Case((frame(TEXT, b"hello"), 1, Do.RESET)),
    "the client resets it inside a frame": Case((frame(TEXT, b"hello"), 1, frame(TEXT, b"world")[:4], Do.RESET)),
    "the client ends inside a frame": Case((frame(TEXT, b"hello"), 1, frame(TEXT, b"world")[:4], Do.HALF, Do.END)),
    "half-closed, and answered": Case((1, frame(TEXT, b"x"), 1, Do.HALF, Do.END), raw=True),
    "half-closed at once": Case((Do.HALF, Do.END), raw=True),
    "half-closed behind a megabyte": Case((1, frame(BINARY, LONG), Do.HALF, Do.END), raw=True),
    "the server sends no more, the client does": Case(
        (1, Do.END, frame(TEXT, b"still here"), Do.HALF), path="/ends", raw=True
    ),
    "reset at the raw server": Case((1, frame(TEXT, b"x"), 1, Do.RESET), raw=True),
}

OPENING = {
    "behind the handshake": Case((1, *BYE), first=frame(TEXT, b"early")),
    "much behind the handshake": Case((2, *BYE), first=frame(BINARY, LONG[:200_000]) + frame(TEXT, b"more")),
    "the server sends first": Case((1, frame(TEXT, b"x"), 1, *BYE), path="/first"),
    "in one segment with the 101": Case((1, Do.HALF, Do.END), raw=True),
    "a burst and the end": Case((501, *BYE), path="/burst/500"),
    "a megabyte at once from the server": Case((1, *BYE), path="/big/1048576"),
    "a subprotocol": echoed(frame(TEXT, b"x"), fields=HANDSHAKE + b"\r\nSec-WebSocket-Protocol: chat.v1"),
    "the server prefers": echoed(frame(TEXT, b"x"), fields=HANDSHAKE + b"\r\nSec-WebSocket-Protocol: chat.v1, chat.v2"),
    "subprotocols on two lines": echoed(
        frame(TEXT, b"x"), fields=HANDSHAKE + b"\r\nSec-WebSocket-Protocol: none\r\nSec-WebSocket-Protocol: chat.v2"
    ),
    "no subprotocol in common": Case(BYE, fields=HANDSHAKE + b"\r\nSec-WebSocket-Protocol: none"),
    "what the server is told": Case(
        (2, *BYE), path="/request/a%20b/c;d?x=%2F&y=",
        fields=HANDSHAKE + b"\r\nCookie: a=b; c=d\r\nAuthorization: Bearer t\r\n"
        b"User-Agent: suite\r\nX-Custom: 1\r\nSec-WebSocket-Protocol: chat.v2",
    ),
    **{f"refused with {status}": Case((), path=f"/refuse/{status}") for status in (400, 401, 403, 404, 426, 500, 503)},
    "refused, with bytes behind": Case((), path="/refuse/403", first=frame(TEXT, b"early")),
    "an old version": Case((), fields=HANDSHAKE.replace(b"13", b"8")),
    "no version": Case((), fields=without(b"Sec-WebSocket-Version")),
    "no key": Case((), fields=without(b"Sec-WebSocket-Key")),
    "a short key": Case((), fields=HANDSHAKE.replace(KEY, b"c2hvcnQ=")),
    "two tokens in Connection": Case(BYE, fields=HANDSHAKE.replace(b": Upgrade", b": keep-alive, Upgrade")),
    "names and tokens in any case": Case(
        BYE,
        fields=HANDSHAKE.replace(b"Connection: Upgrade", b"CONNECTION: upgrade").replace(b"websocket", b"WebSocket"),
    ),
    "another protocol": Case(
        (b"abc", Do.HALF, Do.END), fields=b"Connection: Upgrade\r\nUpgrade: chat", raw=True, framed=False
    ),
    "another protocol with a version": Case(
        (Do.DRIP, bytes(range(256)), Do.HALF, Do.END), fields=b"Connection: Upgrade\r\nUpgrade: foo/2.1",
        first=b"early", raw=True, framed=False,
    ),
    "another method may change the protocol too": Case(
        (b"abc", Do.HALF, Do.END), fields=b"Connection: Upgrade\r\nUpgrade: chat", method=b"OPTIONS", raw=True,
        framed=False,
    ),
}  # fmt: skip

COMPRESSION = {
    "compressed": echoed(frame(TEXT, deflated(b"hello " * 50), rsv=RSV1), fields=DEFLATE),
    "compressed, and not": echoed(
        frame(TEXT, deflated(b"hello"), rsv=RSV1), frame(TEXT, b"plain"), fields=DEFLATE
    ),
    "compressed in a shared context": echoed(
        *(frame(TEXT, deflated(b"the same words", ZIP), rsv=RSV1) for _ in range(3)), fields=DEFLATE
    ),
    "compressed in fragments": echoed(
        frame(TEXT, deflated(b"hello")[:3], rsv=RSV1, fin=False) + frame(CONTINUED, deflated(b"hello")[3:]),
        answers=1, fields=DEFLATE,
    ),
    "a compressed megabyte": echoed(frame(BINARY, deflated(LONG), rsv=RSV1), fields=DEFLATE),
    "compressed more than the server takes": fails(frame(BINARY, deflated(bytes(3 << 20)), rsv=RSV1), fields=DEFLATE),
    "no context of the server's": echoed(
        frame(TEXT, deflated(b"a" * 99), rsv=RSV1), fields=extension(b"server_no_context_takeover")
    ),
    "no context of the client's": echoed(
        frame(TEXT, deflated(b"a" * 99), rsv=RSV1), fields=extension(b"client_no_context_takeover")
    ),
    "a smaller window": echoed(
        frame(TEXT, deflated(b"a" * 99), rsv=RSV1), fields=extension(b"server_max_window_bits=10")
    ),
    "a window that cannot be": Case(BYE, fields=extension(b"server_max_window_bits=99")),
    "several offers": Case(BYE, fields=extension(b"server_max_window_bits=99, permessage-deflate")),
    "an unknown extension": Case(BYE, fields=HANDSHAKE + b"\r\nSec-WebSocket-Extensions: x-none; a=b"),
    "what does not inflate": fails(frame(TEXT, b"\xff" * 20, rsv=RSV1), fields=DEFLATE),
}  # fmt: skip

CASES: dict[str, Case] = {**FRAMING, **FRAGMENTS, **CONTROL, **CLOSING, **OPENING, **COMPRESSION}

FIN = 0x80
ANCHORS: dict[str, dict[str, object]] = {
    "text": {"status": 101, "frames": [(FIN | TEXT, b"hello"), (FIN | CLOSE, b"\x03\xe8")], "server": (1000, "")},
    "a megabyte": {"frames": [(FIN | BINARY, (1 << 20, zlib.crc32(LONG))), (FIN | CLOSE, b"\x03\xe8")]},
    "a ping between fragments": {
        "frames": [(FIN | PONG, b"now"), (FIN | TEXT, b"hello"), (FIN | CLOSE, b"\x03\xe8")]
    },
    "close with 4999": {"server": (4999, "going"), "ended": True},
    "the client resets it": {"server": (1006, "")},
    "half-closed, and answered": {"frames": [(FIN | TEXT, b"welcome"), (FIN | TEXT, b"x"), (FIN | TEXT, b"bye")]},
    "the server sends no more, the client does": {"ended": True, "server": frame(TEXT, b"still here")},
    "another protocol": {"status": 101, "rest": b"\x81\x07welcomeabc\x81\x03bye", "server": b"abc"},
    "refused with 401": {
        "status": 401, "reason": "Unauthorized", "body": b"refused with 401\n",
    },
    "a subprotocol": {
        "fields": {"Upgrade": "websocket", "Sec-WebSocket-Accept": ACCEPT, "Sec-WebSocket-Protocol": "chat.v1"}
    },
}  # fmt: skip
