"""What a request asks for, and how it is told that it asks for nothing."""

from __future__ import annotations

import json
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caching import requests
from caching.conditions import ABSENT, PRESENT, Condition, matching
from caching.requests import BOOT, LONGEST_TTL_S, Page, Request
from shared.errors import BadInput

SECRET = "s3cr3t"


def request(body: bytes = b"", query: dict[str, str] | None = None, **fields: str) -> Request:
    heads = {name.replace("_", "-").lower(): value for name, value in fields.items()}
    return Request("me", heads, query or {}, {"key": "k"}, body, "")


# --- ETags


@pytest.mark.parametrize(
    ("field", "strong", "all"),
    [
        ('"a"', ["a"], ["a"]),
        ('"a", "b"', ["a", "b"], ["a", "b"]),
        ('"a","b"', ["a", "b"], ["a", "b"]),
        ('W/"a", "b"', ["b"], ["a", "b"]),
        ('W/"a"', [], ["a"]),
        ('""', [""], [""]),
        ('"a,b", "c"', ["a,b", "c"], ["a,b", "c"]),
        (', "a" ,\t, "b" ,', ["a", "b"], ["a", "b"]),
        ('"W/"', ["W/"], ["W/"]),
        ('"*"', ["*"], ["*"]),
        ('"\\"', ["\\"], ["\\"]),
    ],
)
def test_lists_of_etags(field: str, strong: list[str], all: list[str]) -> None:
    assert requests.etags(field, "If-Match") == strong
    assert requests.etags(field, "If-None-Match", weak=True) == all


@pytest.mark.parametrize(
    "field", ["", " ", ",", "a", '"a', 'a"', '"a" "b"', '"a"b', 'w/"a"', 'W "a"', '"a";', "*", '"a b"', '"a", b', "'a'"]
)
def test_what_is_no_list_of_etags(field: str) -> None:
    for weak in (False, True):
        with pytest.raises(BadInput, match="If-Match has to be"):
            requests.etags(field, "If-Match", weak=weak)


ETAG = st.text(st.characters(codec="latin-1", exclude_characters='"', exclude_categories=["Cc", "Z"]), max_size=8)
GAP = st.sampled_from([", ", ",", " , ,\t"])


@given(st.lists(st.tuples(ETAG.filter(lambda each: "\xad" not in each), st.booleans()), min_size=1, max_size=5), GAP)
def test_any_list_is_read_as_it_was_written(written: list[tuple[str, bool]], gap: str) -> None:
    field = gap.join(f'{"W/" if weak else ""}"{etag}"' for etag, weak in written)
    assert requests.etags(field, "If-Match") == [etag for etag, weak in written if not weak]
    assert requests.etags(field, "If-Match", weak=True) == [etag for etag, _ in written]


@given(st.text(st.sampled_from('"W/, \ta*'), max_size=12))
def test_no_text_is_more_than_refused(field: str) -> None:
    try:
        found = requests.etags(field, "If-Match", weak=True)
    except BadInput:
        return
    assert len(found) == field.count('"') / 2 > 0


@pytest.mark.parametrize(
    ("fields", "condition"),
    [
        ({}, None),
        ({"If_Match": "*"}, PRESENT),
        ({"If_None_Match": "*"}, ABSENT),
        ({"If_Match": '"7.a"'}, matching("7.a")),
        ({"If_Match": '"7.a", W/"8.b", "9.c"'}, matching("7.a", "9.c")),
        ({"If_Match": 'W/"8.b"'}, matching()),
    ],
)
def test_conditions(fields: dict[str, str], condition: Condition | None) -> None:
    assert requests.condition(request(**fields)) == condition


@pytest.mark.parametrize(
    "fields",
    [{"If_Match": ""}, {"If_Match": "a"}, {"If_None_Match": '"a"'}, {"If_None_Match": ""}, {"If_Match": "*, *"},
     {"If_Match": "*", "If_None_Match": "*"}],
)  # fmt: skip
def test_what_is_no_condition(fields: dict[str, str]) -> None:
    with pytest.raises(BadInput, match="Match"):
        requests.condition(request(**fields))


@pytest.mark.parametrize(
    ("field", "is_unchanged"), [("*", True), ('"7.a"', True), ('W/"7.a"', True), ('"x", "7.a"', True), ('"x"', False)]
)
def test_a_read_of_what_is_known(field: str, is_unchanged: bool) -> None:
    assert requests.unchanged(request(If_None_Match=field), "7.a") is is_unchanged
    assert not requests.unchanged(request(), "7.a")


# --- bodies


def test_a_pair() -> None:
    given = requests.pair(request(b'{"key":"k","value":"\xc3\xbc","ttlSeconds":60,"created":"0"}'))
    assert (given.key, given.content.value, given.content.type, given.ttl_ms) == ("k", "ü".encode(), "", 60_000)
    assert requests.pair(request(b'{"key":"k","value":""}', X_Cache_TTL="5")).ttl_ms == 5_000
    assert requests.pair(request(b'{"key":"k","value":"","ttlSeconds":6}', X_Cache_TTL="5")).ttl_ms == 6_000
    assert requests.pair(request(b'{"key":"k","value":"","ttlSeconds":null}')).ttl_ms is None


def test_a_raw_body() -> None:
    given = requests.raw(request(b"\xff", Content_Type="a/b"))
    assert (given.key, given.content.value, given.content.type, given.ttl_ms) == ("k", b"\xff", "a/b", None)
    assert requests.raw(request()).content.type == "application/octet-stream"
    assert requests.raw(request(query={"ttlSeconds": "7"}, X_Cache_TTL="5")).ttl_ms == 7_000
    assert requests.raw(request(X_Cache_TTL="5")).ttl_ms == 5_000


@pytest.mark.parametrize("text", ["1", "0060", str(LONGEST_TTL_S)])
def test_times_to_live(text: str) -> None:
    assert requests.raw(request(query={"ttlSeconds": text})).ttl_ms == int(text) * 1000


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "+1", " 1", "1 ", "1.0", "1e3", "x", "²", "٣", str(LONGEST_TTL_S + 1), "9" * 5_000]
)
def test_what_is_no_time_to_live(text: str) -> None:
    for asked in (request(query={"ttlSeconds": text}), request(X_Cache_TTL=text)):
        with pytest.raises(BadInput, match="whole number from 1 to 31536000"):
            requests.raw(asked)


VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.just(SECRET), st.lists, max_leaves=4)


@given(st.fixed_dictionaries({}, optional={"key": VALUES, "value": VALUES, "ttlSeconds": VALUES}), st.integers(0, 200))
def test_no_body_is_more_than_refused_and_none_is_repeated(tree: object, cut: int) -> None:
    body = json.dumps(tree, indent=1).encode()
    for each in (body, body[:cut], body[:cut] + b"\xff" + body[cut:], body + body):
        said = refusal(each)
        assert SECRET not in said
        assert "\\x" not in said


def refusal(body: bytes) -> str:
    """Empty: it is a pair."""
    try:
        requests.pair(request(body))
    except BadInput as error:
        return str(error)
    return ""


@given(st.text("a\nü𐍈", max_size=20), st.sampled_from([b"\xff", b"}", b"\x01"]))
def test_where_a_body_is_malformed(before: str, wrong: bytes) -> None:
    """Before it: spaces and lines of a string that is none of key and value."""
    text = '{"key":"k",' + "\n" * before.count("\n") + '"value":"' + before.replace("\n", "")
    body = text.encode() + (wrong if wrong != b"}" else b'"]') + b'"}'
    at = len(text.encode()) + (1 if wrong == b"}" else 0)
    with pytest.raises(BadInput) as refused:
        requests.pair(request(body))
    found = re.search(r"line (\d+), column (\d+) \(byte (\d+)\)", str(refused.value))
    assert found is not None
    valid = body[:at].decode()
    assert found.groups() == (str(valid.count("\n") + 1), str(len(valid.rpartition("\n")[2]) + 1), str(at))


def test_a_pair_is_what_the_document_says() -> None:
    schema = msgspec.json.schema(requests.Pair)["$defs"]["Pair"]
    assert schema["required"] == ["key", "value"]


# --- ids, pages


def test_ids_made_here_are_of_this_process_and_differ() -> None:
    made = {requests.write_id(request()) for _ in range(100)}
    assert len(made) == 100
    assert all(id.startswith(BOOT) and requests.WRITE_ID.match(id) for id in made)


@pytest.mark.parametrize("id", ["a", "~" * 64, "0e8a-4", "!#[]{}"])
def test_ids_of_callers(id: str) -> None:
    assert requests.write_id(request(Idempotency_Key=id)) == id


@pytest.mark.parametrize("id", ["", "x" * 65, "a b", 'a"', "a\\", "ä", "a\n", "\x7f"])
def test_what_is_no_id(id: str) -> None:
    with pytest.raises(BadInput, match="Idempotency-Key"):
        requests.write_id(request(Idempotency_Key=id))


def test_pages() -> None:
    assert requests.page(request()) is None
    assert requests.page(request(query={"prefix": ""})) == Page("", None, 1000)
    assert requests.page(request(query={"after": ""})) == Page("", "", 1000)
    assert requests.page(request(query={"prefix": "ü", "after": "a", "limit": "007"})) == Page("ü", "a", 7)
    for limit in ("0", "1001", "", "-1", "1.0", "٣", "000000001999999", "9" * 5_000):
        with pytest.raises(BadInput, match="limit"):
            requests.page(request(query={"limit": limit}))


def test_parameters_that_nobody_knows_or_that_are_there_twice() -> None:
    requests.known_only(["a", "b"], ("a", "b", "c"))
    requests.known_only([], ())
    for names, known, says in (
        (["x"], ("a",), "there is a"),
        (["a"], (), "there is none"),
        (["a", "a"], ("a",), "twice"),
    ):
        with pytest.raises(BadInput, match=says):
            requests.known_only(names, known)
