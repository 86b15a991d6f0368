"""What a request shows."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.login.credentials import MAX_NAME, MAX_PASSWORD_BYTES, Basic, basic, of_body, set_cookie, token
from shared.errors import BadInput


def field(text: bytes) -> str:
    return "Basic " + base64.b64encode(text).decode()


@pytest.mark.parametrize(
    ("user", "password"), [("ada", "x"), ("ada", "a:b:c"), ("ada", "pässwörd €"), ("ädä", " "), ("ada", "x" * 1024)]
)
def test_a_name_and_a_password(user: str, password: str) -> None:
    assert basic(field(f"{user}:{password}".encode())) == Basic(user, password)
    assert of_body(json.dumps({"username": user, "password": password, "more": 1}).encode()) == Basic(user, password)


@pytest.mark.parametrize("text", ["", "Bearer x", "Digest x", "Negotiate abc", "Basically x"])
def test_other_schemes_are_none_of_it(text: str) -> None:
    assert basic(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Basic", "Basic !!!", "Basic YWRh", field(b"ada"), field(b":x"), field(b"ada:"), field(b"\xff\xfe:x"),
        field(b"ada:x\0y"), field(b"a\0da:x"), field(b"a\nda:x"), field(b"a" * (MAX_NAME + 1) + b":x"),
        field(b"ada:" + b"x" * (MAX_PASSWORD_BYTES + 1)), "Basic \ud800", "basic YWRhOng=x",
    ],
)  # fmt: skip
def test_what_is_malformed_is_refused_without_saying_it_again(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        basic(text)
    assert "xx" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"null", b'"x"', b"{}", b'{"username":"ada"}', b'{"username":"ada","password":7}', b"\xff{}",
        b'{"username":"ada","password":"\\ud800"}',
        b'{"username":"ada","password":"sesame","newPassword":"sesame2"}', b'{"username":"","password":"sesame"}',
        b'{"username":"ada","password":"sesame\\u0000"}', b'{"username":"ada","password":"sesame"', b'{"a":' * 2000,
    ],
)  # fmt: skip
def test_a_body_that_is_no_login_is_refused_without_quoting_it(body: bytes) -> None:
    with pytest.raises(BadInput) as refused:
        of_body(body)
    assert "sesame" not in str(refused.value)


def test_a_password_is_not_shown_when_it_is_printed() -> None:
    assert "sesame" not in repr(Basic("ada", "sesame"))


@given(st.text())
def test_any_field_is_taken_or_refused(text: str) -> None:
    for each in (text, "Basic " + text, "Bearer " + text):
        with contextlib.suppress(BadInput):
            basic(each)
        token([each], each)


@pytest.mark.parametrize(
    ("cookies", "authorization", "found"),
    [
        ([], "", ""),
        ([], "Bearer abc", "abc"),
        ([], "bearer  abc ", "abc"),
        ([], "Basic abc", ""),
        (["apimlAuthenticationToken=c"], "Bearer b", "c"),
        (["a=1; apimlAuthenticationToken=c; b=2"], "", "c"),
        (["a=1;apimlAuthenticationToken=c"], "", "c"),
        (['apimlAuthenticationToken="c"'], "", "c"),
        (["a=1", "apimlAuthenticationToken=c"], "", "c"),
        (["apimlAuthenticationToken=c; apimlAuthenticationToken=d"], "", "c"),
        (["apimlAuthenticationToken=; a=1"], "Bearer b", ""),
        (["xapimlAuthenticationToken=c; apimlauthenticationtoken=d"], "", ""),
    ],
)
def test_a_token_is_in_the_cookie_or_bearer(cookies: list[str], authorization: str, found: str) -> None:
    assert token(cookies, authorization) == found


def test_the_cookie() -> None:
    assert set_cookie("t", secure=True) == "apimlAuthenticationToken=t; Path=/; Secure; HttpOnly; SameSite=Strict"
    assert set_cookie("t", secure=False) == "apimlAuthenticationToken=t; Path=/; HttpOnly; SameSite=Strict"
    assert set_cookie("", secure=False) == "apimlAuthenticationToken=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"
