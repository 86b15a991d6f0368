"""How long a certificate is good, and when that is worth saying: in `plexmesh certs show`, and on the health page of
every service with TLS.
"""

from __future__ import annotations

import datetime
from pathlib import Path

SOON = datetime.timedelta(days=30)


def warning(until: datetime.datetime, now: datetime.datetime) -> str:
    """What has to be done about a certificate that is good `until` then, or empty."""
    if until <= now:
        return f"expired on {until:%Y-%m-%d}"
    days = (until - now).days
    return f"expires in {days} day{'s' if days != 1 else ''}" if until - now < SOON else ""


def part(path: Path) -> dict[str, object]:
    """Of a health page, in Spring's shape: about the certificate in this PEM file as it is now."""
    from cryptography import x509  # heavy, and not needed in plain

    try:
        until = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        return _said({}, f"{path}: cannot be read: {error}")
    why = warning(until, datetime.datetime.now(datetime.UTC))
    return _said({"until": f"{until:%Y-%m-%d}"}, why and f"{path.name} {why}: plexmesh certs init --force")


def _said(details: dict[str, object], why: str) -> dict[str, object]:
    """UP in any case: connections that are open go on, and new files are taken over at the next handshake."""
    colour = "yellow" if why else "green"
    return {"status": "UP", "details": {"colour": colour, "why": [why] if why else [], **details}}
