"""Whether an LPAR's gateway may enter the sysplex address (VIPA) by itself, once it is ready: not while it is *held*.

Who distributes the callers holds a gateway before it begins, and a held one waits outside until it is told to enter. So
one that is quiesced, or stands by, stays outside also when it ends and is started anew, without a moment in which it
would be in. The mark is a file in the LPAR's run folder; it is looked at when a gateway begins, and never afterwards.
It counts only where somebody is there who can tell the gateway to enter (PLEXMESH_UP names it): a mark that outlived
its sysplex keeps nobody outside.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

FILE = "vipa.held"
DISTRIBUTOR = "PLEXMESH_UP"


def held(run_folder: Path, environ: Mapping[str, str]) -> bool:
    return bool(environ.get(DISTRIBUTOR)) and (run_folder / FILE).exists()


def hold(run_folder: Path) -> None:
    """Raises OSError."""
    (run_folder / FILE).touch()


def release(run_folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        (run_folder / FILE).unlink()
