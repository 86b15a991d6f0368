"""A caching instance with one guard taken away: `python -P mutant.py GUARD`, in place of `python -P -m caching`.

    none        nothing is taken away
    flock       each writer goes ahead without the lock of the data set
    fsync       commits are not synced to the disk
    few keys    nothing, but there are very few keys, so that many names have the same
    id check    with as few keys, a record is given out for whatever name has its key

What is left is the product; a run that is green with it and red without the guard proves that the guard is needed, and
that the run would notice.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout, which `-P` leaves out

from caching import __main__ as instance
from caching.backends import data_set, ksds, transaction
from caching.backends.lock import LockFile
from shared import lifecycle


def without_flock() -> None:
    LockFile.__enter__ = lambda self: None  # type: ignore[method-assign]
    LockFile.__exit__ = lambda self, *_: None  # type: ignore[method-assign]


def without_fsync() -> None:
    connect = data_set._connect

    def lazy(*args: object) -> object:
        connection = connect(*args)  # type: ignore[arg-type]
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    data_set._connect = lazy  # type: ignore[assignment]


def with_few_keys() -> None:
    """Of 16 keys each owner has; `=` is left out, so every name is there by its digest."""

    def key_of(name: ksds.Name, attributes: ksds.Attributes) -> bytes:
        digest = ksds._digest(1, name.key.encode())[0] % 16
        return ksds.space(name.owner, name.map) + ksds.DIGEST + bytes([digest])

    ksds.key_of = key_of


def without_id_check() -> None:
    with_few_keys()
    ksds.decode_as = lambda name, record: ksds.decode(record)
    assert transaction.ksds is ksds


GUARDS = {
    "none": lambda: None,
    "flock": without_flock,
    "fsync": without_fsync,
    "few keys": with_few_keys,
    "id check": without_id_check,
}

if __name__ == "__main__":
    GUARDS[sys.argv.pop(1)]()
    sys.exit(lifecycle.run(instance.main))
