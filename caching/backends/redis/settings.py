"""The `storage:` setting for Redis: a URL, or Zowe's section `redis`.

    redis://[USER:PASSWORD@]HOST:PORT[/DB]       rediss:// with TLS
    redis+sentinel://[USER:PASSWORD@]HOST:PORT,HOST:PORT/MASTER[?db=&sentinelUser=&sentinelPassword=]
    {mode: redis, redis: {masterNodeUri: USER:PASSWORD@HOST:PORT, sentinel: {enabled, masterInstance, nodes}, ssl: …}}

A text becomes the section it stands for and goes the same way. A password is in no error and in no `repr`.

Source: Zowe's configuration of the Caching Service (`masterNodeUri` with a single word before @: the password).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

from shared.errors import ConfigError, nearest

SCHEMES = ("redis", "rediss", "redis+sentinel")
PORT, SENTINEL_PORT = 6379, 26379
DATABASES = 1 << 16

SECTION = ("masterNodeUri", "timeout", "db", "minReplicas", "sentinel", "ssl")
SENTINEL = ("enabled", "masterInstance", "nodes", "user", "password")
SSL = ("enabled", "keyStore", "keyStorePassword", "trustStore", "trustStorePassword")
OF_SECTION = ("db", "minReplicas")
"""Keys of a URL's query that belong into the section; the others are those of every storage."""
STORES = (".pem", ".crt", ".cer", ".key")


class Node(NamedTuple):
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Login:
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class Tls:
    """Files in PEM form; empty: the system's own authorities, and no certificate of ours."""

    authorities: str = ""
    certificate: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class RedisSettings:
    """`node` is asked when there are no sentinels; else they say where the master is."""

    node: Node = Node("127.0.0.1", PORT)
    login: Login = Login()
    db: int = 0
    sentinels: tuple[Node, ...] = ()
    master: str = ""
    """The name the sentinels have for it."""
    sentinel_login: Login = Login()
    tls: Tls | None = None
    min_replicas: int = 0
    """Refuse a server that takes writes with fewer replicas than that (`min-replicas-to-write`)."""


# --- from a text


def tree_of(text: str, where: str) -> dict[str, Any]:
    """Zowe's mapping of a URL, with the query's other keys at its top. Raises ConfigError."""
    scheme, _, rest = text.partition("://")
    address, _, query = rest.partition("?")
    if "@" in query or "#" in text:
        raise ConfigError(f"{where}: characters such as ?, @ and # have to be written with % in a password")
    given = dict(parse_qsl(query, keep_blank_values=True))
    login, _, place = address.rpartition("@")
    hosts, _, path = place.partition("/")
    section: dict[str, Any] = {key: _plain(given.pop(key)) for key in OF_SECTION if key in given}
    section["ssl"] = {"enabled": scheme.lower() == "rediss"}
    if scheme.lower() == "redis+sentinel":
        sentinel: dict[str, Any] = {"enabled": True, "masterInstance": path, "nodes": hosts.split(",")}
        for key, short in (("sentinelUser", "user"), ("sentinelPassword", "password")):
            if key in given:
                sentinel[short] = given.pop(key)
        section |= {"sentinel": sentinel, "masterNodeUri": f"{login}@" if login else ""}
    else:
        section |= {"masterNodeUri": f"{login}@{hosts}" if login else hosts} | ({"db": _plain(path)} if path else {})
    return {"mode": "redis", "redis": section} | {key: _plain(value) for key, value in given.items()}


def _plain(value: str) -> int | str:
    return int(value) if value.isdecimal() else value


# --- from the section


def decode(section: Mapping[str, Any], where: str) -> tuple[RedisSettings, list[str]]:
    """With what is to be told about it. Raises ConfigError."""
    _check_keys(section, SECTION, where)
    sentinel = _below(section, "sentinel", SENTINEL, where)
    sentinels, master = _sentinels(sentinel, f"{where}.sentinel")
    uri = str(section.get("masterNodeUri") or "")
    login, node = _uri(uri, PORT, f"{where}.masterNodeUri", host_needed=not sentinels)
    given = Login(str(sentinel.get("user", "")), str(sentinel.get("password", "")))
    logins = [given, *(login for login, _ in sentinels)]
    found = RedisSettings(
        node=node,
        login=login,
        db=_number(section, "db", 0, DATABASES, where),
        sentinels=tuple(node for _, node in sentinels),
        master=master,
        sentinel_login=next((each for each in logins if each.password), Login()),
        tls=_tls(_below(section, "ssl", SSL, where), f"{where}.ssl"),
        min_replicas=_number(section, "minReplicas", 0, 100, where),
    )
    told = f"{where}.timeout does not apply here; writeDeadlineS and readDeadlineS do"
    return found, [told] if "timeout" in section else []


def _sentinels(sentinel: Mapping[str, Any], where: str) -> tuple[list[tuple[Login, Node]], str]:
    if not sentinel or not _flag(sentinel, "enabled", True, where):
        return [], ""
    nodes, master = sentinel.get("nodes"), str(sentinel.get("masterInstance") or "")
    if not isinstance(nodes, list) or not nodes:
        raise ConfigError(f"{where}.nodes: expected a list of host:port")
    if not master:
        raise ConfigError(f"{where}.masterInstance: expected the name that the sentinels have for the master")
    return [_uri(str(each), SENTINEL_PORT, f"{where}.nodes") for each in nodes], master


def _uri(uri: str, usual_port: int, where: str, *, host_needed: bool = True) -> tuple[Login, Node]:
    """[[USER:]PASSWORD@]HOST[:PORT], as Zowe writes it. Raises ConfigError, which shows none of it: who forgets the
    host has a password in its place."""
    who, _, place = uri.rpartition("@")
    user, colon, password = who.partition(":")
    login = Login(unquote(user), unquote(password)) if colon else Login("", unquote(user))
    if not place and not host_needed:
        return login, Node("", 0)
    host, colon, port = place.rpartition(":") if ":" in place else (place, "", "")
    number_right = not colon or (port.isascii() and port.isdecimal() and 0 < int(port) < 1 << 16)
    if not host or not number_right or any(each in host for each in "/?#[]: ,"):
        raise ConfigError(f"{where}: expected [[user:]password@]host:port")
    return login, Node(host, int(port) if port else usual_port)


def _tls(ssl: Mapping[str, Any], where: str) -> Tls | None:
    if not ssl or not _flag(ssl, "enabled", True, where):
        return None
    for key in ("keyStore", "trustStore"):
        file = str(ssl.get(key) or "")
        if file and not file.lower().endswith(STORES):
            raise ConfigError(f"{where}.{key}: expected a file in PEM form ({', '.join(STORES)}), got {file!r}")
    return Tls(str(ssl.get("trustStore") or ""), str(ssl.get("keyStore") or ""), str(ssl.get("keyStorePassword") or ""))


def _below(section: Mapping[str, Any], name: str, known: Iterable[str], where: str) -> Mapping[str, Any]:
    below = section.get(name)
    if below is not None and not isinstance(below, Mapping):
        raise ConfigError(f"{where}.{name}: expected keys and values")
    _check_keys(below or {}, known, f"{where}.{name}")
    return below or {}


def _check_keys(section: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    for key in section:
        if key not in known:
            raise ConfigError(f"{where}.{key}: unknown key{nearest(str(key), known)}")


def _flag(section: Mapping[str, Any], key: str, usual: bool, where: str) -> bool:
    value = section.get(key, usual)
    if not isinstance(value, bool):
        raise ConfigError(f"{where}.{key}: expected true or false, got {value!r}")
    return value


def _number(section: Mapping[str, Any], key: str, low: int, high: int, where: str) -> int:
    value = section.get(key, low)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(f"{where}.{key}: expected a whole number from {low} to {high}, got {value!r}")
    return value
