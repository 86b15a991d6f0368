"""The `storage:` setting: a URL-like text or Zowe's mapping, decoded into one choice.

    storage: vsam:PLEX.CACHE?size=10000&evictionStrategy=removeOldest&keyLength=128&recordLength=32760
    storage: inMemory
    storage: etcd://h1:2379,h2:2379,h3:2379/prefix?quotaEntries=10000
    storage: redis+sentinel://user:password@h1:26379,h2:26379,h3:26379/mymaster?minReplicas=1
    storage: {mode: VSAM, size: 10000, evictionStrategy: reject, vsam: {name: //'PLEX.CACHE', recordLength: 4096}}

`infinispan` means vsam here, with a warning: both are the store that survives. A text becomes the mapping it stands for
and goes the same way. Every complaint names the key and the nearest known one.

Source: Zowe's configuration of the Caching Service; IBM's rules for data set names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import parse_qsl

from caching.backends.etcd import settings as etcd_settings
from caching.backends.etcd.settings import EtcdSettings
from caching.backends.ksds import Attributes, Share
from caching.backends.redis import settings as redis_settings
from caching.backends.redis.settings import RedisSettings
from caching.limits import Eviction, Limit
from shared.errors import ConfigError, nearest

Mode = Literal["vsam", "inMemory", "etcd", "redis"]

MODES: Mapping[str, Mode] = {
    "vsam": "vsam",
    "inmemory": "inMemory",
    "infinispan": "vsam",
    "etcd": "etcd",
    "redis": "redis",
}
SPELLED = ("vsam", "inMemory", "infinispan", "etcd", *redis_settings.SCHEMES)

TOP = ("mode", "size", "evictionStrategy", "quotaEntries", "quotaBytes", "vsam", "etcd", "redis")
ELSEWHERE = ("infinispan",)
"""Sections for other modes; Zowe's packaged file has some of them whatever the mode is."""
VSAM = ("name", "keyLength", "recordLength", "share")
NOT_APPLICABLE = ("encoding",)

SHARES: tuple[Share, ...] = ("rls", "nonrls")
EVICTIONS: tuple[Eviction, ...] = ("reject", "removeOldest")
IDENTITIES = ("trustedHeaders",)
DEFAULT_NAME = "PLEX.CACHE"
DATA_SET_NAME = re.compile(r"[A-Z#@$][A-Z0-9#@$-]{0,7}(\.[A-Z#@$][A-Z0-9#@$-]{0,7})*\Z")


@dataclass(frozen=True)
class StorageChoice:
    """`name` and `attributes` are the vsam data set's, `etcd` and `redis` theirs; `notes` are to be warned about."""

    mode: Mode = "vsam"
    limit: Limit = field(default_factory=Limit)
    name: str = DEFAULT_NAME
    attributes: Attributes = field(default_factory=Attributes)
    etcd: EtcdSettings = field(default_factory=EtcdSettings)
    redis: RedisSettings = field(default_factory=RedisSettings)
    notes: tuple[str, ...] = ()


def choose(setting: str | Mapping[str, Any], where: str = "components.caching.storage") -> StorageChoice:
    """Raises ConfigError."""
    tree = _from_text(setting, where) if isinstance(setting, str) else setting
    _check_keys(tree, (*TOP, *ELSEWHERE), where)
    mode, notes = _mode(tree.get("mode", "vsam"), where)
    section = _section(tree, "vsam", (*VSAM, *NOT_APPLICABLE), where)
    notes += [f"{where}.vsam.{key} does not apply here" for key in NOT_APPLICABLE if key in section]
    limit = _limit(tree, where)
    if mode in ("etcd", "redis") and "size" in tree:
        notes.append(f"{where}.size does not apply to {mode}; quotaEntries does")
    if mode == "redis":
        given, more = redis_settings.decode(_mapping(tree, "redis", where), f"{where}.redis")
        return StorageChoice(mode=mode, limit=_of_each_owner(limit), redis=given, notes=(*notes, *more))
    if mode == "etcd":
        found = etcd_settings.decode(_section(tree, "etcd", etcd_settings.KEYS, where), f"{where}.etcd")
        return StorageChoice(mode=mode, limit=_of_each_owner(limit), etcd=found, notes=tuple(notes))
    return StorageChoice(
        mode=mode,
        limit=limit,
        name=data_set_name(section.get("name", DEFAULT_NAME), f"{where}.vsam.name"),
        attributes=attributes(section, f"{where}.vsam"),
        notes=tuple(notes),
    )


def _section(tree: Mapping[str, Any], name: str, known: Iterable[str], where: str) -> Mapping[str, Any]:
    below = _mapping(tree, name, where)
    _check_keys(below, known, f"{where}.{name}")
    return below


def _mapping(tree: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    below = tree.get(name)
    if below is not None and not isinstance(below, Mapping):
        raise ConfigError(f"{where}.{name}: expected keys and values, got {below!r}")
    return below or {}


def _from_text(text: str, where: str) -> dict[str, Any]:
    if text.partition("://")[0].lower() in redis_settings.SCHEMES:
        return redis_settings.tree_of(text, where)
    address, _, query = text.partition("?")
    scheme, _, name = address.partition(":")
    tree: dict[str, Any] = {"mode": scheme}
    if scheme == "etcd":
        return tree | _counted(query) | ({"etcd": etcd_settings.section_of(name)} if name else {})
    section: dict[str, Any] = {"name": name.removeprefix("///volume/")} if name else {}
    for key, value in _counted(query).items():
        place = section if key in VSAM else tree
        place[key] = value
    return tree | {"vsam": section} if section else tree


def _counted(query: str) -> dict[str, Any]:
    """What is a number in it is one."""
    given = parse_qsl(query, keep_blank_values=True)
    return {key: int(value) if value.isdecimal() else value for key, value in given}


def _mode(given: object, where: str) -> tuple[Mode, list[str]]:
    word = str(given).lower()
    if word not in MODES:
        raise ConfigError(f"{where}: unknown storage {given!r}{nearest(str(given), SPELLED)}")
    if word == "infinispan":
        return "vsam", [f"{where}: infinispan is not built here; vsam is used in its place"]
    return MODES[word], []


def _limit(tree: Mapping[str, Any], where: str) -> Limit:
    eviction = tree.get("evictionStrategy", "reject")
    for known in EVICTIONS:
        if str(eviction).lower() == known.lower():
            return Limit(
                _number(tree, "size", 10_000, 1, 100_000_000, where),
                known,
                owner_entries=_quota_entries(tree, where),
                owner_bytes=_number(tree, "quotaBytes", Limit.owner_bytes, 1, 1 << 40, where),
            )
    raise ConfigError(f"{where}.evictionStrategy: expected reject or removeOldest, got {eviction!r}")


def _of_each_owner(limit: Limit) -> Limit:
    """For a store that counts for each owner only."""
    entries = Limit.size if limit.owner_entries is None else limit.owner_entries
    return replace(limit, size=None, owner_entries=entries)


def _quota_entries(tree: Mapping[str, Any], where: str) -> int | None:
    return _number(tree, "quotaEntries", 1, 1, 100_000_000, where) if "quotaEntries" in tree else None


def attributes(section: Mapping[str, Any], where: str) -> Attributes:
    """Of a vsam data set, as its section has them. Raises ConfigError."""
    usual = Attributes()
    key_length = _number(section, "keyLength", usual.key_length, 23, 255, where)
    record_length = _number(section, "recordLength", usual.record_length, key_length + 64, 32_760, where)
    share = section.get("share", usual.share)
    for known in SHARES:
        if str(share).lower() == known:
            return Attributes(key_length, record_length, known)
    raise ConfigError(f"{where}.share: expected rls or nonrls, got {share!r}")


def _number(section: Mapping[str, Any], key: str, usual: int, low: int, high: int, where: str) -> int:
    value = section.get(key, usual)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(f"{where}.{key}: expected a whole number from {low} to {high}, got {value!r}")
    return value


def data_set_name(given: object, where: str) -> str:
    """As IDCAMS takes it, in quotes or not. Raises ConfigError."""
    name = str(given).strip().removeprefix("//").strip("'").upper()
    if len(name) > 44 or not DATA_SET_NAME.match(name):
        raise ConfigError(
            f"{where}: expected a data set name such as {DEFAULT_NAME} (qualifiers of 1-8 letters, digits or #@$, "
            f"joined by dots, 44 characters at most), got {given!r}"
        )
    return name


def _check_keys(section: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    for key in section:
        if key not in known:
            raise ConfigError(f"{where}.{key}: unknown key{nearest(str(key), known)}")


def fence_after_s(given: float, where: str = "components.caching.fenceAfterS") -> float:
    """Openers give a sign of life every second. Raises ConfigError."""
    if given and not 2 <= given <= 3600:
        raise ConfigError(f"{where}: expected 2 to 3600 seconds, or 0 for never, got {given:g}")
    return given


def identity(given: object, where: str = "components.caching.identity") -> str:
    """How callers are known. Raises ConfigError."""
    if given not in IDENTITIES:
        raise ConfigError(
            f"{where}: expected {' or '.join(IDENTITIES)}, got {given!r}{nearest(str(given), IDENTITIES)}"
        )
    return str(given)


def oversize_status(compat: Mapping[str, Any] | None, where: str = "components.caching.compat") -> int:
    """The status of a value too long: 413, or the original's 400."""
    given = dict(compat or {})
    status = given.pop("oversizeStatus", 413)
    _check_keys(given, ("oversizeStatus",), where)
    if status not in (400, 413):
        raise ConfigError(f"{where}.oversizeStatus: expected 413 or 400, got {status!r}")
    return int(status)
