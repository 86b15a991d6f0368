"""Chunks: sizes, extensions, ends and trailers that one reader takes and another does not.

The names TERM and EXT (how a chunk's line ends), SPILL (what follows a chunk) are those of "Funky chunks" (2025).
"""

from __future__ import annotations

from tests.hostile.corpus_lengths import HELLO, POSTED, SMUGGLED
from tests.hostile.entry import END, HIDDEN, Entry, either, passed, post, refused, then_refused

SIZES = "RFC 9112, 7.1"
REST = b"\r\nhello\r\n0\r\n\r\n"

BAD_SIZES = {
    "signed": b"+5",
    "negative": b"-5",
    "prefixed": b"0x5",
    "capital prefix": b"0X5",
    "underscore": b"0_5",
    "underscore before": b"_5",
    "space before": b" 5",
    "tab before": b"\t5",
    "empty": b"",
    "not hexadecimal": b"g",
    "nul": b"5\0",
    "vertical tab": b"5\x0b",
    "point": b"5.0",
    "letter h": b"5h",
    "quoted": b'"5"',
    "comma": b"5,5",
    "two numbers": b"5 5",
    "colon": b"5: x",
    "over 64 bits": b"10000000000000005",
    "far over 64 bits": b"f" * 32 + b"5",
    "all bits": b"f" * 17,
    "no-break space": b"\xa05",
    "fullwidth": b"\xef\xbc\x95",
    "equals": b"5=x",
}

BAD_EXTENSIONS = {
    "nothing": b"5;",
    "nul": b"5;a=\0",
    "return inside": b"5;a\rb",
    "line feed inside": b"5;a\nb",
    "only a line feed": b"5;\n",
    "quote not closed": b'5;a="b',
    "line end quoted": b'5;a="\r\n"',
    "line feed quoted": b'5;a="\n"',
    "control": b"5;a=\x01",
    "escape": b"5;a=\x1b[0m",
    "bytes over": b"5;" + b"e" * 20_000,
}

GOOD_EXTENSIONS = {"name": b"5;a", "value": b"5;a=b", "quoted": b'5;a="b c"', "two": b"5;a=b;c", "zeros": b"00000005"}

BROKEN = {
    "line feed after the size": b"5\nhello\r\n0\r\n\r\n",
    "return after the size": b"5\rhello\r\n0\r\n\r\n",
    "two returns after the size": b"5\r\r\nhello\r\n0\r\n\r\n",
    "line feed after the data": b"5\r\nhello\n0\r\n\r\n",
    "return after the data": b"5\r\nhello\r0\r\n\r\n",
    "nothing after the data": b"5\r\nhello0\r\n\r\n",
    "two line feeds": b"5\n\nhello\r\n0\r\n\r\n",
    "data longer than said": b"3\r\nhello\r\n0\r\n\r\n",
    "data shorter than said": b"9\r\nhello\r\n0\r\n\r\n" + HIDDEN,
    "line feed after the last size": b"5\r\nhello\r\n0\n\r\n",
    "line feed ends it": b"5\r\nhello\r\n0\r\n\n" + HIDDEN,
    "line feeds end it": b"0\n\n" + HIDDEN,
    "return ends it": b"0\r\n\r" + HIDDEN,
    "empty line before": b"\r\n5\r\nhello\r\n0\r\n\r\n",
    "empty line between": b"5\r\nhello\r\n\r\n0\r\n\r\n",
    "spaces before the last": b"5\r\nhello\r\n 0\r\n\r\n",
    "a request in place of the last": b"5\r\nhello\r\n" + HIDDEN,
    "no chunks at all": HELLO * 4 + b"\r\n\r\n",
    "negative zero": b"5\r\nhello\r\n-0\r\n\r\n",
    "TERM.EXT": b"2;\nxx\r\n2c\r\n0\r\n\r\n" + HIDDEN,
    "EXT.TERM": b"2\r\nxx\r\n2c;\n0\r\n\r\n" + HIDDEN,
    "SPILL.TERM": b"5\r\nhello\r\r\n0\r\n\r\n" + HIDDEN,
    "ONE.TWO": b"2\r\nabX\r\n0\r\n\r\n" + HIDDEN,
    "ZERO.TWO": b"2\r\nab0\r\n\r\n" + HIDDEN,
    "data with a line feed before its end": b"5\r\nhello\n\r\n0\r\n\r\n",
}

BAD_TRAILERS = {
    "no colon": b"X",
    "space before the colon": b"X : y",
    "bad name": b"X(: y",
    "a request line": b"GET /x HTTP/1.1",
    "folded": b"X: y\r\n z",
    "folded at once": b" X: y",
    "nul": b"X: \0",
    "control": b"X: \x0b",
    "bare return": b"X: y\rZ: a",
    "bare line feed": b"X: y\nZ: a",
    "empty name": b": y",
    "nul in the name": b"X\0: y",
    "too many": b"X: y\r\n" * 4000 + b"X: y",
    "too long": b"X: " + b"y" * 40_000,
}

WORDS_FOR_HEADS = {
    "length": b"Content-Length: 44",
    "coding": b"Transfer-Encoding: chunked",
    "host": b"Host: h",
    "connection": b"Connection: close",
    "upgrade": b"Connection: Upgrade\r\nUpgrade: h2c",
    "certificate": b"X-Certificate-Public: forged",
    "forwarded": b"X-Forwarded-For: 6.6.6.6",
    "expect": b"Expect: 100-continue",
    "authorization": b"Authorization: Basic Zm9yZ2Vk",
}


def chunked(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", body=body)


def entries() -> list[Entry]:
    found = [
        refused(f"chunk size, {name}", SIZES, chunked(size + REST), begun=True) for name, size in BAD_SIZES.items()
    ] + [
        refused(f"chunk extension, {name}", "RFC 9112, 7.1.1", chunked(line + REST), begun=True)
        for name, line in BAD_EXTENSIONS.items()
    ]
    found += [refused(f"chunks, {name}", SIZES, chunked(body), begun=True) for name, body in BROKEN.items()]
    found += [
        passed(f"chunk extension, {name}", "RFC 9112, 7.1.1", chunked(line + REST), arrives=POSTED)
        for name, line in GOOD_EXTENSIONS.items()
    ]
    for name, lines in BAD_TRAILERS.items():
        body = b"5\r\nhello\r\n0\r\n" + lines + b"\r\n\r\n"
        found.append(refused(f"trailer, {name}", "RFC 9112, 7.1.2", chunked(body), status=(400, 431), begun=True))
    for name, lines in WORDS_FOR_HEADS.items():
        body = b"5\r\nhello\r\n0\r\n" + lines + b"\r\n\r\n"
        found.append(either(f"trailer says the {name}", "RFC 9110, 6.5.1", chunked(body), POSTED, begun=True))
    return found + ends()


def ends() -> list[Entry]:
    return [
        refused(
            "chunk size of nearly 64 bits",
            SIZES,
            chunked(b"7fffffffffffffff" + REST),
            status=(400, 408, 413),
            begun=True,
        ),
        refused(
            "chunk size of all 64 bits", SIZES, chunked(b"ffffffffffffffff" + REST), status=(400, 408, 413), begun=True
        ),
        refused(
            "chunk size of 32 bits and a few", SIZES, chunked(b"100000005" + REST), status=(400, 408, 413), begun=True
        ),
        either("chunk size, a space after", "RFC 9112, 7.1", chunked(b"5 " + REST), POSTED, begun=True),
        either("chunk size, a tab after", "RFC 9112, 7.1", chunked(b"5\t" + REST), POSTED, begun=True),
        either("chunk extension behind a space", "RFC 9112, 7.1.1", chunked(b"5 ;a=b" + REST), POSTED, begun=True),
        either(
            "chunk extension with spaces around", "RFC 9112, 7.1.1", chunked(b"5; a = b" + REST), POSTED, begun=True
        ),
        either("chunk extension without a name", "RFC 9112, 7.1.1", chunked(b"5;=b" + REST), POSTED, begun=True),
        either("chunk size with many zeros", SIZES, chunked(b"0" * 40 + b"5" + REST), POSTED, begun=True),
        either(
            "last chunk with many zeros",
            SIZES,
            chunked(b"5\r\nhello\r\n" + b"0" * 40 + b"\r\n\r\n"),
            POSTED,
            begun=True,
        ),
        passed(
            "last chunk with an extension", "RFC 9112, 7.1.1", chunked(b"5\r\nhello\r\n0;a=b\r\n\r\n"), arrives=POSTED
        ),
        passed("a trailer", "RFC 9112, 7.1.2", chunked(b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"), arrives=POSTED),
        passed(
            "a trailer, then a request",
            "RFC 9112, 7.1.2",
            chunked(b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n") + HIDDEN,
            arrives=(POSTED, SMUGGLED),
        ),
        then_refused("the end twice", SIZES, chunked(b"5\r\nhello\r\n0\r\n\r\n0\r\n\r\n"), arrives=POSTED),
        then_refused(
            "an empty line too many", "RFC 9112, 2.2", chunked(b"5\r\nhello\r\n0\r\n\r\n\r\n") + HIDDEN, arrives=POSTED
        ),
        refused("no last chunk", SIZES, chunked(b"5\r\nhello\r\n"), status=408, begun=True),
        refused("no end of the last chunk", SIZES, chunked(b"5\r\nhello\r\n0\r\n"), status=408, begun=True),
        refused(
            "no end of the trailers", "RFC 9112, 7.1.2", chunked(b"5\r\nhello\r\n0\r\nX: y\r\n"), status=408, begun=True
        ),
        Entry("the client is gone in a chunk", SIZES, (chunked(b"5\r\nhel"), END), (), begun=True),
        Entry("the client is gone before the last chunk", SIZES, (chunked(b"5\r\nhello\r\n"), END), (), begun=True),
        refused(
            "chunks that are nearly all extension",
            "RFC 9112, 7.1.1",
            chunked(b"1;a=%b\r\nx\r\n" % (b"e" * 4000) * 20 + b"0\r\n\r\n"),
            begun=True,
        ),
    ]


ENTRIES = entries()
