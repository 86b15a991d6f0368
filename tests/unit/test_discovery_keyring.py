"""The ring of gossip keys: which lines are keys, which key signs, and how one is changed for another."""

from __future__ import annotations

import hmac
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.keyring import KeyRing, new_key, parse
from shared.errors import BadInput

OLD, NEW = new_key(), new_key()


def understands(receiver: KeyRing, sender: KeyRing) -> bool:
    return receiver.accepts(*sender.sign(b"message"), b"message")


def test_the_first_key_signs_and_all_are_accepted() -> None:
    both = parse(f"# since March\n{NEW}\n\n  {OLD.upper()}  \n")
    assert both.sign(b"x") == parse(NEW).sign(b"x")
    assert understands(both, parse(OLD))
    assert understands(both, parse(NEW))
    assert not understands(parse(OLD), both)


def test_install_use_remove_never_parts_the_nodes() -> None:
    """Nodes look at the file at different times: at each step some have the ring before and some the one after."""
    steps = [parse(text) for text in (OLD, f"{OLD}\n{NEW}", f"{NEW}\n{OLD}", NEW)]
    for before, after in pairwise(steps):
        assert understands(before, after)
        assert understands(after, before)
    assert not understands(steps[3], steps[0])


def test_a_mac_is_of_one_message_under_one_key() -> None:
    ring = parse(OLD)
    id, mac = ring.sign(b"message")
    assert not ring.accepts(id, mac, b"massage")
    assert not ring.accepts(id, "", b"message")
    assert not ring.accepts(id, "é" * 64, b"message")
    assert not ring.accepts("other", mac, b"message")
    assert OLD[:12] not in id


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=300))
def test_the_macs_are_those_of_rfc_2104(key: bytes, data: bytes) -> None:
    assert parse(key.hex()).sign(data)[1] == hmac.digest(key, data, "sha256").hex()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no key: expected one a line"),
        ("# nothing else\n\n", "no key"),
        (f"{OLD}\nnot a key\n", "line 2: expected a key of 64 hex digits, found other characters"),
        (OLD[:-2], "line 1: expected a key of 64 hex digits, found 62"),
        (f"{OLD}{NEW}", "line 1: .* found 128"),
    ],
)
def test_bad_rings_name_the_line_and_not_the_key(text: str, reason: str) -> None:
    with pytest.raises(BadInput, match=reason) as caught:
        parse(text)
    assert OLD[:8] not in str(caught.value)
