"""Certificates for calls to a sysplex that speaks TLS, as the surroundings name them.

    PLEXMESH_CA                PEM of the sysplex' authority
    PLEXMESH_CERTIFICATE       PEM of the program's own certificate: the registry asks for one
    PLEXMESH_CERTIFICATE_KEY   PEM of its key

Without PLEXMESH_CA calls with https believe the authorities of this machine, and show nothing.
"""

from __future__ import annotations

import logging
import os
import ssl

log = logging.getLogger("plexmesh.tls")


def context() -> ssl.SSLContext | bool:
    """For aiohttp's connector: True is its default. What cannot be used is said in the log, and left out."""
    authority, certificate = os.environ.get("PLEXMESH_CA"), os.environ.get("PLEXMESH_CERTIFICATE")
    if not authority:
        return True
    try:
        found = ssl.create_default_context(cafile=authority)
        if certificate:
            found.load_cert_chain(certificate, os.environ.get("PLEXMESH_CERTIFICATE_KEY") or None)
    except OSError as error:  # ssl.SSLError is one
        named = f"PLEXMESH_CA={authority} PLEXMESH_CERTIFICATE={certificate or ''}"
        log.warning("certificates cannot be used, going on without: %s: %s", named, error)
        return True
    return found
