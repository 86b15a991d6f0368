"""The signing keys as files on the shared volume, <volume>/login/keys: one PEM a key, for its owner's eyes only.

    000001790000000-O0fxwipy.pem    when it was made, in seconds since 1970, and the beginning of its id

The first key is made by whoever needs one first; a lock of its own (flock) keeps two from making one each. A file
appears whole or not at all. One of another name is a key too, as old as the file.

Not here: when files are looked at (`keys`), what keys are for (`ring`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from gateway.login.ring import Algorithm, Ring, SigningKey
from shared.errors import ConfigError

NAME = re.compile(r"(\d{15})-[\w-]+\.pem", re.ASCII)

Stamp = tuple[tuple[str, int, int, int], ...]


def folder_in(data: Path) -> Path:
    return data / "volume" / "login"


class KeyFiles:
    def __init__(self, data: Path) -> None:
        self.folder = folder_in(data) / "keys"

    def stamp(self) -> Stamp:
        """Another one when anything has changed. Raises OSError."""
        found = []
        for path in self._paths():
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                found.append((path.name, status.st_ino, status.st_mtime_ns, status.st_size))
        return tuple(found)

    def read(self) -> tuple[Ring, tuple[str, ...]]:
        """And what cannot be used, a sentence for each. Raises OSError."""
        keys, faults = [], []
        for path in self._paths():
            try:
                named = NAME.fullmatch(path.name)
                made_s = int(named[1]) if named else int(path.stat().st_mtime)
                keys.append(SigningKey.read(path.read_bytes(), made_s))
            except FileNotFoundError:
                continue  # dropped meanwhile
            except (OSError, ValueError) as error:
                faults.append(f"{path}: {getattr(error, 'strerror', None) or error}")
        return Ring(keys), tuple(faults)

    def make_first(self, algorithm: Algorithm, now_s: int) -> None:
        """Unless there is a file. Raises ConfigError."""
        with self._locked():
            if not self._paths():
                self._write(SigningKey.generate(algorithm, now_s))

    def add(self, algorithm: Algorithm, now_s: int) -> SigningKey:
        """One that signs from now on. Raises ConfigError."""
        with self._locked():
            newest = self.read()[0].keys[-1:]
            key = SigningKey.generate(algorithm, max(now_s, *(each.made_s + 1 for each in newest)) if newest else now_s)
            self._write(key)
            return key

    def drop(self, keys: Iterable[SigningKey]) -> None:
        """Raises ConfigError."""
        gone = {each.id for each in keys}
        with self._locked():
            for path in self._paths():
                with contextlib.suppress(ValueError):
                    if SigningKey.read(path.read_bytes(), 0).id in gone:
                        path.unlink()

    def _paths(self) -> list[Path]:
        try:
            return sorted(path for path in self.folder.iterdir() if path.suffix == ".pem" and path.name[0] != ".")
        except FileNotFoundError:
            return []

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (self.folder / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise ConfigError(f"{self.folder}: cannot keep the keys of logins: {error.strerror}") from error

    def _write(self, key: SigningKey) -> None:
        number, aside = tempfile.mkstemp(prefix=".new-", dir=self.folder)  # mode 0600
        try:
            with os.fdopen(number, "wb") as file:
                file.write(key.pem)
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, self.folder / f"{key.made_s:015d}-{key.id[:8]}.pem")
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
