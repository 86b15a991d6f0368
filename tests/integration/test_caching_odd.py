"""What is not asked as it should be: bodies, methods, heads; and the errors' own form."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from tests.integration.caching_rig import BASE, PORT, Caller, Instance, served

SECRET = "s3cr3t"


@pytest.fixture(scope="module", params=["vsam", "inMemory"])
def instance(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with served(request.param, tmp_path_factory.mktemp("caching")) as made:
        yield made


@pytest.fixture
async def me(instance: Instance) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession() as session:
        yield Caller(session, instance)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('{"key":"k","value":"s3cr3t",}', "line 1, column 29 (byte 28)"),
        ('{\n "key": "k",\n "value": "s3cr3t"\n', "line 4, column 1 (byte 34)"),
        ('{"key":"ü", "value":"s3cr3t" ; }', "line 1, column 30 (byte 30)"),
        ('\n{"key":"k","value":"s3cr3t', "line 2, column 27 (byte 27)"),
        ('{"key":"k","value":"s3cr3t\\x"}', "column 29"),
        ('{"key":"k","value":"s3cr3t\\ud800"}', "surrogate"),
        ('{"key":"k","value":s3cr3t}', "column 20"),
        ("s3cr3t", "column 1 "),
        ('{"key":"k","value":"s3cr3t"} s3cr3t', "column 31"),
        ('{"key":"k","value":["s3cr3t"]}', "`$.value`"),
        ('{"key":{"s3cr3t":1},"value":"s3cr3t"}', "`$.key`"),
        ('{"key":"k","value":"s3cr3t","ttlSeconds":"s3cr3t"}', "`$.ttlSeconds`"),
        ('{"key":"k","value":"s3cr3t","ttlSeconds":0}', "`$.ttlSeconds`"),
        ('{"key":"","value":"s3cr3t"}', "`$.key`"),
        ('{"key":"k","s3cr3t":"s3cr3t"}', "`value`"),
        ('{"value":"s3cr3t"}', "`key`"),
        ('["s3cr3t"]', "array"),
        ('{"key":"k","value":"s3cr3t","more":' + "[" * 50_000, "deeply"),
        (b'{"key":"k",\n"value":"s3cr3t\xff"}', "line 2, column 16 (byte 27)"),
        (b'\xff\xfe{\0"\0k\0', "line 1, column 1 (byte 0)"),
    ],
    ids=lambda each: None if isinstance(each, bytes) else each[:40],
)
async def test_a_body_that_is_none_is_told_where_and_never_what(me: Caller, body: str | bytes, says: str) -> None:
    for method, path in (("POST", "/cache"), ("PUT", "/cache/"), ("POST", "/cache-list/m")):
        refused = await me.ask(method, path, body if isinstance(body, bytes) else body.encode())
        assert refused.status == 400
        assert says in refused.error
        assert SECRET not in refused.content.decode()
        assert refused.json["messages"][0]["messageNumber"] == "ZWECS130E"
    assert await me.keys() == set()


def test_neither_is_it_in_the_log(instance: Instance) -> None:
    assert SECRET not in instance.logged
    assert "Traceback" not in instance.logged


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/cache", {"GET", "HEAD", "POST", "PUT", "DELETE"}),
        ("/cache/k", {"GET", "HEAD", "PUT", "DELETE"}),
        ("/cache-list", {"GET", "HEAD"}),
        ("/cache-list/m", {"GET", "HEAD", "POST"}),
        ("/cache-list/evict/rules/m", {"DELETE"}),
        ("/openapi.json", {"GET", "HEAD"}),
    ],
)
async def test_other_methods_are_told_which_there_are(me: Caller, path: str, allowed: set[str]) -> None:
    for slash in ("", "/"):
        for method in {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"} - allowed:
            refused = await me.ask(method, path + slash, b"x" if method in ("POST", "PUT") else None)
            assert refused.status == 405
            assert set(refused.headers["Allow"].replace(" ", "").split(",")) == allowed
            if method != "HEAD":
                assert refused.json["messages"][0]["messageNumber"] == "ZWEAO405E"


async def test_head_is_get_without_the_body_everywhere(me: Caller) -> None:
    await me.ask("POST", "/cache", {"key": "k", "value": "v"})
    for path in ("/cache/k", "/cache", "/cache?limit=1", "/cache-list", "/cache-list/m", "/openapi.json"):
        got, head = await me.ask("GET", path), await me.ask("HEAD", path)
        assert (head.status, head.content) == (200, b"")
        for name in ("Content-Type", "Content-Length", "ETag", "Link"):
            assert head.headers.get(name) == got.headers.get(name)
    assert (await me.ask("HEAD", "/cache/none")).status == 404


def ask_raw(instance: Instance, head: bytes) -> tuple[int, bytes]:
    with socket.create_connection((instance.host, PORT), 10) as connection:
        connection.sendall(head)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
    return int(answer.split()[1]), answer


@pytest.mark.parametrize(
    ("line", "fields", "status"),
    [
        (b"GET %b/cache/k HTTP/1.1", b"X-CS-Service-ID: a\r\nX-CS-Service-ID: b\r\n", 401),
        (b"GET %b/cache/k HTTP/1.1", b"X-CS-Service-ID: \xff\r\n", 401),
        (b"DELETE %b/cache/k HTTP/1.1", b'X-CS-Service-ID: a\r\nIf-Match: "a"\r\nIf-Match: "b"\r\n', 412),
        (b"DELETE %b/cache/k HTTP/1.1", b'X-CS-Service-ID: a\r\nIf-Match: "a"\r\nIf-Match: b\r\n', 400),
        (b"PUT %b/cache/k HTTP/1.1", b"X-CS-Service-ID: a\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\n", 400),
        (b"PUT %b/cache/k HTTP/1.1", b"X-CS-Service-ID: a\r\nX-Cache-TTL: 1\r\nX-Cache-TTL: 1\r\n", 400),
        (b"GET %b/cache/k HTTP/1.1", b"X-CS-Service-ID: a\r\nIf-None-Match: \"\xff\"\r\n", 404),
    ],
)  # fmt: skip
def test_heads_that_no_client_sends(instance: Instance, line: bytes, fields: bytes, status: int) -> None:
    head = line % BASE.encode() + b"\r\nHost: x\r\nConnection: close\r\n" + fields + b"\r\n"
    assert ask_raw(instance, head)[0] == status
    assert "Traceback" not in instance.logged


MALFORMED = [
    (b"GET", b"/cache/\xff", b"", b""),
    (b"GET", b"/cache?prefix=\xff", b"", b""),
    (b"GET", b"/cache/a b", b"", b""),
    (b"PUT", b"/cache/k", b"Transfer-Encoding: chunked\r\n", b"s3cr3t\r\n"),
    (b"PUT", b"/cache/k", b"Transfer-Encoding: chunked\r\n", b"6\r\ns3cr3ts3cr3t\r\n0\r\n\r\n"),
    (b"PUT", b"/cache/k", b"Content-Encoding: gzip\r\nContent-Length: 6\r\n", b"s3cr3t"),
    (b"PUT", b"/cache/k", b"Content-Length: s3cr3t\r\n", b""),
    (b"PUT", b"/cache/k", b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", b"s3cr3t"),
]


@pytest.mark.parametrize(("method", "path", "fields", "body"), MALFORMED)
def test_what_is_no_http_is_refused_and_not_quoted_in_the_log(
    instance: Instance, method: bytes, path: bytes, fields: bytes, body: bytes
) -> None:
    line = b"%b %b%b HTTP/1.1\r\n" % (method, BASE.encode(), path)
    assert ask_raw(instance, line + b"Host: x\r\nX-CS-Service-ID: a\r\n" + fields + b"\r\n" + body)[0] == 400
    assert SECRET not in instance.logged
    assert "Traceback" not in instance.logged
