"""Signed requests between two ends: one round trip for the nonce, one each afterwards, and nothing for anybody else."""

from __future__ import annotations

import pytest

from discovery import auth
from discovery.auth import Signer, Stale, Verifier
from discovery.keyring import KeyRing, new_key, parse
from shared.errors import Forbidden

RING = parse(new_key())
PATH = "/peer/v1/ping"


def greeted(verifier: Verifier, ring: KeyRing = RING) -> Signer:
    """A signer that has taken the verifier's nonce."""
    signer = Signer()
    header, mac = signer.sign(ring, "POST", PATH, b"")
    signer.challenged(ring, mac, stale(verifier, header).nonce)
    assert signer.ready
    return signer


def stale(verifier: Verifier, header: str, body: bytes = b"") -> Stale:
    with pytest.raises(Stale) as caught:
        verifier.check("POST", PATH, header, body)
    return caught.value


def denied(verifier: Verifier, header: str, body: bytes = b"", path: str = PATH, method: str = "POST") -> None:
    with pytest.raises(Forbidden):
        verifier.check(method, path, header, body)


@pytest.fixture
def verifier() -> Verifier:
    return Verifier(lambda: RING, b"this boot")


def test_a_request_is_taken_once(verifier: Verifier) -> None:
    signer = greeted(verifier)
    for body in (b"one", b"two"):
        header, mac = signer.sign(RING, "POST", PATH, body)
        assert verifier.check("POST", PATH, header, body) == mac
        stale(verifier, header, body)


def test_nothing_of_it_can_be_changed(verifier: Verifier) -> None:
    header, _ = greeted(verifier).sign(RING, "POST", PATH, b"body")
    denied(verifier, header, b"bodY")
    denied(verifier, header, b"body", path="/peer/v1/push")
    denied(verifier, header, b"body", method="PUT")
    key, nonce, counter, mac = header.split(":")
    denied(verifier, f"{key}:{nonce}:{int(counter) + 1}:{mac}", b"body")
    denied(verifier, f"{key}:{nonce[::-1]}:{counter}:{mac}", b"body")
    denied(verifier, f"{key}:{nonce}:{counter}", b"body")
    verifier.check("POST", PATH, header, b"body")


@pytest.mark.parametrize("header", ["", "::::", ":::", "a:b:c:d", "é:é:é:é", "x" * 5000])
def test_a_stranger_is_denied_and_given_no_nonce(verifier: Verifier, header: str) -> None:
    denied(verifier, header)


def test_another_keys_holder_is_a_stranger(verifier: Verifier) -> None:
    header, _ = Signer().sign(parse(new_key()), "POST", PATH, b"")
    denied(verifier, header)


def test_a_new_boot_takes_nothing_of_the_old_one_and_gives_a_nonce_at_once(verifier: Verifier) -> None:
    signer = greeted(verifier)
    header, mac = signer.sign(RING, "POST", PATH, b"body")
    verifier.check("POST", PATH, header, b"body")
    reborn = Verifier(lambda: RING, b"next boot")
    signer.challenged(RING, mac, stale(reborn, header, b"body").nonce)
    header, mac = signer.sign(RING, "POST", PATH, b"body")
    assert reborn.check("POST", PATH, header, b"body") == mac


def test_a_nonce_is_believed_only_from_a_peer_and_for_this_request(verifier: Verifier) -> None:
    signer = Signer()
    header, mac = signer.sign(RING, "POST", PATH, b"")
    said = stale(verifier, header).nonce
    other = stale(verifier, Signer().sign(RING, "POST", PATH, b"")[0]).nonce
    for wrong in ("", "a:b:c", other, said.replace(said[:4], "ffff", 1)):
        with pytest.raises(Forbidden):
            signer.challenged(RING, mac, wrong)
    assert not signer.ready
    signer.challenged(RING, mac, said)
    assert signer.ready


def test_an_answer_belongs_to_its_request(verifier: Verifier) -> None:
    _, mac = greeted(verifier).sign(RING, "POST", PATH, b"body")
    sealed = verifier.seal(mac, 200, b"reply")
    auth.check_answer(RING, mac, 200, sealed, b"reply")
    for wrong in ((mac[::-1], 200, sealed, b"reply"), (mac, 400, sealed, b"reply"), (mac, 200, sealed, b"replY")):
        with pytest.raises(Forbidden):
            auth.check_answer(RING, *wrong)


def test_a_forgotten_nonce_is_not_used(verifier: Verifier) -> None:
    signer = greeted(verifier)
    signer.forget()
    assert not signer.ready
    stale(verifier, signer.sign(RING, "POST", PATH, b"")[0])


def test_the_ring_is_changed_under_way() -> None:
    ring, other = RING, parse(new_key())
    verifier = Verifier(lambda: ring, b"this boot")
    signer = greeted(verifier)
    ring = other
    denied(verifier, signer.sign(RING, "POST", PATH, b"")[0])
    header, mac = signer.sign(other, "POST", PATH, b"")
    assert verifier.check("POST", PATH, header, b"") == mac
