"""The lines of the access log: their fields, and that nobody can forge one."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access_records import FORMS, AccessRecord, combined_line, failed, json_line

WALL_S = 971_211_336.25
"""10 October 2000, 20:55:36.250 UTC."""

COMBINED = re.compile(
    r'(?P<client>\S+) - - \[(?P<time>[^]"]+)\] "(?P<request>[^"]*)" (?P<status>[0-9]{3}) (?P<sent>[0-9]+) '
    r'"(?P<referer>[^"]*)" "(?P<agent>[^"]*)" "(?P<id>[^"]*)" "(?P<instance>[^"]*)" '
    r"(?P<seconds>[0-9]+\.[0-9]{6}) (?P<stands_for>[0-9]+)\n"
)


def a_record(**given: Any) -> AccessRecord:
    fields: dict[str, Any] = {
        "began": 0.0,
        "client": b"127.0.0.1",
        "method": b"GET",
        "target": b"/orders/api/v1/x?a=1&b=%20",
        "minor": 1,
        "status": 200,
        "received_bytes": 5,
        "sent_bytes": 22,
        "seconds": 0.0012345678,
        "first_byte_s": 0.0009,
        "service": "orders",
        "route": b"/orders/api/v1",
        "instance": b"LPAR2/orders:9000",
        "tries": 2,
        "reason": "connect",
        "request_id": b"lpar1-5f-1",
        "trace_id": b"4bf92f3577b34da6a3ce929d0e0e4736",
        "user_agent": b"curl/8.1",
        "referer": b"http://x/",
    }
    return AccessRecord(**fields | given)


def read_json(record: AccessRecord, wall_s: float = WALL_S) -> dict[str, Any]:
    line = json_line(record, wall_s)
    assert line.isascii()
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    found: dict[str, Any] = json.loads(line)
    return found


def read_combined(record: AccessRecord, wall_s: float = WALL_S) -> dict[str, str]:
    match = COMBINED.fullmatch(combined_line(record, wall_s).decode("ascii"))
    assert match, combined_line(record, wall_s)
    return match.groupdict()


def test_json_says_all_that_is_known() -> None:
    assert read_json(a_record(stands_for=7)) == {
        "time": "2000-10-10T20:55:36.250Z",
        "client": "127.0.0.1",
        "method": "GET",
        "target": "/orders/api/v1/x?a=1&b=%20",
        "version": "1.1",
        "status": 200,
        "received_bytes": 5,
        "sent_bytes": 22,
        "seconds": 0.001235,
        "tries": 2,
        "stands_for": 7,
        "first_byte_s": 0.0009,
        "service": "orders",
        "route": "/orders/api/v1",
        "instance": "LPAR2/orders:9000",
        "reason": "connect",
        "request_id": "lpar1-5f-1",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "user_agent": "curl/8.1",
        "referer": "http://x/",
    }


NOTHING = dict.fromkeys(
    ("method", "target", "route", "instance", "request_id", "trace_id", "user_agent", "referer"), b""
)


def test_json_leaves_out_what_is_not_known() -> None:
    record = a_record(**NOTHING, service="", reason="malformed", status=0, first_byte_s=-1.0, minor=0)
    assert set(read_json(record)) == {
        "time", "client", "method", "target", "version", "status", "received_bytes", "sent_bytes", "seconds", "tries",
        "stands_for", "reason",
    }  # fmt: skip
    assert read_json(record)["version"] == "1.0"


def test_combined_is_what_other_programs_read() -> None:
    assert combined_line(a_record(), WALL_S) == (
        b'127.0.0.1 - - [10/Oct/2000:20:55:36 +0000] "GET /orders/api/v1/x?a=1&b=%20 HTTP/1.1" 200 22 "http://x/" '
        b'"curl/8.1" "lpar1-5f-1" "LPAR2/orders:9000" 0.001235 1\n'
    )


def test_combined_of_a_request_that_had_no_line() -> None:
    assert combined_line(a_record(**NOTHING, status=0, sent_bytes=0), WALL_S) == (
        b'127.0.0.1 - - [10/Oct/2000:20:55:36 +0000] "-" 000 0 "-" "-" "-" "-" 0.001235 1\n'
    )


@pytest.mark.parametrize("began", [0.0, 0.7499, 0.75, 3_600.1])
def test_the_time_is_that_of_the_beginning(began: float) -> None:
    minute = {0.0: "20:55:36.250", 0.7499: "20:55:36.999", 0.75: "20:55:37.000", 3_600.1: "21:55:36.350"}[began]
    assert read_json(a_record(began=began))["time"] == f"2000-10-10T{minute}Z"
    assert read_combined(a_record(began=began))["time"] == f"10/Oct/2000:{minute[:8]} +0000"


EVIL = b'" 200 0 "\n{"status":200}\r\n\x00\x1b[2J\x7f\\\xc2\x85\xe2\x80\xa8\xff\t\x9b'


def test_quotes_newlines_and_control_codes_are_escaped() -> None:
    record = a_record(user_agent=EVIL)
    assert read_json(record)["user_agent"] == EVIL.decode("utf-8", "backslashreplace")
    assert read_combined(record)["agent"] == (
        r"\x22 200 0 \x22\x0A{\x22status\x22:200}\x0D\x0A\x00\x1B[2J\x7F\x5C\xC2\x85\xE2\x80\xA8\xFF\x09\x9B"
    )


@pytest.mark.parametrize("byte", [b"\x7f", b"\x1b", b"\x9b", b"\n", b'"', b"\\"])
def test_one_such_byte_is_enough(byte: bytes) -> None:
    record = a_record(user_agent=byte)
    assert read_json(record)["user_agent"] == byte.decode("utf-8", "backslashreplace")
    assert read_combined(record)["agent"] == f"\\x{byte[0]:02X}"
    assert all(0x20 <= each < 0x7F for each in json_line(record, WALL_S)[:-1])


def test_an_address_from_a_header_cannot_add_a_column() -> None:
    assert read_combined(a_record(client=b"a - - [x]"))["client"] == r"a\x20-\x20-\x20[x]"


DIRTY = st.binary(max_size=60)


@given(DIRTY, DIRTY, DIRTY, DIRTY, DIRTY, DIRTY, DIRTY, st.text(max_size=20).map(lambda each: each.encode()))
def test_whatever_bytes_come_a_line_stays_one_line(
    client: bytes, method: bytes, target: bytes, agent: bytes, referer: bytes, id: bytes, instance: bytes, trace: bytes
) -> None:
    record = a_record(
        client=client, method=method, target=target, user_agent=agent, referer=referer, request_id=id,
        instance=instance, trace_id=trace,
    )  # fmt: skip
    fields = read_json(record)
    assert fields["status"] == 200
    assert fields["method"] == method.decode("utf-8", "backslashreplace")
    assert fields.get("trace_id", "") == trace.decode()
    assert read_combined(record)["status"] == "200"
    for line in (form(record, WALL_S) for form in FORMS.values()):
        assert all(0x20 <= byte < 0x7F for byte in line[:-1])


def test_a_record_keeps_no_more_than_is_written() -> None:
    record = a_record(method=b"M" * 99, target=b"/" * 9999, user_agent=b"u" * 9999, referer=b"r" * 9999)
    record.shorten()
    fields = read_json(record)
    lengths = [len(fields[name]) for name in ("method", "target", "user_agent", "referer")]
    assert lengths == [32, 2048, 256, 1024]
    short = a_record()
    short.shorten()
    assert short == a_record()


def test_no_field_holds_what_is_secret() -> None:
    names = {field.name for field in msgspec.structs.fields(AccessRecord)}
    assert not {name for name in names if re.search("cookie|authorization|token|body$|header", name)}


def test_failed_exchanges() -> None:
    assert [status for status in (0, 101, 200, 404, 499, 500, 503, 599) if failed(status)] == [0, 500, 503, 599]
