"""Bodies of /v1: whatever comes in is understood, or refused with a word about the field at fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.v1 import decode
from shared.errors import BadInput

WELL = {"service": "Orders", "host": "h.test", "port": 8080}
DEEP = b"[" * 200_000

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
fields = st.sampled_from(["service", "host", "port", "instance", "ip", "status", "gen", "lease_s", "metadata", "extra"])


def test_one_or_many() -> None:
    (alone,), many = decode.instances(msgspec.json.encode(WELL))
    assert (alone.registration().key, many) == ("orders/h.test:orders:8080", False)
    (first, _), many = decode.instances(msgspec.json.encode({"instances": [WELL, WELL]}))
    assert (first, many) == (alone, True)


def test_one_whose_metadata_speaks_of_instances_is_one() -> None:
    (alone,), many = decode.instances(msgspec.json.encode({**WELL, "metadata": {"instances": "2"}}))
    assert (alone.metadata, many) == ({"instances": "2"}, False)


def test_tls_goes_into_the_secure_port() -> None:
    more = {"secure": True, "health_check_url": "https://h.test/up", "ip": "192.0.2.1", "instance": "a"}
    ((new,), _) = decode.instances(msgspec.json.encode({**WELL, **more}))
    seen = new.registration().seen_by_watchers("A@1", 1, 1)
    assert (seen.port, seen.secure, seen.health_check_url) == (8080, True, "https://h.test/up")
    assert (seen.instance, seen.ip) == ("a", "192.0.2.1")


@pytest.mark.parametrize(
    "name",
    ["", "a/b", ".a", "-a", "a b", "a\n", "\na", "a\nb", "é", "x" * 129],
)
def test_a_service_that_could_not_be_a_path_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match=r"^service: "):
        decode.instances(msgspec.json.encode({**WELL, "service": name}))


@pytest.mark.parametrize("id", ["", "a/b", ".", "..", "a b", "a\n", "a\x7f", "x" * 256])
def test_an_id_that_could_not_be_a_path_is_refused(id: str) -> None:
    with pytest.raises(BadInput, match=r"^instances\[1\].instance: "):
        decode.instances(msgspec.json.encode({"instances": [WELL, {**WELL, "instance": id}]}))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b'{"service": "\xff"}',
        b'{"port": "x", garbage',
        DEEP,
        b'{"x": ' + DEEP,
        b'{"x": ' + DEEP + b', "instances": []}',
        b'{"instances": ' + DEEP,
        b'{"metadata": {"a": ' + DEEP,
        b'{"port": 1e999}',
    ],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    for decoded in (decode.instances, decode.keys):
        with pytest.raises(BadInput):
            decoded(body)


def refusal(decoded: Callable[[bytes], object], body: bytes) -> str:
    """What it is refused with; empty when it is understood."""
    try:
        decoded(body)
    except BadInput as refused:
        return str(refused)
    return ""


@given(st.binary(max_size=60) | json_values.map(msgspec.json.encode))
def test_any_body_is_understood_or_refused(body: bytes) -> None:
    for decoded in (decode.instances, decode.keys):
        refusal(decoded, body)


@given(fields, json_values)
def test_any_value_of_any_field_is_understood_or_refused_by_its_name(field: str, value: Any) -> None:
    body = msgspec.json.encode({"instances": [WELL, {**WELL, field: value}]})
    said = refusal(decode.instances, body)
    if said:
        assert said.startswith(f"instances[1].{field}")
        assert "expected" in said
    else:
        assert decode.instances(body)[0][1].registration().seen_by_watchers("A@1", 1, 1)


@pytest.mark.parametrize(("text", "low", "high"), [("0", 0, 5), ("5", 0, 5)])
def test_numbers_in_their_bounds(text: str, low: int, high: int) -> None:
    assert decode.number("n", text, low, high) == decode.whole("n", text, low, high) == int(text)


@pytest.mark.parametrize("text", ["", "x", "-1", "6", "nan", "inf", "1e3", "٣٣"])
def test_numbers_out_of_them(text: str) -> None:
    for decoded in (decode.number, decode.whole):
        with pytest.raises(BadInput, match=r"^n: .*expected a"):
            decoded("n", text, 0, 5)
