"""A set of instances as bytes in one dialect, each made when it is first needed and kept until it changes.

    wanted ──make──▶ made ──note──▶ wanted        drop: neither

Instances stand by service, in the order in which they came. A list is made of the pieces of one moment: `make` until
nothing is wanted any more, a slice at a time where there are many, then put them together without a pause.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

from discovery.eureka import document
from discovery.eureka.render import Dialect, piece

Describe = Callable[[str], document.Document]
"""An instance's document, from its key."""


class Pieces:
    def __init__(self, dialect: Dialect, keys: Iterable[str], describe: Describe) -> None:
        """`keys` are "service/instance id"."""
        self._dialect = dialect
        self._describe = describe
        self._wanted: dict[str, None] = dict.fromkeys(keys)
        self._services: dict[str, dict[str, bytes]] = {}

    @property
    def wanted(self) -> int:
        """How many are to be made."""
        return len(self._wanted)

    def note(self, key: str) -> None:
        """It is new, or another."""
        self._wanted[key] = None

    def drop(self, key: str) -> None:
        self._wanted.pop(key, None)
        service = service_of(key)
        made = self._services.get(service)
        if made is not None and made.pop(key, None) is not None and not made:
            del self._services[service]

    def make(self, most: int) -> None:
        """Make so many of what is wanted."""
        for key in list(itertools.islice(self._wanted, most)):
            self.one(key)

    def one(self, key: str) -> bytes:
        """The piece of an instance of this set."""
        made = self._services.setdefault(service_of(key), {})
        if key in self._wanted:
            del self._wanted[key]
            made[key] = self._made(key)
        return made[key]

    def apps(self) -> Iterator[tuple[str, Iterable[bytes]]]:
        """(app, pieces) of all that is made, by name."""
        for service in sorted(self._services):
            yield service.upper(), self._services[service].values()

    def _made(self, key: str) -> bytes:
        found = self._describe(key)
        return piece(document.compact(found) if self._dialect.compact else found, self._dialect.media)


def service_of(key: str) -> str:
    return key.partition("/")[0]
