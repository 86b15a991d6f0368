"""A process that opens the data sets named on its input, as an instance would: `python caching_opener.py`.

For each line (a path) it opens or creates the data set, writes one entry, closes it, and says "done" or what failed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from caching.backends.data_set import DataSet
from caching.backends.ksds import Attributes
from caching.backends.lock import LockFile
from caching.entries import Name
from caching.writes import Create, Limit
from shared.errors import PlexmeshError


def open_write_close(path: Path) -> None:
    lock = LockFile(path.with_suffix(".lock"), str(os.getpid()))
    with lock:
        data_set = DataSet(path, "PLEX", Attributes(), "reject")
    with lock:
        data_set.commit([Create(Name("me", str(os.getpid())), b"v")], Limit(), 0)
    with lock:
        data_set.close()
    lock.close()


for line in sys.stdin:
    try:
        open_write_close(Path(line.strip()))
    except PlexmeshError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
    else:
        print("done", flush=True)
