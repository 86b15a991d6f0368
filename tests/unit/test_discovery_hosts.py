"""Which hosts a registration may name."""

from __future__ import annotations

import pytest

from discovery.hosts import Hosts, called, host_in, named_in, plain
from discovery.registration import Registration

NEAR = frozenset({"10.9.9.9", "orders.test", "*.wild.test"})
HOSTS = Hosts(
    ["127.0.1.1", "Lpar2.Test", "203.0.113.5", "::ffff:198.51.100.1", ""],
    ["billing.test", "*.example.org", "10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"],
)


def allowed(host: str, hosts: Hosts = HOSTS) -> bool:
    return hosts.refused([("host", host)], NEAR) is None


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST.", "127.0.0.1", "127.200.1.1", "::1", "[::1]", "::ffff:127.0.0.1",
        "lpar2.test", "203.0.113.5", "198.51.100.1", "10.9.9.9", "orders.test", "a.wild.test",
        "billing.test", "a.example.org", "a.b.example.org", "10.1.2.3", "192.0.2.7", "2001:db8::5", "2001:DB8:0::5",
    ],
)  # fmt: skip
def test_who_is_allowed(host: str) -> None:
    assert allowed(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.test", "example.org", "evilexample.org", "a.b.wild.test", "wild.test", "192.0.2.8",
        "11.0.0.1", "2001:db9::5",
        "169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "0.0.0.0", "::", "2130706433", "0x7f.1", "127.1",
        "0251.0376.0251.0376", "localhost.evil.test", "a b", "höst.test", "localhost:80", "user@localhost",
        "fe80::1%lo",
    ],
)  # fmt: skip
def test_who_is_not(host: str) -> None:
    assert not allowed(host)


def test_link_local_addresses_are_allowed_by_a_range_of_their_own_only() -> None:
    everything = Hosts(["169.254.1.1"], ["0.0.0.0/0", "::/0", "169.254.7.0/24"])
    assert allowed("192.0.2.200", everything)
    assert allowed("169.254.7.7", everything)
    for host in ("169.254.169.254", "169.254.1.1", "fe80::1", "0.0.0.0"):
        assert not allowed(host, everything)
    assert allowed("0.0.0.0", Hosts([], ["0.0.0.0/32"]))
    assert Hosts([]).refused([("host", "169.254.1.9")], frozenset({"169.254.1.9"})), "also for who calls from there"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://a.test", "a.test"), ("https://A.test:8443/x?y#z", "a.test"), ("http://[::1]:80/", "::1"),
        ("HTTP://a.test.:80", "a.test"), ("http://a.test/My App/", "a.test"), ("ftp://a.test", "a.test"),
        ("", ""), ("/health", ""), ("health", ""), ("a/b:c", ""), ("?x", ""), ("N/A", ""),
        ("http://a.test@evil.test/", None), ("http://evil.test\\@a.test/", None), ("//evil.test/x", None),
        ("http:evil.test", None), ("http:///evil.test", None), ("javascript:alert(1)", None),
        (" http://evil.test", None),
        ("ht\ntp://evil.test", None), ("\thttp://evil.test", None), ("http://a.test\t@evil.test", None),
        ("/\\evil.test", None), ("http://evil.test:80:80/", None), ("http://evil.test%2f@a.test", None),
        ("http://", None), ("http://a.test\uff1a80/", None),
    ],
)  # fmt: skip
def test_a_url_is_read_narrowly(url: str, host: str | None) -> None:
    assert host_in(url) == host


def test_a_host_by_itself_has_one_spelling() -> None:
    assert [plain(each) for each in ("[::1]", "0:0::1", " A.Test. ", "", "a b", "-a")] == [
        "::1", "::1", "a.test", "", None, None,
    ]  # fmt: skip


def test_every_place_a_registration_names_is_looked_at() -> None:
    given = Registration(
        app="ORDERS", instance="i", host="h1", ip="h2", home_page_url="http://h3", status_page_url="http://h4",
        health_check_url="http://h5", secure_health_check_url="https://h6",
        metadata={
            "apiml.service.externalUrl": "https://h7", "apiml.apiInfo.api-v1.swaggerUrl": "https://h8",
            "apiml.apiInfo.a.b.graphqlUrl": "https://h9", "apiml.apiInfo.api-v1.documentationUrl": "https://docs.test",
            "apiml.service.title": "https://title.test",
        },
    )  # fmt: skip
    places = list(named_in(given))
    assert len(places) == 9
    everybody = [f"h{n}" for n in range(1, 10)]
    assert Hosts([], everybody).refused(places, ()) is None
    for n, (field, text) in enumerate(places, 1):
        others = [each for each in everybody if each != f"h{n}"]
        assert Hosts([], others).refused(places, ()) == (field, text)
    assert list(called({"apiml.service.externalUrl": "x"})) == [("metadata.apiml.service.externalUrl", "x")]
