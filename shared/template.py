"""`${{ … }}` in plexmesh.yaml: the value that stands elsewhere, or a default.

    port: ${{ components.gateway.port }}              a value by its dotted path, with its type when it is the whole
    url: http://${{ haInstance.hostname }}:9000       or as text within text
    level: ${{ process.env.LEVEL || 'INFO' }}         the first alternative that is there; literals are text in
                                                      quotes, numbers, true and false

Paths begin at the file's top; `haInstance` is the LPAR that is looked at (`id`, `hostname`), `process.env` the
environment. A value that is found may hold templates itself. Source: Zowe's configuration manager, whose expressions
may be any JavaScript; here they are paths and defaults only, and anything else is an error that says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from shared.errors import ConfigError, nearest

TEMPLATE = re.compile(r"\$\{\{(.*?)\}\}")
PATH = re.compile(r"[A-Za-z_][\w-]*(?:\.[\w-]+|\[\d+\])*\Z")
PART = re.compile(r"[\w-]+")
NUMBER = re.compile(r"-?\d+(\.\d+)?\Z")
TEXT = re.compile(r"'([^']*)'\Z|\"([^\"]*)\"\Z")

HA_INSTANCE = "haInstance"


class _Missing(Exception):
    """There is no such path: which part, and what is there instead."""


class Templates:
    """Resolves values within one tree. Raises ConfigError with `where`, the place of the template."""

    def __init__(self, scope: Mapping[str, Any], *, per_lpar: bool = False) -> None:
        """`per_lpar`: there is no LPAR yet; templates that ask about one are left as they are."""
        self._scope = scope
        self._per_lpar = per_lpar

    def resolved(self, value: Any, where: str, chain: tuple[str, ...] = ()) -> Any:
        """The value with every template in it replaced, at any depth."""
        if isinstance(value, Mapping):
            return {key: self.resolved(below, f"{where}.{key}".lstrip("."), chain) for key, below in value.items()}
        if isinstance(value, list):
            return [self.resolved(below, f"{where}[{n}]", chain) for n, below in enumerate(value)]
        if not isinstance(value, str) or "${{" not in value:
            return value
        if self._per_lpar and HA_INSTANCE in value:
            return value
        if (whole := TEMPLATE.fullmatch(value)) and value.count("${{") == 1:
            return self._found(whole[1], where, chain)
        return TEMPLATE.sub(lambda match: _as_text(self._found(match[1], where, chain)), value)

    def _found(self, expression: str, where: str, chain: tuple[str, ...]) -> Any:
        missing = ""
        for alternative in expression.split("||"):
            part = alternative.strip()
            literal, value = _literal(part)
            if literal:
                return value
            if not PATH.match(part):
                expected = "expected a dotted path, and defaults after ||"
                raise ConfigError(
                    f"{where}: ${{{{ {expression.strip()} }}}}: {part!r} is neither path nor value; {expected}"
                )
            if part in chain:
                circle = " -> ".join([*chain[chain.index(part) :], part])
                raise ConfigError(f"{where}: ${{{{ {expression.strip()} }}}} leads back to itself: {circle}")
            try:
                return self.resolved(self._look_up(part), where, (*chain, part))
            except _Missing as error:
                missing = missing or str(error)
        raise ConfigError(f"{where}: ${{{{ {expression.strip()} }}}}: {missing}; a default follows after ||")

    def _look_up(self, path: str) -> Any:
        value: Any = self._scope
        for part in PART.findall(path):
            if isinstance(value, Sequence) and not isinstance(value, str) and part.isdigit() and int(part) < len(value):
                value = value[int(part)]
            elif isinstance(value, Mapping) and part in value:
                value = value[part]
            else:
                known = [str(key) for key in value] if isinstance(value, Mapping) else []
                raise _Missing(f"there is no {path}{nearest(part, known)}")
        return value


def _literal(text: str) -> tuple[bool, Any]:
    if found := TEXT.match(text):
        return True, found[1] if found[1] is not None else found[2]
    if NUMBER.match(text):
        return True, float(text) if "." in text else int(text)
    if text in ("true", "false"):
        return True, text == "true"
    return False, None


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
