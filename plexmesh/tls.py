"""Certificates for calls to a sysplex that speaks TLS, as the surroundings name them.

    PLEXMESH_CA                PEM of the sysplex' authority
    PLEXMESH_CERTIFICATE       PEM of the program's own certificate: the registry asks for one
    PLEXMESH_CERTIFICATE_KEY   PEM of its key

Without PLEXMESH_CA calls with https believe the authorities of this machine, and show nothing.
"""

from __future__ import annotations

import os
import ssl


def context() -> ssl.SSLContext | bool:
    """For aiohttp's connector: True is its default. Raises OSError, ssl.SSLError: a file cannot be used."""
    authority = os.environ.get("PLEXMESH_CA")
    if not authority:
        return True
    found = ssl.create_default_context(cafile=authority)
    certificate = os.environ.get("PLEXMESH_CERTIFICATE")
    if certificate:
        found.load_cert_chain(certificate, os.environ.get("PLEXMESH_CERTIFICATE_KEY") or None)
    return found
