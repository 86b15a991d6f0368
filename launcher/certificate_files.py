"""The certificates of a sysplex as files, in <data>/volume/certificates, which every LPAR sees.

    ca.pem, ca.key              the authority; its key is needed to issue, and nowhere else
    LPAR1.pem, LPAR1.key        of each LPAR
    sysplex.pem, sysplex.key    of `plexmesh up`, and of the command
    NAME.pem, NAME.key, NAME.p12    of a client

Keys can be read by their owner only. What is there is never overwritten unasked; each file appears whole.
"""

from __future__ import annotations

import datetime
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from launcher import certs, secure
from launcher.certs import Pair
from shared.errors import BadInput, ConfigError, Conflict
from shared.plexfile import Plexfile


@dataclass(frozen=True)
class Shown:
    file: str
    subject: str
    places: list[str]
    until: datetime.datetime


class Certificates:
    def __init__(self, data: Path) -> None:
        self.folder = data / "volume" / "certificates"

    def init(self, file: Plexfile, names: list[str], now: datetime.datetime, *, anew: bool = False) -> list[Path]:
        """Make what is missing for this sysplex: the files made. `names`: further ones for every LPAR; `anew`: each
        LPAR's too that is there. Raises ConfigError."""
        made = []
        if not (self.folder / "ca.pem").exists():
            made += self._write("ca", certs.new_authority(file.sysplex, now))
        authority = self._authority()
        hosts = {lpar: entry.hostname for lpar, entry in file.lpars.items()}
        for name, host in (hosts | {secure.NAME: file.address.rpartition(":")[0]}).items():
            if not anew and (self.folder / f"{name}.pem").exists():
                continue
            places = [host, name.lower(), "localhost", "127.0.0.1", file.vipa.rpartition(":")[0], *names]
            made += self._write(name, certs.lpar_certificate(authority, name, filter(None, places), now))
        return made

    def issue(
        self, name: str, password: str, now: datetime.datetime, *, places: Iterable[str] = (), anew: bool = False
    ) -> list[Path]:
        """A client's; `places` where it serves itself. Raises BadInput, Conflict, ConfigError."""
        if not name or not all(each.isalnum() or each in "-_." for each in name) or name.startswith("."):
            raise BadInput(f"{name!r}: expected a name of letters, digits, '-', '_' and '.'")
        if name.lower() == "ca" or (not anew and (self.folder / f"{name}.pem").exists()):
            raise Conflict(f"{self.folder / name}.pem is there already; --force makes another one")
        authority = self._authority()
        pair = certs.client_certificate(authority, name, now, places)
        bundle = self._put(f"{name}.p12", pair.pkcs12(name, authority.certificate, password), 0o600)
        return [*self._write(name, pair), bundle]

    def show(self) -> Iterator[Shown]:
        """Raises ConfigError: a file is no certificate."""
        for path in sorted(self.folder.glob("*.pem")):
            try:
                found = x509.load_pem_x509_certificate(path.read_bytes())
            except ValueError as error:
                raise ConfigError(f"{path}: no certificate: {error}") from error
            subject = found.subject.rfc4514_string()
            yield Shown(path.name, subject, certs.places(found), found.not_valid_after_utc)

    def _authority(self) -> Pair:
        certificate, key = self.folder / "ca.pem", self.folder / "ca.key"
        try:
            return certs.read(certificate.read_bytes(), key.read_bytes())
        except FileNotFoundError as error:
            missing = f"{error.filename}: not there; certificates are issued where the authority's key is"
            raise ConfigError(f"{missing}, or after: plexmesh certs init") from error
        except (OSError, ValueError) as error:
            raise ConfigError(f"{certificate} with {key}: cannot be used: {error}") from error

    def _write(self, name: str, pair: Pair) -> list[Path]:
        """The key first: who sees the certificate finds its key."""
        return [self._put(f"{name}.key", pair.key_pem, 0o600), self._put(f"{name}.pem", pair.pem, 0o644)]

    def _put(self, name: str, content: bytes, mode: int) -> Path:
        path = self.folder / name
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self.folder, prefix=".new-")
            with os.fdopen(handle, "wb") as out:
                out.write(content)
                os.fchmod(out.fileno(), mode)
            os.replace(temporary, path)
        except OSError as error:
            raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
        return path
