"""One file of static definitions → its instances and rules, or why not.

Zowe's rule: an unknown property, a value of the wrong kind or broken YAML make the whole file invalid. A base URL that
cannot be used costs its instance alone; a service id, a route or metadata, its service; a service whose tile is not in
the file is there without it. Either way the refusal names the line and the property.

Source: Zowe API Mediation Layer, static onboarding.

Not here: what holds when two files say one thing (`discovery.zowe.collection`).
"""

from __future__ import annotations

import re
from typing import NamedTuple, TypeVar, get_args

import msgspec

from discovery.registration import Registration
from discovery.zowe import base_url, instance
from discovery.zowe.additional import Mode, Rule
from discovery.zowe.refusal import Refusal, shown
from discovery.zowe.shapes import BELOW, Additional, File, Scheme, Service, Shape, Tile
from discovery.zowe.tree import Malformed, Path, Tree, field, grown
from shared.errors import nearest

SERVICE_ID = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

EXPECTED = {
    "serviceId": "1 to 63 lower-case letters, digits and dashes, with no dash at its ends",
    "instanceBaseUrls": "a list of one URL or more",
    "gatewayUrl": "a path such as api/v1",
    "serviceRelativeUrl": "a path such as /api/v1",
    "customMetadata": "a text, or keys and values",
}

CHOICES: dict[str | int, str] = {"mode": ", ".join(get_args(Mode)), "scheme": ", ".join(get_args(Scheme))}

KINDS = {"object": "keys and values", "array": "a list", "str": "a text", "bool": "true or false"}

_AT = re.compile(r"(.*?)(?: - at `\$([\w.\[\]]*)`)?", re.DOTALL)
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")

S = TypeVar("S", bound=Shape)


class Static(NamedTuple):
    """`line` is where it is defined."""

    registration: Registration
    line: int


class Addition(NamedTuple):
    rule: Rule
    line: int


class Definitions(NamedTuple):
    """What a file says; `refusals` are of parts of it."""

    instances: tuple[Static, ...] = ()
    tiles: dict[str, Tile] = {}
    additions: tuple[Addition, ...] = ()
    refusals: tuple[Refusal, ...] = ()


def read(data: bytes, file: str) -> Definitions:
    """Raises Refusal."""
    try:
        tree = grown(data)
    except Malformed as error:
        raise Refusal(file, error.line, error.reason) from error
    if tree.root is None:
        raise Refusal(file, 1, f"nothing is in it, expected one of {_names(File)}")
    return _Reading(tree, file).definitions()


class _Reading:
    def __init__(self, tree: Tree, file: str) -> None:
        self._tree = tree
        self._file = file
        self._refusals: list[Refusal] = []
        self._tiles: dict[str, Tile] = {}

    def definitions(self) -> Definitions:
        """Raises Refusal."""
        given = self._shaped(File, ())
        for id in given.catalog_ui_tiles or ():
            self._tiles[id] = self._shaped(Tile, ("catalogUiTiles", id))
        statics = [
            static
            for number, service in enumerate(given.services or ())
            for static in self._instances(service, ("services", number))
        ]
        additions = [
            addition
            for number, service in enumerate(given.additional_service_metadata or ())
            for addition in self._additions(service, ("additionalServiceMetadata", number))
        ]
        return Definitions(tuple(statics), self._tiles, tuple(additions), tuple(self._refusals))

    # --- one service

    def _instances(self, service: Service, path: Path) -> list[Static]:
        metadata = self._metadata(service, path)
        if metadata is None:
            return []
        place = (*path, "instanceBaseUrls")
        if not service.instance_base_urls:
            self._refuse(place, f"expected {EXPECTED['instanceBaseUrls']}")
            return []
        found = []
        for number, url in enumerate(service.instance_base_urls):
            try:
                base = base_url.parse(url or "")
            except base_url.BadUrl as error:
                self._refuse((*place, number), f"expected {base_url.EXPECTED}", f" {error}")
                continue
            line = self._tree.line((*place, number))
            found.append(Static(instance.registration(service, base, metadata), line))
        return found

    def _additions(self, service: Additional, path: Path) -> list[Addition]:
        metadata = self._metadata(service, path)
        if metadata is None:
            return []
        metadata = {**instance.routes(service, None), **metadata}
        rule = Rule(service.service_id or "", service.mode or "UPDATE", metadata)
        return [Addition(rule, self._tree.line(path))]

    def _metadata(self, service: Service, path: Path) -> dict[str, str] | None:
        """None: the service cannot be used, which is said."""
        if not SERVICE_ID.fullmatch(service.service_id or ""):
            self._refuse((*path, "serviceId"), f"expected {EXPECTED['serviceId']}")
            return None
        custom = self._custom(service, (*path, "customMetadata"))
        if custom is None or not self._sound_routes(service, path):
            return None
        return instance.metadata(service, self._tile(service, path), custom)

    def _tile(self, service: Service, path: Path) -> Tile | None:
        id = service.catalog_ui_tile_id
        if id is not None and id not in self._tiles:
            self._refuse((*path, "catalogUiTileId"), f"expected a tile of this file{nearest(id, self._tiles)}")
        return self._tiles.get(id or "")

    def _custom(self, service: Service, path: Path) -> dict[str, str] | None:
        found = {}
        for keys, value in instance.flat(service.custom_metadata or {}):
            if not isinstance(value, str):
                self._refuse((*path, *keys), f"expected {EXPECTED['customMetadata']}")
                return None
            found[".".join(keys)] = value
        return found

    def _sound_routes(self, service: Service, path: Path) -> bool:
        for name, routes in (("routes", service.routes), ("routedServices", service.routed_services)):
            for number, route in enumerate(routes or ()):
                at = (*path, name, number)
                if not route.gateway_url.strip("/") or not base_url.PATH.fullmatch(route.gateway_url):
                    self._refuse((*at, "gatewayUrl"), f"expected {EXPECTED['gatewayUrl']}")
                    return False
                if not base_url.PATH.fullmatch(route.service_relative_url or ""):
                    self._refuse((*at, "serviceRelativeUrl"), f"expected {EXPECTED['serviceRelativeUrl']}")
                    return False
        return True

    # --- refusals

    def _refuse(self, path: Path, expected: str, fault: str = "") -> None:
        self._refusals.append(self._refusal(path, expected, fault))

    def _refusal(self, path: Path, expected: str, fault: str = "") -> Refusal:
        said = "missing" if path not in self._tree.lines else shown(self._tree.at(path))
        return Refusal(self._file, self._tree.line(path), f"{field(path) or 'file'}: {said}{fault}, {expected}")

    def _shaped(self, shape: type[S], path: Path) -> S:
        """Raises Refusal."""
        try:
            return msgspec.convert(self._tree.at(path), shape, strict=False)
        except msgspec.ValidationError as error:
            raise self._misshapen(shape, path, str(error)) from error

    def _misshapen(self, shape: type[Shape], path: Path, error: str) -> Refusal:
        """In our words: msgspec says where, and what it expected."""
        found = _AT.fullmatch(error)
        text, below = (found[1], found[2] or "") if found else (error, "")
        at: Path = (*path, *(name or int(number) for name, number in _STEP.findall(below)))
        if text.startswith("Object contains unknown field"):
            return self._unknown(shape, path, at)
        missing = re.fullmatch("Object missing required field `(.*)`", text)
        if missing is not None:
            return self._refusal((*at, missing[1]), f"expected {EXPECTED.get(missing[1], 'a value')}")
        if text.startswith("Invalid enum value"):
            return self._refusal(at, f"expected one of {CHOICES.get(at[-1], text)}")
        kind = re.match(r"Expected `(\w+)", text)
        return self._refusal(at, f"expected {KINDS.get(kind[1], kind[1]) if kind else text}")

    def _unknown(self, shape: type[Shape], path: Path, at: Path) -> Refusal:
        """`at` is made up where the name of the property is meant to mislead; then it is at `path`."""
        for place in (at, path):
            value, known = self._tree.at(place), _names_of(shape_at(place, shape))
            unknown = [each for each in value if each not in known] if isinstance(value, dict) else []
            if unknown:
                expected = f"expected one of {', '.join(known)}{nearest(unknown[0], known)}"
                return self._refusal((*place, unknown[0]), expected, ", an unknown property")
        return self._refusal(path, f"expected one of {_names(shape)}")


def shape_at(path: Path, otherwise: type[Shape]) -> type[Shape]:
    names = [step for step in path if isinstance(step, str)]
    return BELOW.get(names[-1], otherwise) if names else otherwise


def _names_of(shape: type[Shape]) -> tuple[str, ...]:
    return shape.__struct_encode_fields__


def _names(shape: type[Shape]) -> str:
    return ", ".join(_names_of(shape))
