"""Handshakes of clients that came to nothing: counted by their reason, and told in the log once a minute for each.

    plain_http          it speaks HTTP without TLS
    unknown_authority   its certificate is of nobody who is believed
    expired             its certificate is past, or not good yet
    protocol            no version or cipher in common, or no TLS at all
    refused             it does not believe this gateway's certificate, and says so
    cut                 it went away before the end
    silent              it was too slow
    other

Source: OpenSSL's reasons (sslerr.h) and results of verification (x509_vfy.h); alerts: RFC 8446, 6.2.
"""

from __future__ import annotations

import ssl
from typing import Literal, get_args

from gateway.meters import Meters

Reason = Literal["plain_http", "unknown_authority", "expired", "protocol", "refused", "cut", "silent", "other"]
REASONS: tuple[Reason, ...] = get_args(Reason)

UNKNOWN = frozenset((2, 18, 19, 20, 21))
"""X509_V_ERR_: no issuer's certificate, self-signed, self-signed in the chain, no issuer here, no signature of one."""
PAST = frozenset((9, 10))
"""Not yet valid, has expired."""

PLAIN = frozenset(("HTTP_REQUEST", "HTTPS_PROXY_REQUEST"))
UNLIKE = frozenset((
    "UNSUPPORTED_PROTOCOL", "WRONG_VERSION_NUMBER", "NO_SHARED_CIPHER", "VERSION_TOO_LOW", "UNKNOWN_PROTOCOL",
    "BAD_PROTOCOL_VERSION_NUMBER", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE", "INAPPROPRIATE_FALLBACK",
    "NO_SHARED_GROUP", "NO_SUITABLE_SIGNATURE_ALGORITHM", "NO_SUITABLE_KEY_SHARE", "UNEXPECTED_MESSAGE",
    "RECORD_LAYER_FAILURE", "BAD_RECORD_TYPE", "PACKET_LENGTH_TOO_LONG", "LENGTH_MISMATCH",
))  # fmt: skip
DISBELIEF = frozenset((
    "TLSV1_ALERT_UNKNOWN_CA", "SSLV3_ALERT_BAD_CERTIFICATE", "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED", "SSLV3_ALERT_CERTIFICATE_REVOKED", "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
    "TLSV1_ALERT_ACCESS_DENIED",
))  # fmt: skip

LINE_S = 60.0


def reason(error: OSError) -> Reason:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _unbelieved(error.verify_code)
    if isinstance(error, ssl.SSLEOFError):
        return "cut"
    if isinstance(error, ssl.SSLError):
        return _by_name(error.reason or "")
    if isinstance(error, ConnectionAbortedError | TimeoutError):
        return "silent"
    return "cut" if isinstance(error, ConnectionError) else "other"


def _unbelieved(code: int) -> Reason:
    if code in UNKNOWN:
        return "unknown_authority"
    return "expired" if code in PAST else "other"


def _by_name(name: str) -> Reason:
    if name in PLAIN:
        return "plain_http"
    if name in UNLIKE:
        return "protocol"
    return "refused" if name in DISBELIEF else "other"


class Handshakes:
    def __init__(self, meters: Meters) -> None:
        self._meters = meters
        self._told: dict[Reason, float] = {}

    def failed(self, error: OSError, now: float) -> Reason | None:
        """Count it; its reason if that is worth a line."""
        found = reason(error)
        name = f"{found}_handshakes"
        setattr(self._meters, name, getattr(self._meters, name) + 1)
        if now - self._told.get(found, -LINE_S) < LINE_S:
            return None
        self._told[found] = now
        return found
