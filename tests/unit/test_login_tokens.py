"""Tokens: what is made is good, and nothing else is, however it is made to look like one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from gateway.login.ring import MARGIN_S, Algorithm, Ring, SigningKey
from gateway.login.tokens import LIFE_S, MAX_CHARS, Expired, Genuine, Invalid, Token, check, key_id, sign

NOW = 1_790_000_000
RSA, EC, STRANGER = (SigningKey.generate(kind, NOW) for kind in ("RS256", "ES256", "RS256"))
RING = Ring([RSA, EC])
TOKEN = Token("ada", NOW, NOW + LIFE_S, "a1b2")


def part(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def read(text: str, at: int) -> dict[str, Any]:
    piece = text.split(".")[at]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(piece + "=" * (-len(piece) % 4)))
    return found


def signed(claims: object, key: SigningKey = RSA, **header: object) -> str:
    """Really signed, whatever it says."""
    payload = json.dumps(claims).encode()
    return jws.serialize_compact({"alg": key.algorithm, "kid": key.id, **header}, payload, key.key)


CLAIMS = {"sub": "ada", "iat": NOW, "exp": NOW + 60, "jti": "x", "iss": "APIML", "dom": "security-domain"}


@pytest.mark.parametrize("key", [RSA, EC], ids=["RS256", "ES256"])
def test_what_is_signed_is_good_until_its_time_is_over(key: SigningKey) -> None:
    text = sign(TOKEN, key)
    assert check(text, RING, NOW) == check(text, RING, NOW + LIFE_S - 0.1) == Genuine(TOKEN)
    assert check(text, RING, NOW + LIFE_S) == Expired(TOKEN)


def test_it_says_what_zowes_say() -> None:
    text = sign(TOKEN, RSA)
    assert read(text, 0) == {"typ": "JWT", "alg": "RS256", "kid": RSA.id}
    assert read(text, 1) == {
        "sub": "ada", "iat": NOW, "exp": NOW + LIFE_S, "jti": "a1b2", "iss": "APIML", "dom": "security-domain",
    }  # fmt: skip


def test_a_key_that_is_not_ours_opens_nothing() -> None:
    text = sign(TOKEN, STRANGER)
    assert isinstance(check(text, RING, NOW), Invalid)
    assert key_id(text) == STRANGER.id
    assert isinstance(check(signed(CLAIMS, STRANGER, kid=RSA.id), RING, NOW), Invalid)


def test_a_header_without_an_algorithm_opens_nothing() -> None:
    _, claims, signature = sign(TOKEN, RSA).split(".")
    for alg in ("none", "None", "nOnE", "", None):
        for end in ("", signature):
            forged = f"{part({'alg': alg, 'kid': RSA.id})}.{claims}.{end}"
            assert isinstance(check(forged, RING, NOW), Invalid)


@pytest.mark.parametrize("secret", [RSA.public_pem.encode(), RSA.id.encode(), b"", json.dumps(RSA.public).encode()])
def test_a_public_key_is_no_shared_secret(secret: bytes) -> None:
    head = f"{part({'alg': 'HS256', 'kid': RSA.id, 'typ': 'JWT'})}.{part(CLAIMS)}"
    forged = f"{head}.{part(hmac.digest(secret, head.encode(), hashlib.sha256))}"
    assert isinstance(check(forged, RING, NOW), Invalid)


@pytest.mark.parametrize(("alg", "key"), [("ES256", RSA), ("RS256", EC), ("RS512", RSA), ("PS256", RSA)])
def test_a_key_is_for_its_own_algorithm_only(alg: str, key: SigningKey) -> None:
    _, claims, signature = sign(TOKEN, key).split(".")
    assert isinstance(check(f"{part({'alg': alg, 'kid': key.id})}.{claims}.{signature}", RING, NOW), Invalid)
    if alg == "PS256":
        really = jws.serialize_compact({"alg": alg, "kid": key.id}, json.dumps(CLAIMS), key.key, algorithms=[alg])
        assert isinstance(check(really, RING, NOW), Invalid)


def test_keys_that_a_header_brings_along_are_not_looked_at() -> None:
    for more in ({"jwk": STRANGER.public}, {"jku": "http://127.0.0.1/keys"}, {"x5c": ["AAAA"]}):
        try:
            forged = signed(CLAIMS, STRANGER, kid=RSA.id, **more)
        except Exception:  # noqa: BLE001 - some it will not even sign
            continue
        assert isinstance(check(forged, RING, NOW), Invalid)


def test_what_was_changed_after_it_was_signed_is_not_believed() -> None:
    head, _, signature = sign(TOKEN, RSA).split(".")
    changed = {**CLAIMS, "sub": "root"}
    assert isinstance(check(f"{head}.{part(changed)}.{signature}", RING, NOW), Invalid)


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "APIML_PAT"}, {"iss": None}, {"sub": ""}, {"sub": 7}, {"sub": "x" * 257}, {"exp": "soon"},
        {"exp": 1e400}, {"exp": float("nan")}, {"exp": None}, {"exp": -1}, {"exp": 1 << 60}, {"jti": ""},
        {"jti": ["x"]}, {"iat": "now"},
    ],
)  # fmt: skip
def test_what_is_signed_but_no_login_token_is_not_believed(wrong: dict[str, Any]) -> None:
    assert isinstance(check(signed(CLAIMS), RING, NOW), Genuine)
    assert isinstance(check(signed({**CLAIMS, **wrong}), RING, NOW), Invalid)


@pytest.mark.parametrize("missing", ["sub", "iat", "exp", "jti"])
def test_every_claim_has_to_be_there(missing: str) -> None:
    assert isinstance(check(signed({key: each for key, each in CLAIMS.items() if key != missing}), RING, NOW), Invalid)


@pytest.mark.parametrize("payload", [[], "x", None, 7, [CLAIMS]])
def test_claims_are_an_object(payload: object) -> None:
    assert isinstance(check(signed(payload), RING, NOW), Invalid)


@given(st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_-]{0,40}(\.[A-Za-z0-9_-]{0,40}){0,4}", fullmatch=True))
def test_what_is_no_token_is_refused_quietly(text: str) -> None:
    assert isinstance(check(text, RING, NOW), Invalid)


@given(st.data())
def test_no_letter_of_a_token_can_be_changed(data: st.DataObject) -> None:
    text = sign(TOKEN, EC)
    at = data.draw(st.integers(0, len(text) - 2))  # of the last letter two bits mean nothing
    letter = data.draw(st.characters(codec="ascii").filter(lambda each: each != text[at]))
    assert isinstance(check(text[:at] + letter + text[at + 1 :], RING, NOW), Invalid)


def test_a_long_text_is_not_even_read() -> None:
    assert check("x" * (MAX_CHARS + 1), RING, NOW) == Invalid("no key of ours has signed it")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_key_is_itself_after_it_was_written(algorithm: Algorithm) -> None:
    key = SigningKey.generate(algorithm, NOW)
    again = SigningKey.read(key.pem, NOW)
    assert (again.id, again.algorithm, again.public) == (key.id, algorithm, key.public)
    assert isinstance(check(sign(TOKEN, key), Ring([again]), NOW), Genuine)


def test_what_is_public_of_a_key_does_not_hold_the_rest() -> None:
    for each in RING.key_set()["keys"]:
        assert not {"d", "p", "q", "dp", "dq", "qi"} & each.keys()
        assert each["use"] == "sig"


@pytest.mark.parametrize(
    "pem",
    [
        b"", b"no key", RSA.public_pem.encode(), EC.public_pem.encode(),
        ECKey.generate_key("P-384").as_pem(private=True),
        RSAKey.generate_key(2048).as_pem(private=True, password="secret"),
    ],
    ids=["empty", "text", "public RSA", "public EC", "P-384", "with a password"],
)  # fmt: skip
def test_what_cannot_sign_is_no_key(pem: bytes) -> None:
    with pytest.raises(ValueError):
        SigningKey.read(pem, NOW)


def test_the_newest_signs_and_those_before_it_are_worn_when_their_last_token_is() -> None:
    old, middle, new = (SigningKey.generate("ES256", made) for made in (100, 200, 300))
    ring = Ring([new, old, middle])
    assert ring.newest is new
    assert [each["kid"] for each in ring.key_set()["keys"]] == [new.id, middle.id, old.id]
    assert [each["kid"] for each in ring.key_set(newest_only=True)["keys"]] == [new.id]
    assert ring.worn(200 + LIFE_S + MARGIN_S, LIFE_S) == []
    assert ring.worn(201 + LIFE_S + MARGIN_S, LIFE_S) == [old]
    assert ring.worn(10 * LIFE_S, LIFE_S) == [old, middle]
