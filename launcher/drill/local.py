"""The sysplex on this machine as the target of a drill: `up`'s own orders.

A drill that changes what a sysplex is (its behaviour, its guards, one more LPAR) is done to one of its own, on
addresses of its own, with plexmesh's own components only; what somebody runs beside it is not touched.
"""

from __future__ import annotations

import copy
import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from launcher import secure
from launcher.control import Control
from launcher.drill.target import NotHere
from shared import plexfile, wire
from shared.errors import Unavailable
from shared.plexfile import Plexfile

NETWORK = "127.0.{n}.1"
OWN = 100
"""Own addresses are 127.0.100.1 for the sysplex and 127.0.101.1 on for its LPARs."""

PARTITION = "a partition needs networks that can be cut: plexmesh drill --target compose"


class Local:
    kind = "local"

    def __init__(self, file: Plexfile, data: Path, *, own: bool) -> None:
        """`data`: its folder; `own`: the file is the drill's, and may be written. Raises ConfigError."""
        self._file = file
        self._own = own
        self.credentials = secure.credentials(data) if file.tls else None
        self._control = Control(file.url, self.credentials.holder if self.credentials else None)

    def status(self) -> wire.SysplexStatus:
        return self._control.status()[0]

    def order(self, lpar: str, action: str) -> None:
        done = self._control.order(lpar, action)
        _check_ready(done.id, action, done.components)

    def order_component(self, lpar: str, component: str, action: str) -> None:
        done = self._control.order_component(lpar, component, action)
        _check_ready(lpar, action, [done])

    def partition(self, lpar: str) -> None:
        raise NotHere(PARTITION)

    def silence(self, lpar: str) -> None:
        """Every process of it is frozen: connections stay open, and nothing answers."""
        self._control.order(lpar, "pause")

    def heal(self, lpar: str) -> None:
        self._control.order(lpar, "resume")

    def rolling(self, lpar: str, component: str) -> Iterator[str]:
        yield from self._control.restart_rolling(lpar or None, component or None)

    def add(self, lpar: str) -> None:
        if not self._own:
            raise NotHere("an LPAR is added to a sysplex of the drill's own only: plexmesh drill add-lpar --own")
        tree = yaml.safe_load(self._file.path.read_text("utf-8"))
        instances = tree["haInstances"]
        instances[lpar] = {"hostname": NETWORK.format(n=OWN + 1 + len(instances))}
        _write(self._file.path, tree)
        self._control.reload()

    def event_urls(self) -> dict[str, str]:
        return {"": self._file.url, **{each: self._file.launcher_url(each) for each in self._file.lpars}}


def own_file(base: Plexfile, folder: Path, *, behaviour: str, speed: float, without: list[str]) -> Plexfile:
    """A sysplex like that one, at the drill's own addresses, written into a new folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    source = yaml.safe_load(base.path.read_text("utf-8")) or {}
    path = folder / "plexmesh.yaml"
    _write(path, own_tree(source, base, behaviour=behaviour, speed=speed, without=without))
    return dataclasses.replace(plexfile.read(path), tls=base.tls)


def own_tree(
    source: dict[str, Any], base: Plexfile, *, behaviour: str, speed: float, without: list[str]
) -> dict[str, Any]:
    """That file's tree with other addresses, and with plexmesh's own components only."""
    tree = copy.deepcopy(source)
    host = NETWORK.format(n=OWN)
    tree.setdefault("zowe", {})["externalDomains"] = [host]
    components = tree.get("components") or {}
    tree["components"] = {
        name: each for name, each in components.items() if plexfile.ALIASES.get(name, name) in plexfile.COMPONENTS
    }
    given = tree.get("haInstances") or {}
    tree["haInstances"] = {
        lpar: {**_kept(given, lpar), "hostname": NETWORK.format(n=OWN + 1 + n)} for n, lpar in enumerate(base.lpars)
    }
    plex = tree.setdefault("plexmesh", {})
    plex["address"] = f"{host}:7550"
    for key in ("behaviour", "speed", "without"):
        plex.pop(key, None)
    plex["tls"] = base.tls
    if base.authorities:
        plex["certificateAuthorities"] = [str(each.absolute()) for each in base.authorities]
    if behaviour == "zowe":
        plex |= {"behaviour": behaviour, "speed": speed}
    if without:
        plex["without"] = without
    return tree


def _kept(instances: dict[str, Any], lpar: str) -> dict[str, Any]:
    """What the file says about that LPAR itself; components of the user's are not of it any more."""
    found = next((each for name, each in instances.items() if name.upper() == lpar), None) or {}
    return {key: below for key, below in found.items() if key != "components"}


def _write(path: Path, tree: object) -> None:
    path.write_text(yaml.safe_dump(tree, sort_keys=False), "utf-8")


def _check_ready(name: str, action: str, components: list[wire.Component]) -> None:
    """A start is done when everything is ready. Raises Unavailable."""
    if action in ("start", "resume") and (late := [each for each in components if each.state != "ready"]):
        first = late[0]
        raise Unavailable(f"{name} {first.name} is {first.state} ({'; '.join(first.why)})")
