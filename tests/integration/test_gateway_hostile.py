"""The corpus of hostile conversations against a real gateway, kind by kind; see `tests.hostile`."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from tests.fakes import Caller, RawInstance, until
from tests.hostile import corpus_chunks, corpus_fields, corpus_heads, corpus_lengths, corpus_lines, corpus_sizes
from tests.hostile.entry import ASKED, get, post
from tests.hostile.meant import Arrival
from tests.hostile.play import ANSWER_S, a_stage, all_good, play, turn
from tests.hostile.recorder import Way
from tests.integration.gateway_rig import INSTANCES, PORT, QUICK, a_gateway, on_uvloop

KINDS = {
    "lengths": corpus_lengths.ENTRIES,
    "chunks": corpus_chunks.ENTRIES,
    "heads": corpus_heads.ENTRIES,
    "lines": corpus_lines.ENTRIES,
    "fields": corpus_fields.ENTRIES,
    "sizes": corpus_sizes.ENTRIES,
}
ALL = [entry for entries in KINDS.values() for entry in entries]


def test_there_are_many_and_each_has_its_own_name() -> None:
    assert len(ALL) >= 500
    assert len({entry.name for entry in ALL}) == len(ALL)


@pytest.mark.parametrize("kind", KINDS)
@on_uvloop
async def test_hostile_conversations(kind: str) -> None:
    """Whatever is wrong is told for all of them together."""
    wrong: dict[str, list[str]] = {}
    async with a_stage(max_body_bytes=corpus_sizes.MAX_BODY, **QUICK) as stage:
        for entry in KINDS[kind]:
            found = await play(stage, entry)
            if found:
                wrong[f"{entry.name} ({entry.source})"] = found
    assert not wrong, "\n".join(f"{name}\n    " + "\n    ".join(found) for name, found in wrong.items())


@on_uvloop
async def test_an_instance_that_takes_bodies_for_requests_answers_nobody_else() -> None:
    """CL.0: its second answer was asked for by nobody, so its connection is of no use any more."""
    async with a_stage(**QUICK) as stage:
        stage.recorder.way = Way.IGNORES
        line = await stage.connect()
        body = b"GET /stolen HTTP/1.1\r\nHost: g\r\n\r\n"
        await line.write(post(b"Content-Length: %d" % len(body), body=body))
        answer = await line.answer(b"POST")
        assert answer is not None
        assert answer.value(b"x-mark") == Arrival(b"POST", ASKED, body).mark
        await until(lambda: not stage.recorder.open, "the connection has been given up", 2.0)
        line.close()
        assert [request.target for request in stage.recorder.whole] == [ASKED, b"/stolen"]
        stage.recorder.way = Way.KEEPS
        assert await all_good(stage) == []


@on_uvloop
async def test_an_instance_that_answers_twice_at_once_is_not_asked_on_that_connection_again() -> None:
    async with a_stage(**QUICK) as stage:
        said = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
        stage.recorder.script = [([said + b"first" + said + b"other"], False)]
        line = await stage.connect()
        await line.write(get())
        answer = await line.answer(b"GET")
        assert answer is not None
        assert answer.body == b"first"
        await until(lambda: not stage.recorder.open, "the connection has been given up", 2.0)
        line.close()
        assert await all_good(stage) == []


@on_uvloop
async def test_an_answer_is_not_lost_when_it_comes_together_with_the_end_of_the_client() -> None:
    """Both are there in one turn of the loop: the client closes its sending side as its answer arrives."""
    waiting: list[int] = []

    async def behave(caller: Caller) -> None:
        while await caller.head():
            waiting.append(caller.writer.get_extra_info("socket").fileno())

    instance = RawInstance(INSTANCES[0], 9000, behave)
    async with a_gateway(instance) as rig:
        for _ in range(20):
            with socket.create_connection((rig.gateway.config.host, PORT)) as client:
                client.sendall(b"GET /orders/api/v1/x HTTP/1.1\r\nHost: g\r\n\r\n")
                await until(lambda: waiting, "the instance has the request")
                os.write(waiting.pop(), b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
                client.shutdown(socket.SHUT_WR)
                client.setblocking(False)
                got = b""
                while data := await asyncio.get_running_loop().sock_recv(client, 65_536):
                    got += data
                assert got.endswith(b"hello")


@on_uvloop
async def test_an_end_that_came_before_its_turn_cuts_the_request_it_belongs_to() -> None:
    """The client's end is seen while its first request waits; the second one's body will never come."""
    waiting: list[Caller] = []

    async def behave(caller: Caller) -> None:
        while await caller.head():
            waiting.append(caller)

    instance = RawInstance(INSTANCES[0], 9000, behave)
    first, second = b"GET /orders/api/v1/x HTTP/1.1\r\nHost: g\r\n", b"PUT /orders/api/v1/y HTTP/1.1\r\nHost: g\r\n"
    async with a_gateway(instance) as rig, await rig.connect() as client:
        await client.send(first + b"\r\n" + second + b"Content-Length: 5\r\n\r\nhe")
        await until(lambda: waiting, "the instance has the first")
        client.writer.write_eof()
        await turn()
        await waiting.pop().send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        assert (await client.answer()).body == b"hello"
        async with asyncio.timeout(ANSWER_S):
            assert await client.ended()
        await until(lambda: not rig.in_flight(), "nothing is under way")
