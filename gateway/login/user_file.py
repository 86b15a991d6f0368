"""The user file on the shared volume, <volume>/login/users.yaml: looked at with each login, read when it has changed.

One that cannot be read is said once, and the users stay as they were; at first there are none. It is written whole or
not at all, under a lock, for its owner's eyes only.

Not here: what is in it (`users`).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from gateway.login.key_files import folder_in
from gateway.login.users import NOBODY, Users, parse
from shared import yaml_file
from shared.errors import BadInput, ConfigError
from shared.events import Events

HEAD = "# Users of this sysplex: plexmesh users add | remove | list\n"

Stamp = tuple[int, int, int] | None


class UserFile:
    def __init__(self, data: Path) -> None:
        self.path = folder_in(data) / "users.yaml"

    def stamp(self) -> Stamp:
        """None: there is no file. Raises OSError."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def read(self) -> Users:
        """Nobody, if there is no file. Raises ConfigError."""
        if not self.path.exists():
            return NOBODY
        tree, _ = yaml_file.read(self.path)
        try:
            return parse(tree)
        except BadInput as error:
            raise ConfigError(f"{self.path}: {error}") from error

    def change(self, change: Callable[[Users], Users]) -> None:
        """Raises ConfigError, BadInput."""
        try:
            with self._locked():
                self._write(change(self.read()))
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be written: {error.strerror}") from error

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.path.parent / ".users.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, users: Users) -> None:
        number, aside = tempfile.mkstemp(prefix=".users-", dir=self.path.parent)  # mode 0600
        try:
            with os.fdopen(number, "w") as file:
                file.write(HEAD + yaml.safe_dump(users.tree(), width=1000, sort_keys=True))
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, self.path)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise


class Directory:
    """The users as a gateway has them."""

    def __init__(self, file: UserFile, events: Events) -> None:
        self._file = file
        self._events = events
        self._users = NOBODY
        self._stamp: Stamp = None
        self._trouble = ""
        self._turn = asyncio.Lock()

    @property
    def known(self) -> Users:
        """As they were last looked at."""
        return self._users

    async def users(self) -> Users:
        async with self._turn:
            try:
                stamp = await asyncio.to_thread(self._file.stamp)
                if stamp != self._stamp:
                    self._users = await asyncio.to_thread(self._file.read)
                    self._stamp = stamp
                    self._events.emit("login.users", count=len(self._users))
                self._trouble = ""
            except (OSError, ConfigError) as error:
                self._refuse(str(error))
            return self._users

    def _refuse(self, why: str) -> None:
        if why != self._trouble:
            self._trouble = why
            self._events.emit("login.users_refused", why=why, kept=len(self._users))
