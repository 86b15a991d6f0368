"""Policies: every setting from a registration and from the file, who wins, and what is wrong with the rest."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy import (
    EVERYBODY,
    KEYS,
    LONGEST_S,
    MAX_VALUE,
    PICKERS,
    PLAIN,
    SCHEME,
    SETTINGS,
    UNSUPPORTED,
    Policies,
    Policy,
    told_by,
)
from gateway.rates import Rate
from shared.errors import ConfigError

MINUTE = Rate(capacity=20, tokens=20, per_s=60.0)

GOOD: list[tuple[str, str, Any, str, Any]] = [
    *[("plexmesh.picker", each, each, "picker", each) for each in PICKERS],
    ("plexmesh.hashOn", "path", "path", "hash_on", "path"),
    ("plexmesh.hashOn", "header:X-User", "header:X-User", "hash_on", "header:x-user"),
    ("plexmesh.hashOn", "cookie:Sid", "cookie:Sid", "hash_on", "cookie:Sid"),
    ("plexmesh.sticky", "cookie", "cookie", "sticky", "cookie"),
    ("plexmesh.sticky", "user", "user", "sticky", "user"),
    ("plexmesh.sticky", "header:X-Tenant", "header:X-Tenant", "sticky", "header:x-tenant"),
    ("plexmesh.affinity", "lpar", "lpar", "affinity", True),
    ("plexmesh.affinity", "none", "none", "affinity", False),
    ("plexmesh.scope", "lpar", "lpar", "scope_lpar", True),
    ("plexmesh.scope", "sysplex", "sysplex", "scope_lpar", False),
    ("plexmesh.slowStartS", "30", 30, "slow_start_s", 30.0),
    ("plexmesh.slowStartS", "2.5", 2.5, "slow_start_s", 2.5),
    ("plexmesh.slowStartS", "999999999", 999999999, "slow_start_s", LONGEST_S),
    ("plexmesh.sessionDrainS", "60", 60, "session_drain_s", 60.0),
    ("plexmesh.probeS", "0", 0, "probe_s", 0.0),
    ("plexmesh.retries", "0", 0, "retries", 0),
    ("plexmesh.retries", "5", 5, "retries", 5),
    ("plexmesh.maxCalls", "400", 400, "max_calls", 400),
    ("plexmesh.maxCallsPerInstance", "50", 50, "max_calls_per_instance", 50),
    ("plexmesh.maxQueue", "0", 0, "max_queue", 0),
    ("plexmesh.queueMs", "250", 250, "queue_s", 0.25),
    ("plexmesh.adaptive", "true", True, "adaptive", True),
    ("plexmesh.adaptive", "False", False, "adaptive", False),
    ("plexmesh.rateLimit", "20/1m", "20/1m", "rate", MINUTE),
    ("apiml.enableUrlEncodedCharacters", "false", False, "encoded", False),
    ("apiml.enableUrlEncodedCharacters", "true", True, "encoded", True),
    ("apiml.corsEnabled", "true", True, "cors", True),
    ("apiml.corsAllowedOrigins", "http://a, https://b:1", ["http://a", "https://b:1"], "cors_origins",
     ("http://a", "https://b:1")),
    ("apiml.corsAllowedHeaders", "X-A,,X-B", ["X-A", "X-B"], "cors_headers", ("X-A", "X-B")),
    ("apiml.corsAllowedMethods", "GET,POST", "GET,POST", "cors_methods", ("GET", "POST")),
    ("apiml.corsAllowCredentials", "false", False, "cors_credentials", False),
    ("apiml.service.externalUrl", "http://10.0.0.1:8080/x", "http://10.0.0.1:8080/x", "external_url",
     "http://10.0.0.1:8080/x"),
    ("apiml.authentication.scheme", "zoweJwt", "zoweJwt", "scheme", "zoweJwt"),
    ("apiml.authentication.scheme", "bypass", "bypass", "scheme", "bypass"),
    ("plexmesh.visibility", "internal", "internal", "internal", True),
    ("plexmesh.visibility", "external", "external", "internal", False),
]  # fmt: skip

BAD: list[tuple[str, Any]] = [
    ("plexmesh.picker", "fastest"),
    ("plexmesh.picker", "LeastRequests"),
    ("plexmesh.hashOn", "header"),
    ("plexmesh.hashOn", "header:"),
    ("plexmesh.hashOn", "header:a b"),
    ("plexmesh.hashOn", "header:x\r\nEvil"),
    ("plexmesh.hashOn", "query:a"),
    ("plexmesh.hashOn", "header:" + "x" * 65),
    ("plexmesh.sticky", "cookie:a"),
    ("plexmesh.affinity", "true"),
    ("plexmesh.scope", "LPAR1"),
    ("plexmesh.slowStartS", "-1"),
    ("plexmesh.slowStartS", "1e9"),
    ("plexmesh.slowStartS", "nan"),
    ("plexmesh.slowStartS", "\u0663"),
    ("plexmesh.sessionDrainS", "5 minutes"),
    ("plexmesh.probeS", "10s"),
    ("plexmesh.retries", "-1"),
    ("plexmesh.retries", "1.5"),
    ("plexmesh.retries", "\u00b2"),
    ("plexmesh.maxCalls", "9" * 10),
    ("plexmesh.maxCallsPerInstance", "many"),
    ("plexmesh.maxQueue", "0x10"),
    ("plexmesh.queueMs", "-5"),
    ("plexmesh.adaptive", "yes"),
    ("plexmesh.rateLimit", "20"),
    ("plexmesh.rateLimit", "0/1m"),
    ("plexmesh.rateLimit", "20/0s"),
    ("apiml.corsEnabled", "1"),
    ("apiml.corsAllowedOrigins", "http://a\r\nEvil: 1"),
    ("apiml.corsAllowedHeaders", "X-A X-B"),
    ("apiml.corsAllowedMethods", "G\u00c4T"),
    ("apiml.corsAllowCredentials", "on"),
    ("apiml.service.externalUrl", "ftp://a"),
    ("plexmesh.visibility", "public"),
    ("apiml.authentication.scheme", "zowejwt"),
    ("apiml.service.externalUrl", "http://u:p@a"),
    ("apiml.service.externalUrl", "//a"),
    ("apiml.service.externalUrl", "http://a b"),
]


def test_the_tables_above_have_every_setting() -> None:
    assert {key for key, *_ in GOOD} == set(KEYS)
    assert {key for key, _ in BAD} == set(KEYS) - {"apiml.enableUrlEncodedCharacters"}, "which knows only false"
    said_by_zowes_keys_only = {"certificate_headers"}  # tried where it is told (`test_gateway_vouching`)
    fields = {field.name for field in dataclasses.fields(Policy)}
    assert {setting.field for setting in SETTINGS} == fields - said_by_zowes_keys_only


@pytest.mark.parametrize(("key", "text", "value", "field", "means"), GOOD)
def test_every_setting_is_told_by_a_registration(key: str, text: str, value: Any, field: str, means: Any) -> None:
    assert Policies().of("orders", {key: f" {text} "}) == (dataclasses.replace(PLAIN, **{field: means}), ())


@pytest.mark.parametrize(("key", "text", "value", "field", "means"), GOOD)
def test_every_setting_is_told_by_the_file(key: str, text: str, value: Any, field: str, means: Any) -> None:
    policies = Policies({"orders": {KEYS[key].name: value}})
    assert policies.of("orders", {}) == (dataclasses.replace(PLAIN, **{field: means}), ())
    assert policies.of("billing", {}) == (PLAIN, ())


@pytest.mark.parametrize(("key", "value"), BAD)
def test_a_wrong_value_in_a_registration_says_nothing_and_is_shown(key: str, value: str) -> None:
    policy, faults = Policies().of("orders", {key: value, "plexmesh.retries" if "picker" in key else "plexmesh.picker":
                                              "1" if "picker" in key else "random"})  # fmt: skip
    assert policy == (
        dataclasses.replace(PLAIN, retries=1) if "picker" in key else dataclasses.replace(PLAIN, picker="random")
    )
    (fault,) = faults
    assert fault.startswith(f"{key}: ")
    assert repr(value[:64]) in fault
    assert "\n" not in fault


@pytest.mark.parametrize(("key", "value"), BAD)
def test_a_wrong_value_in_the_file_is_refused_with_its_path(key: str, value: str) -> None:
    name = KEYS[key].name
    with pytest.raises(ConfigError) as caught:
        Policies({"orders": {name: value}})
    assert str(caught.value).startswith(f"components.gateway.services.orders.{name}: ")
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    ("services", "path", "says"),
    [
        ({"orders": {"pickr": "random"}}, "orders.pickr", "did you mean 'picker'"),
        ({"orders": {"plexmesh.picker": "random"}}, "orders.plexmesh.picker", "unknown key"),
        ({"orders": {1: 2}}, "orders.1", "unknown key"),
        ({"orders": "random"}, "orders", "expected keys and values"),
        ({"orders": None}, "orders", "expected keys and values"),
        ({"orders": ["picker"]}, "orders", "expected keys and values"),
        ({"*": {"retries": "two"}}, "*.retries", "a whole number"),
        ({"a": {}, "orders": {"picker": None}}, "orders.picker", "expected a value"),
        ({"orders": {"corsOrigins": None}}, "orders.corsOrigins", "None"),
        ({"orders": {"encodedCharacters": "maybe"}}, "orders.encodedCharacters", "true or false"),
    ],
)
def test_what_else_is_wrong_in_the_file_is_refused_with_its_path(services: Any, path: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Policies(services)
    assert str(caught.value).startswith(f"components.gateway.services.{path}: ")
    assert says in str(caught.value)


def test_the_file_of_a_service_wins_over_its_registration_and_that_over_everybody() -> None:
    policies = Policies({
        EVERYBODY: {"picker": "random", "retries": 1, "maxCalls": 10},
        "orders": {"picker": "peakEwma"},
    })  # fmt: skip
    said = {"plexmesh.picker": "roundRobin", "plexmesh.retries": "4"}
    orders, _ = policies.of("orders", said)
    assert (orders.picker, orders.retries, orders.max_calls) == ("peakEwma", 4, 10)
    billing, _ = policies.of("billing", said)
    assert (billing.picker, billing.retries, billing.max_calls) == ("roundRobin", 4, 10)
    assert policies.of("stock", {})[0] == dataclasses.replace(PLAIN, picker="random", retries=1, max_calls=10)


def test_a_wrong_value_of_a_registration_leaves_what_everybody_has() -> None:
    policy, faults = Policies({EVERYBODY: {"retries": 1}}).of("orders", {"plexmesh.retries": "many"})
    assert policy.retries == 1
    assert len(faults) == 1


def test_the_default_can_be_said_against_everybody() -> None:
    policies = Policies({EVERYBODY: {"picker": "random", "affinity": "lpar"}, "orders": {"affinity": "none"}})
    policy, _ = policies.of("orders", {"plexmesh.picker": PLAIN.picker})
    assert policy == PLAIN


def test_zowes_word_for_sticky_users() -> None:
    assert told_by({"apiml.lb.type": "authentication"}) == ({"sticky": "user"}, ())
    assert told_by({"apiml.lb.type": "authentication", "plexmesh.sticky": "cookie"}) == ({"sticky": "cookie"}, ())
    assert told_by({"apiml.lb.type": "headerRequest"}) == ({}, ())


def test_empty_and_foreign_keys_say_nothing() -> None:
    assert Policies().of("orders", {"plexmesh.picker": "  ", "picker": "random", "plexmesh.weight": "x"}) == (PLAIN, ())


def test_every_fault_is_told_in_the_same_order() -> None:
    wrong = {"plexmesh.retries": "x", "apiml.corsEnabled": "x", "plexmesh.picker": "x"}
    _, faults = told_by(wrong)
    assert len(faults) == 3
    assert faults == told_by(dict(reversed(wrong.items())))[1]


def test_a_huge_value_is_neither_read_nor_repeated() -> None:
    for key in KEYS:
        policy, faults = Policies().of("orders", {key: "9" * 1_000_000})
        assert policy == PLAIN
        assert len(faults) == 1
        assert len(faults[0]) < 300
    assert Policies().of("orders", {"apiml.corsAllowedOrigins": "a" * MAX_VALUE})[1] == ()


@given(st.dictionaries(st.sampled_from(sorted(KEYS)), st.text(max_size=20)))
def test_no_registration_does_harm(metadata: dict[str, str]) -> None:
    policy, faults = Policies().of("orders", metadata)
    assert policy.picker in PICKERS
    assert policy.retries >= 0
    assert 0 <= policy.queue_s <= LONGEST_S
    assert all(fault.partition(":")[0] in metadata for fault in faults)


@pytest.mark.parametrize(
    ("policy", "admits"),
    [
        (PLAIN, False),
        (Policy(retries=0, picker="random", affinity=True), False),
        (Policy(max_calls=1), True),
        (Policy(max_calls_per_instance=1), True),
        (Policy(adaptive=True), True),
        (Policy(rate=MINUTE), True),
        (Policy(encoded=False), True),
    ],
)
def test_only_some_policies_ask_before_a_call_may_begin(policy: Policy, admits: bool) -> None:
    assert policy.admits is admits


@pytest.mark.parametrize("scheme", UNSUPPORTED)
def test_a_scheme_that_nobody_here_can_serve_is_a_fault_until_the_file_says_another(scheme: str) -> None:
    metadata = {SCHEME: scheme}
    policy, (fault,) = Policies().of("orders", metadata)
    assert (policy.scheme, policy.admits) == (scheme, True)
    assert fault == f"{SCHEME}: {scheme} is not supported here: calls are answered 503"
    assert Policies({"orders": {"scheme": "bypass"}}).of("orders", metadata)[0].scheme == "bypass"


def test_a_scheme_of_the_file_goes_before_what_is_told_of_certificates() -> None:
    metadata = {SCHEME: "x509"}
    assert Policies().of("orders", metadata)[0].certificate_headers
    assert not Policies({"orders": {"scheme": "zoweJwt"}}).of("orders", metadata)[0].certificate_headers
