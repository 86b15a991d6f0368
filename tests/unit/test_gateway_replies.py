"""Zowe's form of an error body; server-sent events in pieces of any size."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import sse
from gateway.replies import error_answer, error_body


@pytest.mark.parametrize(
    ("status", "number", "key"),
    [
        (400, "ZWEAO400E", "common.badRequest"),
        (404, "ZWEAO404E", "common.notFound"),
        (503, "ZWEAO503E", "common.serviceUnavailable"),
        (504, "ZWEAG510E", "gateway.responseStatusError"),
        (413, "ZWEAG510E", "gateway.responseStatusError"),
    ],
)
def test_error_bodies(status: int, number: str, key: str) -> None:
    (message,) = json.loads(error_body(status, "<b>"))["messages"]
    assert message["messageNumber"] == number
    assert message["messageKey"] == "org.zowe.apiml." + key
    assert message["messageContent"] == "&lt;b&gt;"
    assert set(message) == {
        "messageType", "messageNumber", "messageContent", "messageAction", "messageReason", "messageKey",
    }  # fmt: skip


def test_no_usable_instance_has_a_number_of_its_own() -> None:
    (message,) = json.loads(error_body(503, "x", "ZWEAG510E"))["messages"]
    assert message["messageNumber"] == "ZWEAG510E"


def test_an_answer_to_head_has_no_body() -> None:
    whole = error_answer(404, "x", close=True)
    head, _, body = whole.partition(b"\r\n\r\n")
    assert b"Connection: close" in head
    assert b"Content-Length: %d" % len(body) in head
    assert error_answer(404, "x", close=True, body_wanted=False) == head + b"\r\n\r\n"


STREAM = b': hello\n\nid: 7\nevent: put\ndata: {"a":\ndata: 1}\n\nevent: mark\r\ndata:x\r\n\r\nid: 8\n\ndata: y\n\n'


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_events_come_out_the_same_from_any_pieces(at: list[int]) -> None:
    places = sorted({0, len(STREAM), *at})
    parser = sse.Parser()
    found = [each for a, b in itertools.pairwise(places) for each in parser.feed(STREAM[a:b])]
    assert [(each.event, each.data, each.id) for each in found] == [
        ("put", b'{"a":\n1}', "7"),
        ("mark", b"x", "7"),
        ("", b"y", "8"),
    ]


def test_an_event_without_an_end_is_given_up() -> None:
    parser = sse.Parser()
    with pytest.raises(sse.TooLong):
        [parser.feed(b"x" * 65_536) for _ in range(20)]
