"""Which instances go by a virtual address: one element of their comma lists, to the letter.

Made when first asked for, a slice at a time like the pieces of a list (`discovery.eureka.pieces`), then kept up.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from discovery.registration import Registration

Kind = Literal["vips", "svips"]


class Address(NamedTuple):
    kind: Kind
    name: str


class Vips:
    def __init__(self, keys: Iterable[str], look_up: Callable[[str], Registration]) -> None:
        self._look_up = look_up
        self._wanted: dict[str, None] = dict.fromkeys(keys)
        self._of: dict[str, list[Address]] = {}
        self._at: dict[Address, dict[str, None]] = {}

    @property
    def wanted(self) -> int:
        """How many instances are to be looked at."""
        return len(self._wanted)

    def note(self, key: str) -> None:
        """It is new, or another."""
        self._wanted[key] = None

    def drop(self, key: str) -> None:
        self._wanted.pop(key, None)
        for address in self._of.pop(key, ()):
            keys = self._at[address]
            del keys[key]
            if not keys:
                del self._at[address]

    def make(self, most: int) -> None:
        for key in list(itertools.islice(self._wanted, most)):
            self.drop(key)
            self._of[key] = addresses_of(self._look_up(key))
            for address in self._of[key]:
                self._at.setdefault(address, {})[key] = None

    def at(self, address: Address) -> list[str]:
        """Keys, in order."""
        return sorted(self._at.get(address, ()))


def addresses_of(registration: Registration) -> list[Address]:
    given: tuple[tuple[Kind, str], ...] = (("vips", registration.vip), ("svips", registration.secure_vip))
    found = [Address(kind, each.strip()) for kind, names in given for each in names.split(",") if each.strip()]
    return list(dict.fromkeys(found))
