"""One frozen dataclass per service, filled from defaults < plexmesh.yaml < environment < flags.

A service subclasses `ServiceConfig` and declares each field once, with `setting(default, help)`; the name gives all its
spellings. For the gateway's `drain_s`:

    plexmesh.yaml   components.gateway.drainS (or drain_s)      per LPAR below haInstances.<id>.components
    environment     PLEXMESH_GATEWAY_DRAIN_S
    flag            --drain-s

The fields every service shares (`lpar`, `host`, …) have no service in their variable: PLEXMESH_LPAR; of these only
`bind` and `healthProtected` may stand in a component's section. Sequences are comma lists in variables and flags; lists
of paths may have Zowe's semicolons, and the file's begin at its folder.
Unknown keys and values of the wrong type are `ConfigError`s that name where they stand; unknown PLEXMESH_<SERVICE>_
variables too.

Not here: what the file may hold besides (`shared.plexfile`).
"""

from __future__ import annotations

import argparse
import dataclasses
import ipaddress
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NewType, NoReturn, TypeVar, get_args, get_origin, get_type_hints

import msgspec
import yaml

from shared import exposure, identity, plexfile
from shared.errors import ConfigError, nearest
from shared.identity import Access
from shared.switch import switch
from shared.wire import authority

Verify = Literal["STRICT", "NONSTRICT", "DISABLED"]
"""Zowe's `verifyCertificates`: everything; no names; nothing."""

Address = NewType("Address", str)
"""An IP address, as `ipaddress` spells it."""


def certificates_in(data: Path) -> Path:
    """The folder with those of the sysplex, which every LPAR sees."""
    return data / "volume" / "certificates"


def setting(default: Any, help: str, zowe: str = "") -> Any:
    """A config field: what it is, its unit, and what goes wrong when it is too low or too high; `zowe` is where Zowe's
    zowe.yaml has it, if that is elsewhere in the component's section."""
    metadata = {"help": help, "zowe": zowe}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=default.copy, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServiceConfig:
    """What every service is told: which LPAR it is in, where that is, and where discovery is."""

    sysplex: str = setting("PLEX1", "name of the sysplex; nodes of another one are refused")
    lpar: str = setting("LPAR1", "name of the LPAR this process runs in")
    host: str = setting("127.0.1.1", "address of the LPAR: listeners bind it, outgoing sockets come from it")
    bind: tuple[Address, ...] = setting(
        (), "IP addresses to listen on instead of host, which others still call; 0.0.0.0: every network of a container"
    )
    data: Path = setting(Path(".plexmesh"), "folder of all state; <data>/volume is shared by the LPARs")
    vipa: str = setting("127.0.0.1:7554", "the sysplex address every gateway shares; empty: there is none")
    discovery: tuple[str, ...] = setting((), "URLs of the discovery nodes, the own LPAR's first")
    behaviour: Literal["plexmesh", "zowe"] = setting("plexmesh", "zowe: a model of what Zowe documents, for drills")
    speed: float = setting(1.0, "how many times faster the timers of that model run")
    without_guards: tuple[str, ...] = setting((), "guards left out sysplex-wide, for drills (plexmesh.without)")
    certificate_authorities: tuple[Path, ...] = setting(
        (), "PEM files of whose certificates to believe when a service is called with TLS; default: the machine's own"
    )
    verify_certificates: Verify = setting("STRICT", "NONSTRICT: names are not checked; DISABLED: nothing is")
    tls: bool = setting(False, "on: TLS of every listener and of every call of plexmesh's own (plexmesh.tls)")
    health_protected: bool = setting(
        True, "with TLS /application/health is 401 without a certificate or login", zowe="apiml.health.protected"
    )
    allow_insecure: bool = setting(
        False, "on: without TLS, too, addresses may be listened on that others can reach (plexmesh.allowInsecure)"
    )
    access: Access = setting(
        Access(), "with TLS: operators and peers by their certificates' names, who may register what (plexmesh.access)"
    )

    def __post_init__(self) -> None:
        """The own authority has the sysplex' name."""
        object.__setattr__(self, "access", dataclasses.replace(self.access, sysplex=self.sysplex))

    @property
    def certificates(self) -> Path:
        """The folder with those of the sysplex."""
        return certificates_in(self.data)

    @property
    def scheme(self) -> str:
        return "https" if self.tls else "http"

    def url(self, port: int) -> str:
        """Of a listener of this LPAR."""
        return f"{self.scheme}://{authority(self.host, port)}"

    @property
    def lease_s(self) -> int:
        """Of the component's own registration; Zowe's is 90 s."""
        return 15 if self.behaviour == "plexmesh" else max(round(90 / self.speed), 1)

    @property
    def renew_s(self) -> int:
        return 5 if self.behaviour == "plexmesh" else max(round(30 / self.speed), 1)

    @property
    def listen_hosts(self) -> tuple[str, ...]:
        return self.bind or (self.host,)


SHARED_FIELDS = frozenset(field.name for field in dataclasses.fields(ServiceConfig))

PLACE_FIELDS = SHARED_FIELDS - {"bind", "health_protected"}
"""What follows from where a process runs: no component's section has it."""

LAUNCHER_KEYS = frozenset({"enabled", "launcher", "command", "routes"})
"""Keys of a component's section that only the launcher reads."""

C = TypeVar("C", bound=ServiceConfig)


def load(
    cls: type[C],
    service: str,
    argv: Sequence[str] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    listens: bool = True,
) -> C:
    """The configuration of one service process. Raises ConfigError; `--help` prints every field and exits."""
    environ = os.environ if environ is None else environ
    flags = vars(_parser(cls, service).parse_args(argv))
    shown = flags.pop("show_config")
    path = flags.pop("config") or environ.get("PLEXMESH_CONFIG")
    given = {name: value for name, value in flags.items() if value is not None}
    lpar = given.get("lpar") or environ.get("PLEXMESH_LPAR") or cls.lpar
    found: dict[str, Found] = {}
    if path:
        file = plexfile.read(Path(path))
        found |= _from_place(file, lpar)
        found |= _from_section(cls, service, lpar, file)
    found |= _from_environment(cls, service, environ)
    for name, value in given.items():
        flag = f"--{name.replace('_', '-')}"
        found[name] = Found(_typed(cls, name, value, flag), flag)
    values = {name: each.value for name, each in found.items()}
    if "lpar" in values:
        values["lpar"] = values["lpar"].upper()  # names of LPARs are case-insensitive, and shown like this
    config = cls(**values)
    if shown:
        print(_shown(config, found))  # noqa: T201
        raise SystemExit(0)
    if listens:
        _check_exposure(config, service)
    return config


def _check_exposure(config: ServiceConfig, service: str) -> None:
    """Raises ConfigError: others could reach it in plain."""
    port = getattr(config, "port", plexfile.DEFAULT_PORTS.get(service, 0))
    vipa = [exposure.split(config.vipa)] if service == "gateway" and config.vipa else []
    listeners = [*((host, port) for host in config.listen_hosts), *vipa]
    exposure.check(listeners, tls=config.tls, allowed=config.allow_insecure)


def bind_of(file: plexfile.Plexfile, service: str, lpar: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """What one process will find as its `bind`, without its flags. Raises ConfigError."""
    origin, told = f"{file.path}: components.{service}.bind", file.component(service, lpar).get("bind", [])
    if "PLEXMESH_BIND" in environ:
        origin, told = "environment: PLEXMESH_BIND", environ["PLEXMESH_BIND"]
    return _addresses(told, origin)


@dataclasses.dataclass(frozen=True)
class Found:
    """A value, and where it comes from: a key of the file, `environment: VARIABLE`, a flag, `derived`."""

    value: Any
    origin: str


def _shown(config: ServiceConfig, found: Mapping[str, Found]) -> str:
    """{"drainS": {"value": 1.0, "origin": "default"}, …} of the service's own fields, as JSON."""
    own = {
        camel(field.name): {
            "value": getattr(config, field.name),
            "origin": found[field.name].origin if field.name in found else "default",
        }
        for field in dataclasses.fields(config)
        if field.name not in PLACE_FIELDS
    }
    return msgspec.json.encode(own, enc_hook=str).decode()


def _from_place(file: plexfile.Plexfile, lpar: str) -> dict[str, Found]:
    found = file.lpars.get(lpar.upper())
    place: dict[str, Any] = {
        "sysplex": file.sysplex,
        "lpar": lpar.upper(),
        "vipa": file.vipa,
        "behaviour": file.behaviour,
        "speed": file.speed,
        "without_guards": file.without,
        "verify_certificates": file.verify,
        "certificate_authorities": file.authorities,
        "tls": file.tls,
        "allow_insecure": file.allow_insecure,
        "access": file.access,
    }
    if found is not None:
        place |= {"host": found.hostname, "discovery": file.discovery_urls(found.id)}
    return {name: Found(value, "derived") for name, value in place.items()}


def _from_section(cls: type[C], service: str, lpar: str, file: plexfile.Plexfile) -> dict[str, Found]:
    known = {field.name for field in dataclasses.fields(cls)} - PLACE_FIELDS
    zowes = {field.metadata["zowe"]: field.name for field in dataclasses.fields(cls) if field.metadata["zowe"]}
    values = {}
    for key, value in _leaves(file.component(service, lpar), zowes):
        if key in LAUNCHER_KEYS:
            continue
        name = zowes.get(key) or snake(key)
        if name not in known:
            spelled = [camel(each) for each in sorted(known)] + sorted(zowes) + sorted(LAUNCHER_KEYS)
            raise ConfigError(f"{file.path}: components.{service}.{key}: unknown key{nearest(key, spelled)}")
        typed = _typed(cls, name, value, f"{file.path}: components.{service}.{key}", file.path.parent)
        values[name] = Found(typed, f"components.{service}.{key}")
    return values


def _leaves(section: Mapping[str, Any], paths: Iterable[str], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Keys and values; what leads to one of these dotted paths is followed, not given."""
    for name, value in section.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and any(path.startswith(f"{key}.") for path in paths):
            yield from _leaves(value, paths, f"{key}.")
        else:
            yield key, value


def _from_environment(cls: type[C], service: str, environ: Mapping[str, str]) -> dict[str, Found]:
    prefix, hints = f"PLEXMESH_{service.upper()}_", get_type_hints(cls)
    names = {
        (f"PLEXMESH_{field.name.upper()}" if field.name in SHARED_FIELDS else prefix + field.name.upper()): field.name
        for field in dataclasses.fields(cls)
    }
    for variable in environ:
        if variable.startswith(prefix) and variable not in names:
            raise ConfigError(f"environment: {variable}: unknown variable{nearest(variable, names)}")
    return {
        name: Found(_typed(cls, name, environ[variable], f"environment: {variable}"), f"environment: {variable}")
        for variable, name in names.items()
        if variable in environ and not (hints[name] is bool and not environ[variable].strip())
    }


def _typed(cls: type[C], name: str, value: Any, where: str, base: Path = Path()) -> Any:
    """`base` is what relative paths in a list begin at."""
    wanted = get_type_hints(cls)[name]
    if wanted is Path:
        return Path(str(value))
    if wanted == tuple[Path, ...]:
        parts = re.split("[;,]", value) if isinstance(value, str) else value
        if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
            raise ConfigError(f"{where}: expected paths (the value is {value!r})")
        return tuple(base / part.strip() for part in parts if part.strip())
    if wanted == tuple[Address, ...]:
        return _addresses(value, where)
    if wanted is bool:
        return switch(value, where)
    if get_origin(wanted) is Literal:
        return _chosen(get_args(wanted), value, where)
    if get_origin(wanted) is dict and isinstance(value, str):
        value = _mapping(value, where)
    if wanted is Access:
        return identity.access(_mapping(value, where), where)
    if isinstance(value, str) and str(wanted).startswith("tuple"):
        value = [part.strip() for part in value.split(",") if part.strip()]
    try:
        return msgspec.convert(value, wanted, strict=False)
    except msgspec.ValidationError as error:
        text = re.sub(r"^E", "e", str(error)).replace("`", "")
        raise ConfigError(f"{where}: {text} (the value is {value!r})") from error


def _addresses(value: Any, where: str) -> tuple[Address, ...]:
    """Each once, in their order."""
    parts = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    try:
        if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
            raise ValueError
        found = dict.fromkeys(map(ipaddress.ip_address, parts))
    except ValueError as error:
        raise ConfigError(f"{where}: expected IP addresses, such as 127.0.1.1 (the value is {value!r})") from error
    for every in (each for each in found if each.is_unspecified):
        if sum(each.version == every.version for each in found) > 1:
            raise ConfigError(f"{where}: expected {every} without others: it is all of them (the value is {value!r})")
    return tuple(Address(str(each)) for each in found)


def _mapping(text: str, where: str) -> Any:
    """In variables and flags a map is YAML in one line, of which JSON is a part."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{where}: expected keys and values as in YAML or JSON (the value is {text!r})") from error


def _chosen(choices: tuple[str, ...], value: Any, where: str) -> str:
    """YAML reads a plain `off` as false."""
    word = "off" if value is False else value
    if word not in choices:
        raise ConfigError(f"{where}: expected one of {', '.join(choices)} (the value is {value!r})")
    return str(word)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{self.prog}: {message}")


def _parser(cls: type[C], service: str) -> argparse.ArgumentParser:
    parser = _Parser(prog=f"python -P -m {service}", allow_abbrev=False)
    parser.add_argument("--config", metavar="FILE", help="plexmesh.yaml (variable PLEXMESH_CONFIG)")
    parser.add_argument(
        "--show-config", action="store_true", help="print the settings as JSON, each with where it comes from, and end"
    )
    for field in dataclasses.fields(cls):
        plain = field.default is not dataclasses.MISSING and not isinstance(field.default, Access)
        default = field.default if plain else None
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            dest=field.name,
            metavar="VALUE",
            help=f"{field.metadata['help']} (default: {default or 'none'})".replace("%", "%%"),
        )
    return parser


def snake(key: str) -> str:
    """`minUptime` and `min-uptime` → `min_uptime`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: "_" + match[1].lower(), key).replace("-", "_")


def camel(name: str) -> str:
    """`min_uptime` → `minUptime`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
