"""The short way and aiohttp's answer alike: status, headers and body.

A key that begins with a character spelled with % goes through aiohttp; the same key spelled plainly does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import aiohttp
import pytest
from yarl import URL

from tests.integration.caching_rig import Instance, instances

ME = {"X-CS-Service-ID": "me"}
PLAIN, SPELLED = "/cache/k", "/cache/%6B"
BODY = b'{"key":"k","value":"v","ttlSeconds":60}'


@pytest.fixture(scope="module", params=["vsam:PLEX.CACHE?size=3&recordLength=2048", "inMemory?size=3"])
def instance(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    made = Instance(tmp_path_factory.mktemp("caching"), 1, storage=request.param, bodyBytes=4_000)
    with instances(made):
        yield made.up()


Call = tuple[str, str, bytes | None, dict[str, str]]

KEY = "Idempotency-Key"
MATCH, NONE_MATCH = "If-Match", "If-None-Match"
HISTORIES: list[list[Call]] = [
    [("GET", PLAIN, None, {})],
    [("PUT", PLAIN, b"raw", {"Content-Type": "text/plain"}), ("GET", PLAIN, None, {}), ("DELETE", PLAIN, None, {})],
    [("PUT", PLAIN, b"", {"X-Cache-TTL": "60"}), ("GET", PLAIN, None, {}), ("PUT", PLAIN, b"2", {NONE_MATCH: "*"})],
    [("PUT", PLAIN, b"x", {MATCH: '"1.a"'}), ("DELETE", PLAIN, None, {MATCH: '"1.a"'})],
    [("PUT", PLAIN, b"x", {MATCH: "nonsense"}), ("PUT", PLAIN, b"x", {"X-Cache-TTL": "0"})],
    [("PUT", PLAIN, b"x", {KEY: "a"}), ("PUT", PLAIN, b"y", {KEY: "a"}), ("GET", PLAIN, None, {})],
    [("PUT", PLAIN, b"x", {}), ("GET", PLAIN, None, {NONE_MATCH: "*"}), ("GET", PLAIN, None, {NONE_MATCH: "z"})],
    [("PUT", PLAIN, b"x" * 3_900, {}), ("PUT", PLAIN, b"x" * 5_000, {}), ("PUT", PLAIN, b"x", {"Content-Type": "\t"})],
]  # fmt: skip


@pytest.mark.parametrize("history", HISTORIES)
async def test_both_ways_of_a_key_answer_alike(instance: Instance, history: list[Call]) -> None:
    async with aiohttp.ClientSession() as session:
        seen = []
        for path in (PLAIN, SPELLED):
            await session.delete(f"{instance.url}/cache", headers=ME)
            seen.append([await said(session, instance, (method, path, *rest)) for method, _, *rest in history])
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    "body",
    [BODY, BODY.replace(b"60", b"0"), b"", b"{", b'{"key":"k"}', b'{"key":1,"value":"v"}', b'{"key":"","value":""}'],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("there", [False, True])
async def test_both_ways_of_a_pair_answer_alike(instance: Instance, method: str, body: bytes, there: bool) -> None:
    """A trailing slash goes through aiohttp."""
    async with aiohttp.ClientSession() as session:
        seen = []
        for path in ("/cache", "/cache/"):
            await session.delete(f"{instance.url}/cache", headers=ME)
            if there:
                await session.post(f"{instance.url}/cache", json={"key": "k", "value": "old"}, headers=ME)
            seen.append(await said(session, instance, (method, path, body, {})))
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    "fields", [{}, {"X-CS-Service-ID": " "}, {"X-CS-Service-ID": "gateway", "X-Forwarded-For": "1.2.3.4"}]
)
async def test_who_is_not_known_is_refused_on_both(instance: Instance, fields: dict[str, str]) -> None:
    async with aiohttp.ClientSession() as session:
        seen = [await said(session, instance, ("GET", path, None, fields), {}) for path in (PLAIN, SPELLED)]
    assert seen[0] == seen[1]
    assert seen[0][0] in (401, 403)


async def said(
    session: aiohttp.ClientSession, instance: Instance, call: Call, who: dict[str, str] = ME
) -> tuple[int, dict[str, str], str]:
    """Without what is another's each time: dates, revisions, ids."""
    method, path, body, fields = call
    url = URL(instance.url + path, encoded=True)
    async with session.request(
        method, url, data=body, headers={**who, **fields}, skip_auto_headers=["Content-Type"]
    ) as answer:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        text = (await answer.read()).decode()
    dated = headers.get("expires")
    for name in ("date", "server", "expires"):
        headers.pop(name, None)
    etag = headers.get("etag")
    return (
        answer.status,
        headers | {"etag": "given" if etag else "", "expires": "given" if dated else ""},
        re.sub(r'"(created|expires)":"\d+"', "", text),
    )
