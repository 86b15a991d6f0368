"""Every call and every code of the caching service's REST contract, by real processes, on both backends."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.integration.caching_rig import PORT, Instance, instances

FIELDS = {"messageType", "messageNumber", "messageContent", "messageAction", "messageReason", "messageKey"}


@pytest.fixture(scope="module", params=["vsam:PLEX.CACHE?size=60&recordLength=2048", "inMemory?size=60"])
def instance(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    made = Instance(tmp_path_factory.mktemp("caching"), 1, storage=request.param, bodyBytes=10_000)
    with instances(made):
        yield made.up()


class Client:
    """One caller, whose name nobody else has."""

    def __init__(self, session: aiohttp.ClientSession, instance: Instance) -> None:
        self.session = session
        self.instance = instance
        self.name = uuid.uuid4().hex

    async def call(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status, and the body: None when empty, else decoded."""
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        fields = {"X-CS-Service-ID": self.name} if headers is None else headers
        url = self.instance.url + path
        async with self.session.request(method, URL(url, encoded=True), data=data, headers=fields) as answer:
            content = await answer.read()
            if content:
                assert answer.content_type == "application/json"
            return answer.status, json.loads(content) if content else None

    async def refused(self, *how: Any) -> tuple[int, str]:
        """Status and number of an answer in Zowe's form."""
        status, body = await self.call(*how)
        (message,) = body["messages"]
        assert set(message) == FIELDS
        assert all(isinstance(each, str) and each for each in message.values())
        return status, message["messageNumber"]


@pytest.fixture
async def client(instance: Instance) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        client = Client(session, instance)
        yield client
        await client.call("DELETE", "/cache")


def pair(key: str, value: str = "v") -> dict[str, str]:
    return {"key": key, "value": value}


async def test_create_read_replace_delete(client: Client) -> None:
    before = int(time.time() * 1000)
    assert await client.call("POST", "/cache", pair("k", "one")) == (201, None)
    status, view = await client.call("GET", "/cache/k")
    assert (status, view["key"], view["value"]) == (200, "k", "one")
    assert set(view) == {"key", "value", "created"}
    assert before <= int(view["created"]) <= int(time.time() * 1000)
    assert await client.call("PUT", "/cache", pair("k", "two")) == (204, None)
    assert (await client.call("GET", "/cache/k"))[1]["value"] == "two"
    assert await client.call("DELETE", "/cache/k") == (204, None)
    assert await client.refused("GET", "/cache/k") == (404, "ZWECS131E")


async def test_codes_of_keys_there_and_not_there(client: Client) -> None:
    await client.call("POST", "/cache", pair("k"))
    assert await client.refused("POST", "/cache", pair("k")) == (409, "ZWECS133E")
    assert await client.refused("PUT", "/cache", pair("other")) == (404, "ZWECS131E")
    assert await client.refused("DELETE", "/cache/other") == (404, "ZWECS131E")
    assert await client.refused("GET", "/cache/other") == (404, "ZWECS131E")


async def test_a_missing_key_is_named_with_its_owner(client: Client) -> None:
    content = (await client.call("GET", "/cache/lost"))[1]["messages"][0]["messageContent"]
    assert "lost" in content
    assert client.name in content


async def test_all_entries_and_their_removal(client: Client) -> None:
    assert await client.call("GET", "/cache") == (200, {})
    for key in ("a", "b"):
        await client.call("POST", "/cache", pair(key, key * 2))
    status, found = await client.call("GET", "/cache")
    assert status == 200
    assert {key: (view["key"], view["value"]) for key, view in found.items()} == {"a": ("a", "aa"), "b": ("b", "bb")}
    assert await client.call("DELETE", "/cache") == (200, None)
    assert await client.call("GET", "/cache") == (200, {})


async def test_lists(client: Client) -> None:
    assert await client.call("GET", "/cache-list") == (200, {})
    assert await client.call("GET", "/cache-list/tokens") == (200, {})
    for key, value in (("a", "1"), ("b", "2"), ("a", "3")):
        assert await client.call("POST", "/cache-list/tokens", pair(key, value)) == (201, None)
    assert await client.call("GET", "/cache-list/tokens") == (200, {"a": "3", "b": "2"})
    await client.call("POST", "/cache-list/rules", pair("r", "0"))
    assert await client.call("GET", "/cache-list") == (200, {"tokens": {"a": "3", "b": "2"}, "rules": {"r": "0"}})
    assert await client.call("GET", "/cache") == (200, {})


async def test_eviction_of_list_items(client: Client) -> None:
    await client.call("POST", "/cache-list/t", pair("over", '{"expiresAt":[2020,1,1,0,0]}'))
    await client.call("POST", "/cache-list/t", pair("valid", '{"expiresAt":[2999,1,1,0,0]}'))
    await client.call("POST", "/cache-list/r", pair("old", "0"))
    await client.call("POST", "/cache-list/r", pair("new", str(int(time.time() * 1000))))
    assert await client.call("DELETE", "/cache-list/evict/tokens/t") == (204, None)
    assert await client.call("DELETE", "/cache-list/evict/rules/r/") == (204, None)
    assert set((await client.call("GET", "/cache-list/t"))[1]) == {"valid"}
    assert set((await client.call("GET", "/cache-list/r"))[1]) == {"new"}
    assert (await client.refused("DELETE", "/cache-list/evict/others/r"))[0] == 404


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b"[]", b'"k"', b"\xff", b'{"key":"k","value":"\xff"}',
        {}, {"key": "k"}, {"value": "v"}, {"key": None, "value": "v"}, {"key": "k", "value": None},
        {"key": "", "value": "v"}, {"key": 1, "value": "v"}, {"key": "k", "value": 1}, {"key": "k", "value": {"a": 1}},
        b'{"key":"k","value":"\\ud800"}', b'{"key":"k","value":"v"} x',
    ],
)  # fmt: skip
async def test_bodies_that_are_none(client: Client, body: object) -> None:
    for method, path in (("POST", "/cache"), ("PUT", "/cache"), ("POST", "/cache-list/m")):
        assert await client.refused(method, path, body) == (400, "ZWECS130E")
    assert await client.call("GET", "/cache") == (200, {})


async def test_an_error_of_a_body_says_where_and_not_what(client: Client) -> None:
    _, body = await client.call("POST", "/cache", b'{"key":"k","value":"secret", }')
    content = body["messages"][0]["messageContent"]
    assert "byte 29" in content
    assert "secret" not in content


async def test_other_fields_of_a_body_are_not_looked_at(client: Client) -> None:
    body = {"key": "k", "value": "v", "serviceId": "another", "created": "0"}
    assert await client.call("POST", "/cache", body) == (201, None)
    assert (await client.call("GET", "/cache/k"))[1]["created"] != "0"


async def test_an_empty_value_is_kept_and_left_out_of_the_answer(client: Client) -> None:
    await client.call("POST", "/cache", pair("k", ""))
    status, view = await client.call("GET", "/cache/k")
    assert (status, set(view)) == (200, {"key", "created"})


async def test_trailing_slashes_are_accepted(client: Client) -> None:
    assert (await client.call("POST", "/cache/", pair("k")))[0] == 201
    assert (await client.call("PUT", "/cache/", pair("k")))[0] == 204
    assert (await client.call("GET", "/cache/k/"))[1]["key"] == "k"
    assert set((await client.call("GET", "/cache/"))[1]) == {"k"}
    assert (await client.call("POST", "/cache-list/m/", pair("k")))[0] == 201
    assert (await client.call("GET", "/cache-list/m/"))[1] == {"k": "v"}
    assert (await client.call("GET", "/cache-list/"))[1] == {"m": {"k": "v"}}
    assert (await client.call("DELETE", "/cache/k/"))[0] == 204
    assert (await client.call("DELETE", "/cache/"))[0] == 200


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("a%20b", "a b"), ("a+b", "a+b"), ("a%2Fb", "a/b"), ("a%2fb", "a/b"), ("%C3%BC", "ü"), ("%F0%90%8D%88", "𐍈"),
        ("100%25", "100%"), ("%252F", "%2F"), ("%7Bx%7D", "{x}"), ("a:b@c", "a:b@c"), ("%3Fq%23f", "?q#f"),
        ("a%0Ab", "a\nb"), ("evict", "evict"), ("k" * 1500, "k" * 1500),
    ],
)  # fmt: skip
async def test_keys_in_paths_are_percent_decoded(client: Client, path: str, key: str) -> None:
    assert (await client.call("POST", "/cache", pair(key)))[0] == 201
    assert (await client.call("GET", f"/cache/{path}"))[1]["key"] == key
    assert (await client.call("POST", f"/cache-list/{path}", pair("i")))[0] == 201
    assert (await client.call("GET", "/cache-list"))[1] == {key: {"i": "v"}}
    assert (await client.call("DELETE", f"/cache/{path}"))[0] == 204


async def test_callers_are_apart(client: Client) -> None:
    await client.call("POST", "/cache", pair("k", "mine"))
    other = {"X-CS-Service-ID": f"{client.name}2"}
    assert await client.refused("GET", "/cache/k", None, other) == (404, "ZWECS131E")
    assert await client.call("GET", "/cache", None, other) == (200, {})
    assert (await client.call("DELETE", "/cache", None, other))[0] == 200
    assert (await client.call("GET", "/cache/k"))[1]["value"] == "mine"


async def test_who_is_nobody(client: Client) -> None:
    for headers in ({}, {"X-CS-Service-ID": ""}, {"X-Certificate-DistinguishedName": "CN=me"}):
        for method, path in (("GET", "/cache"), ("GET", "/cache/k"), ("DELETE", "/cache"), ("GET", "/cache-list")):
            assert await client.refused(method, path, None, headers) == (401, "ZWECS702W")
        assert await client.refused("POST", "/cache", pair("k"), headers) == (401, "ZWECS702W")


async def test_a_certificates_name_in_a_header_changes_nothing(client: Client) -> None:
    headers = {"X-CS-Service-ID": client.name, "X-Certificate-DistinguishedName": "CN=another"}
    await client.call("POST", "/cache", pair("k"), headers)
    assert (await client.call("GET", "/cache/k"))[0] == 200


async def test_the_gateways_id_is_for_the_gateway_only(client: Client) -> None:
    forwarded = {"X-CS-Service-ID": "gateway", "X-Forwarded-For": "10.0.0.1"}
    assert await client.refused("GET", "/cache", None, forwarded) == (403, "ZWECS702W")
    assert (await client.call("GET", "/cache", None, {"X-CS-Service-ID": "gateway"}))[0] == 200


async def test_values_too_long(client: Client) -> None:
    if "vsam" in client.instance.logged:
        assert await client.refused("POST", "/cache", pair("k", "v" * 3000)) == (413, "ZWECS130E")
        await client.call("POST", "/cache", pair("k"))
        assert await client.refused("PUT", "/cache", pair("k", "v" * 3000)) == (413, "ZWECS130E")
    assert await client.refused("POST", "/cache", pair("k", "v" * 20_000)) == (413, "ZWECS130E")


async def test_a_full_storage(client: Client) -> None:
    answers = [await client.call("POST", "/cache", pair(str(n))) for n in range(61)]
    assert [status for status, _ in answers] == [201] * 60 + [507]
    assert answers[-1][1]["messages"][0]["messageNumber"] == "ZWECS134E"
    assert (await client.call("PUT", "/cache", pair("0", "new")))[0] == 204


async def test_what_is_not_served(client: Client) -> None:
    assert await client.refused("POST", "/cache/k", pair("k")) == (405, "ZWEAO405E")
    assert await client.refused("PATCH", "/cache") == (405, "ZWEAO405E")
    assert await client.refused("GET", "/nothing") == (404, "ZWEAO404E")
    assert await client.refused("GET", "/cache/a/b") == (404, "ZWEAO404E")


async def test_head_is_get_without_a_body(client: Client) -> None:
    await client.call("POST", "/cache", pair("k"))
    assert await client.call("HEAD", "/cache/k") == (200, None)
    assert await client.call("HEAD", "/cache/none") == (404, None)


async def test_ready_health_and_metrics(client: Client) -> None:
    base = f"http://{client.instance.host}:{PORT}/application"
    async with client.session.get(f"{base}/ready") as answer:
        assert (answer.status, await answer.json()) == (200, {"ready": True, "why": []})
    await client.call("POST", "/cache", pair("k"))
    await client.call("GET", "/cache/none")
    async with client.session.get(f"{base}/health") as answer:
        health = await answer.json()
    assert (answer.status, health["status"]) == (200, "UP")
    assert health["components"]["storage"]["status"] == "UP"
    assert health["components"]["storage"]["details"]["colour"] == "green"
    identity = health["components"]["identity"]["details"]
    assert (identity["colour"], identity["identity"]) == ("yellow", "trustedHeaders")
    assert "X-CS-Service-ID" in identity["why"][0]
    async with client.session.get(f"{base}/metrics") as answer:
        text = await answer.text()
    assert 'plexmesh_caching_operations_total{kind="create",outcome="ok"}' in text
    assert 'plexmesh_caching_operations_total{kind="read",outcome="missing"}' in text
    assert 'plexmesh_caching_operation_seconds_bucket{kind="create"' in text
    assert "plexmesh_caching_commit_writes_count 0.0" not in text or "vsam" not in client.instance.logged


def test_no_value_is_ever_logged(instance: Instance) -> None:
    assert "secret" not in instance.logged
    assert "Traceback" not in instance.logged
