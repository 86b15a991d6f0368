"""Services as people write them, in four frameworks, reached through the gateway of each of two LPARs."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote

import aiohttp
import pytest
from yarl import URL

from tests.integration.eureka_rig import needs_javascript
from tests.integration.real_services_rig import FASTAPI, HOSTS, NODE, SERVICES, Place, Service, behind_two_gateways

NAME = "Zoë & co"
BODY = bytes(range(256)) * 3_906
"""Just below the million."""
ids = itertools.count(1)


def places(*services: Service) -> pytest.MarkDecorator:
    found = [Place(service, lpar) for service in services for lpar in HOSTS]
    names = [f"{place.service.id}-through-{place.lpar}" for place in found]
    return pytest.mark.parametrize("place", found, ids=names, indirect=True)


everywhere = places(*SERVICES)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    services = [each for each in SERVICES if each is not NODE]
    with contextlib.suppress(pytest.skip.Exception):
        needs_javascript()
        services.append(NODE)
    with behind_two_gateways(tmp_path_factory.mktemp("services"), *services):
        yield


@pytest.fixture
def place(request: pytest.FixtureRequest, started: None) -> Place:
    found: Place = request.param
    if found.service is NODE:
        needs_javascript()
    return found


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """It keeps cookies, of addresses too."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar, timeout=aiohttp.ClientTimeout(total=8)) as session:
        yield session


@everywhere
async def test_a_call_is_routed_and_the_service_knows_its_public_address(
    place: Place, session: aiohttp.ClientSession
) -> None:
    async with session.get(URL(f"{place.url}/hello/{quote(NAME)}?q=a%2Fb%26c", encoded=True)) as answer:
        assert answer.headers["X-Plexmesh-Path"] == place.way
        assert await answer.json() == {
            "service": place.service.id,
            "name": NAME,
            "query": {"q": "a/b&c"},
            "prefix": place.service.prefix,
            "host": place.gateway.removeprefix("http://"),
        }


@everywhere
@pytest.mark.parametrize("form", ["length", "chunked", "expect"])
async def test_a_body_goes_there_and_comes_back(place: Place, session: aiohttp.ClientSession, form: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(BODY), 50_000):
            yield BODY[start : start + 50_000]

    data = pieces() if form == "chunked" else BODY
    headers = {"Content-Type": "image/x-photo"}
    async with session.post(f"{place.url}/echo", data=data, headers=headers, expect100=form == "expect") as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (200, "image/x-photo")
        assert await answer.read() == BODY


@everywhere
async def test_a_redirect_to_itself_leads_back(place: Place, session: aiohttp.ClientSession) -> None:
    own = f"{place.service.base}/hello/path"
    for to in (own, f"http://{place.service.authority}{own}"):
        async with session.get(f"{place.url}/moved", params={"to": to}, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (302, f"{place.path}/hello/path")
    async with session.get(f"{place.url}/moved/whole") as answer:
        assert (answer.status, str(answer.url)) == (200, f"{place.url}/hello/whole")
        assert answer.headers["X-Plexmesh-Path"] == place.way
        assert (await answer.json())["service"] == place.service.id


@everywhere
@pytest.mark.parametrize(
    "to",
    ["https://elsewhere.test/hello/x?y=1#z", "//elsewhere.test/hello/x", "http://{host}:9999/hello/x"],
    ids=["host", "schemeless", "other-port"],
)
async def test_a_redirect_to_another_host_is_untouched(place: Place, session: aiohttp.ClientSession, to: str) -> None:
    to = to.format(host=place.service.host)
    async with session.get(f"{place.url}/moved", params={"to": to}, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, to)


@everywhere
async def test_a_cookie_for_a_path_of_the_service_comes_back_there_and_only_there(
    place: Place, session: aiohttp.ClientSession
) -> None:
    async with session.get(f"{place.url}/cookie", params={"path": f"{place.service.base}/account"}) as answer:
        assert answer.cookies["seat"]["path"] == f"{place.path}/account"
    async with session.get(f"{place.url}/account/seat") as answer:
        assert await answer.json() == {"seat": "12a"}
    assert not session.cookie_jar.filter_cookies(URL(f"{place.url}/hello/x"))


@everywhere
async def test_a_cookie_for_the_whole_host_stays_one(place: Place, session: aiohttp.ClientSession) -> None:
    async with session.get(f"{place.url}/cookie", params={"path": "/"}) as answer:
        assert answer.cookies["seat"]["path"] == "/"
    async with session.get(f"{place.url}/account/seat") as answer:
        assert await answer.json() == {"seat": "12a"}


@everywhere
async def test_the_first_piece_of_a_stream_arrives_before_the_last_is_sent(
    place: Place, session: aiohttp.ClientSession
) -> None:
    id = next(ids)
    async with session.get(f"{place.url}/stream/{id}") as answer:
        async with asyncio.timeout(5):
            assert await answer.content.readany() == b"data: first\n\n"
        async with session.post(f"{place.url}/release/{id}") as release:
            assert release.status == 200
        assert await answer.content.read() == b"data: last\n\n"


@places(*(each for each in SERVICES if each.websockets))
async def test_a_websocket_goes_through(place: Place, session: aiohttp.ClientSession) -> None:
    """With a subprotocol that the service chooses, and compressed where it likes that."""
    async with session.ws_connect(place.socket, protocols=("other.v1", "echo.v1"), compress=15) as socket:
        assert socket.protocol == "echo.v1"
        await socket.send_str(NAME)
        assert await socket.receive_str(timeout=5) == NAME
        await socket.send_bytes(BODY)
        assert await socket.receive_bytes(timeout=5) == BODY
        await socket.send_str("close")
        message = await socket.receive(timeout=5)
        assert (message.type, message.data, message.extra) == (aiohttp.WSMsgType.CLOSE, 4001, "enough")


@places(FASTAPI)
async def test_fastapis_docs_know_where_they_are(place: Place, session: aiohttp.ClientSession) -> None:
    async with session.get(f"{place.url}/docs") as answer:
        assert f"url: '{place.path}/openapi.json'" in await answer.text()
    async with session.get(f"{place.url}/openapi.json") as answer:
        document = json.loads(await answer.text())
    assert document["servers"] == [{"url": place.path}]
    assert {"/hello/{name}", "/echo", "/moved"} <= document["paths"].keys()
    async with session.get(f"{place.gateway}{document['servers'][0]['url']}/hello/docs") as answer:
        assert (await answer.json())["name"] == "docs"
