"""TLS of `plexmesh up` and of the command: both work with the data folder, and its certificates are theirs.

The pair `sysplex` there is `up`'s own, and what the command shows: who can read it may give orders.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from shared.config import certificates_in
from shared.tls import Files, Tls, Trust, of

NAME = "sysplex"
_folder: list[Path] = []


@dataclass(frozen=True)
class Credentials:
    """For calls to one sysplex: of who holds the command's certificate, and of a stranger, who shows none."""

    holder: ssl.SSLContext
    stranger: ssl.SSLContext


def credentials(data: Path) -> Credentials:
    """By the files as they are now: a folder may have had another sysplex before. Raises ConfigError."""
    holder = Tls(Files.named(certificates_in(data), NAME))
    return Credentials(holder.client, Trust(holder.files.authorities, "STRICT").context)


def work_with(data: Path) -> None:
    """The data folder of this command."""
    _folder[:] = [data]


def tls(data: Path) -> Tls:
    """Raises ConfigError."""
    return of(Files.named(certificates_in(data), NAME))


def context() -> ssl.SSLContext:
    """For calls of the command. Raises ConfigError: there are no certificates in its data folder."""
    return tls(_folder[0] if _folder else Path(".plexmesh")).client
