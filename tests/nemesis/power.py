"""A disk that forgets: the shim that notes what is not synced yet, and the loss of power that takes it back."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("forgetful_disk.c")
HEAD = struct.Struct("=cqqq")


def shim(folder: Path) -> Path:
    """The library, built for this run; without a compiler the test is skipped, by name."""
    if shutil.which("cc") is None:
        pytest.skip("cc is missing: sudo apt-get install gcc libc6-dev")
    made = folder / "forgetful_disk.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", made, SOURCE, "-ldl"], check=True, timeout=60)
    return made


def environ(library: Path, folder: Path) -> dict[str, str]:
    """Of a process whose files below that folder are on such a disk."""
    return {"LD_PRELOAD": str(library), "FORGETFUL_FOLDER": str(folder)}


def lose(folder: Path) -> int:
    """The power is gone: take back what was not synced; how many writes that were."""
    taken = 0
    for note in sorted(folder.rglob("*.undo")):
        file = note.with_name(note.name.removesuffix(".undo"))
        entries = list(_entries(note.read_bytes()))
        if file.exists():
            with file.open("r+b") as out:
                for offset, length_before, covered in reversed(entries):
                    out.seek(offset)
                    out.write(covered)
                    out.truncate(max(length_before, 0))
        taken += len(entries)
        note.unlink()
    for shared in folder.rglob("*-shm"):
        shared.unlink()  # memory, which nobody finds again
    return taken


def _entries(data: bytes) -> list[tuple[int, int, bytes]]:
    found, at = [], 0
    while at + HEAD.size <= len(data):
        mark, offset, count, length_before = HEAD.unpack_from(data, at)
        assert mark == b"U"
        at += HEAD.size
        found.append((offset, length_before, data[at : at + count]))
        at += count
    return found
