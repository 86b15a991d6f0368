"""Request lines, targets and paths: games with spaces, versions, forms, and ways out of the route."""

from __future__ import annotations

from tests.hostile.entry import ASKED, HIDDEN, TO, Entry, either, elsewhere, get, passed, refused
from tests.hostile.meant import INNER, PUBLIC, Arrival

LINES = {
    "tab for the first space": b"GET\t" + TO + b" HTTP/1.1",
    "tab for the second space": b"GET " + TO + b"\tHTTP/1.1",
    "two spaces first": b"GET  " + TO + b" HTTP/1.1",
    "two spaces second": b"GET " + TO + b"  HTTP/1.1",
    "space at the end": b"GET " + TO + b" HTTP/1.1 ",
    "tab at the end": b"GET " + TO + b" HTTP/1.1\t",
    "space at the start": b" GET " + TO + b" HTTP/1.1",
    "tab at the start": b"\tGET " + TO + b" HTTP/1.1",
    "nul at the start": b"\0GET " + TO + b" HTTP/1.1",
    "byte order mark": b"\xef\xbb\xbfGET " + TO + b" HTTP/1.1",
    "vertical tab for a space": b"GET\x0b" + TO + b" HTTP/1.1",
    "form feed for a space": b"GET " + TO + b"\x0cHTTP/1.1",
    "no version": b"GET " + TO,
    "no target": b"GET HTTP/1.1",
    "empty target": b"GET  HTTP/1.1",
    "only a method": b"GET",
    "no method": TO + b" HTTP/1.1",
    "space in the target": b"GET " + TO + b" x HTTP/1.1",
    "two versions": b"GET " + TO + b" HTTP/1.1 HTTP/1.1",
    "a request in the line": b"GET " + TO + b" HTTP/1.1 GET /x HTTP/1.1",
    "version in small letters": b"GET " + TO + b" http/1.1",
    "version 1": b"GET " + TO + b" HTTP/1",
    "version 1.": b"GET " + TO + b" HTTP/1.",
    "version 1.10": b"GET " + TO + b" HTTP/1.10",
    "version 01.1": b"GET " + TO + b" HTTP/01.1",
    "version 1.1.1": b"GET " + TO + b" HTTP/1.1.1",
    "version -1.1": b"GET " + TO + b" HTTP/-1.1",
    "version with a comma": b"GET " + TO + b" HTTP/1,1",
    "version with a space": b"GET " + TO + b" HTTP /1.1",
    "version with a letter": b"GET " + TO + b" HTTP/1.x",
    "nul in the version": b"GET " + TO + b" HTTP/1.1\0",
    "HTTPS": b"GET " + TO + b" HTTPS/1.1",
    "HTP": b"GET " + TO + b" HTP/1.1",
    "RTSP": b"GET " + TO + b" RTSP/1.0",
    "ICE": b"GET " + TO + b" ICE/1.0",
    "an answer": b"HTTP/1.1 200 OK",
    "a proxy's greeting": b"PROXY TCP4 6.6.6.6 6.6.6.6 1 1",
    "SMTP": b"EHLO g",
    "SSH": b"SSH-2.0-OpenSSH_9.2",
    "Redis": b"*1\r\n$4\r\nPING",
    "JSON": b'{"jsonrpc": "2.0"}',
    "nul in the method": b"GE\0T " + TO + b" HTTP/1.1",
    "at in the method": b"G@T " + TO + b" HTTP/1.1",
    "brackets in the method": b"(GET) " + TO + b" HTTP/1.1",
    "colon in the method": b"GET: " + TO + b" HTTP/1.1",
    "umlaut in the method": b"G\xc3\x8bT " + TO + b" HTTP/1.1",
    "quotes around the method": b'"GET" ' + TO + b" HTTP/1.1",
    "bare return in the line": b"GET " + TO + b"\r HTTP/1.1",
    "delete in the target": b"GET " + TO + b"\x7f HTTP/1.1",
    "utf-8 in the target": b"GET " + TO + b"/\xc3\xa4 HTTP/1.1",
    "nul in the target": b"GET " + TO + b"\0 HTTP/1.1",
    "control in the query": b"GET " + TO + b"?a=\x01 HTTP/1.1",
}

STATUS_OF_LINES = {
    "version 1.2": (505, b"GET " + TO + b" HTTP/1.2"),
    "version 2.0": (505, b"GET " + TO + b" HTTP/2.0"),
    "version 0.9": (505, b"GET " + TO + b" HTTP/0.9"),
    "version 9.9": (505, b"GET " + TO + b" HTTP/9.9"),
    "connect": (501, b"CONNECT g:443 HTTP/1.1"),
    "connect with a path": (501, b"CONNECT " + TO + b" HTTP/1.1"),
    "method in small letters": (501, b"get " + TO + b" HTTP/1.1"),
    "method in mixed letters": (501, b"Get " + TO + b" HTTP/1.1"),
    "unknown method": (501, b"FROB " + TO + b" HTTP/1.1"),
    "source": (501, b"SOURCE " + TO + b" HTTP/1.1"),
    "track": (501, b"TRACK " + TO + b" HTTP/1.1"),
    "describe": (501, b"DESCRIBE " + TO + b" HTTP/1.1"),
    "longer method": (501, b"GETX " + TO + b" HTTP/1.1"),
    "underscore method": (501, b"GET_ " + TO + b" HTTP/1.1"),
}

BAD_TARGETS = {
    "asterisk": b"*",
    "no slash": b"shop/api/v1/asked",
    "fragment": TO + b"#f",
    "fragment in the query": TO + b"?a#b",
    "authority": b"g:80",
    "another host": b"http://h" + TO,
    "user": b"http://u@g" + TO,
    "user and password": b"http://u:p@g" + TO,
    "no host": b"http://" + TO,
    "one slash": b"http:/" + TO[1:],
    "ftp": b"ftp://g" + TO,
    "file": b"file://" + TO,
    "url fragment": b"http://g" + TO + b"#f",
    "backslash host": b"http://g\\@h" + TO,
    "gopher": b"gopher://g" + TO,
    "javascript": b"javascript:alert(1)",
    "host with a nul": b"http://g%00" + TO,
    "only a dot": b".",
    "only dots": b"..",
    "backslash": b"\\shop\\api\\v1\\asked",
    "question mark": b"?a=b",
    "percent": TO + b"%",
    "percent and one digit": TO + b"%1",
    "percent and no digits": TO + b"%zz",
    "percent u": TO + b"%u002e",
    "encoded nul": TO + b"%00",
    "encoded nul before a suffix": TO + b"%00.html",
    "backslash in the path": TO + b"\\x",
    "dots by backslash": PUBLIC + b"\\..\\..\\x",
    "climbing": b"/../asked",
    "climbing, encoded": b"/%2e%2e/asked",
    "climbing far": PUBLIC + b"/../../../../etc/passwd",
    "dots with encoded slash": PUBLIC + b"/..%2f..%2fx",
    "encoded dots and slash": PUBLIC + b"/%2e%2e%2f%2e%2e%2fx",
    "dots with encoded backslash": PUBLIC + b"/..%5c..%5cx",
    "encoded dots and backslash": PUBLIC + b"/%2e%2e%5cx",
    "dot with encoded slash": PUBLIC + b"/.%2fx",
    "encoded slash before dots": PUBLIC + b"/a%2f..%2f..%2fx",
    "encoded slash and last dots": PUBLIC + b"/a%2f..",
}

ELSEWHERE = {
    "dots to another service": PUBLIC + b"/../../../other/api/v1/x",
    "encoded dots to another service": PUBLIC + b"/%2e%2e/%2E%2e/x",
    "dots out of the route": PUBLIC + b"/../v2/asked",
    "mixed dots out of the route": PUBLIC + b"/.%2e/v2/asked",
    "mixed dots out, the other way": PUBLIC + b"/%2e./v2/asked",
    "two slashes first": b"/" + TO,
    "a host in the path": b"//h" + TO,
    "two slashes inside": b"/shop//api/v1/asked",
    "capital service": b"/SHOP/api/v1/asked",
    "longer route": PUBLIC + b"evil/asked",
    "route with a number more": PUBLIC + b"0/asked",
    "encoded slash in the route": b"/shop/api%2fv1/asked",
    "route with a parameter": PUBLIC + b";a=b/asked",
    "discovery": b"/discovery/api/v1/x",
    "launcher": b"/launcher/api/v1/x",
    "root": b"/nothing/of/the/kind",
}

SAME = {
    "dots inside": PUBLIC + b"/a/../asked",
    "dot": PUBLIC + b"/./asked",
    "dots around the route": PUBLIC + b"/../v1/asked",
    "encoded letters": b"/%73hop/api/v1/ask%65d",
    "url": b"http://g" + TO,
    "url in capitals": b"HTTP://G" + TO,
    "https url": b"https://g" + TO,
}

AS_IT_IS = {
    "double encoded dots": b"/%252e%252e%252fx",
    "overlong dots": b"/%c0%ae%c0%ae/x",
    "encoded line end": b"/%0d%0aA:%20b",
    "encoded slash": b"/a%2Fb",
    "encoded backslash": b"/a%5cb",
    "empty segments": b"//a//b//",
    "three dots": b"/.../x",
    "parameters": b"/a;b=c/d",
    "bar and braces": b"/|{}",
    "dots in the query": b"?x=/../..",
    "encoded nul in the query": b"?x=%00",
    "url in the query": b"?u=http://h/",
    "two question marks": b"?a?b",
}

PARAMETERS = {
    "empty": b"/..;/x",
    "named": b"/..;a=b/x",
    "encoded": b"/%2e%2e;/x",
    "one dot": b"/.;/x",
    "last": b"/a/..;",
    "encoded sign": b"/..%3b/x",
}


def request(target: bytes, method: bytes = b"GET") -> bytes:
    return get(line=method + b" " + target + b" HTTP/1.1")


def entries() -> list[Entry]:
    source = "RFC 9112, 3"
    found = [refused(f"line, {name}", source, get(line=line)) for name, line in LINES.items()]
    found += [
        refused(f"line, {name}", source, get(line=line), status=status)
        for name, (status, line) in STATUS_OF_LINES.items()
    ]
    found += [refused(f"target, {name}", "RFC 9112, 3.2", request(target)) for name, target in BAD_TARGETS.items()]
    found += [elsewhere(f"target, {name}", "RFC 3986, 6.2.2", request(target)) for name, target in ELSEWHERE.items()]
    found += [passed(f"target, {name}", "RFC 3986, 6.2.2", request(target)) for name, target in SAME.items()]
    for name, rest in AS_IT_IS.items():
        found.append(
            passed(f"target, {name}", "RFC 3986, 6.2.2", request(PUBLIC + rest), arrives=Arrival(b"GET", INNER + rest))
        )
    for name, rest in PARAMETERS.items():
        arrives = Arrival(b"GET", INNER + rest.replace(b"%2e", b"."))
        found.append(
            either(f"dots with a parameter, {name}", "path parameters", request(PUBLIC + rest), arrives, (400, 404))
        )
    return found + special()


def special() -> list[Entry]:
    return [
        refused("0.9", "RFC 1945, 4.1", b"GET " + TO + b"\r\n"),
        refused("0.9 with a line feed", "RFC 1945, 4.1", b"GET " + TO + b"\n"),
        refused("preface of HTTP/2", "RFC 9113, 3.4", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", status=(400, 505)),
        refused("TLS", "another protocol", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 40),
        refused("proxy protocol 2", "another protocol", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\x06" * 12 + get()),
        refused("proxy protocol 1", "another protocol", b"PROXY TCP4 6.6.6.6 6.6.6.6 1 1\r\n" + get()),
        refused("nothing but zeros", "another protocol", b"\0" * 500),
        refused("nothing but line feeds", "RFC 9112, 2.2", b"\n" * 500),
        refused("nothing but line ends", "RFC 9112, 2.2", b"\r\n" * 500),
        refused("url without Host", "RFC 9112, 3.2", get(line=b"GET http://g" + TO + b" HTTP/1.1", host=b"")),
        refused("url and two hosts", "RFC 9112, 3.2", get(b"Host: h", line=b"GET http://g" + TO + b" HTTP/1.1")),
        refused(
            "url of another host, that is in Host too", "RFC 9112, 3.2.2", get(line=b"GET http://h" + TO + b" HTTP/1.1")
        ),
        either("url with the scheme's port", "RFC 9112, 3.2.2", request(b"http://g:80" + TO)),
        elsewhere("asterisk with OPTIONS", "RFC 9112, 3.2.4", request(b"*", b"OPTIONS"), (200, 400, 404)),
        elsewhere("url of a host only", "RFC 9112, 3.2.2", request(b"http://g"), (200, 404)),
        elsewhere(
            "url that hides another host in its query", "RFC 3986, 3.2", request(b"http://g?@h" + TO), (200, 400, 404)
        ),
        refused("asterisk with POST", "RFC 9112, 3.2.4", request(b"*", b"POST")),
        passed("trace", "RFC 9110, 9.3.8", request(TO, b"TRACE"), arrives=Arrival(b"TRACE", ASKED)),
        refused("a request behind a bad line", "RFC 9112, 3", b"GET " + TO + b"\r\n\r\n" + HIDDEN),
        refused("head asks badly", "RFC 9112, 3", get(b"A : b", line=b"HEAD " + TO + b" HTTP/1.1"), method=b"HEAD"),
    ]


ENTRIES = entries()
