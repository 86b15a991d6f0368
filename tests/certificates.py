"""Certificates for tests: of a sysplex, its LPARs and a client; of somebody else; one that has expired."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

from launcher import certs
from launcher.certs import Pair
from shared.tls import Files, Tls, Verify

NOW = datetime.datetime.now(datetime.UTC)
LONG_AGO = NOW - datetime.timedelta(days=2 * certs.DAYS)


@dataclass(frozen=True)
class Drawer:
    """A folder with ca.pem and what is issued there."""

    folder: Path
    authority: Pair

    @classmethod
    def of(cls, folder: Path) -> Drawer:
        """That somebody else has made; its authority's key is there."""
        return cls(folder, certs.read((folder / "ca.pem").read_bytes(), (folder / "ca.key").read_bytes()))

    def lpar(self, name: str, *places: str, now: datetime.datetime = NOW) -> Files:
        return self._put(name, certs.lpar_certificate(self.authority, name, now, places))

    def client(self, name: str, *places: str, now: datetime.datetime = NOW) -> Files:
        return self._put(name, certs.client_certificate(self.authority, name, now, places))

    def operator(self, name: str) -> Files:
        return self._put(name, certs.operator_certificate(self.authority, name, NOW))

    def tls(self, name: str, *places: str, verify: Verify = "STRICT") -> Tls:
        return Tls(self.lpar(name, *places), verify)

    def _put(self, name: str, pair: Pair) -> Files:
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(pair.pem)
        key.write_bytes(pair.key_pem)
        return Files(certificate, key, (self.folder / "ca.pem",))


def a_drawer(folder: Path, sysplex: str = "PLEX1") -> Drawer:
    folder.mkdir(parents=True, exist_ok=True)
    authority = certs.new_authority(sysplex, LONG_AGO)
    (folder / "ca.pem").write_bytes(authority.pem)
    return Drawer(folder, authority)
