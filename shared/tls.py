"""TLS of every listener and every call: one certificate per LPAR, one authority for the sysplex.

    server    asks its callers for a certificate and does without: endpoints that need one say so themselves (403). A
              certificate of an authority that is not known fails the handshake, since OpenSSL cannot take it unseen
    client    shows the LPAR's own certificate; checks the other's, and its name

`verify` is Zowe's `verifyCertificates`: STRICT; NONSTRICT, names are not checked; DISABLED, nothing is.

Files that are exchanged are noticed at a handshake, some seconds later: it and those after it use the new ones, and
connections that are open stay. A pair that does not fit, or cannot be read, changes nothing, and is told in the log
once.

TLS 1.2 and 1.3 with Mozilla's intermediate ciphers, HTTP/1.1 by ALPN, tickets for resumption.

Source: Mozilla's server side TLS, "intermediate"; RFC 7301.
Not here: making certificates (`plexmesh certs`), what a certificate may do.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import ssl
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.config import ServiceConfig, Verify
from shared.errors import ConfigError
from shared.identity import common_name

log = logging.getLogger("plexmesh.tls")

CIPHERS = ":".join(
    f"{exchange}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for exchange in ("ECDHE-ECDSA", "ECDHE-RSA")
)
"""Of TLS 1.2; those of 1.3 are OpenSSL's own."""

HTTP = ["http/1.1"]

LOOK_S = 5.0
"""After so long files are looked at again."""


@dataclass(frozen=True)
class Files:
    """PEM. `authorities`: whose certificates are believed."""

    certificate: Path
    key: Path
    authorities: tuple[Path, ...]

    @classmethod
    def named(cls, folder: Path, name: str) -> Files:
        """Of an LPAR, or another holder, in the sysplex' folder."""
        return cls(folder / f"{name}.pem", folder / f"{name}.key", (folder / "ca.pem",))

    def variables(self) -> dict[str, str]:
        """What plexmesh's client library looks for (`plexmesh.tls`)."""
        return {
            "PLEXMESH_CA": str(self.authorities[0]),
            "PLEXMESH_CERTIFICATE": str(self.certificate),
            "PLEXMESH_CERTIFICATE_KEY": str(self.key),
        }

    def __iter__(self) -> Iterator[Path]:
        return iter((self.certificate, self.key, *self.authorities))


class Tls:
    def __init__(self, files: Files, verify: Verify = "STRICT") -> None:
        """Raises ConfigError."""
        self.files = files
        self.verify = verify
        self._looked = time.monotonic()
        self._trouble = ""
        self._stamp = _stamp(files)
        self._newest = self._server()
        self.server = self._newest
        """For listeners. It stays the same object, so it may be kept: each handshake goes on with the newest one."""
        self.server.sni_callback = self._renewed
        self.client = self._client()
        """For calls; it stays the same object."""

    def chain(self) -> str:
        """The certificate and its authorities as they are now, PEM. Raises ConfigError."""
        files = (self.files.certificate, *self.files.authorities)
        try:
            return "".join(path.read_text("ascii") for path in files)
        except (OSError, ValueError) as error:
            raise ConfigError(f"{self.files.certificate}: {_said(error)}") from error

    def renew(self) -> bool:
        """Take the files as they are now, if they changed. Raises ConfigError; then everything is as before."""
        stamp = _stamp(self.files)
        if stamp == self._stamp:
            return False
        newest = self._server()  # a trial, too: what fits here fits the client's
        self._identify(self.client)
        self._newest, self._stamp = newest, stamp
        return True

    def _renewed(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """With each handshake; the files are looked at now and then."""
        now = time.monotonic()
        if now - self._looked >= LOOK_S:
            self._looked = now
            self._look()
        connection.context = self._newest

    def _look(self) -> None:
        try:
            if self.renew():
                log.info("certificates.renewed", extra={"fields": {"certificate": str(self.files.certificate)}})
            self._trouble = ""
        except ConfigError as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                log.warning("certificates.refused", extra={"fields": {"why": self._trouble}})

    def _server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _harden(context)
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
        self._identify(context)
        context.verify_mode = ssl.CERT_NONE if self.verify == "DISABLED" else ssl.CERT_OPTIONAL
        return context

    def _client(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _harden(context)
        self._identify(context)
        return _strictly(context, self.verify)

    def _identify(self, context: ssl.SSLContext) -> None:
        files = self.files
        try:
            context.load_cert_chain(files.certificate, files.key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"{files.certificate} with {files.key}: {_said(error)}") from error
        _believe(context, files.authorities)


class Trust:
    """Whose certificates are believed when others' services are called, to whom none of ours is shown.

    `authorities` alone, or without any those of this machine; and `own` in any case.
    """

    def __init__(self, authorities: tuple[Path, ...], verify: Verify, own: tuple[Path, ...] = ()) -> None:
        """Raises ConfigError."""
        self._default = not authorities
        self._authorities = (*authorities, *own)
        self._verify = verify
        self._looked = time.monotonic()
        self._stamp = _stamp(self._authorities)
        self._context = self._made()

    @property
    def context(self) -> ssl.SSLContext:
        """By the files as they are, looked at now and then; as they were before while they cannot be read."""
        now = time.monotonic()
        if now - self._looked >= LOOK_S:
            self._looked = now
            with contextlib.suppress(ConfigError):
                if (stamp := _stamp(self._authorities)) != self._stamp:
                    self._context, self._stamp = self._made(), stamp
        return self._context

    def _made(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _harden(context)
        _believe(context, self._authorities)
        if self._default:
            context.load_default_certs()
        return _strictly(context, self._verify)


def secured(config: ServiceConfig) -> Tls | None:
    """With the certificate of that LPAR; None: in plain. Raises ConfigError: it cannot be used."""
    return of(Files.named(config.certificates, config.lpar)) if config.tls else None


def server_tls(config: ServiceConfig) -> ssl.SSLContext | None:
    """For listeners. Raises ConfigError."""
    found = secured(config)
    return found.server if found else None


def client_tls(config: ServiceConfig) -> ssl.SSLContext | None:
    """For calls among plexmesh's own. Raises ConfigError."""
    found = secured(config)
    return found.client if found else None


def trust(config: ServiceConfig) -> Trust:
    """For calls of others' services. Raises ConfigError."""
    own = (config.certificates / "ca.pem",) if config.tls else ()
    return _trust(config.certificate_authorities, config.verify_certificates, own)


@functools.cache
def of(files: Files, verify: Verify = "STRICT") -> Tls:
    """The one of this process. Raises ConfigError."""
    return Tls(files, verify)


@functools.cache
def _trust(authorities: tuple[Path, ...], verify: Verify, own: tuple[Path, ...]) -> Trust:
    return Trust(authorities, verify, own)


def failure(error: ssl.SSLError) -> str:
    """Why a handshake failed, in a few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not believed: {error.verify_message.rstrip('.')}"
    return f"no TLS: {_reason(error)}"


def peer(transport: asyncio.BaseTransport | None) -> str:
    """Who is at the other end: the common name of a certificate that was believed, or empty."""
    return subject(transport.get_extra_info("peercert")) if transport is not None else ""


def subject(certificate: dict[str, Any] | None) -> str:
    """The common name in what `getpeercert` gives, or empty."""
    return common_name(certificate or {})


def _strictly(context: ssl.SSLContext, verify: Verify) -> ssl.SSLContext:
    context.check_hostname = verify == "STRICT"
    context.verify_mode = ssl.CERT_NONE if verify == "DISABLED" else ssl.CERT_REQUIRED
    return context


def _believe(context: ssl.SSLContext, authorities: Iterable[Path]) -> None:
    for path in authorities:
        try:
            context.load_verify_locations(path)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"{path}: {_said(error)}") from error


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(HTTP)


def _stamp(files: Iterable[Path]) -> tuple[object, ...]:
    found: list[object] = []
    for path in files:
        try:
            status = path.stat()
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}; make certificates with: plexmesh certs init") from error
        found.append((status.st_ino, status.st_mtime_ns, status.st_size))
    return tuple(found)


def _said(error: Exception) -> str:
    """ssl's errors name a line of C as well."""
    if isinstance(error, ssl.SSLError):
        return f"cannot be used: {_reason(error)}; expected a certificate and its key as PEM"
    return getattr(error, "strerror", "") or str(error)


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).lower().replace("_", " ")
