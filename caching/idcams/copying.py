"""Copies of data sets on files: written whole or not at all, read whole before anything is done with them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from caching.backends import ksds
from caching.backends.data_set import DataSet
from caching.entries import Entry
from caching.idcams import lines
from caching.refusals import Corrupt
from shared.errors import BadInput, ConfigError, Unavailable


class Copied(NamedTuple):
    records: int
    damaged: Sequence[tuple[bytes, str]]
    """Keys of the records that could not be read, and why."""


def write(data_set: DataSet, target: Path) -> Copied:
    """For its owner's eyes only: values are in it. Raises Unavailable."""
    fresh = target.with_name(f"{target.name}.new")
    records, damaged = 0, []
    try:
        with open(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(lines.head(data_set.path.name, data_set.sysplex, data_set.attributes))
            for key, record in data_set.everything():
                try:
                    file.write(lines.line(ksds.decode(record)))
                    records += 1
                except Corrupt as error:
                    damaged.append((key, str(error)))
            file.write(lines.end(records, len(damaged)))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise Unavailable(f"{target}: cannot be written: {error.strerror}") from error
    return Copied(records, damaged)


def read(source: Path) -> list[tuple[int, Entry]]:
    """Raises ConfigError when there is no such file, BadInput when it is damaged."""
    try:
        with source.open("rb") as file:
            return list(lines.read(file))
    except BadInput as error:
        raise BadInput(f"{source}: {error}; nothing was changed") from error
    except OSError as error:
        raise ConfigError(f"{source}: cannot be read: {error.strerror}") from error
