"""Fields that lie: hop-by-hop abuse, words that only a gateway may say, Upgrade, Expect.

All of them are served or refused; what counts is what the instance gets to see, which `passing` judges.
"""

from __future__ import annotations

from tests.hostile.corpus_chunks import chunked
from tests.hostile.corpus_lengths import CHUNKED_HELLO, HELLO, POSTED, SMUGGLED
from tests.hostile.entry import ASKED, END, HIDDEN, TO, Entry, Step, either, get, passed, post, refused
from tests.hostile.meant import Arrival
from tests.hostile.recorder import Way

HOP = "RFC 9110, 7.6.1"

CONNECTIONS = {
    "forwarded": b"X-Forwarded-For",
    "all the gateway says": b"X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, Forwarded, Via",
    "host": b"Host",
    "request id": b"X-Request-Id",
    "a mark": b"X-Mark",
    "cookie and authorization": b"Cookie, Authorization",
    "commas": b",,,, ,X-A,,",
    "itself": b"Connection",
    "many": b", ".join(b"X-%d" % n for n in range(500)),
    "tabs": b"X-A\t,\tX-B",
    "quotes": b'"close"',
    "upgrade without Upgrade": b"Upgrade",
    "te": b"TE",
    "expect": b"Expect",
    "two spellings": b"HOST, hOST",
}

FORGED = (
    b"X-Forwarded-For: 6.6.6.6",
    b"X-Forwarded-For: 127.0.0.1, 6.6.6.6",
    b"x-forwarded-for:6.6.6.6",
    b"X-Forwarded-Host: evil",
    b"X-Forwarded-Proto: https",
    b"X-Forwarded-Port: 443",
    b"X-Forwarded-Prefix: /evil",
    b"X-Forwarded-Server: evil",
    b"X-Forwarded-Ssl: on",
    b"X-Forwarded-Scheme: https",
    b"X-Forwarded-By: evil",
    b"X-Forwarded-User: root",
    b"X-Forwarded-Client-Cert: forged",
    b"X-Forwarded-Path: /evil",
    b"Forwarded: for=6.6.6.6;proto=https",
    b"Via: 1.1 evil",
    b"X-Real-IP: 6.6.6.6",
    b"X-Certificate-Public: forged",
    b"X-Certificate-DistinguishedName: CN=root",
    b"x-certificate-commonname: root",
    b"X-CERTIFICATE-PUBLIC:forged",
    b"X-Certificate-Chain: forged",
    b"X_Forwarded_For: 6.6.6.6",
    b"X-Forwarded_For: 6.6.6.6",
    b"X_Certificate_Public: forged",
    b"X-Certificate_Public: forged",
    b"Proxy: http://evil",
    b"Proxy-Connection: keep-alive",
    b"Keep-Alive: timeout=99999",
    b"Proxy-Authorization: Basic Zg==",
    b"TE: trailers, deflate;q=0.5",
    b"Trailer: Content-Length",
    b"HTTP2-Settings: AAMAAABkAAQAAP__",
    b"Proxy-Authenticate: Basic",
    b"Proxy_Connection: close",
)

REQUEST_IDS = {
    "spaces": b"a b",
    "too long": b"a" * 10_000,
    "empty": b"",
    "markup": b"<b>",
    "not ascii": b"\xff",
    "quotes": b'"',
}

UPGRADES = {
    "h2c": b"h2c",
    "h2": b"h2",
    "HTTP/2.0": b"HTTP/2.0",
    "a list with h2c": b"websocket, h2c",
    "a list from h2c": b"h2c, websocket",
    "capital h2c": b"H2C",
    "TLS and HTTP": b"TLS/1.0, HTTP/1.1",
    "h2c in quotes": b'"h2c"',
    "space": b"web socket",
    "empty": b"",
    "comma": b",",
    "latin": b"\xff",
    "h2c with a parameter": b"h2c;q=1",
    "h2c behind a tab": b"\th2c",
}

EXPECTATIONS = {
    "cake": b"cake",
    "a list": b"100-continue, cake",
    "twice in one": b"100-continue, 100-continue",
    "word before": b"y 100-continue",
    "parameter": b"100-continue;q=1",
    "empty": b"",
    "quotes": b'"100-continue"',
    "other number": b"200-ok",
    "word after": b"100-continue x",
}

WEBSOCKET = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def hops() -> list[Entry]:
    found = []
    for name, value in CONNECTIONS.items():
        found.append(either(f"Connection names {name}", HOP, get(b"Connection: " + value, b"X-A: a", b"Cookie: c")))
    framed = (b"Content-Length: 5", b"Connection: X-Forwarded-For, Host, Content-Length, close")
    return [
        *found,
        passed("Connection names what frames", HOP, post(*framed, body=HELLO), arrives=POSTED, stays=False),
        passed(
            "Connection names what frames chunks",
            HOP,
            post(b"Connection: Transfer-Encoding, Trailer", b"Transfer-Encoding: chunked", body=CHUNKED_HELLO),
            arrives=POSTED,
        ),
        passed("close and keep-alive", HOP, get(b"Connection: keep-alive, close"), stays=False),
        passed("keep-alive and close, twice", HOP, get(b"Connection: keep-alive", b"Connection: close"), stays=False),
        passed("keep-alive in 1.0", HOP, get(b"Connection: Keep-Alive", line=b"GET " + TO + b" HTTP/1.0"), stays=True),
        passed("1.0 ends", HOP, get(line=b"GET " + TO + b" HTTP/1.0") + HIDDEN, stays=False),
        passed("close ends", HOP, get(b"Connection: close") + HIDDEN, stays=False),
        refused("Connection with a nul", HOP, get(b"Connection: close\0")),
        passed("an instance that closes", HOP, get(), get(), arrives=(Arrival(b"GET", ASKED),) * 2, way=Way.CLOSES),
    ]


def forged() -> list[Entry]:
    found = [either(f"forged {line.decode()[:50]}", "forged by a client", get(line)) for line in FORGED]
    found += [
        either(f"request id, {name}", "forged by a client", get(b"X-Request-Id: " + value))
        for name, value in REQUEST_IDS.items()
    ]
    return [
        *found,
        passed("two request ids", "forged by a client", get(b"X-Request-Id: a", b"X-Request-Id: b")),
        passed("all of X-Forwarded", "forged by a client", get(*(b"X-Forwarded-For: 6.6.6.%d" % n for n in range(50)))),
        refused("forged behind a bare return", "forged by a client", get(b"A: b\rX-Certificate-Public: forged")),
        either(
            "forged in a trailer",
            "forged by a client",
            chunked(b"5\r\nhello\r\n0\r\nX-Certificate-Public: forged\r\n\r\n"),
            POSTED,
            begun=True,
        ),
    ]


def upgrades() -> list[Entry]:
    source = "RFC 9110, 7.8"
    found = [
        either(f"upgrade to {name}", source, get(b"Connection: Upgrade", b"Upgrade: " + value))
        for name, value in UPGRADES.items()
    ]
    ask = (b"Connection: Upgrade", b"Upgrade: websocket")
    switched = Step(frozenset((101,)), Arrival(b"GET", ASKED))
    return [
        *found,
        either(
            "h2c as asked for",
            "h2c smuggling",
            get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"),
        ),
        either("h2c in a second field", "h2c smuggling", get(*ask, b"Upgrade: h2c")),
        either(
            "h2c, then its preface",
            "h2c smuggling",
            get(b"Connection: Upgrade", b"Upgrade: h2c") + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ),
        refused("upgrade with a body", source, post(*ask, b"Content-Length: 5", body=HELLO)),
        refused("upgrade with chunks", source, post(*ask, b"Transfer-Encoding: chunked", body=CHUNKED_HELLO)),
        refused("upgrade of a GET with a body", source, get(*ask, b"Content-Length: %d" % len(HIDDEN)) + HIDDEN),
        refused(
            "upgrade to h2c with a body",
            "h2c smuggling",
            post(b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: 5", body=HELLO),
        ),
        either("upgrade with length 0", source, post(*ask, b"Content-Length: 0"), Arrival(b"POST", ASKED)),
        passed("upgrade without Connection", source, get(b"Upgrade: websocket")),
        passed("upgrade in 1.0", source, get(*ask, b"Connection: keep-alive", line=b"GET " + TO + b" HTTP/1.0")),
        passed(
            "a websocket refused, then a request",
            "websocket smuggling",
            get(*WEBSOCKET) + HIDDEN,
            arrives=(Arrival(b"GET", ASKED), SMUGGLED),
        ),
        passed(
            "a websocket of no version, then a request",
            "websocket smuggling",
            get(*ask, b"Sec-WebSocket-Version: 1337") + HIDDEN,
            arrives=(Arrival(b"GET", ASKED), SMUGGLED),
        ),
        Entry(
            "a websocket granted, then a request",
            "RFC 6455, 4.1",
            (get(*WEBSOCKET) + HIDDEN, 0.05, END),
            (switched,),
            way=Way.SWITCHES,
            raw=HIDDEN,
        ),
        Entry(
            "a websocket granted, then line ends",
            "RFC 6455, 4.1",
            (get(*WEBSOCKET), b"\r\n\r\n", 0.05, END),
            (switched,),
            way=Way.SWITCHES,
            raw=b"\r\n\r\n",
        ),
    ]


def expectations() -> list[Entry]:
    source, length, expect = "RFC 9110, 10.1.1", b"Content-Length: 5", b"Expect: 100-continue"
    found = [
        refused(f"expect {name}", source, post(b"Expect: " + value, length, body=HELLO), status=(400, 417))
        for name, value in EXPECTATIONS.items()
    ]
    return [
        *found,
        refused("expect twice", source, post(expect, expect, length, body=HELLO), status=(400, 417)),
        refused("expect behind a bare line feed", source, post(b"A: b\nExpect: 100-continue", length, body=HELLO)),
        refused("expect, folded", source, post(b"Expect:", b" 100-continue", length, body=HELLO)),
        refused("expect with a space before the colon", source, post(b"Expect : 100-continue", length, body=HELLO)),
        refused(
            "expect and both lengths", source, post(expect, length, b"Transfer-Encoding: chunked", body=CHUNKED_HELLO)
        ),
        passed("expect and a body at once", source, post(expect, length, body=HELLO), arrives=POSTED),
        passed("expect and a body later", source, post(expect, length), 0.05, HELLO, arrives=POSTED),
        passed("expect and chunks", source, post(expect, b"Transfer-Encoding: chunked"), CHUNKED_HELLO, arrives=POSTED),
        passed("expect in capitals", source, post(b"EXPECT: 100-CONTINUE", length, body=HELLO), arrives=POSTED),
        passed("expect without a body", source, get(expect)),
        passed("expect with length 0", source, post(expect, b"Content-Length: 0"), arrives=Arrival(b"POST", ASKED)),
        passed("expect in 1.0", source, post(expect, length, body=HELLO, version=b"1.0"), arrives=POSTED, stays=False),
        passed(
            "expect cake in 1.0",
            source,
            post(b"Expect: cake", length, body=HELLO, version=b"1.0"),
            arrives=POSTED,
            stays=False,
        ),
        passed(
            "expect, and Connection names it",
            source,
            post(expect, length, b"Connection: expect", body=HELLO),
            arrives=POSTED,
        ),
        passed(
            "expect, then a request in place of the body",
            "0.CL by Expect",
            post(expect, b"Content-Length: %d" % len(HIDDEN)),
            HIDDEN,
            arrives=Arrival(b"POST", ASKED, HIDDEN),
        ),
        refused("expect, and the body never comes", source, post(expect, length), status=408, begun=True),
        Entry(
            "an answer before the body",
            "RFC 9112, 9.3",
            (post(length, body=b"he"),),
            (
                Step(
                    frozenset((413,)),
                ),
            ),
            begun=True,
            way=Way.EARLY,
        ),
        Entry(
            "an answer before the body, then a request",
            "0.CL",
            (post(length, body=b"he"), 0.05, b"llo" + HIDDEN),
            (
                Step(
                    frozenset((413,)),
                ),
            ),
            begun=True,
            way=Way.EARLY,
        ),
    ]


ENTRIES = hops() + forged() + upgrades() + expectations()
