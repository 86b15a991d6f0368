"""Where a sysplex has its files: which plexmesh.yaml, which data folder, and what is made in it.

    <data>/sysplex.lock, up.log          whose sysplex this is; what `up` has seen
    <data>/volume/                       the shared DASD, one for all LPARs
    <data>/LPARn/{logs,run,state}        an LPAR's own

Both are looked for upwards from the current folder, as git looks for its own.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from shared.errors import ConfigError

CONFIG = "plexmesh.yaml"
DATA = ".plexmesh"


def config_file(given: str | None) -> Path:
    """--config, else PLEXMESH_CONFIG, else the nearest plexmesh.yaml. Raises ConfigError."""
    named = given or os.environ.get("PLEXMESH_CONFIG")
    path = Path(named).absolute() if named else _upwards(CONFIG)
    if path is None:
        raise ConfigError(f"there is no {CONFIG} in {Path.cwd()} or above; name one with --config FILE")
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such file")
    return path


def config_file_if_any(given: str | None) -> Path | None:
    """As `config_file`; None when none is named and there is none. Raises ConfigError."""
    named = given or os.environ.get("PLEXMESH_CONFIG")
    return config_file(given) if named or _upwards(CONFIG) else None


def data_folder(given: str | None) -> Path:
    """--data, else PLEXMESH_DATA, else the nearest .plexmesh, else a new one here."""
    named = given or os.environ.get("PLEXMESH_DATA")
    return Path(named).absolute() if named else default_data_folder()


def default_data_folder() -> Path:
    return _upwards(DATA) or Path.cwd() / DATA


def make_data_folder(data: Path) -> None:
    _make(data, 0o755)
    _make(data / "volume", 0o700)


def make_lpar_folder(data: Path, lpar: str) -> Path:
    folder = data / lpar
    for each in ("logs", "run", "state"):
        _make(folder / each, 0o755)
    return folder


def _make(folder: Path, mode: int) -> None:
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder}: the data folder cannot be made: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"{folder}: the data folder cannot be written")


def _upwards(name: str) -> Path | None:
    here = Path.cwd()
    return next((folder / name for folder in (here, *here.parents) if (folder / name).exists()), None)


@dataclass(frozen=True)
class Program:
    """The command as somebody in the current folder would type it, with `--data` only where it is needed."""

    name: str
    data: Path

    def command(self, order: str) -> str:
        return self.with_data(str(self.data), order)

    def with_data(self, data: str, order: str) -> str:
        default = Path(data) == default_data_folder()
        return f"{self.name} {order}" if default else f"{self.name} {order} --data {shlex.quote(_short(data))}"


def program(data: Path) -> Program:
    called = sys.argv[0]
    if Path(called).name != "plexmesh":
        return Program(f"{_short(sys.executable)} -P -m launcher.cli", data)
    found = shutil.which("plexmesh")
    known = found is not None and Path(found).resolve() == Path(called).resolve()
    return Program("plexmesh" if known else _short(called), data)


def _short(path: str) -> str:
    """As seen from the current folder when it is below it, else absolute."""
    absolute = Path(path).absolute()
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(absolute)
