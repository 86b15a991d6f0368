"""How one service is called: what its registration or the gateway's configuration says, read once into a `Policy`.

    metadata key                 in plexmesh.yaml             means
    plexmesh.picker              picker                       leastRequests, peakEwma, roundRobin, ringHash, random
    plexmesh.hashOn              hashOn                       of ringHash: address, path, header:NAME, cookie:NAME
    plexmesh.sticky              sticky                       cookie, header:NAME, user (apiml.lb.type=authentication)
    plexmesh.affinity            affinity                     lpar: instances of the gateway's own LPAR first
    plexmesh.scope               scope                        lpar: only instances of one LPAR, no fail-over to others
    plexmesh.slowStartS          slowStartS                   s until a new instance has its whole share
    plexmesh.sessionDrainS       sessionDrainS                s that sticky sessions stay at one OUT_OF_SERVICE
    plexmesh.probeS              probeS                       s between probes of its health URLs; 0: none
    plexmesh.retries             retries                      at most so many, beside those after a failed connect
    plexmesh.maxCalls            maxCalls                     under way at once, from this gateway (a worker's share)
    plexmesh.maxCallsPerInstance maxCallsPerInstance          the same of one instance
    plexmesh.maxQueue            maxQueue                     calls that may wait for their turn
    plexmesh.queueMs             queueMs                      ms each of them waits at most
    plexmesh.adaptive            adaptive                     true: maxCalls is found by measuring
    plexmesh.rateLimit           rateLimit                    "20/1m": of each caller
    apiml.enableUrlEncodedCharacters  encodedCharacters       false: %, ; and \\ in a path are refused (400)
    apiml.corsEnabled            cors                         true: pages of other origins may call it
    apiml.corsAllowedOrigins     corsOrigins                  comma list; empty: any
    apiml.corsAllowedHeaders, …Methods, …AllowCredentials     corsHeaders, corsMethods, corsCredentials
    apiml.service.externalUrl    externalUrl                  call this URL in place of the instances
    apiml.authentication.scheme  scheme                       bypass; zoweJwt: a login's token, checked; x509
    apiml.authentication.headers                              x509: what it is told of a caller's certificate

What plexmesh.yaml says of a service (`components.gateway.services.ID`) wins over its registration, that over what the
file says of all (`services."*"`). A wrong value in the file is refused at start; one in a registration says nothing,
and is shown (`faults`): it harms nobody but the service that said it. A service with a scheme for which nobody here
can make credentials (`UNSUPPORTED`) is not called, until the file says another one.

Sources: Zowe API ML's metadata for the keys beginning with `apiml`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import msgspec

from gateway import vouching
from gateway.rates import Rate
from shared.errors import ConfigError, nearest

PICKERS = ("leastRequests", "roundRobin", "peakEwma", "ringHash", "random")
EVERYBODY = "*"
"""In place of a service id: what holds for all that say nothing else."""

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}\Z")
MAX_VALUE = 2048

BYPASS, ZOWE_JWT, X509 = "bypass", "zoweJwt", "x509"
UNSUPPORTED = ("httpBasicPassTicket", "zosmf", "safIdt")
SCHEMES = (BYPASS, ZOWE_JWT, X509, *UNSUPPORTED)
SCHEME = "apiml.authentication.scheme"
LONGEST_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Policy:
    """Fields as in the table; times in seconds. `sticky` is "", "user", "cookie" or "header:name"."""

    picker: str = "leastRequests"
    hash_on: str = "address"
    sticky: str = ""
    affinity: bool = False
    scope_lpar: bool = False
    slow_start_s: float = 0.0
    session_drain_s: float = 300.0
    probe_s: float = 10.0
    retries: int = 2
    max_calls: int = 0
    max_calls_per_instance: int = 0
    max_queue: int = 100
    queue_s: float = 1.0
    adaptive: bool = False
    rate: Rate | None = None
    encoded: bool = True
    cors: bool = False
    cors_origins: tuple[str, ...] = ()
    cors_headers: tuple[str, ...] = ()
    cors_methods: tuple[str, ...] = ()
    cors_credentials: bool = True
    external_url: str = ""
    internal: bool = False
    """With TLS, for holders of a certificate that is believed; it does not exist for others."""
    scheme: str = BYPASS
    """Which credentials it is sent (`gateway.login.passing`)."""
    certificate_headers: tuple[str, ...] = ()
    """What it is told of a caller's certificate (`gateway.vouching`)."""

    @property
    def admits(self) -> bool:
        """Something is asked before a call may begin."""
        limited = self.max_calls or self.max_calls_per_instance or self.adaptive or self.rate
        told = self.certificate_headers or self.scheme not in (BYPASS, X509)
        return bool(limited or self.internal or told or not self.encoded)


PLAIN = Policy()


def unserved(service: str, scheme: str) -> str:
    """Why its calls are answered 503."""
    return f"{service} wants credentials of the scheme {scheme}, which no gateway here can make"


def _choice(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"expected one of {', '.join(words)}")
        return text

    return read


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("expected true or false")
    return text.lower() == "true"


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValueError("expected a whole number")
    return int(text)


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text, re.ASCII):
        raise ValueError("expected seconds")
    return min(float(text), LONGEST_S)


def _named(*plain: str, kinds: tuple[str, ...] = ("header",)) -> Callable[[str], str]:
    """One of the plain words, or `kind:name of a header or cookie`."""

    def read(text: str) -> str:
        kind, _, name = text.partition(":")
        if text in plain:
            return text
        if kind in kinds and TOKEN.match(name):
            return f"{kind}:{name.lower() if kind == 'header' else name}"
        raise ValueError(f"expected {', '.join([*plain, *(f'{each}:NAME' for each in kinds)])}")

    return read


def _words(text: str) -> tuple[str, ...]:
    words = tuple(part.strip() for part in text.split(",") if part.strip())
    if any(not re.fullmatch(r"[\x21-\x7e]+", word) for word in words):
        raise ValueError("expected a comma list")
    return words


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9._~\[\]:-]+(/[\x21-\x7e]*)?", text):
        raise ValueError("expected http://host:port")
    return text


@dataclass(frozen=True, slots=True)
class Setting:
    """`field` of Policy; `key` in metadata, `name` in the file."""

    field: str
    name: str
    key: str
    read: Callable[[str], Any]
    shown: Callable[[Any], Any] = msgspec.to_builtins
    """The field as it would stand in the file."""


def _lpar(text: str) -> bool:
    return _choice("lpar", "sysplex")(text) == "lpar"


def _internal(text: str) -> bool:
    return _choice("internal", "external")(text) == "internal"


SETTINGS = (
    Setting("picker", "picker", "plexmesh.picker", _choice(*PICKERS)),
    Setting("hash_on", "hashOn", "plexmesh.hashOn", _named("address", "path", kinds=("header", "cookie"))),
    Setting("sticky", "sticky", "plexmesh.sticky", _named("user", "cookie")),
    Setting("affinity", "affinity", "plexmesh.affinity", lambda text: _choice("lpar", "none")(text) == "lpar"),
    Setting("scope_lpar", "scope", "plexmesh.scope", _lpar),
    Setting("slow_start_s", "slowStartS", "plexmesh.slowStartS", _seconds),
    Setting("session_drain_s", "sessionDrainS", "plexmesh.sessionDrainS", _seconds),
    Setting("probe_s", "probeS", "plexmesh.probeS", _seconds),
    Setting("retries", "retries", "plexmesh.retries", _count),
    Setting("max_calls", "maxCalls", "plexmesh.maxCalls", _count),
    Setting("max_calls_per_instance", "maxCallsPerInstance", "plexmesh.maxCallsPerInstance", _count),
    Setting("max_queue", "maxQueue", "plexmesh.maxQueue", _count),
    Setting("queue_s", "queueMs", "plexmesh.queueMs", lambda text: _seconds(text) / 1000, lambda s: round(s * 1000)),
    Setting("adaptive", "adaptive", "plexmesh.adaptive", _flag),
    Setting("rate", "rateLimit", "plexmesh.rateLimit", Rate.parse),
    Setting("encoded", "encodedCharacters", "apiml.enableUrlEncodedCharacters", lambda text: text.lower() != "false"),
    Setting("cors", "cors", "apiml.corsEnabled", _flag),
    Setting("cors_origins", "corsOrigins", "apiml.corsAllowedOrigins", _words),
    Setting("cors_headers", "corsHeaders", "apiml.corsAllowedHeaders", _words),
    Setting("cors_methods", "corsMethods", "apiml.corsAllowedMethods", _words),
    Setting("cors_credentials", "corsCredentials", "apiml.corsAllowCredentials", _flag),
    Setting("internal", "visibility", "plexmesh.visibility", _internal, lambda on: "internal" if on else "external"),
    Setting("scheme", "scheme", SCHEME, _choice(*SCHEMES)),
    Setting("external_url", "externalUrl", "apiml.service.externalUrl", _url),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}
KEYS = {setting.key: setting for setting in SETTINGS}

Configured = Mapping[str, Mapping[str, Any]]
"""Service id, or `*` → name in the file → value."""

Values = dict[str, Any]
"""Field of Policy → its value."""


def configured_values(services: Configured) -> dict[str, Values]:
    """Service id → what the file says of it. Raises ConfigError."""
    return {id: strict(f"components.gateway.services.{id}", said) for id, said in services.items()}


def strict(place: str, said: object) -> Values:
    """What the file says of one service, at that place in it. Raises ConfigError."""
    if not isinstance(said, Mapping):
        raise ConfigError(f"{place}: expected keys and values, got {said!r}")
    values: Values = {}
    for name, value in said.items():
        setting = BY_NAME.get(name)
        if setting is None:
            raise ConfigError(f"{place}.{name}: unknown key{nearest(str(name), BY_NAME)}")
        try:
            if value is None:
                raise ValueError("expected a value")
            values[setting.field] = (_flag if setting.field == "encoded" else setting.read)(_text(value))
        except ValueError as error:
            raise ConfigError(f"{place}.{name}: {error} (the value is {value!r})") from error
    return values


def _text(value: object) -> str:
    """As metadata would have it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value)


class Policies:
    """What the configuration says, to be asked for each service."""

    def __init__(self, services: Configured = MappingProxyType({})) -> None:
        """Raises ConfigError."""
        configured = configured_values(services)
        self._everybody = configured.pop(EVERYBODY, {})
        self._by_id = configured

    def of(self, service: str, metadata: Mapping[str, str]) -> tuple[Policy, tuple[str, ...]]:
        """And what is wrong with the metadata, each a sentence."""
        told, faults = told_by(metadata)
        values = self._everybody | told | self._by_id.get(service, {})
        if values.get("scheme", X509) != X509:
            values.pop("certificate_headers", None)
        return (dataclasses.replace(PLAIN, **values) if values else PLAIN), faults


def told_by(metadata: Mapping[str, str]) -> tuple[Values, tuple[str, ...]]:
    values: Values = {}
    faults = []
    for key in metadata.keys() & KEYS.keys():
        setting, text = KEYS[key], metadata[key].strip()
        if not text:
            continue
        try:
            if len(text) > MAX_VALUE:
                raise ValueError(f"longer than {MAX_VALUE} characters")
            values[setting.field] = setting.read(text)
        except ValueError as error:
            faults.append(f"{key}: {error} (the value is {text[:64]!r})")
    if (scheme := values.get("scheme")) in UNSUPPORTED:
        faults.append(f"{SCHEME}: {scheme} is not supported here: calls are answered 503")
    if metadata.get("apiml.lb.type") == "authentication":
        values.setdefault("sticky", "user")
    try:
        if headers := vouching.wanted(metadata):
            values["certificate_headers"] = headers
    except ValueError as error:
        faults.append(f"apiml.authentication.headers: {error}")
    return values, tuple(sorted(faults))
