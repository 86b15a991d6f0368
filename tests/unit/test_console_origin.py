"""Which orders come from the console itself: DNS rebinding, other sites, other ports, IPv6."""

from __future__ import annotations

import pytest

from gateway.console.origin import refusal

JSON = "application/json"


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:7554", "http://127.0.0.1:7554"),
        ("localhost:7554", "http://localhost:7554"),
        ("LOCALHOST:7554", "http://localhost:7554"),
        ("127.0.0.1", "http://127.0.0.1"),
        ("127.0.0.1:80", "http://127.0.0.1"),
        ("plex.example.test", "https://plex.example.test"),
        ("plex.example.test:443", "https://plex.example.test"),
        ("[::1]:7554", "http://[::1]:7554"),
        ("[::1]", "http://[::1]"),
    ],
)
@pytest.mark.parametrize("content_type", [JSON, None])
def test_its_own_pages_may(host: str, origin: str, content_type: str | None) -> None:
    assert refusal(host, origin, content_type, ("plex.example.test",)) == ""


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "http://evil.example.test",
        "http://127.0.0.1:7555",
        "http://127.0.0.1",
        "http://127.0.0.2:7554",
        "http://127.0.0.1:7554.evil.example.test",
        "http://127.0.0.1:7554@evil.example.test",
        "http://evil.example.test@127.0.0.1:7554",
        "http://127.0.0.1:7554/",
        "http://127.0.0.1:7554?",
        "http://127.0.0.1:7554#",
        "file://127.0.0.1:7554",
        "//127.0.0.1:7554",
        "127.0.0.1:7554",
        "http://[::1]:7554",
        "http://127.0.0.1:99999",
        "http://[",
        "http://127.0.0.1:7554, http://127.0.0.1:7554",
    ],
)
def test_pages_of_others_may_not(origin: str) -> None:
    assert refusal("127.0.0.1:7554", origin, JSON).startswith("Origin: ")


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example.test:7554",
        "127.0.0.1.nip.example.test:7554",
        "2130706433:7554",
        "127.0.0.1:7554/x",
        "a@127.0.0.1",
    ],
)
def test_a_name_that_others_can_point_here_is_none_of_ours(host: str) -> None:
    """DNS rebinding: page and Host agree, and both are somebody else's."""
    assert refusal(host, f"http://{host}", JSON, ("plex.example.test",)).startswith("Host: ")


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_what_a_form_can_send_is_no_order(content_type: str) -> None:
    assert refusal("127.0.0.1:7554", "http://127.0.0.1:7554", content_type).startswith("Content-Type: ")


def test_with_tls_a_page_in_plain_is_not_ours() -> None:
    assert refusal("127.0.0.1:7554", "http://127.0.0.1:7554", JSON, tls=True).startswith("Origin: ")
    assert refusal("127.0.0.1:7554", "https://127.0.0.1:7554", JSON, tls=True) == ""
    assert refusal("127.0.0.1:7554", "https://127.0.0.1:7554", JSON) == "", "there may be a proxy with TLS in front"


def test_a_refusal_is_one_short_line() -> None:
    said = refusal("127.0.0.1:7554", "http://x\r\ny" + "z" * 5000, JSON)
    assert "\n" not in said
    assert len(said) < 200
