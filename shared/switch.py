"""Words that switch something on or off, in files, variables and flags alike; it needs the standard library only."""

from __future__ import annotations

from collections.abc import Mapping

from shared.errors import ConfigError

WORDS = {"on": True, "yes": True, "true": True, "1": True, "off": False, "no": False, "false": False, "0": False}


def switch(value: object, where: str) -> bool:
    """YAML reads a plain `on` as true. Raises ConfigError."""
    found = WORDS.get(str(value).strip().lower())
    if found is None:
        raise ConfigError(f"{where}: expected on or off (the value is {value!r})")
    return found


def told(environ: Mapping[str, str], variable: str) -> bool | None:
    """None: it says nothing, as an empty one does. Raises ConfigError."""
    value = environ.get(variable, "").strip()
    return switch(value, f"environment: {variable}") if value else None
