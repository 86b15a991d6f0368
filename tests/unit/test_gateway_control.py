"""What parent and workers say to one another, on the way; how many cores there are."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvloop

from gateway import control, cores
from gateway.channel import Channel
from gateway.config import GatewayConfig
from gateway.control import (
    LENGTH,
    Alive,
    Ask,
    Asked,
    Begin,
    Drain,
    FromWorker,
    Leave,
    Order,
    Said,
    Told,
    ToWorker,
    frame,
)
from gateway.meters import Meters
from gateway.report import Judgement, Report
from shared.errors import ConfigError

REPORT = Report(Meters(retries=3), ["why"], {"a/1": 2}, {}, {"a/1": Judgement("out", "refused")}, clients=4)


@pytest.mark.parametrize(
    "message", [Begin(1, {"port": 1}, "\0name", "in", None), Order("out"), Ask(7), Leave(), Drain(1.5)]
)
def test_orders_arrive_as_they_were(message: ToWorker) -> None:
    assert arrived(frame(message), ToWorker) == message


@pytest.mark.parametrize("message", [Told(REPORT, 7), Alive(), Said("vipa.in", {"n": 1}), Asked()])
def test_answers_arrive_as_they_were(message: FromWorker) -> None:
    assert arrived(frame(message), FromWorker) == message


def arrived(data: bytes, kind: object) -> object:
    (size,) = LENGTH.unpack(data[:4])
    assert size == len(data) - 4
    return msgspec.msgpack.decode(data[4:], type=kind)


def test_an_event_may_hold_anything_that_has_a_text() -> None:
    said = arrived(frame(Said("x", {"path": Path("/a")})), FromWorker)
    assert said == Said("x", {"path": "/a"})


def test_a_newer_worker_may_say_more() -> None:
    data = msgspec.msgpack.encode({"type": "Ask", "number": 1, "since": "later"})
    assert msgspec.msgpack.decode(data, type=ToWorker) == Ask(1)


def test_a_configuration_arrives_whole() -> None:
    config = GatewayConfig(host="127.0.1.1", data=Path("/x"), discovery=("http://a", "http://b"), drain_s=2.5)
    begin = arrived(frame(Begin(1, control.packed(config), "", "in", 0.0)), ToWorker)
    assert isinstance(begin, Begin)
    assert control.unpacked(begin.config, GatewayConfig) == config


@pytest.mark.parametrize(("workers", "count"), [(1, 1), ("3", 3), ("64", 64)])
def test_a_number_of_workers(workers: int | str, count: int) -> None:
    assert GatewayConfig(workers=workers).worker_count == count


@pytest.mark.parametrize("workers", [0, -1, 65, "", "two", "1.5", "²"])
def test_what_is_no_number_of_workers(workers: int | str) -> None:
    with pytest.raises(ConfigError, match=r"gateway\.workers: expected 1 to 64, or auto"):
        _ = GatewayConfig(workers=workers).worker_count


@pytest.mark.parametrize(
    ("text", "count"),
    [("max 100000", 1_000_000), ("", 1_000_000), ("100000 100000", 1), ("150000 100000", 2), ("5000 100000", 1)],
)
def test_a_containers_quota_in_cores(text: str, count: int) -> None:
    assert cores.allowed(text) == count


def test_auto_is_at_least_one_core_and_at_most_the_quota(tmp_path: Path) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text("1000 100000\n")
    assert cores.usable(quota) == 1
    assert cores.usable(tmp_path / "none") >= 1


def test_what_cannot_be_sent_any_more_is_not_waited_for() -> None:
    async def run() -> None:
        near, far = socket.socketpair()
        channel: Channel[Any] = await Channel.over(near, ToWorker)
        far.close()
        assert await channel.receive() is None
        channel.close()
        await asyncio.sleep(0.01)  # the loop lets go of the handle
        assert not channel.send(Alive())
        await channel.flush(5.0)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
