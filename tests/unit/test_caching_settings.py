"""The `storage:` setting in its forms, and the words of its refusals."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from caching.backends.etcd.settings import EtcdSettings
from caching.backends.ksds import Attributes
from caching.config import CachingConfig
from caching.limits import Limit
from caching.settings import StorageChoice, choose, oversize_status
from shared.config import load
from shared.errors import ConfigError


@pytest.mark.parametrize(
    "setting",
    [
        "vsam",
        "vsam:PLEX.CACHE",
        "VSAM:plex.cache",
        "vsam:///volume/PLEX.CACHE",
        {},
        {"mode": "VSAM"},
        {"mode": "vsam", "vsam": {"name": "//'PLEX.CACHE'"}},
        {"mode": "VSAM", "size": 10_000, "evictionStrategy": "reject", "vsam": {"keyLength": 128}},
        {"mode": "VSAM", "infinispan": {"initialHosts": "a[1]"}, "redis": {"masterNodeUri": "x"}, "vsam": None},
    ],
)
def test_spellings_of_the_usual_data_set(setting: Any) -> None:
    assert choose(setting) == StorageChoice()


@pytest.mark.parametrize("setting", ["vsam?share=nonrls", {"vsam": {"share": "NONRLS"}}])
def test_a_data_set_may_have_one_writer_only(setting: Any) -> None:
    assert choose(setting) == StorageChoice(attributes=Attributes(share="nonrls"))


def test_shares_that_are_not_known_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"vsam\.share: expected rls or nonrls, got 'some'"):
        choose("vsam?share=some")


def test_the_usual_setting_is_one_of_them() -> None:
    assert choose(CachingConfig().storage) == StorageChoice()


def test_every_key_of_the_mapping_and_of_the_text() -> None:
    wanted = StorageChoice("vsam", Limit(50, "removeOldest"), "A.B-C.D#1", Attributes(32, 512))
    section = {"name": "A.B-C.D#1", "keyLength": 32, "recordLength": 512}
    assert choose({"mode": "VSAM", "size": 50, "evictionStrategy": "removeOldest", "vsam": section}) == wanted
    text = "vsam:A.B-C.D%231?size=50&evictionStrategy=removeOldest&keyLength=32&recordLength=512"
    assert choose(text.replace("%23", "#")) == wanted


@pytest.mark.parametrize("setting", ["inMemory", "inmemory:", {"mode": "inMemory"}, "inMemory?size=10000"])
def test_in_memory(setting: Any) -> None:
    assert choose(setting) == StorageChoice("inMemory")


def test_infinispan_means_vsam_and_is_told() -> None:
    choice = choose({"mode": "infinispan"})
    assert choice.mode == "vsam"
    assert "infinispan" in choice.notes[0]


def test_keys_of_zowe_that_do_not_apply_are_told() -> None:
    choice = choose({"mode": "VSAM", "vsam": {"encoding": "IBM-1047"}})
    assert choice.notes == ("components.caching.storage.vsam.encoding does not apply here",)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("vsma:X", "unknown storage 'vsma' (did you mean 'vsam'?)"),
        ("", "unknown storage ''"),
        ({"mode": "inMemry"}, "did you mean 'inMemory'?"),
        ({"mod": "VSAM"}, "storage.mod: unknown key (did you mean 'mode'?)"),
        ("vsam:X?siez=3", "storage.siez: unknown key (did you mean 'size'?)"),
        ({"vsam": {"keyLenght": 3}}, "storage.vsam.keyLenght: unknown key (did you mean 'keyLength'?)"),
        ({"vsam": "X"}, "storage.vsam: expected keys and values, got 'X'"),
        ({"size": 0}, "storage.size: expected a whole number from 1 to"),
        ({"size": "many"}, "storage.size: expected a whole number"),
        ({"size": True}, "storage.size: expected a whole number"),
        ({"evictionStrategy": "lru"}, "expected reject or removeOldest, got 'lru'"),
        ({"vsam": {"keyLength": 22}}, "keyLength: expected a whole number from 23 to 255, got 22"),
        ({"vsam": {"recordLength": 40_000}}, "recordLength: expected a whole number from 192 to 32760"),
        ({"vsam": {"recordLength": 128}}, "recordLength: expected a whole number from 192"),
        ("vsam:../X", "expected a data set name"),
        ("vsam:A/B", "expected a data set name"),
        ("vsam:TOOLONGNAME", "expected a data set name"),
        ("vsam:1A", "expected a data set name"),
        ("vsam:A..B", "expected a data set name"),
        ("vsam:" + ".".join(["ABCDEFGH"] * 6), "44 characters at most"),
    ],
)
def test_refusals_name_the_key_and_the_nearest(setting: Any, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        choose(setting)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_setting_comes_from_the_file_as_text_or_mapping_and_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "plexmesh.yaml"
    file.write_text("components: {caching-service: {storage: {mode: VSAM, size: 3, vsam: {name: A.B}}}}")
    loaded = load(CachingConfig, "caching", [], {"PLEXMESH_CONFIG": str(file)})
    assert choose(loaded.storage) == StorageChoice("vsam", Limit(3), "A.B")
    file.write_text("components: {caching: {storage: inMemory}}")
    assert choose(load(CachingConfig, "caching", [], {"PLEXMESH_CONFIG": str(file)}).storage).mode == "inMemory"
    environ = {"PLEXMESH_CONFIG": str(file), "PLEXMESH_CACHING_STORAGE": "vsam:C.D"}
    assert choose(load(CachingConfig, "caching", [], environ).storage).name == "C.D"


def test_an_lpars_own_section_is_merged_into_the_mapping(tmp_path: Path) -> None:
    file = tmp_path / "plexmesh.yaml"
    file.write_text("""
components: {caching: {storage: {mode: VSAM, size: 3}}}
haInstances: {LPAR1: {hostname: 127.0.1.1, components: {caching: {storage: {vsam: {name: A.B}}}}}}
""")
    loaded = load(CachingConfig, "caching", ["--lpar", "LPAR1"], {"PLEXMESH_CONFIG": str(file)})
    assert choose(loaded.storage) == StorageChoice("vsam", Limit(3), "A.B")


@pytest.mark.parametrize(("compat", "status"), [(None, 413), ({}, 413), ({"oversizeStatus": 400}, 400)])
def test_the_status_of_a_value_too_long(compat: Any, status: int) -> None:
    assert oversize_status(compat) == status


@pytest.mark.parametrize(
    ("compat", "says"),
    [({"oversizeStatus": 500}, "expected 413 or 400, got 500"), ({"oversize": 400}, "did you mean 'oversizeStatus'?")],
)
def test_refused_compatibility(compat: Any, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        oversize_status(compat)
    assert says in str(refused.value)


def test_etcd_as_text_and_as_a_mapping() -> None:
    text = choose("etcd://a:2379,b:2379/mine?quotaEntries=5&evictionStrategy=removeOldest")
    tree = {"mode": "etcd", "etcd": {"endpoints": ["a:2379", "b:2379"], "prefix": "mine"}}
    assert choose({**tree, "quotaEntries": 5, "evictionStrategy": "removeOldest"}) == text
    assert text.mode == "etcd"
    assert text.etcd == EtcdSettings(("a:2379", "b:2379"), "mine")
    assert text.limit == Limit(None, "removeOldest", owner_entries=5)
    assert choose("etcd://a:1").limit.owner_entries == 10_000
    assert "size does not apply" in choose("etcd://a:1?size=5").notes[0]


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("etcd://a", "host:port"),
        ("etcd://a:99999", "host:port"),
        ("etcd://a:1/ü", "prefix"),
        ({"mode": "etcd", "etcd": {"endpoint": ["a:1"]}}, "did you mean 'endpoints'"),
        ({"mode": "etcd", "etcd": {"endpoints": "a:1"}}, "a list of host:port"),
        ({"mode": "etcd", "etcd": ["a:1"]}, "expected keys and values"),
        ("etdc://a:1", "did you mean 'etcd'"),
    ],
)
def test_bad_settings_of_etcd_are_named(setting: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        choose(setting)
