"""A process that opens the data sets named on its input, as an instance would: `python caching_opener.py [GUARD]`.

Without that guard (`tests.nemesis.mutant`), if one is named.

For each line (a path) it opens or creates the data set, writes one entry, closes it, and says "done" or what failed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from caching.backends.data_set import DataSet
from caching.backends.ksds import Attributes
from caching.backends.lock import LockFile
from caching.conditions import ABSENT
from caching.entries import Content, Name
from caching.limits import Limit
from caching.writes import Put
from shared.errors import PlexmeshError
from tests.nemesis.mutant import GUARDS


def open_write_close(path: Path) -> None:
    pid = str(os.getpid())
    lock = LockFile(path.with_suffix(".lock"), pid)
    with lock:
        data_set = DataSet(path, "PLEX", Attributes(), "reject")
    with lock:
        data_set.commit([Put(Name("me", pid), Content(b"v"), pid, ABSENT)], Limit(), 0)
    with lock:
        data_set.close()
    lock.close()


GUARDS[sys.argv[1] if len(sys.argv) > 1 else "none"]()
for line in sys.stdin:
    try:
        open_write_close(Path(line.strip()))
    except PlexmeshError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
    else:
        print("done", flush=True)
