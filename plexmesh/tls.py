"""Certificates for calls to a sysplex that speaks TLS, as the surroundings name them.

    PLEXMESH_CA                PEM of the sysplex' authority
    PLEXMESH_CERTIFICATE       PEM of the program's own certificate: the registry asks for one
    PLEXMESH_CERTIFICATE_KEY   PEM of its key

Without PLEXMESH_CA calls with https believe the authorities of this machine, and show nothing. Files that are exchanged
hold for new connections, some seconds later.
"""

from __future__ import annotations

import logging
import os
import ssl
import time
from typing import Any, NamedTuple

log = logging.getLogger("plexmesh.tls")

LOOK_S = 5.0
"""After so long files are looked at again."""


class Named(NamedTuple):
    """The files; empty: none."""

    authority: str
    certificate: str
    key: str

    def context(self) -> ssl.SSLContext:
        """Raises OSError, of which ssl.SSLError is one."""
        found = ssl.create_default_context(cafile=self.authority)
        if self.certificate:
            found.load_cert_chain(self.certificate, self.key or None)
        return found

    def stamp(self) -> list[tuple[int, int, int]]:
        """Raises OSError."""
        found = [os.stat(each) for each in self if each]
        return [(each.st_ino, each.st_mtime_ns, each.st_size) for each in found]

    def __str__(self) -> str:
        return f"PLEXMESH_CA={self.authority} PLEXMESH_CERTIFICATE={self.certificate}"


class Renewed(ssl.SSLContext):
    """It is kept by whoever makes calls: each new connection is made with what the files hold, or held when they could
    be used last."""

    _named: Named
    _newest: ssl.SSLContext
    _stamp: list[tuple[int, int, int]]
    _looked: float

    @classmethod
    def of(cls, named: Named) -> Renewed:
        """Raises OSError."""
        made = cls(ssl.PROTOCOL_TLS_CLIENT)
        made._named, made._looked = named, time.monotonic()
        made._stamp, made._newest = named.stamp(), named.context()
        return made

    def wrap_bio(self, *args: Any, **how: Any) -> ssl.SSLObject:
        return self._look().wrap_bio(*args, **how)

    def wrap_socket(self, *args: Any, **how: Any) -> ssl.SSLSocket:
        return self._look().wrap_socket(*args, **how)

    def _look(self) -> ssl.SSLContext:
        now = time.monotonic()
        if now - self._looked >= LOOK_S:
            self._looked = now
            try:
                if (stamp := self._named.stamp()) != self._stamp:
                    self._newest, self._stamp = self._named.context(), stamp
            except OSError as error:
                log.warning("certificates cannot be used, those before are: %s: %s", self._named, error)
        return self._newest


def context() -> ssl.SSLContext | bool:
    """For aiohttp's connector: True is its default. What cannot be used is said in the log, and left out."""
    variables = ("PLEXMESH_CA", "PLEXMESH_CERTIFICATE", "PLEXMESH_CERTIFICATE_KEY")
    named = Named(*(os.environ.get(each, "") for each in variables))
    if not named.authority:
        return True
    try:
        return Renewed.of(named)
    except OSError as error:
        log.warning("certificates cannot be used, going on without: %s: %s", named, error)
        return True
