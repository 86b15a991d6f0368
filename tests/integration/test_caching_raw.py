"""Raw bodies: they come back as they came, whatever they are; and keys as they are spelled in paths."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from tests.integration.caching_rig import BACKENDS, Caller, Instance, served

MIB = 1 << 20


@pytest.fixture(scope="module", params=BACKENDS)
def instance(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with served(request.param, tmp_path_factory.mktemp("caching")) as made:
        yield made


@pytest.fixture
async def me(instance: Instance) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession() as session:
        yield Caller(session, instance)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "text/plain"),
        (b"plain", "text/plain"),
        ("Grüße".encode(), "text/plain; charset=utf-8"),
        ("Grüße".encode("latin-1"), 'text/plain;charset="iso-8859-1"'),
        (bytes(range(256)) * 40, "application/octet-stream"),
        (b"<script>alert(1)</script>", "text/html"),
        (b'{"key": "no pair"}', "application/json"),
        (b"\0" * 30_000, "application/vnd.example+zip; v=1"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "message/http"),
        (b"x", "x" * 255),
    ],
    ids=lambda each: None if isinstance(each, bytes) else each[:30],
)
async def test_a_body_comes_back_as_it_came(me: Caller, body: bytes, kind: str) -> None:
    assert (await me.ask("PUT", "/cache/k", body, Content_Type=kind)).status == 201
    found = await me.ask("GET", "/cache/k")
    assert (found.status, found.content, found.headers["Content-Type"]) == (200, body, kind)
    assert found.headers["Content-Length"] == str(len(body))
    assert found.headers["X-Cache-Form"] == "raw"
    assert found.headers["X-Content-Type-Options"] == "nosniff"
    assert found.headers["Cache-Control"] == "private, no-cache"
    head = await me.ask("HEAD", "/cache/k")
    assert (head.status, head.content, head.headers.get("Content-Length", "0")) == (200, b"", str(len(body)))


async def test_a_body_without_a_type_is_bytes(me: Caller) -> None:
    await me.ask("PUT", "/cache/k", b"x")
    assert (await me.ask("GET", "/cache/k")).headers["Content-Type"] == "application/octet-stream"


async def test_a_pair_is_no_raw_body(me: Caller) -> None:
    await me.ask("POST", "/cache", {"key": "k", "value": "v"})
    found = await me.ask("GET", "/cache/k")
    assert found.headers["Content-Type"] == "application/json"
    assert "X-Cache-Form" not in found.headers
    assert set(found.json) == {"key", "value", "created"}


async def test_one_form_replaces_the_other(me: Caller) -> None:
    await me.ask("POST", "/cache", {"key": "k", "value": "v"})
    assert (await me.ask("PUT", "/cache/k", b"raw", Content_Type="text/plain")).status == 204
    assert (await me.ask("GET", "/cache/k")).content == b"raw"
    assert (await me.ask("PUT", "/cache", {"key": "k", "value": "pair"})).status == 204
    assert (await me.ask("GET", "/cache/k")).json["value"] == "pair"


async def test_a_body_may_be_put_as_the_value_of_a_pair(me: Caller) -> None:
    await me.ask("PUT", "/cache/k", "ü".encode(), X_Cache_Form="pair", Content_Type="a/b")
    found = await me.ask("GET", "/cache/k")
    assert (found.json["key"], found.json["value"]) == ("k", "ü")
    assert "X-Cache-Form" not in found.headers
    refused = await me.ask("PUT", "/cache/k", b"one\nsecret\xff", X_Cache_Form="pair")
    assert refused.status == 400
    assert "line 2, column 7 (byte 10)" in refused.error
    assert "secret" not in refused.error
    await me.ask("PUT", "/cache/k", b"x", X_Cache_Form="raw", Content_Type="a/b")
    assert (await me.ask("GET", "/cache/k")).headers["Content-Type"] == "a/b"
    assert (await me.ask("PUT", "/cache/k", b"y", X_Cache_Form="pear")).status == 400


@pytest.mark.parametrize("kind", ["", "x" * 256, "text/plain; x=ä", "a\tb"])
async def test_types_that_are_none(me: Caller, kind: str) -> None:
    refused = await me.ask("PUT", "/cache/k", b"x", Content_Type=kind)
    assert refused.status == 400
    assert "Content-Type" in refused.error


async def test_lists_hold_raw_bodies_as_text_or_in_base64(me: Caller) -> None:
    await me.ask("POST", "/cache", {"key": "pair", "value": "ü"})
    await me.ask("PUT", "/cache/text", "ü".encode(), Content_Type="text/plain")
    await me.ask("PUT", "/cache/bytes", b"\xff\0", Content_Type="a/b")
    await me.ask("PUT", "/cache/empty", b"", Content_Type="c/d")
    for path in ("/cache", "/cache?limit=10"):
        found = (await me.ask("GET", path)).json
        names = ("value", "valueBase64", "contentType")
        said = {key: {name: view.get(name) for name in names} for key, view in found.items()}
        assert said == {
            "pair": {"value": "ü", "valueBase64": None, "contentType": None},
            "text": {"value": "ü", "valueBase64": None, "contentType": "text/plain"},
            "bytes": {"value": None, "valueBase64": base64.b64encode(b"\xff\0").decode(), "contentType": "a/b"},
            "empty": {"value": None, "valueBase64": None, "contentType": "c/d"},
        }


async def test_a_body_in_chunks_is_as_one_of_known_length(me: Caller) -> None:
    async def pieces(*all: bytes) -> AsyncIterator[bytes]:
        for each in all:
            yield each

    assert (await me.ask("PUT", "/cache/k", pieces(b"a", b"b" * 20_000, b"c"), Content_Type="a/b")).status == 201
    assert (await me.ask("GET", "/cache/k")).content == b"a" + b"b" * 20_000 + b"c"
    assert (await me.ask("POST", "/cache", pieces(b'{"key":"p",', b'"value":"v"}'))).status == 201
    assert (await me.ask("GET", "/cache/p")).json["value"] == "v"
    too_long = await me.ask("PUT", "/cache/long", pieces(*[b"x" * 65_536] * 20))
    assert too_long.status == 413
    assert (await me.ask("GET", "/cache/long")).status == 404


async def test_the_longest_body_and_one_byte_more(me: Caller) -> None:
    """Of a vsam data set it is the record that is too short."""
    vsam = me.instance.storage.startswith("vsam")
    most = 32_000 if vsam else MIB - 1
    body = bytes(each % 251 for each in range(most))
    assert (await me.ask("PUT", "/cache/k", body)).status == 201
    assert (await me.ask("GET", "/cache/k")).content == body
    for size in (MIB + 1, *([32_761] if vsam else [])):
        refused = await me.ask("PUT", "/cache/k", b"x" * size)
        assert refused.status == 413
        assert refused.json["messages"][0]["messageNumber"] == "ZWECS130E"
    assert (await me.ask("GET", "/cache/k")).content == body


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("a%20b", "a b"), ("a+b", "a+b"), ("a%2Fb", "a/b"), ("%2F", "/"), ("%252F", "%2F"), ("%C3%BC", "ü"),
        ("%F0%90%8D%88", "𐍈"), ("...", "..."), ("a..b", "a..b"), ("%2E%2Ea", "..a"), ("a;b=c", "a;b=c"),
        ("%3Fq%23f", "?q#f"), ("a%00b", "a\0b"), ("a&b", "a&b"), ("'*()!$,", "'*()!$,"), ("%22", '"'),
        ("a%0D%0AX:1", "a\r\nX:1"), ("~-_", "~-_"), ("%ef%bf%bf", "\uffff"), ("%25FF", "%FF"),
    ],
)  # fmt: skip
async def test_a_key_in_a_path_is_the_one_in_a_list(me: Caller, path: str, key: str) -> None:
    made = await me.ask("PUT", f"/cache/{path}", b"v")
    assert made.status == 201
    assert await me.keys() == {key}
    assert (await me.ask("POST", "/cache", {"key": key, "value": "v"})).etag == made.etag  # 409
    assert (await me.ask("GET", f"/cache/{path}")).content == b"v"
    assert (await me.ask("DELETE", f"/cache/{path}")).status == 204
    assert await me.keys() == set()


@pytest.mark.parametrize("path", ["%FF", "a%C3", "%ED%A0%80"])
async def test_a_key_that_is_no_utf_8_is_refused(me: Caller, path: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        assert (await me.ask(method, f"/cache/{path}")).status == 400
    assert await me.keys() == set()


def test_no_value_and_no_defect_is_in_the_log(instance: Instance) -> None:
    assert "alert(1)" not in instance.logged
    assert "Traceback" not in instance.logged
