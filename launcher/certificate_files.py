"""The certificates of a sysplex as files, in <data>/volume/certificates, which every LPAR sees.

    ca.pem, ca.key              the authority; its key is needed to issue, and nowhere else
    LPAR1.pem, LPAR1.key        of each LPAR
    sysplex.pem, sysplex.key    of `plexmesh up`, and of the command
    NAME.pem, NAME.key, NAME.p12    of a client or an operator

What zowe.certificate names for an LPAR is put in place of what would be made for it, and again when it was exchanged.

Keys can be read by their owner only. What is there is never overwritten unasked; each file appears whole.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from launcher import certs, secure
from launcher.certificate_sources import Taken, holds, taken
from launcher.certs import Pair
from shared import identity
from shared.config import certificates_in
from shared.errors import BadInput, ConfigError, Conflict
from shared.identity import LPAR
from shared.plexfile import Plexfile

BELIEVED = "believed"
"""Below the folder: by LPAR, whose certificates are believed because of zowe.certificate; they are in ca.pem, too."""


@dataclass(frozen=True)
class Shown:
    file: str
    subject: str
    places: list[str]
    until: datetime.datetime


class Certificates:
    def __init__(self, data: Path) -> None:
        self.folder = certificates_in(data)

    def init(self, file: Plexfile, names: list[str], now: datetime.datetime, *, anew: bool = False) -> list[Path]:
        """Make what is missing for this sysplex: the files made. `names`: further ones for every LPAR; `anew`: each
        LPAR's too that is there. Raises ConfigError, BadInput: a name that cannot be in a certificate."""
        hosts = {lpar: [entry.hostname] for lpar, entry in file.lpars.items()}
        hosts |= {secure.NAME: [file.address.rpartition(":")[0]]}
        return self._made(file, hosts, [*file.domains, *names], now, anew=anew)

    def init_lpar(self, file: Plexfile, lpar: str, host: str, now: datetime.datetime) -> list[Path]:
        """What that LPAR and the command need, and the authority if there is none; several of them may do so at once.
        `host`: where it is, whatever the file says. Raises as `init`."""
        known = [file.lpars[lpar].hostname] if lpar in file.lpars else []
        hosts = {lpar: [*known, host], secure.NAME: [file.address.rpartition(":")[0]]}
        return self._made(file, hosts, file.domains, now)

    def _made(
        self,
        file: Plexfile,
        hosts: Mapping[str, list[str]],
        names: Iterable[str],
        now: datetime.datetime,
        *,
        anew: bool = False,
    ) -> list[Path]:
        wanted = {name: [*places, name.lower(), "localhost", "127.0.0.1", *names] for name, places in hosts.items()}
        with self._alone():
            return self._make(file, wanted, now, anew=anew)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """LPARs that begin together have one authority."""
        path = self.folder.with_name(f"{self.folder.name}.lock")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = path.open("ab")
        except OSError as error:
            raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _make(
        self, file: Plexfile, wanted: Mapping[str, list[str]], now: datetime.datetime, *, anew: bool
    ) -> list[Path]:
        made = [] if self._is_of(file) else self._begin(file.sysplex, wanted, now, anew=anew)
        given = {name for name in wanted if name != secure.NAME and file.entry(name).certificate is not None}
        made += [path for name in given for path in self._take(file, name)]
        lacking = {
            name: places for name, places in wanted.items() if name not in given and (anew or self._lacks(name, places))
        }
        if lacking:
            authority = self._authority()
            for name, places in lacking.items():
                known = [] if anew else self._places(name)
                made += self._write(name, self._signed(certs.lpar_certificate, authority, name, now, [*places, *known]))
        return made

    def take(self, file: Plexfile, lpar: str) -> list[Path]:
        """What zowe.certificate says of that LPAR, as its files are now: the files changed. Raises ConfigError."""
        with self._alone():
            return self._take(file, lpar)

    def _take(self, file: Plexfile, lpar: str) -> list[Path]:
        source = file.entry(lpar).certificate
        assert source is not None
        found = taken(source)
        self._check(file, lpar, found)
        made = self._changed(f"{lpar}.key", found.key, 0o600)
        made += self._changed(f"{lpar}.pem", found.chain, 0o644)
        believed = self.folder / BELIEVED
        if found.authorities:
            believed.mkdir(mode=0o700, exist_ok=True)
            made += self._changed(f"{BELIEVED}/{lpar}.pem", b"".join(found.authorities), 0o644)
        else:
            (believed / f"{lpar}.pem").unlink(missing_ok=True)
        own = _certificate(self._path("ca")).public_bytes(serialization.Encoding.PEM)
        others = [x509.load_pem_x509_certificates(each.read_bytes()) for each in sorted(believed.glob("*.pem"))]
        pems = [each.public_bytes(serialization.Encoding.PEM) for found in others for each in found]
        return made + self._changed("ca.pem", b"".join(dict.fromkeys([own, *pems])), 0o644)

    def _check(self, file: Plexfile, lpar: str, found: Taken) -> None:
        certificate, host = found.certificate, file.entry(lpar).hostname
        name = identity.normal(certificate.subject.rfc4514_string())
        where = f"{file.path}: zowe.certificate of {lpar}: {name!r}"
        ours = certificate.issuer == _certificate(self._path("ca")).subject
        if not ours and name not in file.access.peers:
            raise ConfigError(
                f"{where} is of another authority, and may do nothing unless plexmesh.access.peers has it"
            )
        if host and not holds(certificate, host):
            held = ", ".join(certs.places(certificate)) or "nothing"
            raise ConfigError(f"{where} holds {held}; expected {host}, by which {lpar} is called")

    def _changed(self, name: str, content: bytes, mode: int) -> list[Path]:
        path = self.folder / name
        return [] if path.exists() and path.read_bytes() == content else [self._put(name, content, mode)]

    def _is_of(self, file: Plexfile) -> bool:
        """Whether there is an authority. Raises ConfigError: it is plexmesh's own of another sysplex, whose LPARs would
        be no peers of each other."""
        if not self._path("ca").exists():
            return False
        found = _certificate(self._path("ca"))
        sysplex = certs.organization(found)
        if sysplex != file.sysplex and found.subject == certs.authority_name(sysplex):
            is_of = f"{self._path('ca')}: it is the authority of sysplex {sysplex}"
            raise ConfigError(f"{is_of}, and {file.path} says {file.sysplex}; move {self.folder} away for new ones")
        return True

    def _begin(self, sysplex: str, wanted: Iterable[str], now: datetime.datetime, *, anew: bool) -> list[Path]:
        """A new authority, unless there are signs of one that is lost."""
        signs = [path.name for path in (self._path("ca", ".key"), *map(self._path, wanted)) if path.exists()]
        if signs and not anew:
            lost = f"{self._path('ca')}: not there, but {', '.join(signs)}, which need it"
            raise ConfigError(f"{lost}; bring it back, or make everything anew: plexmesh certs init --force")
        return self._write("ca", certs.new_authority(sysplex, now))

    def _lacks(self, name: str, places: list[str]) -> bool:
        """Whether it has to be made. What another authority has issued is as its owner wants it."""
        if not self._path(name).exists() or not self._path(name, ".key").exists():
            return True
        found = _certificate(self._path(name))
        ours = found.issuer == _certificate(self._path("ca")).subject
        return ours and self._path("ca", ".key").exists() and not certs.holds(found, _checked(places))

    def _places(self, name: str) -> list[str]:
        path = self._path(name)
        return certs.places(_certificate(path)) if path.exists() else []

    def issue(
        self,
        name: str,
        password: str,
        now: datetime.datetime,
        *,
        places: Iterable[str] = (),
        anew: bool = False,
        operator: bool = False,
    ) -> list[Path]:
        """A client's, or an operator's; `places` where it serves itself. Raises BadInput, Conflict, ConfigError."""
        if not name or not all(each.isalnum() or each in "-_." for each in name) or name.startswith("."):
            raise BadInput(f"{name!r}: expected a name of letters, digits, '-', '_' and '.'")
        if name.lower() == "ca" or (not anew and self._path(name).exists()):
            raise Conflict(f"{self._path(name)} is there already; --force makes another one")
        if name == secure.NAME or (self._path(name).exists() and certs.unit(_certificate(self._path(name))) == LPAR):
            raise Conflict(f"{name} is the sysplex' own; a new one of each LPAR: plexmesh certs init --force")
        authority = self._authority()
        make = certs.operator_certificate if operator else certs.client_certificate
        pair = self._signed(make, authority, name, now, list(places))
        bundle = self._put(f"{name}.p12", pair.pkcs12(name, authority.certificate, password), 0o600)
        return [*self._write(name, pair), bundle]

    def show(self) -> Iterator[Shown]:
        """Raises ConfigError: a file is no certificate."""
        for path in sorted(self.folder.glob("*.pem")):
            found = _certificate(path)
            subject = found.subject.rfc4514_string()
            yield Shown(path.name, subject, certs.places(found), found.not_valid_after_utc)
        for path in sorted((self.folder / BELIEVED).glob("*.pem")):
            for found in x509.load_pem_x509_certificates(path.read_bytes()):
                name = f"{BELIEVED}/{path.name}"
                yield Shown(name, found.subject.rfc4514_string(), [], found.not_valid_after_utc)

    def _authority(self) -> Pair:
        certificate, key = self._path("ca"), self._path("ca", ".key")
        try:
            return certs.read(certificate.read_bytes(), key.read_bytes())
        except FileNotFoundError as error:
            missing = f"{error.filename}: not there; certificates are issued where the authority's key is"
            raise ConfigError(f"{missing}, or after: plexmesh certs init") from error
        except (OSError, ValueError) as error:
            raise ConfigError(f"{certificate} with {key}: cannot be used: {error}") from error

    def _signed(
        self,
        make: Callable[[Pair, str, datetime.datetime, Iterable[str]], Pair],
        authority: Pair,
        name: str,
        now: datetime.datetime,
        places: list[str],
    ) -> Pair:
        until = authority.certificate.not_valid_after_utc
        if until <= now + datetime.timedelta(days=1):
            raise ConfigError(
                f"{self._path('ca')}: good until {until:%Y-%m-%d}; nothing can be issued with it any more"
            )
        try:
            return make(authority, name, now, _checked(places))
        except ValueError as error:
            raise BadInput(f"{name!r}: {error}") from error

    def _path(self, name: str, suffix: str = ".pem") -> Path:
        return self.folder / f"{name}{suffix}"

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


def _certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: no certificate: {error}") from error


def _checked(places: list[str]) -> list[str]:
    for each in places:
        if not each or not each.isascii() or any(letter.isspace() for letter in each):
            raise BadInput(f"{each!r}: expected a host name in ASCII, or an address")
    return places
