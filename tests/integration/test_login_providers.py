"""Passwords that others know: a stand-in for z/OSMF that answers as it documents, and the dummy of demonstrations."""

from __future__ import annotations

import base64
import contextlib
import logging
import os
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from gateway.login.user_file import UserFile
from gateway.login.users import User
from tests.certificates import Drawer, a_drawer
from tests.integration.gateway_rig import Answer, Rig, a_gateway, on_uvloop

HOST, PORT = f"127.0.153.{os.getpid() % 250 + 1}", 10443
PATH = "/zosmf/services/authenticate"


@pytest.fixture(scope="module")
def drawer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drawer]:
    return a_drawer(tmp_path_factory.mktemp("certificates"))


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class StandIn:
    """Knows ibmuser with the password sys1, unless `answer` is what it says to everybody."""

    def __init__(self) -> None:
        self.asked: list[web.BaseRequest] = []
        self.cookie = "jwtToken"
        self.answer: web.Response | None = None

    async def authenticate(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        if self.answer is not None:
            return self.answer
        if "X-CSRF-ZOSMF-HEADER" not in request.headers:
            return web.Response(status=403)
        if request.headers["Authorization"] != basic("ibmuser", "sys1-€"):
            return web.json_response(
                {"returnCode": 4, "reasonCode": 0, "message": "Authentication failed."}, status=401
            )
        found = web.Response(status=204)
        if self.cookie:
            found.set_cookie(self.cookie, "token-of-zosmf")
        return found


@contextlib.asynccontextmanager
async def zosmf(tls: ssl.SSLContext | None = None) -> AsyncIterator[StandIn]:
    made, app = StandIn(), web.Application()
    app.router.add_post(PATH, made.authenticate)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, PORT, ssl_context=tls).start()
    try:
        yield made
    finally:
        await runner.cleanup()


async def login(rig: Rig, user: str, password: str) -> Answer:
    head = f"POST /gateway/api/v1/auth/login HTTP/1.1\r\nHost: g\r\nAuthorization: {basic(user, password)}\r\n"
    return await rig.ask(f"{head}Content-Length: 0\r\n\r\n".encode())


@on_uvloop
async def test_zosmf_says_who_is_right_and_nothing_of_it_is_kept(tmp_path: Path, drawer: Drawer) -> None:
    settings = {
        "data": tmp_path, "login_provider": "zosmf", "zosmf_url": f"https://{HOST}:{PORT}/",
        "certificate_authorities": (drawer.folder / "ca.pem",),
    }  # fmt: skip
    async with zosmf(drawer.tls("zosmf", HOST).server) as stand_in, a_gateway(**settings) as rig:
        for cookie in ("jwtToken", "LtpaToken2"):
            stand_in.cookie = cookie
            got = await login(rig, "ibmuser", "sys1-€")
            assert got.status == 204
            assert "token-of-zosmf" not in got.head.decode()
        assert (got := await login(rig, "ibmuser", "wrong")).status == 401
        assert got.number == "ZWEAG120E"
        for trouble in (
            web.Response(status=500), web.Response(status=403), web.Response(status=200),
            web.Response(status=307, headers={"Location": f"https://{HOST}:{PORT}{PATH}"}),
        ):  # fmt: skip
            stand_in.answer = trouble
            got = await login(rig, "ibmuser", "sys1-€")
            assert (got.status, got.number) == (503, "ZWEAO503E")
            assert "z/OSMF answered" in got.content
        assert len(stand_in.asked) == 7
    assert not (tmp_path / "volume" / "login" / "users.yaml").exists()


@pytest.mark.parametrize("what", ["nobody", "a stranger", "no address"])
@on_uvloop
async def test_a_zosmf_that_cannot_be_asked_lets_nobody_in(tmp_path: Path, drawer: Drawer, what: str) -> None:
    url = "" if what == "no address" else f"https://{HOST}:{PORT}"
    settings = {"data": tmp_path, "login_provider": "zosmf", "zosmf_url": url}
    server = a_drawer(tmp_path / "other").tls("zosmf", HOST).server if what == "a stranger" else None
    async with contextlib.AsyncExitStack() as stack:
        stand_in = await stack.enter_async_context(zosmf(server)) if server else None
        rig = await stack.enter_async_context(a_gateway(**settings))
        got = await login(rig, "ibmuser", "sys1-€")
        assert (got.status, got.number) == (503, "ZWEAO503E")
        assert "sys1" not in got.content
        assert stand_in is None or stand_in.asked == []


@on_uvloop
async def test_the_dummys_password_is_known_to_everybody_which_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    UserFile(tmp_path).change(lambda users: users.changed("user", User(operator=True)))
    with caplog.at_level(logging.INFO):
        async with a_gateway(data=tmp_path, login_provider="dummy") as rig:
            assert (await login(rig, "user", "user")).status == 204
            assert (await login(rig, "user", "other")).status == 401
            assert (await login(rig, "ada", "user")).status == 401
            health = (await rig.get("/application/health")).body.decode()
            assert '"colour":"yellow","why":["anybody can log in as user' in health
    assert "login.notice" in caplog.messages
