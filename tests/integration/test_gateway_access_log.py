"""The access log with real files, threads and processes: order, sharing, rotation, full and hanging disks."""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway import access_log
from gateway.access_file import AppendedFile
from gateway.access_log import AccessLog
from gateway.access_records import MAX_TARGET_BYTES, AccessRecord
from gateway.config import GatewayConfig
from tests.fakes import Caller, RawInstance, answering, until
from tests.integration.access_log_writer import a_record
from tests.integration.gateway_rig import INSTANCES, a_gateway, on_uvloop
from tests.integration.launcher_rig import poll

ROOT = Path(__file__).parents[2]
RLIMIT_NONE = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def an_access_log(data: Path, **settings: Any) -> AccessLog:
    return AccessLog(GatewayConfig(data=data, **settings))


def log_of(data: Path) -> Path:
    return data / "LPAR1" / "logs" / "gateway-access.log"


def lines_of(*paths: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]


def ids_of(*paths: Path) -> list[str]:
    return [line["request_id"] for line in lines_of(*paths)]


def note(access: AccessLog, record: AccessRecord) -> None:
    """The end of an exchange, as on the hot path."""
    sampling = access.sampling
    if sampling.skip and 0 < record.status < 500:
        sampling.skip -= 1
    else:
        access.add(record)


def threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "access-log"]


# --- taking and writing


@on_uvloop
async def test_records_are_written_in_order_soon_and_then_all_is_at_rest(tmp_path: Path) -> None:
    access = an_access_log(tmp_path)
    expected = []
    for batch in range(3):
        for number in range(100):
            expected.append(f"{batch}-{number}")
            note(access, a_record(expected[-1]))
        await until(lambda: access.written == len(expected), "the batch is written")
    assert ids_of(log_of(tmp_path)) == expected
    await until(lambda: access._timer is None, "an idle log has no timer")  # nothing else shows it
    await access.stop()
    assert not threads()


@on_uvloop
async def test_what_is_in_the_ring_at_the_end_is_written(tmp_path: Path) -> None:
    access = an_access_log(tmp_path, access_log="combined")
    record = a_record("last")
    record.target = b"/" * 9999
    note(access, record)
    assert len(record.target) == MAX_TARGET_BYTES  # what waits in memory has a bound
    await access.stop()
    assert b'"last"' in log_of(tmp_path).read_bytes()
    note(access, a_record("too late"))
    assert (access.written, access.dropped) == (1, 1)


@on_uvloop
async def test_off_writes_nothing(tmp_path: Path) -> None:
    access = an_access_log(tmp_path, access_log="off")
    for _ in range(5000):
        note(access, a_record("x"))
    note(access, a_record("x", status=503))
    await access.stop()
    assert not threads()
    assert not os.listdir(tmp_path)
    assert access.dropped == 0


@on_uvloop
async def test_when_busy_it_is_a_sample_with_every_failure_and_right_sums(tmp_path: Path) -> None:
    access = an_access_log(tmp_path, access_log_per_s=50)
    for number in range(1, 10_001):
        note(access, a_record(str(number), status=503 if number % 1000 == 0 else 200))
    owed = access.sampling._countdown - access.sampling.skip
    await until(lambda: access._timer is None, "calm")
    lines = lines_of(log_of(tmp_path))
    failures = [line for line in lines if line["status"] == 503]
    assert [line["request_id"] for line in failures] == [str(number) for number in range(1000, 10_001, 1000)]
    assert {line["stands_for"] for line in failures} == {1}
    assert len(lines) < 200
    assert sum(line["stands_for"] for line in lines) == 10_000 - owed
    for number in range(3):
        note(access, a_record(f"calm-{number}"))
    await access.stop()
    assert [line["stands_for"] for line in lines_of(log_of(tmp_path))[len(lines) :]] == [owed + 1, 1, 1]


@on_uvloop
async def test_a_full_ring_drops_counts_and_says_so_once_a_burst(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_log, "FLUSH_S", 0.5)  # a busy machine needs time between two flushes
    access = an_access_log(tmp_path, access_log_per_s=1)
    full = 0
    for burst in (1, 2):
        for _ in range(2):
            for _ in range(access_log.MIN_RING + 7):
                note(access, a_record("x", status=500))
            full += 1
            lines = full * access_log.MIN_RING
            await until(lambda lines=lines: access.written == lines, "what was in the ring is written")  # type: ignore[misc]
            assert access.dropped == full * 7
        await until(lambda: access._timer is None, "rest")
        assert messages(caplog) == ["access_log.overflow"] * burst
    await access.stop()


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.name == access_log.log.name]


# --- trouble with the disk


@on_uvloop
async def test_a_folder_that_cannot_be_is_said_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_log, "RETRY_S", 0.1)  # 5 s in earnest
    caplog.set_level(logging.INFO)
    in_the_way = tmp_path / "LPAR1"
    in_the_way.write_bytes(b"")
    access = an_access_log(tmp_path)
    added = 0
    while access.dropped < 8:  # several batches
        note(access, a_record(str(added := added + 1)))
        await asyncio.sleep(0.1)
    assert messages(caplog) == ["access_log.failed"]
    in_the_way.unlink()
    while not access.written:
        note(access, a_record(str(added := added + 1)))
        await asyncio.sleep(0.1)
    await access.stop()
    assert messages(caplog) == ["access_log.failed", "access_log.resumed"]
    assert access.written + access.dropped == added
    assert ids_of(log_of(tmp_path))[-1] == str(added)


@on_uvloop
async def test_a_disk_that_hangs_holds_neither_the_loop_nor_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log_of(tmp_path).parent.mkdir(parents=True)
    os.mkfifo(log_of(tmp_path))  # takes 64 kB, then writes hang
    access = an_access_log(tmp_path, access_log_per_s=1)
    while access.dropped < 1000:
        for number in range(200):
            note(access, a_record(str(number), status=503))
        await asyncio.sleep(0.05)
    await access.stop()
    assert list(dict.fromkeys(messages(caplog))) == ["access_log.overflow", "access_log.unfinished"]
    with log_of(tmp_path).open("rb") as pipe:  # let the thread end
        os.set_blocking(pipe.fileno(), False)
        await until(lambda: not pipe.read() and not threads(), "the thread ends")


@on_uvloop
async def test_a_record_that_cannot_be_a_line_does_not_end_the_writer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_log, "RETRY_S", 0.0)
    access = an_access_log(tmp_path)
    broken = a_record("broken")
    broken.client = None  # type: ignore[assignment]
    note(access, broken)
    await until(lambda: access.dropped == 1, "it is dropped")
    note(access, a_record("sound"))
    await access.stop()
    assert ids_of(log_of(tmp_path)) == ["sound"]
    assert "access_log.defect" in messages(caplog)


@contextmanager
def a_writer(data: Path, name: str, count: int, *flags: str) -> Iterator[subprocess.Popen[bytes]]:
    program = [sys.executable, "-P", "-m", "tests.integration.access_log_writer"]
    process = subprocess.Popen(
        [*program, name, str(count), "--data", str(data), *flags],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def result_of(process: subprocess.Popen[bytes]) -> tuple[dict[str, int], list[str]]:
    """(what it printed, its events)."""
    out, errors = process.communicate(timeout=20)
    assert (process.returncode, bool(out)) == (0, True), errors.decode()
    return json.loads(out), [json.loads(line)["event"] for line in errors.splitlines()]


def test_a_full_disk_costs_lines_but_tears_only_one(tmp_path: Path) -> None:
    file = log_of(tmp_path)
    with a_writer(tmp_path, "a", 0) as writer:
        poll("the first lines", lambda: file.is_file() and file.stat().st_size)
        full = file.stat().st_size + 5000
        resource.prlimit(writer.pid, resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
        poll("the disk is full", lambda: file.stat().st_size == full)
        resource.prlimit(writer.pid, resource.RLIMIT_FSIZE, RLIMIT_NONE)
        poll("it writes again", lambda: file.stat().st_size > full)
        writer.send_signal(signal.SIGTERM)
        result, events = result_of(writer)
    assert events == ["access_log.failed", "access_log.resumed"]
    assert result["written"] + result["dropped"] == result["added"]
    assert result["dropped"] >= 10
    lines = file.read_bytes().splitlines()
    assert len(lines) == result["written"] + 1
    torn = [line for line in lines if not line.endswith(b"}")]
    assert len(torn) == 1
    numbers = [int(json.loads(line)["request_id"][2:]) for line in lines if line not in torn]
    assert numbers == sorted(set(numbers))


# --- one file, several processes


def test_processes_share_a_file_and_set_it_aside_once(tmp_path: Path) -> None:
    file, names, count = log_of(tmp_path), ("a", "b", "c"), 2000
    limit = 1_300_000
    flags = ("--access-log-max-bytes", str(limit), "--access-log-per-s", "100000")
    with (
        a_writer(tmp_path, names[0], count, *flags) as a,
        a_writer(tmp_path, names[1], count, *flags) as b,
        a_writer(tmp_path, names[2], count, *flags) as c,
    ):
        results = [result_of(each) for each in (a, b, c)]
    assert results == [({"added": count, "written": count, "dropped": 0}, [])] * 3
    older = file.with_name(f"{file.name}.1")
    assert sorted(file.parent.iterdir()) == [file, older]
    ids = ids_of(older, file)
    for name in names:
        assert [id for id in ids if id[0] == name] == [f"{name}-{number}" for number in range(1, count + 1)]
    assert len(ids) == 3 * count
    assert (
        older.stat().st_size < limit + 3 * access_log.SLICE * 400
    )  # somebody may write between another's look and its renaming


def test_a_file_set_aside_by_somebody_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    older = tmp_path / "x.log.1"
    ours, other = AppendedFile(path, 10), AppendedFile(path, 10)
    ours.append(b"1234567\n")
    other.append(b"a\n")
    other.append(b"b\n")
    assert (older.read_bytes(), path.read_bytes()) == (b"1234567\na\n", b"b\n")
    ours.append(b"c\n")
    assert (older.read_bytes(), path.read_bytes()) == (b"1234567\na\n", b"b\nc\n")
    path.rename(tmp_path / "by logrotate")
    ours.append(b"d\n")
    other.append(b"e\n")
    assert path.read_bytes() == b"d\ne\n"
    ours.close()
    other.close()


def test_two_that_find_it_too_large_set_it_aside_once(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    slow, quick = AppendedFile(path, 10), AppendedFile(path, 10)
    slow.append(b"1234567\n")
    fd = slow._fd
    assert fd is not None
    quick.append(b"abcdefg\n")
    slow._set_aside(fd)  # it looked at the size before the other one renamed the file
    assert path.read_bytes() == b"abcdefg\n"
    assert path.with_name("x.log.1").read_bytes() == b"1234567\n"
    slow.close()
    quick.close()


def test_while_another_process_sets_it_aside_lines_are_written_without_waiting(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    file = AppendedFile(path, 10)
    file.append(b"1234567\n")
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        file.append(b"abcdefg\n")
    assert list(tmp_path.iterdir()) == [path]
    file.append(b"c\n")
    assert path.read_bytes() == b"c\n"
    file.close()


def test_a_line_that_a_killed_process_began_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(b"whole\nto")
    file = AppendedFile(path, 0)
    file.append(b"next\n")
    assert path.read_bytes() == b"whole\nto\nnext\n"
    assert file.lines == 1
    file.close()


def test_it_is_not_for_everybody_to_read(tmp_path: Path) -> None:
    file = AppendedFile(tmp_path / "new" / "x.log", 0)
    file.append(b"x\n")
    assert file.path.stat().st_mode & 0o007 == 0
    file.close()


# --- of a whole gateway


@on_uvloop
async def test_calls_through_a_gateway_are_recorded(tmp_path: Path) -> None:
    instance = RawInstance(INSTANCES[0], 9000, answering(b"hello"))
    async with a_gateway(instance, access_log="json", data=tmp_path) as rig:
        await rig.ask(
            b'POST /orders/api/v1/x?q=%22 HTTP/1.1\r\nHost: g\r\nX-Request-Id: r1\r\nUser-Agent: a "b" \xff\r\n'
            b"Referer: http://x/\r\nAuthorization: Bearer secret\r\nCookie: c=secret\r\nContent-Length: 6\r\n\r\nsecret"
        )
        await rig.get("/orders/api/v9/x")
        await rig.get("/nobody/api/v1/x")
        await rig.ask(b"GET /orders/api/v1/x HTTP/1.1\r\n\r\n")
        await until(lambda: rig.gateway.path.access.written >= 4, "four lines")
    assert b"secret" not in log_of(tmp_path).read_bytes()
    post, no_route, no_service, malformed = [
        line for line in lines_of(log_of(tmp_path)) if line["service"] != "gateway"
    ]
    assert {
        "method": "POST", "target": "/orders/api/v1/x?q=%22", "version": "1.1", "status": 200, "received_bytes": 6,
        "sent_bytes": 5, "tries": 1, "stands_for": 1, "service": "orders", "route": "/orders/api/v1",
        "instance": "LPAR2/orders:9000", "request_id": "r1", "user_agent": 'a "b" \\xff', "referer": "http://x/",
    }.items() <= post.items()  # fmt: skip
    assert 0 < post["first_byte_s"] <= post["seconds"] < 10
    assert (no_route["status"], no_route["service"], no_route["tries"]) == (404, "orders", 0)
    assert (no_service["status"], no_service["tries"]) == (404, 0)
    assert malformed["status"] == 400
    for refused in (no_route, no_service, malformed):
        assert refused["reason"]
        assert "instance" not in refused
        assert "first_byte_s" not in refused


@on_uvloop
async def test_a_client_that_leaves_and_the_last_call_are_recorded_too(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def keeps_silent(caller: Caller) -> None:
        await caller.head()
        asked.set()
        await asyncio.Event().wait()

    instance = RawInstance(INSTANCES[0], 9000, keeps_silent)
    async with a_gateway(instance, access_log="json", data=tmp_path) as rig:
        async with await rig.connect() as client:
            await client.send(b"GET /orders/api/v1/x HTTP/1.1\r\nHost: g\r\n\r\n")
            await asked.wait()
            sock = client.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # end by RST
        await until(lambda: not rig.in_flight(), "the gateway sees that the client is gone")
        await rig.get("/nobody/api/v1/x")
    gone, last = lines_of(log_of(tmp_path))  # the end of the gateway waits for its log
    assert (gone["status"], gone["instance"], gone["tries"]) == (0, "LPAR2/orders:9000", 1)
    assert gone["reason"]
    assert "first_byte_s" not in gone
    assert last["status"] == 404
