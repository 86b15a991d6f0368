"""An LPAR's certificate as zowe.yaml names it: PEM files, or a PKCS12 key store and trust store, accepted as they are.

Whatever they are, they are read into PEM: the certificate with its chain, the key, and whose certificates are believed.
A password is that of the file, or PLEXMESH_KEYSTORE_PASSWORD.

Source: Zowe's zowe.certificate.{pem, keystore, truststore}; RFC 7292.
Not here: where it is put (`launcher.certificate_files`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import pkcs12

from launcher import certs
from shared.errors import ConfigError
from shared.plexfile import CertificateFiles

PASSWORD = "PLEXMESH_KEYSTORE_PASSWORD"


@dataclass(frozen=True)
class Taken:
    """PEM. `chain` begins with the certificate."""

    chain: bytes
    key: bytes
    authorities: tuple[bytes, ...]

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.chain)


def taken(files: CertificateFiles) -> Taken:
    """As they are now. Raises ConfigError, which names the file."""
    found = _of_pem(files) if files.certificate is not None else _of_store(files)
    trusted = [_pem(each) for path in files.authorities for each in _certificates(path)]
    if files.truststore is not None:
        trusted += [_pem(each) for each in _store(files.truststore, files.truststore_password)[2]]
    return Taken(found.chain, found.key, tuple(dict.fromkeys(trusted or found.authorities)))


def _of_pem(files: CertificateFiles) -> Taken:
    assert files.certificate is not None
    assert files.key is not None
    chain = _certificates(files.certificate)
    try:
        secret = serialization.load_pem_private_key(_read(files.key), password=None)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{files.key}: expected a private key as PEM, without a password") from error
    if secret.public_key() != chain[0].public_key():
        raise ConfigError(f"{files.key}: it is not the key of {files.certificate}")
    return Taken(b"".join(map(_pem, chain)), _key_pem(secret), ())


def _of_store(files: CertificateFiles) -> Taken:
    assert files.keystore is not None
    secret, certificate, others = _store(files.keystore, files.password, files.alias)
    if secret is None or certificate is None:
        raise ConfigError(f"{files.keystore}: expected a certificate and its key in it")
    between = [each for each in others if each.issuer != each.subject]
    return Taken(b"".join(map(_pem, [certificate, *between])), _key_pem(secret), tuple(map(_pem, others)))


def _store(
    path: Path, password: str, alias: str = ""
) -> tuple[PrivateKeyTypes | None, x509.Certificate | None, list[x509.Certificate]]:
    hidden = password or os.environ.get(PASSWORD, "")
    try:
        found = pkcs12.load_pkcs12(_read(path), hidden.encode() or None)
    except ValueError as error:
        raise ConfigError(f"{path}: no PKCS12 file, or its password is another one ({PASSWORD})") from error
    own = found.cert
    name = own.friendly_name.decode(errors="replace") if own is not None and own.friendly_name else ""
    if alias and name and alias.casefold() != name.casefold():
        raise ConfigError(f"{path}: its certificate has the alias {name!r}, expected {alias!r}")
    others = [each.certificate for each in found.additional_certs]
    return found.key, own.certificate if own is not None else None, others


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read(path))
    except ValueError as error:
        raise ConfigError(f"{path}: expected certificates as PEM") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(secret: PrivateKeyTypes) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return secret.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def holds(certificate: x509.Certificate, host: str) -> bool:
    """Whether it can be called there; of a wildcard that is left to the caller."""
    return any(each.startswith("*.") for each in certs.places(certificate)) or certs.holds(certificate, [host])
