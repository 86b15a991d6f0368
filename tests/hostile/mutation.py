"""Conversations made by damaging good ones, each from one integer.

A good stream is one to four pipelined requests. The damage is what attackers do: bytes put in, taken out or doubled
where framing is decided, lines moved, line ends changed, dangerous fields added. What the gateway may then do is not
known beforehand; but it may serve no more than what the strict judge reads from the same bytes, in the same order.
"""

from __future__ import annotations

import itertools
from random import Random

from tests.hostile.entry import HIDDEN
from tests.hostile.meant import PUBLIC

METHODS = (b"GET", b"GET", b"HEAD", b"POST", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PROPFIND")
TAILS = (b"", b"?a=b", b"/%41%2e", b"/./x", b"/a/../b", b"//", b"/a%2Fb", b"?x=/..")
FIELDS = (
    b"Accept: */*",
    b"Cookie: a=b",
    b"Connection: keep-alive",
    b"Connection: close",
    b"X-Forwarded-For: 6.6.6.6",
    b"Expect: 100-continue",
    b"A: b",
    b"X-Request-Id: 7",
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"TE: trailers",
    b"Content-Type: text/plain",
)

BYTES = (
    b"\0",
    b"\t",
    b"\n",
    b"\r",
    b"\r\n",
    b" ",
    b"  ",
    b"\x0b",
    b"\x7f",
    b"\x80",
    b"\xff",
    b",",
    b":",
    b";",
    b"0",
    b"+",
    b"-",
    b"_",
    b"x",
    b"#",
    b"\\",
    b"%",
)
LINES = (
    b"Content-Length: 0",
    b"Content-Length: 5",
    b"Content-Length: 44",
    b"Content-Length: +5",
    b"Content-Length: 5, 5",
    b"Content-Length: 0x5",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding:\tchunked",
    b"Transfer-Encoding:\x0bchunked",
    b"transfer-encoding: CHUNKED",
    b"Host: h",
    b"Host: u@h",
    b" folded",
    b"\tfolded",
    b"Connection: Content-Length",
    b"Connection: Upgrade",
    b"Upgrade: h2c",
    b"Upgrade: websocket",
    b"Expect: 100-continue",
    b"Expect: cake",
    b"",
    b"no colon",
    b": no name",
    b"A: \0",
    b"0",
    b"5",
    b"5;a=b",
    b"5;a\n",
    b"-1",
    b"0\r\n",
    b"GET /x HTTP/1.1",
    b"X-Certificate-Public: forged",
)
ENDS = (b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\r\n", b" \r\n", b"\r\n ", b"\0\r\n", b"")


def conversation(seed: int) -> list[bytes]:
    """The pieces that are written, mostly damaged."""
    random = Random(seed)
    stream = b"".join(good_request(random, number) for number in range(random.randint(1, 4)))
    for _ in range(random.choice((0, 1, 1, 1, 2, 3, 5))):
        stream = random.choice(DAMAGES)(stream, random)
    return pieces(stream, random)


def good_request(random: Random, number: int) -> bytes:
    method = random.choice(METHODS)
    line = b"%b %b/m%d%b HTTP/1.%d" % (method, PUBLIC, number, random.choice(TAILS), random.random() < 0.95)
    fields = random.sample(FIELDS, random.choice((0, 0, 1, 2, 3)))
    body = random.choice((b"", b"hello", HIDDEN, b"0\r\n\r\n", random.randbytes(random.randint(0, 60))))
    framing, sent = [], b""
    if method not in (b"GET", b"HEAD") or random.random() < 0.1:
        chunked = random.random() < 0.5 and line.endswith(b"1")
        framing = [b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(body)]
        sent = chunks(body, random) if chunked else body
    lines = [b"Host: g", *fields, *framing]
    random.shuffle(lines)
    return b"\r\n".join([line, *lines, b"", b""]) + sent


def chunks(body: bytes, random: Random) -> bytes:
    found = []
    while body:
        size = random.randint(1, len(body))
        found.append(b"%x%b\r\n%b\r\n" % (size, random.choice((b"", b"", b";a", b';a="b"')), body[:size]))
        body = body[size:]
    return b"".join(found) + b"0\r\n" + random.choice((b"", b"", b"X-Sum: 1\r\n")) + b"\r\n"


def pieces(stream: bytes, random: Random) -> list[bytes]:
    if random.random() < 0.5:
        return [stream]
    places = sorted({0, len(stream), *(_near_framing(stream, random) for _ in range(random.choice((1, 2, 10))))})
    return [stream[start:end] for start, end in itertools.pairwise(places)]


# --- damages: a stream in, a stream out


def put_in(stream: bytes, random: Random) -> bytes:
    at = _near_framing(stream, random)
    return stream[:at] + random.choice(BYTES) + stream[at:]


def take_out(stream: bytes, random: Random) -> bytes:
    at = _near_framing(stream, random)
    return stream[:at] + stream[at + random.choice((1, 1, 2, 10)) :]


def put_over(stream: bytes, random: Random) -> bytes:
    at = _near_framing(stream, random)
    return stream[:at] + random.choice(BYTES) + stream[at + 1 :]


def change_an_end(stream: bytes, random: Random) -> bytes:
    parts = stream.split(b"\r\n")
    at = random.randrange(len(parts))
    return b"\r\n".join(parts[:at]) + random.choice(ENDS) + b"\r\n".join(parts[at:])


def add_a_line(stream: bytes, random: Random) -> bytes:
    parts = stream.split(b"\r\n")
    parts.insert(random.randint(0, len(parts)), random.choice(LINES))
    return b"\r\n".join(parts)


def double_a_line(stream: bytes, random: Random) -> bytes:
    parts = stream.split(b"\r\n")
    parts.insert(random.randint(0, len(parts)), random.choice(parts))
    return b"\r\n".join(parts)


def drop_a_line(stream: bytes, random: Random) -> bytes:
    parts = stream.split(b"\r\n")
    del parts[random.randrange(len(parts))]
    return b"\r\n".join(parts)


def swap_lines(stream: bytes, random: Random) -> bytes:
    parts = stream.split(b"\r\n")
    one, other = random.randrange(len(parts)), random.randrange(len(parts))
    parts[one], parts[other] = parts[other], parts[one]
    return b"\r\n".join(parts)


def change_case(stream: bytes, random: Random) -> bytes:
    at = _near_framing(stream, random)
    return stream[:at] + stream[at : at + 12].swapcase() + stream[at + 12 :]


def double_a_part(stream: bytes, random: Random) -> bytes:
    start = random.randrange(len(stream) + 1)
    end = start + random.randint(1, 60)
    return stream[:end] + stream[start:]


def break_off(stream: bytes, random: Random) -> bytes:
    return stream[: random.randrange(len(stream) + 1)]


DAMAGES = (
    put_in,
    put_in,
    take_out,
    put_over,
    change_an_end,
    change_an_end,
    add_a_line,
    add_a_line,
    double_a_line,
    drop_a_line,
    swap_lines,
    change_case,
    double_a_part,
    break_off,
)


def _near_framing(stream: bytes, random: Random) -> int:
    """A place beside a byte that frames, or anywhere."""
    if random.random() < 0.3:
        return random.randrange(len(stream) + 1)
    places = [at for at, byte in enumerate(stream) if byte in b"\r\n: ,;"]
    return random.choice(places) + random.choice((0, 0, 1)) if places else 0
