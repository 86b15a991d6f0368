"""The folders of static definitions and what was last understood of each file in them.

A scan is made from the one before: only files that have changed since are read. A file that has become bad keeps what
it said when it was good; so does one that cannot be read just now, and every file of a folder that cannot be listed.
What is gone, file or folder, is gone.

Files are those whose names end in `.yml`, folder by folder in the order of the setting, by name within one.

This is IO, and blocks: to be called in a thread.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from discovery.zowe import definitions, tree
from discovery.zowe.definitions import Definitions
from discovery.zowe.refusal import Kind, Refusal

SUFFIX = ".yml"

Stamp = tuple[int, int, int]
"""When a file was changed, its size, and which file it is."""


class File(NamedTuple):
    """`good` is the last that was understood; `refusal` why what is there now was not."""

    stamp: Stamp | None
    good: Definitions
    refusal: Refusal | None = None


class Scan(NamedTuple):
    """`files` in order; `refusals` are of folders."""

    files: Mapping[Path, File] = {}
    refusals: tuple[Refusal, ...] = ()


def scan(folders: Sequence[Path], before: Scan, *, optional: bool = False, anew: bool = False) -> Scan:
    """`optional`: a folder need not be there. `anew`: read what seems to be the same, too."""
    files: dict[Path, File] = {}
    refusals = []
    for folder in folders:
        try:
            stamps = _stamps(folder)
        except (FileNotFoundError, NotADirectoryError) as error:
            if not optional:
                refusals.append(_unread(folder, error, "no folder"))
        except OSError as error:
            files |= {path: file for path, file in before.files.items() if path.parent == folder}
            refusals.append(_unread(folder, error, "folder"))
        else:
            for path, stamp in stamps.items():
                known = before.files.get(path)
                same = known is not None and stamp is not None and known.stamp == stamp and not anew
                found = known if same else _read(path, stamp, known)
                if found is not None:
                    files[path] = found
    return Scan(files, tuple(refusals))


def _stamps(folder: Path) -> dict[Path, Stamp | None]:
    """None: nothing is known of it, so it is to be read. Raises OSError."""
    found: dict[Path, Stamp | None] = {}
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            if entry.name.endswith(SUFFIX):
                path = folder / entry.name
                try:
                    status = entry.stat()
                except OSError:
                    found[path] = None
                    continue
                if stat.S_ISREG(status.st_mode):  # to open a pipe is to wait
                    found[path] = status.st_mtime_ns, status.st_size, status.st_ino
    return found


def _read(path: Path, stamp: Stamp | None, known: File | None) -> File | None:
    """None: it has gone in the meantime."""
    good = known.good if known else Definitions()
    try:
        with path.open("rb") as file:
            data = file.read(tree.MAX_BYTES + 1)
        return File(stamp, definitions.read(data, str(path)))
    except FileNotFoundError:
        return None
    except OSError as error:
        return File(None, good, _unread(path, error, "file"))
    except Refusal as refusal:
        return File(stamp, good, refusal)


def _unread(path: Path, error: OSError, kind: Kind) -> Refusal:
    return Refusal(str(path), 0, f"cannot be read: {error.strerror or error}", kind)
