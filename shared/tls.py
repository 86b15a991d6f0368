"""TLS of every listener and every call: one certificate per LPAR, one authority for the sysplex.

    server    asks its callers for a certificate and does without: endpoints that need one say so themselves (403). A
              certificate of an authority that is not known fails the handshake, since OpenSSL cannot take it unseen
    client    shows the LPAR's own certificate; checks the other's, and its name

`verify` is Zowe's `verifyCertificates`: STRICT; NONSTRICT, names are not checked; DISABLED, nothing is.

Files that are exchanged are noticed at a handshake, some seconds later: it and those after it use the new ones, and
believe whom the new ones name, nobody else; connections that are open stay. A pair that does not fit, or cannot be
read, changes nothing, and is told in the log once.

TLS 1.2 and 1.3 with Mozilla's intermediate ciphers, HTTP/1.1 by ALPN, tickets for resumption.

Source: Mozilla's server side TLS, "intermediate"; RFC 7301.
Not here: making certificates (`plexmesh certs`), what a certificate may do.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from shared.config import ServiceConfig, Verify
from shared.errors import ConfigError
from shared.identity import common_name
from shared.latest import Latest

CIPHERS = ":".join(
    f"{exchange}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for exchange in ("ECDHE-ECDSA", "ECDHE-RSA")
)
"""Of TLS 1.2; those of 1.3 are OpenSSL's own."""

HTTP = ["http/1.1"]


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


class Contexts(NamedTuple):
    server: ssl.SSLContext
    client: ssl.SSLContext


class Tls:
    def __init__(self, files: Files, verify: Verify = "STRICT") -> None:
        """Raises ConfigError."""
        self.files = files
        self._verify = verify
        self._latest = Latest(files, self._made)
        self.server = self._latest.get().server
        """For listeners. It stays the same object, so it may be kept: each handshake goes on with the newest one."""
        self.server.sni_callback = self._renewed
        self.client = Calling.by(lambda: self._latest.get().client)
        """For calls; it may be kept, too."""

    def chain(self) -> str:
        """The certificate and its authorities as they are now, PEM. Raises ConfigError."""
        files = (self.files.certificate, *self.files.authorities)
        try:
            return "".join(path.read_text("ascii") for path in files)
        except (OSError, ValueError) as error:
            raise ConfigError(f"{self.files.certificate}: {_said(error)}") from error

    def renew(self) -> bool:
        """Take the files as they are now, if they changed. Raises ConfigError; then everything is as before."""
        return self._latest.renew()

    def _renewed(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._latest.get().server

    def _made(self) -> Contexts:
        return Contexts(self._server(), self._client())

    def _server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _harden(context)
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
        self._identify(context)
        context.verify_mode = ssl.CERT_NONE if self._verify == "DISABLED" else ssl.CERT_OPTIONAL
        return context

    def _client(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _harden(context)
        self._identify(context)
        return _strictly(context, self._verify)

    def _identify(self, context: ssl.SSLContext) -> None:
        files = self.files
        try:
            context.load_cert_chain(files.certificate, files.key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"{files.certificate} with {files.key}: {_said(error)}") from error
        _believe(context, files.authorities)


class Calling(ssl.SSLContext):
    """For calls, and kept by whoever makes them: each handshake is made with the newest context, which knows nothing of
    those before it. (A context that is loaded again goes on believing whom it believed.)
    """

    _newest: Callable[[], ssl.SSLContext]

    @classmethod
    def by(cls, newest: Callable[[], ssl.SSLContext]) -> Calling:
        made = cls(ssl.PROTOCOL_TLS_CLIENT)
        made._newest = newest
        made.check_hostname, made.verify_mode = newest().check_hostname, newest().verify_mode  # callers look at these
        return made

    def wrap_bio(self, *args: Any, **how: Any) -> ssl.SSLObject:
        return self._newest().wrap_bio(*args, **how)

    def wrap_socket(self, *args: Any, **how: Any) -> ssl.SSLSocket:
        return self._newest().wrap_socket(*args, **how)


class Trust:
    """Whose certificates are believed when others' services are called, to whom none of ours is shown.

    `authorities` alone, or without any those of this machine; and `own` in any case.
    """

    def __init__(self, authorities: tuple[Path, ...], verify: Verify, own: tuple[Path, ...] = ()) -> None:
        """Raises ConfigError."""
        self._default = not authorities
        self._authorities = (*authorities, *own)
        self._verify = verify
        self._latest = Latest(self._authorities, self._made)
        self.context = Calling.by(self._latest.get)

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


def _said(error: Exception) -> str:
    """ssl's errors name a line of C as well."""
    if isinstance(error, ssl.SSLError):
        return f"cannot be used: {_reason(error)}; expected a certificate and its key as PEM"
    return getattr(error, "strerror", "") or str(error)


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).lower().replace("_", " ")
