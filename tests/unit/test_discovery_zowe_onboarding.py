"""What becomes of a registration from a client: today's words, operators' additions, another prefix."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.registration import Registration
from discovery.zowe import prefix
from discovery.zowe.additional import Rule, applied
from discovery.zowe.onboarding import Onboarding
from discovery.zowe.translation import translated
from shared.errors import ConfigError

VERSION_1 = {
    "routed-services.api__v1.gateway-url": "/api/v1",
    "routed-services.api__v1.service-url": "/orders/api/v1",
    "routed-services.ui.gateway-url": "ui/v1",
    "mfaas.discovery.catalogUiTile.id": "shop",
    "mfaas.discovery.catalogUiTile.version": "1.0.1",
    "mfaas.discovery.catalogUiTile.title": "Shop",
    "mfaas.discovery.catalogUiTile.description": "All of it",
    "mfaas.discovery.service.title": "Orders",
    "mfaas.discovery.service.description": "Takes orders",
    "mfaas.discovery.enableApiDoc": "true",
    "mfaas.api-info.apiVersionProperties.v1.title": "Orders API",
    "mfaas.api-info.apiVersionProperties.v1.basePackage": "test.orders",
    "apiml.apiInfo.0.apiId": "test.orders",
    "mfaas.discovery.other": "kept",
    "zone": "north",
}

VERSION_2 = {
    "apiml.routes.api__v1.gatewayUrl": "/api/v1",
    "apiml.routes.api__v1.serviceUrl": "/orders/api/v1",
    "apiml.routes.ui.gatewayUrl": "ui/v1",
    "apiml.catalog.tile.id": "shop",
    "apiml.catalog.tile.version": "1.0.1",
    "apiml.catalog.tile.title": "Shop",
    "apiml.catalog.tile.description": "All of it",
    "apiml.service.title": "Orders",
    "apiml.service.description": "Takes orders",
    "apiml.apiInfo.0.apiId": "test.orders",
    "mfaas.discovery.other": "kept",
    "zone": "north",
    "version": "2.2.0",
}

words = st.sampled_from(
    [
        "version",
        "zone",
        "apiml.service.title",
        "apiml.authentication.scheme",
        "routed-services.",
        *VERSION_1,
        *VERSION_2,
    ]
)
metadatas = st.dictionaries(words | st.text(max_size=8), st.text(max_size=4), max_size=8)


def registered(app: str = "CAORDERS", instance: str = "h.test:caorders:8080", **more: Any) -> Registration:
    return Registration(app=app, instance=instance, host="h.test", ip="192.0.2.1", **more)


# --- translation


def test_version_1_becomes_version_2() -> None:
    before = dict(VERSION_1)
    assert translated("orders", VERSION_1) == VERSION_2
    assert before == VERSION_1


@pytest.mark.parametrize("version", ["2.2.0", "2.0.0", "1.0.0", ""])
def test_metadata_that_has_a_version_is_left_alone(version: str) -> None:
    given = {**VERSION_1, "version": version}
    assert translated("orders", given) is given


@pytest.mark.parametrize("metadata", [{}, {"zone": "north", "management.port": "8081"}])
def test_what_says_nothing_of_zowe_is_left_alone(metadata: dict[str, str]) -> None:
    assert translated("orders", metadata) is metadata


def test_one_of_zowes_words_is_enough_for_a_version() -> None:
    assert translated("orders", {"apiml.lb.type": "x"}) == {"apiml.lb.type": "x", "version": "2.2.0"}


def test_the_old_words_win_over_the_new_ones() -> None:
    both = {"apiml.service.title": "new", "mfaas.discovery.service.title": "old"}
    assert translated("orders", both)["apiml.service.title"] == "old"


@pytest.mark.parametrize("service", ["zosmf", "ibmzosmf2", "IZUZOSMF"])
def test_zosmf_gets_its_scheme_unless_it_has_one(service: str) -> None:
    assert translated(service, {}) == {"apiml.authentication.scheme": "zosmf", "version": "2.2.0"}
    own = {"apiml.authentication.scheme": "bypass", "version": "2.2.0"}
    assert translated(service, own) is own


@given(st.sampled_from(["orders", "zosmf"]), metadatas)
def test_translating_twice_changes_nothing(service: str, metadata: dict[str, str]) -> None:
    once = translated(service, metadata)
    assert translated(service, once) is once
    assert not any(key.startswith("routed-services.") for key in once) or "version" in metadata


# --- additional metadata


def test_update_adds_what_is_missing_and_force_update_overwrites() -> None:
    held = {"region": "east", "zone": "north"}
    said = {"region": "west", "tier": "1"}
    assert applied(Rule("orders", "UPDATE", said), held) == {"region": "east", "zone": "north", "tier": "1"}
    assert applied(Rule("orders", "FORCE_UPDATE", said), held) == {"region": "west", "zone": "north", "tier": "1"}
    assert held == {"region": "east", "zone": "north"}


@given(st.sampled_from(["UPDATE", "FORCE_UPDATE"]), metadatas, metadatas)
def test_applying_a_rule_twice_changes_nothing(mode: Any, said: dict[str, str], held: dict[str, str]) -> None:
    rule = Rule("orders", mode, said)
    once = applied(rule, held)
    assert applied(rule, once) is once
    assert set(once) == set(held) | set(said)


def test_no_rule_changes_nothing() -> None:
    held = {"a": "b"}
    assert applied(None, held) is held


# --- all of it


def test_a_rule_comes_after_the_translation_and_is_found_by_service_id() -> None:
    onboarding = Onboarding()
    onboarding.rules = {"orders": Rule("orders", "UPDATE", {"apiml.service.title": "By us", "region": "west"})}
    given = registered("ORDERS", metadata={"mfaas.discovery.service.title": "By itself"})
    assert onboarding.prepared(given) == msgspec.structs.replace(
        given, metadata={"apiml.service.title": "By itself", "version": "2.2.0", "region": "west"}
    )
    other = registered("BILLING", metadata={"a": "b"})
    assert onboarding.prepared(other) is other


def test_without_a_setting_nothing_is_renamed() -> None:
    given = registered()
    assert Onboarding().renamed(given) is given
    assert Onboarding().names("CAORDERS", "a") == ("CAORDERS", "a")


# --- prefix


def test_app_addresses_and_ids_go_by_the_new_prefix() -> None:
    onboarding = Onboarding(prefix.parse("ca,bcm"))
    given = registered(vip="caorders,other,CAmore", secure_vip="caorders", app_group="CAORDERS", metadata={"a": "ca"})
    assert onboarding.renamed(given) == msgspec.structs.replace(
        given,
        app="BCMORDERS",
        instance="h.test:bcmorders:8080",
        vip="bcmorders,other,bcmmore",
        secure_vip="bcmorders",
        app_group="bcmORDERS",
    )


def test_other_services_are_left_alone() -> None:
    onboarding = Onboarding(prefix.parse("ca,bcm"))
    given = registered("ORDERS", "ca.test:orders:8080", vip="caorders")
    assert onboarding.renamed(given) is given
    assert onboarding.names("ORDERS", "ca.test:caorders:1") == ("ORDERS", "ca.test:caorders:1")


@pytest.mark.parametrize(
    ("app", "instance", "names"),
    [
        ("CAORDERS", "h:caorders:1", ("BCMORDERS", "h:bcmorders:1")),
        ("caorders", "h:CAORDERS:1", ("BCMORDERS", "h:bcmORDERS:1")),
        ("CAORDERS", "ca.test:caorders:1", ("BCMORDERS", "ca.test:bcmorders:1")),
        ("CAORDERS", "STATIC-ca.test:caorders:1", ("BCMORDERS", "STATIC-ca.test:bcmorders:1")),
        ("CAORDERS", "caorders", ("BCMORDERS", "bcmorders")),
        ("CAORDERS", "h:other:1", ("BCMORDERS", "h:other:1")),
        ("BCMORDERS", "h:bcmorders:1", ("BCMORDERS", "h:bcmorders:1")),
    ],
)
def test_a_client_that_asks_by_its_old_names_is_understood(app: str, instance: str, names: tuple[str, str]) -> None:
    assert Onboarding(prefix.parse("ca,bcm")).names(app, instance) == names


def test_a_new_prefix_that_begins_with_the_old_one_is_put_there_once() -> None:
    onboarding = Onboarding(prefix.parse("ca,cabm"))
    once = onboarding.names("CAORDERS", "h:caorders:1")
    assert once == onboarding.names(*once) == ("CABMORDERS", "h:cabmorders:1")


@pytest.mark.parametrize("setting", ["ca,bcm", " ca , bcm ", "ca*,bcm*", "CA,BCM"])
def test_settings_that_say_the_same(setting: str) -> None:
    assert prefix.parse(setting) == prefix.Prefix("ca", "bcm")


def test_an_empty_setting_is_none() -> None:
    assert prefix.parse("") is None


@pytest.mark.parametrize("setting", ["ca", "ca,", ",bcm", "ca,bcm,x", "ca,ca", "ca,CA", "c a,b", ",", "ca:bcm", "*,*"])
def test_a_bad_setting_is_refused_with_what_is_expected(setting: str) -> None:
    with pytest.raises(ConfigError) as refused:
        prefix.parse(setting)
    assert str(refused.value) == (
        f"service_id_prefix_replacer: {setting!r}, expected an old prefix and a new one, such as 'ca,bcm'"
    )
