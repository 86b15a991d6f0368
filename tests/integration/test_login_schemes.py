"""Services that want to know who is logged in (scheme zoweJwt): what they are sent, and who waits for that. A real
parent that is asked, and a real cache, are in `test_login`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.login import table
from gateway.login.passing import Outcome
from tests.fakes import RawInstance, answering, until
from tests.integration.gateway_rig import INSTANCES, Answer, Rig, a_gateway, on_uvloop

PATH = b"/orders/api/v1/x"
WANTS = {"apiml.authentication.scheme": "zoweJwt"}


class Knows:
    """Answers what is asked when it is told to; `None`: never."""

    def __init__(self, rig: Rig, outcome: Outcome | None, after_s: float = 0.02) -> None:
        self.table = rig.gateway.path.logins
        self.table.asking = self
        self.outcome = outcome
        self.after_s = after_s
        self.asked: list[str] = []

    def ask(self, number: int, token: str) -> bool:
        self.asked.append(token)
        if self.outcome is not None:
            asyncio.get_running_loop().call_later(self.after_s, self.table.found, number, self.outcome)
        return True


@contextlib.asynccontextmanager
async def a_service(metadata: dict[str, str] = WANTS, **settings: Any) -> AsyncIterator[tuple[Rig, RawInstance]]:
    instance = RawInstance(INSTANCES[0], 9000, answering(b"ok"))
    async with a_gateway(instance, metadata=metadata, **settings) as rig:
        yield rig, instance


def call(*lines: bytes, method: bytes = b"GET", body: bytes = b"") -> bytes:
    length = b"Content-Length: %d\r\n" % len(body) if body else b""
    more = b"".join(line + b"\r\n" for line in lines)
    return b"%b %b HTTP/1.1\r\nHost: g\r\n%b%b\r\n%b" % (method, PATH, more, length, body)


COOKIE = b"Cookie: a=1; apimlAuthenticationToken=tok.e.n"
BEARER = b"Authorization: Bearer tok.e.n"


def failure(answer: Answer) -> str:
    return (answer.header("X-Zowe-Auth-Failure") or "").partition(" ")[0]


@pytest.mark.parametrize("line", [COOKIE, BEARER])
@on_uvloop
async def test_a_good_token_goes_on_as_the_cookie_and_is_asked_about_once(line: bytes) -> None:
    async with a_service() as (rig, instance):
        knows = Knows(rig, "good")
        for _ in range(3):
            got = await rig.ask(call(line, b"X-Zowe-Auth-Failure: forged"))
            assert (got.status, failure(got)) == (200, "")
        for head in instance.heads:
            assert b"apimlAuthenticationToken=tok.e.n\r\n" in head
            assert b"earer" not in head
            assert b"Auth-Failure" not in head
        assert knows.asked == ["tok.e.n"]


@pytest.mark.parametrize(("outcome", "number"), [("bad", "ZWEAG102E"), ("old", "ZWEAG103E")])
@on_uvloop
async def test_a_bad_one_does_not_go_on_and_both_are_told_why(outcome: Outcome, number: str) -> None:
    async with a_service() as (rig, instance):
        Knows(rig, outcome)
        for line in (COOKIE, BEARER):
            got = await rig.ask(call(line))
            assert (got.status, got.body, failure(got)) == (200, b"ok", number)
            head = instance.heads[-1]
            assert b"tok.e.n" not in head
            assert f"X-Zowe-Auth-Failure: {number} ".encode() in head
        assert b"Cookie: a=1\r\n" in instance.heads[0]


@on_uvloop
async def test_without_a_token_nobody_is_asked_and_both_are_told() -> None:
    async with a_service() as (rig, instance):
        knows = Knows(rig, "good")
        got = await rig.ask(call(b"Authorization: Basic YTpi"))
        assert (got.status, failure(got)) == (200, "ZWEAG160E")
        assert b"Authorization: Basic YTpi\r\n" in instance.heads[0]
        got = await rig.ask(call(b"Authorization: Bearer " + b"x" * 5000))
        assert failure(got) == "ZWEAG102E"
        assert knows.asked == []


@on_uvloop
async def test_what_cannot_be_found_out_is_503_and_the_service_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "ANSWER_S", 0.1)
    async with a_service() as (rig, instance):
        for outcome in ("not known", None):
            knows = Knows(rig, outcome)
            got = await rig.ask(call(COOKIE))
            assert (got.status, got.number, got.header("Retry-After")) == (503, "ZWEAO503E", "1")
            assert len(knows.asked) == 1
        rig.gateway.path.logins.asking = table.Nobody()
        assert (await rig.ask(call(COOKIE))).status == 503
        assert instance.heads == []
        Knows(rig, "good")
        assert (await rig.ask(call(COOKIE))).status == 200


@on_uvloop
async def test_calls_with_one_token_wait_for_one_answer_and_a_body_that_comes_meanwhile_is_sent_on() -> None:
    async with a_service() as (rig, instance):
        knows = Knows(rig, "good", 0.1)
        body = b"b" * 50_000
        asked = [rig.ask(call(COOKIE)) for _ in range(5)]
        asked += [rig.ask(call(COOKIE, method=b"POST", body=body)) for _ in range(5)]
        assert {each.status for each in await asyncio.gather(*asked)} == {200}
        assert len(knows.asked) == 1
        assert len(instance.heads) == 10


@on_uvloop
async def test_an_answer_is_good_for_less_than_half_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "FRESH_S", 0.05)
    async with a_service() as (rig, _):
        knows = Knows(rig, "good")
        assert failure(await rig.ask(call(COOKIE))) == ""
        knows.outcome = "bad"
        async with asyncio.timeout(5):
            while True:
                if failure(await rig.ask(call(COOKIE))) == "ZWEAG102E":
                    break
    assert table.FRESH_S < 0.5


@on_uvloop
async def test_a_client_that_leaves_while_it_is_asked_leaves_nothing_behind() -> None:
    async with a_service() as (rig, _):
        knows = Knows(rig, "good", 0.2)
        client = await rig.connect()
        client.writer.write(call(COOKIE))
        await until(lambda: knows.asked, "it is asked")
        client.close()
        await until(lambda: not rig.gateway.path.logins._questions, "it is answered")
        await until(lambda: rig.in_flight() == 0, "nothing is under way")
        assert (await rig.ask(call(COOKIE))).status == 200


@on_uvloop
async def test_it_goes_with_the_rest_of_what_a_service_may_say() -> None:
    metadata = {**WANTS, "plexmesh.maxCalls": "1", "plexmesh.sticky": "user"}
    async with a_service(metadata) as (rig, instance):
        Knows(rig, "good")
        asked = [rig.ask(call(COOKIE, b"X-InstanceId: " + f"{INSTANCES[0]}:orders:9000".encode())) for _ in range(4)]
        assert {each.status for each in await asyncio.gather(*asked, rig.ask(call(BEARER)))} == {200}
        assert len(instance.heads) == 5


@pytest.mark.parametrize("scheme", ["httpBasicPassTicket", "zosmf", "safIdt"])
@on_uvloop
async def test_a_scheme_that_nobody_can_serve_is_named_and_nothing_goes_on(scheme: str) -> None:
    async with a_service({"apiml.authentication.scheme": scheme}) as (rig, instance):
        got = await rig.ask(call(COOKIE))
        assert (got.status, got.number) == (503, "ZWEAO503E")
        assert scheme in got.content
        assert instance.heads == []
    async with a_service({"apiml.authentication.scheme": scheme}, services={"orders": {"scheme": "bypass"}}) as (
        rig,
        _,
    ):
        assert (await rig.ask(call(COOKIE))).status == 200
