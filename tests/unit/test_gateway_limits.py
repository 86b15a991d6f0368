"""What a registration may say about time-outs and sizes, and who may call how often."""

from __future__ import annotations

import pytest

from gateway.callers import Callers
from gateway.limits import UNLIMITED, Limits, limits_of
from shared.errors import ConfigError


def test_zowes_keys_are_milliseconds() -> None:
    metadata = {"apiml.connectTimeout": "2000", "apiml.readTimeout": "1500"}
    assert limits_of(metadata, "api") == Limits(connect_s=2.0, response_s=1.5, idle_s=1.5)


def test_own_keys_win_over_zowes_and_a_routes_over_its_services() -> None:
    metadata = {
        "apiml.readTimeout": "1500",
        "plexmesh.responseTimeoutMs": "3000",
        "plexmesh.routes.ui.responseTimeoutMs": "9000",
        "plexmesh.routes.ui.maxBodyBytes": "10",
    }
    assert limits_of(metadata, "api") == Limits(response_s=3.0, idle_s=1.5)
    assert limits_of(metadata, "ui") == Limits(response_s=9.0, idle_s=1.5, max_body_bytes=10)
    assert limits_of(metadata, "") == limits_of(metadata, "api")


@pytest.mark.parametrize("value", ["", "0", "-1", "1.5", "1e3", " 5", "many", "\u0663", "9" * 19])
def test_what_is_no_positive_whole_number_says_nothing(value: str) -> None:
    assert limits_of({"apiml.connectTimeout": value, "plexmesh.maxBodyBytes": value}, "api") == UNLIMITED


def test_a_time_out_is_a_day_at_most() -> None:
    assert limits_of({"apiml.connectTimeout": "9" * 18}, "api").connect_s == 86_400


def test_an_address_has_so_many_connections_and_gets_them_back() -> None:
    callers = Callers((), 2)
    assert [callers.came("10.0.0.1") for _ in range(3)] == [True, True, False]
    assert callers.came("10.0.0.2")
    callers.left("10.0.0.1")
    assert not callers.came("10.0.0.1")
    for _ in range(3):
        callers.left("10.0.0.1")
    assert callers.came("10.0.0.1")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.1.1", "::1", "10.1.2.3", "::ffff:10.1.2.3"])
def test_loopback_and_trusted_proxies_have_no_limit(address: str) -> None:
    callers = Callers(("10.0.0.0/8",), 1)
    assert all(callers.came(address) for _ in range(5))


def test_only_the_proxies_named_are_trusted() -> None:
    callers = Callers(("10.0.0.0/8", "2001:db8::1"), 1)
    assert callers.trusts("10.9.9.9")
    assert callers.trusts("2001:db8::1")
    assert not callers.trusts("11.0.0.1")
    assert not callers.trusts("127.0.0.1")
    assert not callers.trusts("unknown")
    assert not Callers((), 1).trusts("10.9.9.9")


def test_what_is_no_network_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"10\.0\.0\.0/99"):
        Callers(("10.0.0.0/99",), 1)
