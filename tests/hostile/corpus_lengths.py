"""Where does the body end? Content-Length and Transfer-Encoding said twice, wrongly, or so that some miss it.

CL.TE: the front reads the length, the back the chunks; TE.CL the other way round; TE.TE: both know chunked, one can be
made not to see it; CL.0 and 0.CL: one of them takes no body at all.
"""

from __future__ import annotations

from tests.hostile.entry import ASKED, HIDDEN, TO, Entry, either, get, passed, post, refused, then_refused
from tests.hostile.meant import INNER, Arrival

HELLO = b"hello"
POSTED = Arrival(b"POST", ASKED, HELLO)
CHUNKED_HELLO = b"5\r\nhello\r\n0\r\n\r\n"
END_THEN_HIDDEN = b"0\r\n\r\n" + HIDDEN
SMUGGLED = Arrival(b"GET", INNER + b"/smuggled")
CL, TE = "RFC 9112, 6.2", "RFC 9112, 6.1"

LENGTHS = {
    "signed": b"+5",
    "negative": b"-5",
    "minus zero": b"-0",
    "hexadecimal": b"0x5",
    "octal": b"0o5",
    "two numbers": b"5 5",
    "tab between": b"5\t5",
    "list": b"5,5",
    "spaced list": b"5, 5",
    "differing list": b"5, 6",
    "empty list part": b"5,",
    "fraction": b"5.0",
    "exponent": b"5e0",
    "underscore": b"0_5",
    "underscore before": b"_5",
    "semicolon": b"5;",
    "quoted": b'"5"',
    "bracketed": b"(5)",
    "nul after": b"5\0",
    "vertical tab": b"\x0b5",
    "form feed": b"5\x0c",
    "no-break space": b"\xa05",
    "arabic digit": b"\xd9\xa5",
    "fullwidth digit": b"\xef\xbc\x95",
    "word": b"five",
    "not a number": b"NaN",
    "infinite": b"inf",
    "empty": b"",
    "32 bits over": b"99999999999",
    "64 bits": b"18446744073709551621",
    "huge": b"9" * 40,
    "hundred zeros and 5": b"0" * 100 + b"5",
}

CODINGS = {
    "xchunked": b"xchunked",
    "chunkedx": b"chunkedx",
    "gzip first": b"gzip, chunked",
    "gzip last": b"chunked, gzip",
    "identity first": b"identity, chunked",
    "identity last": b"chunked, identity",
    "identity": b"identity",
    "twice": b"chunked, chunked",
    "trailing comma": b"chunked,",
    "leading comma": b", chunked",
    "spaces": b"chun ked",
    "quoted": b'"chunked"',
    "single quotes": b"'chunked'",
    "parameter": b"chunked;q=1",
    "semicolon": b"chunked;",
    "vertical tab": b"\x0bchunked",
    "vertical tab after": b"chunked\x0b",
    "form feed": b"\x0cchunked",
    "nul": b"chunked\0",
    "nul before": b"\0chunked",
    "no-break space": b"\xa0chunked",
    "long s": b"chun\xc5\xbfed",
    "dotless": b"chunKED\xff",
    "empty": b"",
    "bracketed": b"[chunked]",
    "equals": b"=chunked",
    "colon": b": chunked",
    "hash": b"#chunked",
    "unknown": b"cow",
    "backspace": b"chunked\x08",
    "folded": b"\r\n chunked",
    "folded after": b"chunked\r\n\t, identity",
    "bare cr": b"\rchunked",
    "bare lf": b"\nchunked",
    "bare cr after": b"chunked\rx",
    "bare lf after": b"chunked\nx",
}

NAMES = {
    "space before the colon": b"Transfer-Encoding : chunked",
    "tab before the colon": b"Transfer-Encoding\t: chunked",
    "leading space": b" Transfer-Encoding: chunked",
    "leading tab": b"\tTransfer-Encoding: chunked",
    "nul in the name": b"Transfer\0-Encoding: chunked",
    "non-ascii in the name": b"Transfer-\xc3\x8bncoding: chunked",
    "line feed before the colon": b"Transfer-Encoding\n: chunked",
    "return before the colon": b"Transfer-Encoding\r: chunked",
    "behind a bare line feed": b"X: y\nTransfer-Encoding: chunked",
    "behind a bare return": b"X: y\rTransfer-Encoding: chunked",
    "quoted name": b'"Transfer-Encoding": chunked',
    "slash in the name": b"Transfer/Encoding: chunked",
    "space in the name": b"Transfer Encoding: chunked",
    "no colon": b"Transfer-Encoding chunked",
    "semicolon for colon": b"Transfer-Encoding; chunked",
    "behind a nul": b"X: \0\r\nTransfer-Encoding: chunked",
}


def lengths() -> list[Entry]:
    odd = [
        refused(f"length, {name}", CL, post(b"Content-Length: " + value, body=HELLO)) for name, value in LENGTHS.items()
    ]
    for entry in odd:
        if entry.name in ("length, 32 bits over", "length, hundred zeros and 5"):
            odd[odd.index(entry)] = refused(entry.name, CL, *entry.writes, status=(400, 413))
    return [
        *odd,
        refused("length twice, equal", CL, post(b"Content-Length: 5", b"Content-Length: 5", body=HELLO)),
        refused("length twice, in two cases", CL, post(b"Content-Length: 5", b"content-length: 5", body=HELLO)),
        refused(
            "length twice, the longer last", "CL.CL", post(b"Content-Length: 0", b"Content-Length: 44", body=HIDDEN)
        ),
        refused(
            "length twice, the longer first", "CL.CL", post(b"Content-Length: 44", b"Content-Length: 0", body=HIDDEN)
        ),
        refused("length, folded", "RFC 9112, 5.2", post(b"Content-Length:", b" 5", body=HELLO)),
        refused("length, then a folded other", "RFC 9112, 5.2", post(b"Content-Length: 5", b" 6", body=HELLO)),
        refused("length, space before colon", "RFC 9112, 5.1", post(b"Content-Length : 5", body=HELLO)),
        refused("length, nul in the name", "RFC 9110, 5.1", post(b"Content-Length\0: 5", body=HELLO)),
        refused("length behind a bare return", "RFC 9112, 2.2", post(b"X: y\rContent-Length: 5", body=HELLO)),
        refused("length behind a bare line feed", "RFC 9112, 2.2", post(b"X: y\nContent-Length: 5", body=HELLO)),
        passed("length with zeros before", CL, post(b"Content-Length: 0005", body=HELLO), arrives=POSTED),
        passed(
            "length with spaces around", "RFC 9110, 5.5", post(b"Content-Length: \t 5 \t", body=HELLO), arrives=POSTED
        ),
        passed("length in capitals", "RFC 9110, 5.1", post(b"CONTENT-LENGTH:5", body=HELLO), arrives=POSTED),
        either(
            "length with an underscore",
            "CGI names",
            post(b"Content-Length: 5", b"Content_Length: 0", body=HELLO),
            POSTED,
        ),
        then_refused(
            "length with an underscore only",
            "CGI names",
            post(b"Content_Length: 5", body=HELLO),
            b"\r\n\r\n",
            arrives=Arrival(b"POST", ASKED),
            status=400,
        ),
    ]


def no_bodies() -> list[Entry]:
    hidden = b"Content-Length: %d" % len(HIDDEN)
    found = [
        passed(
            f"a request hidden in the body of {method.decode()}",
            "CL.0",
            get(hidden, line=method + b" " + TO + b" HTTP/1.1") + HIDDEN,
            arrives=Arrival(method, ASKED, HIDDEN),
        )
        for method in (b"GET", b"POST", b"HEAD", b"DELETE", b"OPTIONS", b"PROPFIND", b"PUT")
    ]
    return [
        *found,
        passed(
            "length 0, then another request",
            "0.CL",
            post(b"Content-Length: 0") + HIDDEN,
            arrives=(Arrival(b"POST", ASKED), SMUGGLED),
        ),
        passed("no length, then another request", "0.CL", post() + HIDDEN, arrives=(Arrival(b"POST", ASKED), SMUGGLED)),
        then_refused(
            "a body without a length", "RFC 9112, 6.3", post(body=b"hello\r\n\r\n"), arrives=Arrival(b"POST", ASKED)
        ),
        then_refused(
            "a body without a length in 1.0 with keep-alive",
            "RFC 9112, 6.3",
            post(b"Connection: keep-alive", body=b"hello\r\n\r\n", version=b"1.0"),
            arrives=Arrival(b"POST", ASKED),
        ),
        then_refused(
            "more body than its length",
            "RFC 9112, 6.3",
            post(b"Content-Length: 5", body=b"hello world\r\n\r\n"),
            arrives=POSTED,
        ),
        passed(
            "a request in a chunk",
            "TE.0",
            post(b"Transfer-Encoding: chunked", body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)),
            arrives=Arrival(b"POST", ASKED, HIDDEN),
        ),
        passed(
            "chunks in a GET",
            "TE.0",
            get(b"Transfer-Encoding: chunked") + CHUNKED_HELLO,
            arrives=Arrival(b"GET", ASKED, HELLO),
        ),
        passed(
            "a request after the last chunk is one",
            "TE.0",
            post(b"Transfer-Encoding: chunked", body=END_THEN_HIDDEN),
            arrives=(Arrival(b"POST", ASKED), SMUGGLED),
        ),
    ]


def codings() -> list[Entry]:
    found = []
    length = b"Content-Length: %d" % len(END_THEN_HIDDEN)
    for name, value in CODINGS.items():
        line = b"Transfer-Encoding: " + value
        found.append(refused(f"coding, {name}", TE, post(line, body=END_THEN_HIDDEN)))
        found.append(refused(f"length and coding, {name}", "CL.TE", post(length, line, body=END_THEN_HIDDEN)))
    for name, line in NAMES.items():
        found.append(refused(f"coding, {name}", "TE.TE", post(length, line, body=END_THEN_HIDDEN)))
    return found


def both() -> list[Entry]:
    length, te = b"Content-Length: %d", b"Transfer-Encoding: chunked"
    short, whole = length % 4, length % len(END_THEN_HIDDEN)
    clte = b"2c\r\n" + HIDDEN + b"\r\n0\r\n\r\n"
    found = [
        refused("length first", "CL.TE", post(whole, te, body=END_THEN_HIDDEN)),
        refused("length last", "CL.TE", post(te, whole, body=END_THEN_HIDDEN)),
        refused("a short length first", "TE.CL", post(short, te, body=clte)),
        refused("a short length last", "TE.CL", post(te, short, body=clte)),
        refused("length 0 and chunked", "TE.CL", post(length % 0, te, body=END_THEN_HIDDEN)),
        refused("an empty length and chunked", "TE.CL", post(b"Content-Length:", te, body=END_THEN_HIDDEN)),
        refused("a list of lengths and chunked", "TE.CL", post(b"Content-Length: 5, 5", te, body=END_THEN_HIDDEN)),
        refused("both in a GET", "CL.TE", get(whole, te) + END_THEN_HIDDEN),
        refused("both in 1.0", "RFC 9112, 6.1", post(whole, te, body=END_THEN_HIDDEN, version=b"1.0")),
        refused("chunked in 1.0", "RFC 9112, 6.1", post(te, body=CHUNKED_HELLO, version=b"1.0")),
        refused(
            "chunked in 1.0 with keep-alive",
            "RFC 9112, 6.1",
            post(te, b"Connection: keep-alive", body=CHUNKED_HELLO, version=b"1.0"),
        ),
        refused(
            "both, and Connection takes one away",
            "hop-by-hop",
            post(whole, te, b"Connection: content-length", body=END_THEN_HIDDEN),
        ),
        refused(
            "both, and Connection takes the other",
            "hop-by-hop",
            post(whole, te, b"Connection: transfer-encoding", body=END_THEN_HIDDEN),
        ),
        passed(
            "chunked, and Connection takes it away",
            "hop-by-hop",
            post(te, b"Connection: transfer-encoding", body=CHUNKED_HELLO),
            arrives=POSTED,
        ),
        passed(
            "a length, and Connection takes it away",
            "hop-by-hop",
            post(b"Content-Length: 5", b"Connection: content-length", body=HELLO),
            arrives=POSTED,
        ),
        either(
            "coding with an underscore",
            "CGI names",
            post(b"Content-Length: 5", b"Transfer_Encoding: chunked", body=HELLO),
            POSTED,
        ),
        passed(
            "chunked in capitals",
            "RFC 9112, 7",
            post(b"TRANSFER-ENCODING: CHUNKED", body=CHUNKED_HELLO),
            arrives=POSTED,
        ),
        passed(
            "chunked behind a tab",
            "RFC 9110, 5.5",
            post(b"Transfer-Encoding:\t chunked \t", body=CHUNKED_HELLO),
            arrives=POSTED,
        ),
        passed(
            "a content coding is none of ours",
            "RFC 9110, 8.4",
            post(b"Content-Encoding: chunked", b"Content-Length: 5", body=HELLO),
            arrives=POSTED,
        ),
    ]
    for other in (b"identity", b"chunked", b"cow", b""):
        second = b"Transfer-encoding: " + other
        name = other.decode() or "nothing"
        found.append(refused(f"chunked, then {name}", "TE.TE", post(te, second, body=END_THEN_HIDDEN)))
        found.append(refused(f"{name}, and only then chunked", "TE.TE", post(second, te, body=END_THEN_HIDDEN)))
    return found


ENTRIES = lengths() + no_bodies() + codings() + both()
