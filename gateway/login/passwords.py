"""Passwords as Argon2id hashes: made, and tried away from the event loop.

An unknown user costs as much time as a known one: his password is tried against a hash of nobody's, made with the
parameters of the user file's. Few are tried at once, since each takes memory and most of a core for some 20 ms; the
others wait.

Source: RFC 9106; OWASP, Password Storage Cheat Sheet (the parameters: 19 MiB, two passes, one lane).
"""

from __future__ import annotations

import asyncio
import secrets
from functools import lru_cache

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

MEMORY_KIB, PASSES, LANES = 19_456, 2, 1
AT_ONCE = 2

_hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)


def hashed(password: str) -> str:
    return _hasher.hash(password)


def matches(hash: str, password: str) -> bool:
    try:
        return _hasher.verify(hash, password)
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False


@lru_cache(16)
def nobodys(like: str) -> str:
    """A hash that no password has, as costly as `like`; empty: as new ones are."""
    hasher = PasswordHasher.from_parameters(extract_parameters(like)) if like else _hasher
    return hasher.hash(secrets.token_hex(32))


class Trials:
    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def match(self, hash: str, password: str, like: str) -> bool:
        """`hash` empty: false, after as long as if there were one. `like`: any hash of the file's."""
        async with self._turn:
            return await asyncio.to_thread(_match, hash, password, like)


def _match(hash: str, password: str, like: str) -> bool:
    return matches(hash or nobodys(like), password) and bool(hash)
