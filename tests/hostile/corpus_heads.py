"""Field names, values, line ends and Host: what is no token, no text, no line."""

from __future__ import annotations

from tests.hostile.entry import ASKED, TO, Entry, either, elsewhere, get, passed, post, refused, then_refused
from tests.hostile.meant import Arrival

LINE = b"GET " + TO + b" HTTP/1.1\r\n"

NAMES = {
    "space before the colon": b"A : b",
    "tab before the colon": b"A\t: b",
    "space inside": b"A B: c",
    "bracket": b"A(: b",
    "square brackets": b"A[0]: b",
    "braces": b"{A}: b",
    "at": b"@A: b",
    "slash": b"A/B: c",
    "backslash": b"A\\: b",
    "equals": b"A=B: c",
    "semicolon": b"A;B: c",
    "comma": b"A,B: c",
    "quotes": b'"A": b',
    "nul": b"A\0: b",
    "delete": b"A\x7f: b",
    "non-ascii": b"\xc3\xa4: b",
    "empty": b": b",
    "no colon": b"A",
    "only spaces": b"  ",
    "question mark": b"A?: b",
    "less than": b"<A>: b",
    "control": b"A\x01: b",
}

CONTROLS = (0x00, 0x01, 0x07, 0x08, 0x0B, 0x0C, 0x0E, 0x1B, 0x1F, 0x7F)

LINE_ENDS = {
    "all line feeds": get().replace(b"\r\n", b"\n"),
    "all returns": get().replace(b"\r\n", b"\r") + b"\r\n\r\n",
    "line feed after the request line": LINE[:-2] + b"\nHost: g\r\n\r\n",
    "line feed after a field": LINE + b"Host: g\nA: b\r\n\r\n",
    "line feed at the end": LINE + b"Host: g\r\n\n",
    "line feed before the end": LINE + b"Host: g\n\r\n",
    "two line feeds at the end": LINE + b"Host: g\n\n",
    "return before the line's end": LINE + b"Host: g\r\r\n\r\n",
    "return inside a value": get(b"A: b\rC: d"),
    "return before a value": get(b"A:\rb"),
    "line feed inside a value": get(b"A: b\nC: d"),
    "return at the end of a value": get(b"A: b\r"),
    "request line ends in return": LINE[:-2] + b"\rHost: g\r\n\r\n",
    "return and spaces at the end": LINE + b"Host: g\r \n\r\n",
    "line feed, return": LINE + b"Host: g\n\r\n\r\n",
    "empty line before": b"\r\n" + get(),
    "two empty lines before": b"\r\n\r\n" + get(),
    "line feed before": b"\n" + get(),
    "return before": b"\r" + get(),
    "line separator": get(b"A: b\x0bC: d"),
    "next line": LINE + b"Host: g\x85\r\n\r\n",
}

FOLDS = {
    "space": (b"A: b", b" c"),
    "tab": (b"A: b", b"\tc"),
    "empty": (b"A: b", b" "),
    "a field of its own": (b"A: b", b" Content-Length: 5"),
    "of the first value": (b"A:", b" b"),
}

BAD_HOSTS = {
    "empty": b"",
    "list": b"g, h",
    "user": b"u@g",
    "path": b"g/x",
    "query": b"g?x",
    "fragment": b"g#x",
    "two ports": b"g:80:80",
    "port name": b"g:http",
    "negative port": b"g:-1",
    "port with a sign": b"g:+80",
    "open bracket": b"[::1",
    "space": b"g h",
    "tab": b"g\th",
    "backslash": b"g\\h",
    "quotes": b'"g"',
    "markup": b"<script>",
    "unicode": b"\xc3\xa4.example",
    "nul": b"g\0",
    "encoded nul": b"g%00",
    "encoded": b"%67",
    "url": b"http://g",
    "long port": b"g:999999",
    "only a port": b":80",
    "port in brackets": b"[::1:80",
    "curly": b"{g}",
    "star": b"*",
}


def fields() -> list[Entry]:
    found = [refused(f"name, {name}", "RFC 9112, 5.1", get(line)) for name, line in NAMES.items()]
    found += [
        refused(f"name first, {name}", "RFC 9112, 5.1", LINE + line + b"\r\nHost: g\r\n\r\n")
        for name, line in NAMES.items()
    ]
    for control in CONTROLS:
        value = b"b%cc" % control
        found.append(refused(f"value with {control:#04x}", "RFC 9110, 5.5", get(b"A: " + value)))
    found += [
        refused("value of one nul", "RFC 9110, 5.5", get(b"A: \0")),
        refused("value behind a control", "RFC 9110, 5.5", get(b"A: \x0b b")),
        either("value in latin 1", "RFC 9110, 5.5", get(b"A: \xe4\xff")),
        passed("empty value", "RFC 9110, 5.5", get(b"A:", b"B: \t ")),
        passed("strange tokens", "RFC 9110, 5.6.2", get(b"!#$%&'*+-.^_`|~: b")),
    ]
    found += [refused(f"folded, {name}", "RFC 9112, 5.2", get(*lines)) for name, lines in FOLDS.items()]
    found += [
        refused("folded host", "RFC 9112, 5.2", get(host=b"Host:\r\n g\r\n")),
        refused("folded before any field", "RFC 9112, 2.2", LINE + b" Host: g\r\n\r\n"),
        refused("folded before any field, hidden", "RFC 9112, 2.2", LINE + b" A: b\r\nHost: g\r\n\r\n"),
        refused("folded empty line", "RFC 9112, 2.2", LINE + b"Host: g\r\n \r\nA: b\r\n\r\n"),
    ]
    return found


def line_ends() -> list[Entry]:
    found = [refused(f"line ends, {name}", "RFC 9112, 2.2", data) for name, data in LINE_ENDS.items()]
    posted = Arrival(b"POST", ASKED, b"hello")
    return [
        *found,
        then_refused(
            "an empty line after a body",
            "RFC 9112, 2.2",
            post(b"Content-Length: 5", body=b"hello\r\n") + get(),
            arrives=posted,
        ),
        then_refused(
            "a line feed after a body",
            "RFC 9112, 2.2",
            post(b"Content-Length: 5", body=b"hello\n") + get(),
            arrives=posted,
        ),
    ]


def hosts() -> list[Entry]:
    source = "RFC 9112, 3.2"
    found = [
        refused(f"host, {name}", source, get(host=b"Host: " + value + b"\r\n")) for name, value in BAD_HOSTS.items()
    ]
    return [
        *found,
        refused("no host", source, get(host=b"")),
        refused("two hosts", source, get(b"Host: g")),
        refused("two hosts that differ", source, get(b"Host: h")),
        refused("two hosts in two cases", source, get(b"HOST: h")),
        refused("two hosts, far apart", source, get(*[b"A: b"] * 50, b"Host: h")),
        refused("two hosts, the second folded", source, get(b"A: b", b" ", b"Host: h")),
        refused("host with a space before the colon", source, get(host=b"Host : g\r\n")),
        refused("host behind a space and another", source, get(b" Host: h")),
        refused("host behind a bare return", source, get(b"A: b\rHost: h")),
        refused("host with a nul in its name", source, get(b"Host\0: h")),
        refused("two hosts in 1.0", source, get(b"Host: h", line=b"GET " + TO + b" HTTP/1.0")),
        refused("empty host and a good one", source, get(b"Host:")),
        either("host with a port too large", source, get(host=b"Host: g:99999\r\n")),
        either("host with an empty port", source, get(host=b"Host: g:\r\n")),
        passed("host that is an address", source, get(host=b"Host: [::1]:7554\r\n")),
        passed("host that nobody knows", source, get(host=b"hOST:\tevil.example\r\n")),
        passed("no host in 1.0", source, get(host=b"", line=b"GET " + TO + b" HTTP/1.0"), stays=False),
        passed(
            "hosts by other names",
            "routing by header",
            get(b"X-Host: h", b"X-Original-URL: /smuggled", b"X-Rewrite-URL: /smuggled"),
        ),
        either("host with an underscore", "CGI names", get(b"Host_: h")),
        elsewhere(
            "markup in the service's id", "reflected markup", get(line=b"GET /<script>alert(1)</script>/x HTTP/1.1")
        ),
    ]


ENTRIES = fields() + line_ends() + hosts()
