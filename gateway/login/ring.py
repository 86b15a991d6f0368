"""The keys that tokens are signed with, oldest first: the newest signs, every one of them is believed.

    made ──signs──► a newer one is made ──believed for a token's life more──► worn ──► dropped

A key's id is its thumbprint (RFC 7638), so it is the same at every gateway. What a key is for (RS256 or ES256) follows
from its kind and never from a token.

Sources: RFC 7517 (key sets), RFC 7518, 3.3 and 3.4; RFC 8725, 3.1.
Not here: files (`keys`), tokens (`tokens`).

joserfc and what it needs is 9 MB and a tenth of a second, so it is imported with the first key, which is read or made
away from the event loop; a gateway that nobody logs in at never has it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from joserfc.jwk import ECKey, RSAKey

Algorithm = Literal["RS256", "ES256"]

RSA_BITS = 2048
CURVE = "P-256"

MARGIN_S = 3600
"""Beyond a token's life: until every gateway has noticed that another key signs, and for clocks that differ."""


@dataclass(frozen=True)
class SigningKey:
    """`made_s` since 1970."""

    made_s: int
    key: RSAKey | ECKey
    algorithm: Algorithm

    @classmethod
    def generate(cls, algorithm: Algorithm, now_s: int) -> SigningKey:
        from joserfc.jwk import ECKey, RSAKey

        key = RSAKey.generate_key(RSA_BITS) if algorithm == "RS256" else ECKey.generate_key(CURVE)
        return cls(now_s, key, algorithm)

    @classmethod
    def read(cls, pem: bytes, made_s: int) -> SigningKey:
        """Raises ValueError: no private key, or one that is too weak."""
        from joserfc import jwt  # noqa: F401 - what `tokens` needs once there is a key
        from joserfc.errors import JoseError
        from joserfc.jwk import ECKey, RSAKey

        for kind in (RSAKey, ECKey):
            try:
                found = kind.import_key(pem)
            except (JoseError, ValueError, TypeError):
                continue
            return cls(made_s, found, _algorithm_of(found))
        raise ValueError("expected the private key of RSA or of the curve P-256, as PEM without a password")

    @cached_property
    def id(self) -> str:
        return self.key.thumbprint()

    @property
    def pem(self) -> bytes:
        return self.key.as_pem(private=True)

    @property
    def public_pem(self) -> str:
        return self.key.as_pem(private=False).decode()

    @property
    def public(self) -> dict[str, Any]:
        """As a JWK."""
        return {**self.key.as_dict(private=False), "kid": self.id, "alg": self.algorithm, "use": "sig"}


def _algorithm_of(key: RSAKey | ECKey) -> Algorithm:
    from joserfc.jwk import RSAKey

    if not key.is_private:
        raise ValueError("expected a private key, this is a public one")
    if isinstance(key, RSAKey):
        if key.raw_value.key_size < RSA_BITS:
            raise ValueError(f"expected an RSA key of at least {RSA_BITS} bits")
        return "RS256"
    if key.curve_name != CURVE:
        raise ValueError(f"expected a key of the curve {CURVE}")
    return "ES256"


class Ring:
    def __init__(self, keys: Iterable[SigningKey] = ()) -> None:
        self.keys = tuple(sorted(keys, key=lambda each: (each.made_s, each.id)))
        self._by_id = {each.id: each for each in self.keys}

    def __bool__(self) -> bool:
        return bool(self.keys)

    @property
    def newest(self) -> SigningKey:
        """The one that signs. There has to be one."""
        return self.keys[-1]

    def get(self, id: str) -> SigningKey | None:
        return self._by_id.get(id)

    def key_set(self, *, newest_only: bool = False) -> dict[str, list[dict[str, Any]]]:
        """As a JWK set, the one that signs first."""
        chosen = self.keys[-1:] if newest_only else self.keys[::-1]
        return {"keys": [each.public for each in chosen]}

    def worn(self, now_s: float, life_s: float) -> list[SigningKey]:
        """Those nothing that is still good can have been signed with: a newer one signs since a token's life."""
        return [
            each
            for each, newer in zip(self.keys, self.keys[1:], strict=False)
            if newer.made_s + life_s + MARGIN_S < now_s
        ]
