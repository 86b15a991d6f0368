"""plexmesh.yaml: a sysplex written down in the words of Zowe's zowe.yaml.

    zowe:         {externalDomains, externalPort, environments, launcher: {restartIntervals, minUptime, hungAfter}}
    components:   {discovery|gateway|caching|sample: {enabled, port, launcher, …the service's own settings},
                   a name of yours: {command, port, routes, enabled, launcher}}
    haInstances:  {LPAR1: {hostname, sysname, components and zowe: {…merged over the base…}}}
    plexmesh:     {sysplex, address: where `plexmesh up` itself answers, distributor,
                   behaviour, speed, without: what a drill compares with,
                   certificateAuthorities: whose certificates are believed, with zowe.verifyCertificates,
                   tls: of plexmesh's own listeners and calls,
                   allowInsecure: without it, others may reach addresses of this machine (`shared.exposure`),
                   access: {operators, peers, services, hosts}: who may do and register what (`shared.identity`)}
    zowe.network.allowedDomains is the same as plexmesh.access.hosts.

Merging is Zowe's: maps deeply, lists replaced whole; then templates are resolved (`shared.template`), for each LPAR by
itself. Keys of Zowe's schema that mean nothing here are collected in `ignored` (one warning lists them); keys of
neither are a ConfigError with the nearest known key. The settings inside a component's section are checked by that
component (`shared.config`), which alone knows them.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared import guards, identity, yaml_file
from shared.errors import ConfigError, nearest
from shared.identity import Access
from shared.switch import switch, told
from shared.template import HA_INSTANCE, Templates
from shared.yaml_file import Lines

COMPONENTS = ("discovery", "gateway", "caching", "sample")
"""Start order too: each needs only those before it."""

DEFAULT_PORTS = {"launcher": 7550, "discovery": 7553, "gateway": 7554, "caching": 7555, "sample": 7560}

ALIASES = {"caching-service": "caching"}

KNOWN = {
    "": ("zowe", "components", "haInstances", "plexmesh"),
    "zowe": ("externalDomains", "externalPort", "environments", "launcher", "sysMessages", "verifyCertificates",
        "network", "certificate"),
    "zowe.certificate": ("keystore", "truststore", "pem"),
    "zowe.certificate.keystore": ("type", "file", "password", "alias"),
    "zowe.certificate.truststore": ("type", "file", "password"),
    "zowe.certificate.pem": ("key", "certificate", "certificateAuthorities"),
    "zowe.launcher": ("restartIntervals", "minUptime", "hungAfter"),
    "plexmesh": (
        "sysplex", "address", "behaviour", "speed", "without", "distributor", "certificateAuthorities", "tls",
        "allowInsecure", "access",
    ),
}  # fmt: skip

BEHAVIOURS = ("plexmesh", "zowe")
VERIFY = ("STRICT", "NONSTRICT", "DISABLED")
DISTRIBUTORS = ("distribute", "hot-standby")

LAUNCHER_KEYS = (*KNOWN["zowe.launcher"], "after", "live")
"""Of `launcher` in a component's section. `after`: started when those are ready; `live`: the path that shows whether it
hangs, of a component that has no /application/live."""

USER_KEYS = ("command", "port", "routes", "enabled", "launcher")
"""Of a component that is no service of plexmesh's."""

RESERVED = ("gateway", "application", "eureka", "console", "static", "discovery", "launcher", "cachingservice")
"""Service ids that mean something to every gateway."""

PORT_STEP = 100
"""Between LPARs, of a component that is not told its LPAR's address."""

NOT_APPLICABLE = {
    "": ("java", "node", "zOSMF"),
    "zowe": (
        "setup", "runtimeDirectory", "logDirectory", "workspaceDirectory", "extensionDirectory", "job",
        "rbacProfileIdentifier", "cookieIdentifier", "launchScript", "useConfigmgr", "configmgr",
        "extensionRegistry",
    ),
    "zowe.launcher": ("shareAs",),
    "zowe.certificate": (),
    "zowe.certificate.keystore": (),
    "zowe.certificate.truststore": (),
    "zowe.certificate.pem": (),
    "components": (
        "zaas", "api-catalog", "app-server", "zss", "jobs-api", "files-api", "explorer-jes", "explorer-mvs",
        "explorer-uss", "cloud-gateway", "metrics-service", "desktop-sample", "apiml-common-lib", "common-java-lib",
        "core-schemas", "explorer-ip", "apiml-sample-extension",
    ),
    "plexmesh": (),
    "apiml": ("httpclient", "catalog", "connection", "banner"),
    "section": ("debug", "certificate", "spring", "java", "server", "logging"),
}  # fmt: skip

SECURITY, SECURITY_AUTH = ("allowTokenRefresh",), ("provider",)
"""Of `apiml.security` and `apiml.security.auth`, in the gateway's section."""

DEFAULT_RESTART_INTERVALS_S = (1, 1, 1, 5, 5, 10, 20, 60, 120, 240)
DEFAULT_MIN_UPTIME_S = 10
"""Zowe's is 90; with that the eleventh kill of a demo would be the last."""
DEFAULT_HUNG_AFTER = 3
DEFAULT_LPARS = {"LPAR1": "127.0.1.1", "LPAR2": "127.0.2.1"}


@dataclass(frozen=True)
class CertificateFiles:
    """An LPAR's certificate and its key, in place of those plexmesh makes: PEM (`certificate`, `key`), or a PKCS12 key
    store; and whose certificates are believed besides."""

    certificate: Path | None = None
    key: Path | None = None
    keystore: Path | None = None
    password: str = field(default="", repr=False)
    alias: str = ""
    truststore: Path | None = None
    truststore_password: str = field(default="", repr=False)
    authorities: tuple[Path, ...] = ()

    def __iter__(self) -> Iterator[Path]:
        """Those that can be exchanged."""
        named = (self.certificate, self.key) if self.certificate is not None else (self.keystore,)
        return (each for each in (*named, self.truststore, *self.authorities) if each is not None)


@dataclass(frozen=True)
class LparEntry:
    """One HA instance: `id` upper case, `hostname` the address its components bind, `components` its overrides.

    `effective` are all components as it sees them; times are in seconds.
    """

    id: str
    hostname: str
    components: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    effective: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    environments: Mapping[str, str] = field(default_factory=dict)
    restart_intervals_s: tuple[float, ...] = DEFAULT_RESTART_INTERVALS_S
    min_uptime_s: float = DEFAULT_MIN_UPTIME_S
    hung_after: int = DEFAULT_HUNG_AFTER
    """Silent seconds after which a component that was ready is killed; 0: never."""
    sys_messages: tuple[str, ...] = ()
    """A line of the job log that holds one of these is shown on the console too."""
    certificate: CertificateFiles | None = None
    """None: plexmesh makes one."""
    made: bool = False
    """The file does not name it: `up --lpars` asked for it."""


@dataclass(frozen=True)
class Plexfile:
    """The checked file. `vipa` and `address` are "host:port"; times are in seconds."""

    path: Path
    sysplex: str
    address: str
    vipa: str
    components: Mapping[str, Mapping[str, Any]]
    lpars: Mapping[str, LparEntry]
    ignored: tuple[str, ...]
    tree: Mapping[str, Any]
    """As it was read, for LPARs that are made later."""
    lines: Lines = field(default_factory=dict)
    """Of each key, by its path."""
    behaviour: str = "plexmesh"
    """`zowe`: a model of what Zowe documents, for drills to compare with."""
    speed: float = 1.0
    """How many times faster the model's timers run."""
    without: tuple[str, ...] = ()
    """Guards that are switched off, sysplex-wide."""
    distributor: str = "distribute"
    """Who serves the sysplex address: every gateway, or one at a time (`hot-standby`)."""
    verify: str = "STRICT"
    """How the certificates of services are checked (`shared.tls`)."""
    authorities: tuple[Path, ...] = ()
    """PEM files of those whose certificates are believed; none: as the machine does."""
    tls: bool = False
    """plexmesh's own listeners and calls."""
    allow_insecure: bool = False
    """In plain, too, others may reach it."""
    domains: tuple[str, ...] = ()
    """Names and addresses under which all of it is known outside; the first is that of `vipa`."""
    access: Access = Access()
    """With TLS: who may do what, besides what certificates say themselves."""

    def component(self, name: str, lpar: str) -> dict[str, Any]:
        """A component's section as that LPAR sees it; empty when the file says nothing about it."""
        found = self.lpars.get(lpar.upper())
        return dict((found.effective if found else self.components).get(name, {}))

    def entry(self, lpar: str) -> LparEntry:
        """One that the file does not name has no overrides; its address is not known."""
        return self.lpars.get(lpar.upper()) or lpar_entry(self.tree, _Checked(self.path), lpar.upper(), "")

    def port(self, name: str, lpar: str) -> int:
        """A program that is not told its LPAR's address shares one address with its twins: its port moves up."""
        section = self.component(name, lpar)
        port = int(section["port"] if name not in DEFAULT_PORTS else section.get("port", DEFAULT_PORTS[name]))
        return port + PORT_STEP * self.place(lpar) if self.moves(name, lpar) else port

    def moves(self, name: str, lpar: str) -> bool:
        """Whether that component's port is another one in each LPAR: its command has no `{host}`."""
        found = self.lpars.get(lpar.upper())
        own_port = found is not None and "port" in found.components.get(name, {})
        command = str(self.component(name, lpar).get("command", "{host}"))
        return name not in COMPONENTS and "{host}" not in command and not own_port

    def place(self, lpar: str) -> int:
        """The LPAR's place in the file, from 0."""
        ids = list(self.lpars)
        return ids.index(lpar.upper()) if lpar.upper() in ids else 0

    def enabled(self, lpar: str) -> tuple[str, ...]:
        """Components to start in that LPAR, in start order. One the file does not name is not started."""
        named = [*(name for name in COMPONENTS if name in self.components), *self.users()]
        return tuple(name for name in named if self.component(name, lpar).get("enabled", True))

    def users(self) -> list[str]:
        """Components that are no services of plexmesh's, as the file orders them."""
        return [name for name in self.components if name not in COMPONENTS]

    @property
    def scheme(self) -> str:
        return "https" if self.tls else "http"

    @property
    def url(self) -> str:
        """Of `plexmesh up`."""
        return f"{self.scheme}://{self.address}"

    def launcher_url(self, lpar: str) -> str:
        return f"{self.scheme}://{self.lpars[lpar.upper()].hostname}:{self.port('launcher', lpar)}"

    def component_url(self, name: str, lpar: str) -> str:
        """Programs of the user's speak for themselves, in plain."""
        scheme = self.scheme if name in COMPONENTS and "command" not in self.component(name, lpar) else "http"
        return f"{scheme}://{self.lpars[lpar.upper()].hostname}:{self.port(name, lpar)}"

    def discovery_urls(self, lpar: str) -> tuple[str, ...]:
        """Every discovery node of the sysplex, the given LPAR's own first, then in a ring, so that load spreads."""
        ids, start = list(self.lpars), self.place(lpar)
        return tuple(
            f"{self.scheme}://{self.lpars[each].hostname}:{self.port('discovery', each)}"
            for each in ids[start:] + ids[:start]
            if "discovery" in self.enabled(each)
        )

    def with_lpars(self, count: int) -> Plexfile:
        """The first `count` LPARs; those the file does not name get the default address 127.0.n.1."""
        named = list(self.lpars.values())[:count]
        taken = {entry.id for entry in named}
        spare = (n for n in range(1, 2 * count + 1) if f"LPAR{n}" not in taken)
        made = [
            lpar_entry(self.tree, _Checked(self.path), f"LPAR{n}", f"127.0.{n}.1", made=True)
            for n in itertools.islice(spare, count - len(named))
        ]
        return dataclasses.replace(self, lpars={entry.id: entry for entry in named + made})


def read(path: Path) -> Plexfile:
    """PLEXMESH_TLS and PLEXMESH_ALLOW_INSECURE win over the file. Raises ConfigError: it is not there, is not YAML, or
    holds something it must not."""
    tree, lines = yaml_file.read(path)
    found = parse(tree, path)
    tls, allowed = told(os.environ, "PLEXMESH_TLS"), told(os.environ, "PLEXMESH_ALLOW_INSECURE")
    return dataclasses.replace(
        found,
        lines=lines,
        tls=found.tls if tls is None else tls,
        allow_insecure=found.allow_insecure if allowed is None else allowed,
    )


def parse(tree: object, path: Path) -> Plexfile:
    """Check a loaded YAML tree and give it its shape."""
    checked = _Checked(path)
    raw = checked.any_mapping(tree, "")
    top = checked.mapping(Templates(_scope(raw), per_lpar=True).resolved(raw, str(path)), "")
    zowe = checked.mapping(top.get("zowe"), "zowe")
    plex = checked.mapping(top.get("plexmesh"), "plexmesh")
    components = checked.components(top.get("components"))
    lpars = checked.lpars(top.get("haInstances"), components, raw)
    domains = checked.strings(zowe.get("externalDomains"), "zowe.externalDomains") or ["127.0.0.1"]
    checked.settings(zowe)
    sysplex = str(plex.get("sysplex", "PLEX1"))
    access = checked.access(top, domains, sysplex)
    return Plexfile(
        path=path,
        sysplex=sysplex,
        address=checked.address(plex.get("address", "127.0.0.1:7550"), "plexmesh.address"),
        vipa=f"{domains[0]}:{checked.port(zowe.get('externalPort', 7554), 'zowe.externalPort')}",
        components=components,
        lpars=lpars or {name: lpar_entry(raw, _Checked(path), name, host) for name, host in DEFAULT_LPARS.items()},
        ignored=tuple(checked.ignored),
        tree=raw,
        behaviour=(behaviour := checked.choice(plex.get("behaviour", "plexmesh"), BEHAVIOURS, "plexmesh.behaviour")),
        speed=checked.speed(plex.get("speed", 1), behaviour, "plexmesh.speed"),
        without=checked.guards(plex.get("without"), "plexmesh.without"),
        distributor=checked.choice(plex.get("distributor", "distribute"), DISTRIBUTORS, "plexmesh.distributor"),
        verify=checked.choice(zowe.get("verifyCertificates", "STRICT"), VERIFY, "zowe.verifyCertificates"),
        tls=checked.flag(plex.get("tls", False), "plexmesh.tls"),
        allow_insecure=checked.flag(plex.get("allowInsecure", False), "plexmesh.allowInsecure"),
        domains=tuple(domains),
        authorities=checked.paths(plex.get("certificateAuthorities"), "plexmesh.certificateAuthorities"),
        access=access,
    )


def lpar_entry(
    tree: Mapping[str, Any],
    checked: _Checked,
    name: str,
    hostname: str,
    overrides: Mapping[str, Any] | None = None,
    *,
    made: bool = False,
) -> LparEntry:
    """An LPAR's own view of the file: the base, its overrides merged over it, templates resolved.

    `overrides` is its section below haInstances. Raises ConfigError.
    """
    given = {key: below for key, below in (overrides or {}).items() if key in ("zowe", "components")}
    merged = merge(_renamed(tree), _renamed(given))
    scope = _scope(merged) | {HA_INSTANCE: {"id": name, "hostname": hostname}}
    resolved = Templates(scope).resolved(merged, str(checked.path))
    quiet = _Checked(checked.path)
    own = quiet.overrides(
        _renamed(given).get("components"), "components", quiet.any_mapping(tree.get("components"), "")
    )
    return LparEntry(
        name,
        hostname,
        components=own,
        effective=quiet.components(resolved.get("components")),
        made=made,
        **quiet.settings(quiet.mapping(resolved.get("zowe"), "zowe")),
    )


def _scope(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {**tree, "process": {"env": dict(os.environ)}}


def _renamed(tree: Mapping[str, Any]) -> dict[str, Any]:
    """With the components' names of ours."""
    components = tree.get("components")
    if not isinstance(components, Mapping):
        return dict(tree)
    return {**tree, "components": {ALIASES.get(str(key), str(key)): each for key, each in components.items()}}


def merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in override.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def _pending(value: object) -> bool:
    """A template that asks about the LPAR: it is looked at when there is one."""
    return isinstance(value, str) and "${{" in value


class _Checked:
    """Reads parts of the tree, naming the key in every complaint."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ignored: list[str] = []

    def fail(self, key: str, text: str) -> ConfigError:
        return ConfigError(f"{self.path}: {key}: {text}" if key else f"{self.path}: {text}")

    def mapping(self, value: object, place: str) -> dict[str, Any]:
        """A map whose keys are known at `place`; those of Zowe's that do not apply are taken out and remembered."""
        kept = {}
        for key, below in self.any_mapping(value, place).items():
            if key in KNOWN[place]:
                kept[key] = below
            elif key in NOT_APPLICABLE[place]:
                self.ignored.append(f"{place}.{key}".lstrip("."))
            else:
                raise self.fail(f"{place}.{key}".lstrip("."), f"unknown key{nearest(key, KNOWN[place])}")
        return kept

    def any_mapping(self, value: object, place: str) -> dict[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise self.fail(place, f"expected keys and values, got {value!r}")
        return {str(key): below for key, below in value.items()}

    def environments(self, value: object, place: str) -> dict[str, str]:
        return {key: str(below) for key, below in self.any_mapping(value, place).items()}

    def components(self, value: object) -> dict[str, dict[str, Any]]:
        kept = {}
        for key, section in self.any_mapping(value, "components").items():
            name, place = ALIASES.get(key, key), f"components.{key}"
            if name in NOT_APPLICABLE["components"]:
                self.ignored.append(place)
            elif name in COMPONENTS:
                kept[name] = self.section(section, place)
            elif isinstance(section, Mapping) and "command" in section:
                kept[name] = self.user_section(name, section, place)
            else:
                hint = nearest(key, COMPONENTS)
                raise self.fail(place, f"unknown component{hint}; one of your own needs a command")
        return kept

    def overrides(self, value: object, place: str, known: Mapping[str, object]) -> dict[str, dict[str, Any]]:
        """One LPAR's changes to components that the file has, or could have."""
        kept = {}
        for key, section in self.any_mapping(value, place).items():
            name = ALIASES.get(key, key)
            if name in NOT_APPLICABLE["components"]:
                self.ignored.append(f"{place}.{key}")
            elif name not in known and name not in COMPONENTS:
                raise self.fail(f"{place}.{key}", f"unknown component{nearest(key, [*known, *COMPONENTS])}")
            else:
                kept[name] = self.section(section, f"{place}.{key}")
        return kept

    def user_section(self, name: str, value: object, place: str) -> dict[str, Any]:
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,63}", name):
            raise self.fail(place, "the name of a component has lower-case letters, digits and dashes only")
        if name in RESERVED:
            raise self.fail(place, "this service id is reserved; name your component otherwise")
        section = self.section(value, place)
        for key in section:
            if key not in USER_KEYS:
                raise self.fail(f"{place}.{key}", f"unknown key{nearest(key, USER_KEYS)}")
        if "port" not in section:
            raise self.fail(f"{place}.port", "a component with a command of its own needs a port")
        routes = self.any_mapping(section.get("routes"), f"{place}.routes")
        for gateway_url, service_url in routes.items():
            if not isinstance(service_url, str) or not service_url.startswith("/"):
                raise self.fail(f"{place}.routes.{gateway_url}", f"expected a path such as /, got {service_url!r}")
        return section

    def section(self, value: object, place: str) -> dict[str, Any]:
        section = self.any_mapping(value, place)
        for key in NOT_APPLICABLE["section"]:
            if section.pop(key, None) is not None:
                self.ignored.append(f"{place}.{key}")
        apiml = section.get("apiml")
        if isinstance(apiml, Mapping):
            self.ignored += [f"{place}.apiml.{key}" for key in apiml if key in NOT_APPLICABLE["apiml"]]
            kept = {key: below for key, below in apiml.items() if key not in NOT_APPLICABLE["apiml"]}
            if "security" in kept:
                kept["security"] = self.security(kept["security"], f"{place}.apiml.security")
            section["apiml"] = {key: below for key, below in kept.items() if below != {}}
        if "port" in section and not _pending(section["port"]):
            self.port(section["port"], f"{place}.port")
        if not isinstance(section.get("command", ""), str):
            raise self.fail(f"{place}.command", f"expected a command line, got {section['command']!r}")
        if not isinstance(section.get("enabled", True), bool) and not _pending(section["enabled"]):
            raise self.fail(f"{place}.enabled", f"expected true or false, got {section['enabled']!r}")
        if "launcher" in section:
            below = self.any_mapping(section["launcher"], f"{place}.launcher")
            for key in below:
                if key not in (*LAUNCHER_KEYS, *NOT_APPLICABLE["zowe.launcher"]):
                    raise self.fail(f"{place}.launcher.{key}", f"unknown key{nearest(key, LAUNCHER_KEYS)}")
            self.intervals(below.get("restartIntervals"), f"{place}.launcher.restartIntervals")
            self.seconds(below.get("minUptime", 0), f"{place}.launcher.minUptime")
            self.count(below.get("hungAfter", 0), f"{place}.launcher.hungAfter")
            self.strings(below.get("after"), f"{place}.launcher.after")
            self.path_of_url(below.get("live", "/"), f"{place}.launcher.live")
        return section

    def security(self, value: object, place: str) -> dict[str, Any]:
        """What of Zowe's `apiml.security` a gateway acts on; all the rest does not apply."""
        said = self.any_mapping(value, place)
        if ".components.gateway." not in f".{place}":
            self.ignored.append(place)
            return {}
        auth = self.any_mapping(said.get("auth"), f"{place}.auth")
        self.ignored += [f"{place}.{key}" for key in said if key not in (*SECURITY, "auth")]
        self.ignored += [f"{place}.auth.{key}" for key in auth if key not in SECURITY_AUTH]
        kept = {key: below for key, below in said.items() if key in SECURITY}
        below = {key: each for key, each in auth.items() if key in SECURITY_AUTH}
        return {**kept, "auth": below} if below else kept

    def settings(self, zowe: Mapping[str, Any]) -> dict[str, Any]:
        """What of the section `zowe` may differ between LPARs."""
        launcher = self.mapping(zowe.get("launcher"), "zowe.launcher")
        return {
            "environments": self.environments(zowe.get("environments"), "zowe.environments"),
            "restart_intervals_s": self.intervals(launcher.get("restartIntervals"), "zowe.launcher.restartIntervals"),
            "min_uptime_s": self.seconds(launcher.get("minUptime", DEFAULT_MIN_UPTIME_S), "zowe.launcher.minUptime"),
            "hung_after": self.count(launcher.get("hungAfter", DEFAULT_HUNG_AFTER), "zowe.launcher.hungAfter"),
            "sys_messages": tuple(self.strings(zowe.get("sysMessages"), "zowe.sysMessages")),
            "certificate": self.certificate(zowe.get("certificate")),
        }

    def certificate(self, value: object) -> CertificateFiles | None:
        """PEM files go before a key store, as all of plexmesh takes them; what is empty is not there."""
        place = "zowe.certificate"
        said = self.mapping(value, place)
        pem = self.mapping(said.get("pem"), f"{place}.pem")
        key, certificate = pem.get("key"), pem.get("certificate")
        if bool(key) != bool(certificate):
            raise self.fail(f"{place}.pem", "expected both, certificate and key")
        store = self.store(said.get("keystore"), f"{place}.keystore")
        trust = self.store(said.get("truststore"), f"{place}.truststore")
        if not certificate and "file" not in store:
            return None
        told = pem.get("certificateAuthorities") or ()
        names = [each.strip() for each in told.split(",")] if isinstance(told, str) else told
        return CertificateFiles(
            certificate=self._file(certificate),
            key=self._file(key),
            keystore=self._file(store.get("file")),
            password=str(store.get("password") or ""),
            alias=str(store.get("alias") or ""),
            truststore=self._file(trust.get("file")),
            truststore_password=str(trust.get("password") or ""),
            authorities=self.paths(list(names), f"{place}.pem.certificateAuthorities"),
        )

    def store(self, value: object, place: str) -> dict[str, Any]:
        """Of PKCS12; empty: there is none, or a key ring of z/OS, which means nothing here."""
        found = {key: each for key, each in self.mapping(value, place).items() if each}
        kind = str(found.get("type", "PKCS12")).upper()
        if kind.startswith("JCE"):
            self.ignored.append(f"{place} (type {kind}: a key ring of z/OS)")
            return {}
        if kind != "PKCS12":
            raise self.fail(f"{place}.type", f"expected PKCS12, got {found['type']!r}; PEM files stand below pem")
        return found

    def _file(self, name: object) -> Path | None:
        return self.path.parent / str(name) if name else None

    def zowe_overrides(self, value: object, place: str) -> None:
        """Of one LPAR: environments and launcher; what is the whole sysplex' does not apply there."""
        for key in self.any_mapping(value, place):
            if key in NOT_APPLICABLE["zowe"] or key in ("externalDomains", "externalPort", "network"):
                self.ignored.append(f"{place}.{key}")
            elif key not in KNOWN["zowe"]:
                raise self.fail(f"{place}.{key}", f"unknown key{nearest(key, KNOWN['zowe'])}")

    def lpars(self, value: object, components: Mapping[str, object], tree: Mapping[str, Any]) -> dict[str, LparEntry]:
        """`tree` is the file as it was read: templates are resolved for each LPAR."""
        entries = {}
        known = ("hostname", "sysname", "components", "zowe")
        written = self.any_mapping(tree.get("haInstances"), "haInstances")
        for key, below in self.any_mapping(value, "haInstances").items():
            place = f"haInstances.{key}"
            entry = self.any_mapping(below, place)
            for each in entry:
                if each not in known:
                    raise self.fail(f"{place}.{each}", f"unknown key{nearest(each, known)}")
            name = key.upper()
            if not name.isalnum():
                raise self.fail(place, "an LPAR's name has letters and digits only")
            if name in entries:
                raise self.fail(place, "this LPAR is there twice (names are case-insensitive)")
            if not isinstance(entry.get("hostname"), str):
                raise self.fail(f"{place}.hostname", "expected the LPAR's address, such as 127.0.1.1")
            self.overrides(entry.get("components"), f"{place}.components", components)
            self.zowe_overrides(entry.get("zowe"), f"{place}.zowe")
            entries[name] = lpar_entry(tree, self, name, entry["hostname"], self.any_mapping(written[key], place))
        return entries

    def port(self, value: object, place: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65536:
            raise self.fail(place, f"expected a port from 1 to 65535, got {value!r}")
        return value

    def address(self, value: object, place: str) -> str:
        host, _, port = str(value).rpartition(":")
        if not host or not port.isdigit():
            raise self.fail(place, f"expected host:port, got {value!r}")
        return str(value)

    def strings(self, value: object, place: str) -> list[str]:
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self.fail(place, f"expected a list of names, got {value!r}")
        return value

    def access(self, top: Mapping[str, Any], domains: Iterable[str], sysplex: str) -> Access:
        """With Zowe's list of allowed hosts."""
        plex, zowe = self.any_mapping(top.get("plexmesh"), ""), self.any_mapping(top.get("zowe"), "")
        said = identity.access(plex.get("access"), f"{self.path}: plexmesh.access", sysplex)
        network = self.any_mapping(zowe.get("network"), "zowe.network")
        self.ignored += [f"zowe.network.{key}" for key in network if key != "allowedDomains"]
        hosts = said.hosts
        if network.get("allowedDomains") is not None:
            hosts = (*(hosts or ()), *identity.hosts(network, "allowedDomains", f"{self.path}: zowe.network"))
        lpars = self.any_mapping(top.get("haInstances"), "haInstances").values()
        own = [str(each.get("hostname", "")) for each in lpars if isinstance(each, Mapping)]
        address = str(plex.get("address", "")).rpartition(":")[0]
        return dataclasses.replace(said, hosts=hosts, own=frozenset(filter(None, [*own, *domains, address])))

    def flag(self, value: object, place: str) -> bool:
        return switch(value, f"{self.path}: {place}")

    def paths(self, value: object, place: str) -> tuple[Path, ...]:
        """They begin at the file's folder."""
        return tuple(self.path.parent / each for each in self.strings(value, place))

    def choice(self, value: object, known: tuple[str, ...], place: str) -> str:
        if value not in known:
            raise self.fail(place, f"expected {' or '.join(known)}, got {value!r}{nearest(str(value), known)}")
        return str(value)

    def guards(self, value: object, place: str) -> tuple[str, ...]:
        names = tuple(self.strings(value, place))
        guards.check(names, f"{self.path}: {place}")
        return names

    def speed(self, value: object, behaviour: str, place: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 100:
            raise self.fail(place, f"expected a number from 1 to 100, got {value!r}")
        if value != 1 and behaviour != "zowe":
            raise self.fail(place, "only the timers of behaviour: zowe can be made faster")
        return value

    def seconds(self, value: object, place: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise self.fail(place, f"expected seconds, got {value!r}")
        return value

    def count(self, value: object, place: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self.fail(place, f"expected a whole number from 0, got {value!r}")
        return value

    def path_of_url(self, value: object, place: str) -> str:
        if not isinstance(value, str) or not value.startswith("/"):
            raise self.fail(place, f"expected a path such as /health, got {value!r}")
        return value

    def intervals(self, value: object, place: str) -> tuple[float, ...]:
        if value is None:
            return DEFAULT_RESTART_INTERVALS_S
        if not isinstance(value, list) or len(value) > 100:
            raise self.fail(place, f"expected a list of at most 100 seconds, got {value!r}")
        return tuple(self.seconds(each, place) for each in value)
