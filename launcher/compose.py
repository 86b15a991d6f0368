"""A compose file's sysplex, with the words of the one on this machine: the same status, the same orders.

An LPAR is a container. What `up` does to processes the engine does to containers: kill, pause, resume, stop, start. An
order to a component goes to the launcher in its container. Networks can be cut here:

    partition    off xcf: the other LPARs are gone, its users still reach it
    silence      off every network
    heal         on all of them again

What its components do is the launcher's to say. Where it does not answer, the engine says why.

Not here: what the file says (`launcher.compose_file`), the engine (`launcher.engine`).
"""

from __future__ import annotations

import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from launcher import compose_file, engine, secure
from launcher.compose_file import XCF, ComposeFile, LparContainer
from launcher.control import ORDER_S, Control
from launcher.states import overall
from shared import wire
from shared.config import certificates_in
from shared.errors import Conflict, NotFound, PlexmeshError, Unavailable, nearest
from shared.switch import told
from shared.tls import Files

ASK_S = 0.5
READY_WITHIN_S = 60.0
STOP_S = 30
"""Its launcher needs up to 20 s to stop its components."""

KILLED = 137

DATA = "/data"
"""The data folder in a container of our image."""

FETCHED = "compose"
"""Below the data folder here: what comes from the containers."""

A = TypeVar("A")
B = TypeVar("B")


class Compose:
    kind = "compose"

    def __init__(self, data: Path, file: Path | None = None) -> None:
        """`data`: where the certificates of containers are kept; default file: the nearest compose.yaml. Raises
        ConfigError, Unavailable: there is no engine."""
        self._file = _as_it_runs(compose_file.read(file or compose_file.nearest(Path.cwd())), data)
        secured = self._file.sysplex_url.startswith("https:")
        self.credentials = secure.credentials(data / FETCHED) if secured else None
        self._orders: dict[str, Callable[[LparContainer], object]] = {
            "kill": lambda lpar: engine.docker("kill", lpar.name),
            "pause": lambda lpar: engine.docker("pause", lpar.name),
            "resume": self._resume,
            "stop": lambda lpar: engine.docker("stop", "--time", str(STOP_S), lpar.name),
            "start": self._start,
        }

    def status(self) -> wire.SysplexStatus:
        """Raises Unavailable: there is no engine to ask about what does not answer."""
        lpars = _at_once(_report, self._file.lpars.values())
        nodes = _at_once(_registry_node, [each for each in self._file.lpars.values() if "discovery" in each.components])
        state = overall(each.state for each in lpars)
        return wire.SysplexStatus(
            sysplex=wire.SysplexAddress(url=self._file.sysplex_url, state=state), lpars=lpars, registry=nodes
        )

    def lpar(self, name: str) -> wire.Lpar:
        return _report(self._find(name))

    # --- orders

    def order(self, lpar: str, action: str) -> None:
        """kill, pause, resume, stop, start: returns when it is done. Raises NotFound, Conflict, Unavailable."""
        found = self._find(lpar)
        if action not in self._orders:
            raise NotFound(f"{action}: not an order for an LPAR{nearest(action, self._orders)}")
        try:
            self._orders[action](found)
        except Conflict as error:
            raise Conflict(f"cannot {action} {found.lpar}: {error}") from error

    def order_component(self, lpar: str, component: str, action: str) -> None:
        """By the launcher in the container. Raises as `order`."""
        path = f"/v1/components/{urllib.parse.quote(component.lower(), safe='')}/{urllib.parse.quote(action, safe='')}"
        body = Control(self._find(lpar).launcher).call("POST", path, ORDER_S)
        done = msgspec.json.decode(body, type=wire.Component)
        if action in ("start", "resume") and done.state != "ready":
            raise Unavailable(f"{lpar.upper()} {done.name} is {done.state} ({'; '.join(done.why)})")

    def _start(self, lpar: LparContainer) -> None:
        """All of it, or, where it runs, what was stopped or given up in it."""
        container = engine.container(lpar.name)
        if container is None or container.state.status != "running":
            engine.docker("start", lpar.name)
        else:
            idle = [each.name for each in _report(lpar).components if each.state in ("stopped", "failed")]
            if not idle:
                raise Conflict("it is already running")
            for name in idle:
                self.order_component(lpar.lpar, name, "start")
        _wait_ready(lpar)

    def _resume(self, lpar: LparContainer) -> None:
        engine.docker("unpause", lpar.name)
        _wait_ready(lpar)

    # --- networks

    def partition(self, lpar: str) -> None:
        self._cut(self._find(lpar), (XCF,))

    def silence(self, lpar: str) -> None:
        found = self._find(lpar)
        self._cut(found, found.networks)

    def heal(self, lpar: str) -> None:
        """Nothing when it is on all of its networks. The first one is connected first: published ports hang on it."""
        found = self._find(lpar)
        connected = _container(found).networks
        for network in found.networks:
            if network not in connected:
                engine.connect(network, found.name)

    def _cut(self, lpar: LparContainer, networks: Iterable[str]) -> None:
        connected = _container(lpar).networks
        cut = [each for each in networks if each in connected]
        if not cut:
            raise Conflict(f"{lpar.lpar} is not on {', '.join(networks)}")
        for network in cut:
            engine.disconnect(network, lpar.name)

    # --- one after the other

    def rolling(self, lpar: str, component: str) -> Iterator[str]:
        """Restart everything, an LPAR, or one component, one LPAR after the other; what it does, in words."""
        for each in [self._find(lpar)] if lpar else list(self._file.lpars.values()):
            name = f"{each.lpar} {component}".rstrip()
            for action in ("stop", "start"):
                yield f"{name}: {action}"
                if component:
                    self.order_component(each.lpar, component, action)
                else:
                    self.order(each.lpar, action)
            yield f"{name}: ready"

    def add(self, lpar: str) -> None:
        raise Conflict(f"{self._file.path} has no {lpar.upper()}; an LPAR can be added to a local sysplex only")

    def event_urls(self) -> dict[str, str]:
        """Whose /application/events tell what happens: each launcher's."""
        return {each.lpar: each.launcher for each in self._file.lpars.values()}

    def _find(self, name: str) -> LparContainer:
        found = self._file.lpars.get(name.upper())
        if found is None:
            raise NotFound(f"{self._file.path} has no LPAR {name.upper()}{nearest(name.upper(), self._file.lpars)}")
        return found


def _as_it_runs(file: ComposeFile, data: Path) -> ComposeFile:
    """With https where its containers have TLS. Who may ask the engine may fetch what the command shows then: the
    pair on the volume. Raises Conflict, Unavailable, ConfigError."""
    for lpar in file.lpars.values():
        container = engine.container(lpar.name)
        if container is not None:
            if not told(container.environment, "PLEXMESH_TLS"):
                return file
            _fetch_certificates(lpar.name, data / FETCHED)
            return file.secure()
    return file


def _fetch_certificates(container: str, data: Path) -> None:
    folder = certificates_in(data)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in Files.named(folder, secure.NAME):
        engine.copy(container, str(certificates_in(Path(DATA)) / path.name), path)
    secure.work_with(data)


def _report(lpar: LparContainer) -> wire.Lpar:
    try:
        said = msgspec.json.decode(Control(lpar.launcher).call("GET", "/v1/lpar", ASK_S), type=wire.Lpar)
    except (Unavailable, msgspec.DecodeError):
        return _assumed(lpar)
    components = [msgspec.structs.replace(each, url=_outside(lpar, each.url)) for each in said.components]
    return msgspec.structs.replace(said, address=lpar.address, launcher=lpar.launcher, components=components)


def _outside(lpar: LparContainer, url: str | None) -> str | None:
    """Where a component's URL is reached from here; its own where it is not published."""
    parts = urllib.parse.urlsplit(url or "")
    port = parts.port or 0
    return f"{parts.scheme}://{lpar.published[port]}" if port in lpar.published else url


def _assumed(lpar: LparContainer) -> wire.Lpar:
    """What can be known of an LPAR whose launcher does not answer."""
    state, why = _condition(lpar)
    components = [wire.Component(name=name, state=state, url=url, why=[why]) for name, url in lpar.components.items()]
    return wire.Lpar(id=lpar.lpar, state=state, address=lpar.address, components=components)


def _condition(lpar: LparContainer) -> tuple[wire.ComponentState, str]:
    container = engine.container(lpar.name)
    if container is None:
        return "stopped", f"there is no container {lpar.name}"
    state = container.state
    if state.status == "paused":
        return "paused", f"{lpar.lpar} is paused"
    if state.status == "running":
        cut = [each for each in lpar.networks if each not in container.networks]
        return (
            "starting",
            f"{lpar.lpar} is off the networks {', '.join(cut)}" if cut else "its launcher does not answer",
        )
    if state.status == "exited" and state.exit_code:
        killed = state.exit_code == KILLED
        return "failed", f"{lpar.lpar} is killed" if killed else f"{lpar.lpar} ended with exit code {state.exit_code}"
    return "stopped", f"{lpar.lpar} is stopped"


def _registry_node(lpar: LparContainer) -> wire.RegistryNode:
    url = lpar.components["discovery"]
    try:
        summary = msgspec.json.decode(Control(url).call("GET", "/v1/summary", ASK_S), type=wire.NodeSummary)
    except (PlexmeshError, msgspec.DecodeError):
        return wire.RegistryNode(node=lpar.lpar, url=url, reachable=False)
    return wire.RegistryNode(node=summary.node, url=url, reachable=True, instances=summary.instances)


def _wait_ready(lpar: LparContainer) -> None:
    """Raises Unavailable when one has failed, the container has ended, or the time is over."""
    deadline = time.monotonic() + READY_WITHIN_S
    while (report := _report(lpar)).state != "ready":
        if report.state in ("failed", "stopped") or time.monotonic() > deadline:
            late = next(each for each in report.components if each.state != "ready")
            raise Unavailable(f"{lpar.lpar} {late.name} is {late.state} ({'; '.join(late.why)})")
        time.sleep(0.1)


def _container(lpar: LparContainer) -> engine.Container:
    found = engine.container(lpar.name)
    if found is None:
        raise Conflict(f"there is no container {lpar.name}")
    return found


def _at_once(ask: Callable[[A], B], many: Iterable[A]) -> list[B]:
    asked = list(many)
    with ThreadPoolExecutor(max_workers=max(1, len(asked))) as pool:
        return list(pool.map(ask, asked))
