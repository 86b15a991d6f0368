"""Certificates of a sysplex: an authority, one for each LPAR, and those of clients. Pure: nothing is read or written.

    authority    CN = "<sysplex> authority", signs only
    LPAR         CN = its name, OU = "plexmesh LPAR"; names and addresses under which it is called; server and client
    client       CN = its name, OU = "plexmesh client"; client only, unless names and addresses are given
    operator     the same with OU = "plexmesh operator"

O is the sysplex. Keys are on P-256, signatures ECDSA with SHA-256. Times are UTC.

Source: RFC 5280; the CA/Browser Forum's baseline requirements for the length of a life.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID as Use
from cryptography.x509.oid import NameOID

from shared.identity import LPAR, OPERATOR

AUTHORITY_DAYS = 3650
DAYS = 397

CLIENT = "plexmesh client"
"""OU: what a certificate is for; LPAR and OPERATOR are what makes a role (`shared.identity`)."""

EARLIER = datetime.timedelta(minutes=5)
"""Clocks differ."""


@dataclass(frozen=True)
class Pair:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())

    def pkcs12(self, name: str, authority: x509.Certificate, password: str) -> bytes:
        """Key, certificate and authority in one file, as Java's key stores are."""
        hidden = serialization.BestAvailableEncryption(password.encode())
        return pkcs12.serialize_key_and_certificates(name.encode(), self.key, self.certificate, [authority], hidden)


def new_authority(sysplex: str, now: datetime.datetime) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = authority_name(sysplex)
    signs = x509.KeyUsage(
        digital_signature=False, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = _begun(name, name, key, now, AUTHORITY_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(signs, critical=True)
    return Pair(builder.sign(key, hashes.SHA256()), key)


def authority_name(sysplex: str) -> x509.Name:
    return _name(f"{sysplex} authority", sysplex)


def lpar_certificate(authority: Pair, lpar: str, now: datetime.datetime, places: Iterable[str]) -> Pair:
    """`places`: names and addresses under which it is called, each once in the certificate."""
    names = x509.SubjectAlternativeName([_place(each) for each in dict.fromkeys(places)])
    return _issued(authority, lpar, LPAR, [Use.SERVER_AUTH, Use.CLIENT_AUTH], names, now)


def operator_certificate(authority: Pair, name: str, now: datetime.datetime, places: Iterable[str] = ()) -> Pair:
    return client_certificate(authority, name, now, places, unit=OPERATOR)


def client_certificate(
    authority: Pair, name: str, now: datetime.datetime, places: Iterable[str] = (), unit: str = CLIENT
) -> Pair:
    """`places`: of one that serves, too."""
    names = [_place(each) for each in dict.fromkeys(places)]
    uses = [Use.SERVER_AUTH, Use.CLIENT_AUTH] if names else [Use.CLIENT_AUTH]
    return _issued(authority, name, unit, uses, x509.SubjectAlternativeName(names) if names else None, now)


def read(certificate: bytes, key: bytes) -> Pair:
    """Of PEM. Raises ValueError: it is none, or the two do not belong together."""
    found = x509.load_pem_x509_certificate(certificate)
    secret = serialization.load_pem_private_key(key, password=None)
    if not isinstance(secret, ec.EllipticCurvePrivateKey):
        raise ValueError("its key is not on an elliptic curve")
    if secret.public_key() != found.public_key():
        raise ValueError("its key is another one's")
    return Pair(found, secret)


def places(certificate: x509.Certificate) -> list[str]:
    """The names in it, then the addresses."""
    found = sorted(_alternatives(certificate), key=lambda each: isinstance(each, x509.IPAddress))
    return [str(each.value) for each in found]


def holds(certificate: x509.Certificate, places: Iterable[str]) -> bool:
    """Whether all these names and addresses are in it."""
    return {_place(each) for each in places} <= set(_alternatives(certificate))


def _alternatives(certificate: x509.Certificate) -> list[x509.GeneralName]:
    try:
        return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []


def unit(certificate: x509.Certificate) -> str:
    """OU, or empty."""
    return _first(certificate.subject, NameOID.ORGANIZATIONAL_UNIT_NAME)


def organization(certificate: x509.Certificate) -> str:
    """O, or empty."""
    return _first(certificate.subject, NameOID.ORGANIZATION_NAME)


def _first(name: x509.Name, kind: x509.ObjectIdentifier) -> str:
    return next((str(each.value) for each in name.get_attributes_for_oid(kind)), "")


def _issued(
    authority: Pair,
    name: str,
    unit: str,
    uses: list[x509.ObjectIdentifier],
    names: x509.SubjectAlternativeName | None,
    now: datetime.datetime,
) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    sysplex = organization(authority.certificate)
    days = min(DAYS, (authority.certificate.not_valid_after_utc - now).days)
    builder = _begun(_name(name, sysplex, unit), authority.certificate.subject, key, now, days)
    signs = x509.KeyUsage(
        digital_signature=True, key_cert_sign=False, crl_sign=False, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(signs, critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = builder.add_extension(issuer, critical=False)
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    return Pair(builder.sign(authority.key, hashes.SHA256()), key)


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common: str, sysplex: str, unit: str = "") -> x509.Name:
    kinds = (NameOID.ORGANIZATION_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.COMMON_NAME)
    parts = zip(kinds, (sysplex, unit, common), strict=True)
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts if value])


def _place(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
