"""What of the console's document and timeline is not for everybody (`gateway.audience`): what is internal.

The parts of plexmesh stay, the caches among them, as components of their LPARs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from gateway.console.document import Document, Entry, Section
from gateway.console.words import Line
from gateway.policy import told_by

OF_SERVICES = ("services", "instances")
NOTHING: Document = {}


class Unseen:
    """Remembers what was internal when it was last registered: lines about it stay longer than it does."""

    def __init__(self) -> None:
        self.services: frozenset[str] = frozenset()
        self._of: Document = NOTHING
        self._public: Document = NOTHING

    def public(self, document: Document) -> Document:
        """The same document while it is the same, so that it costs little to compare."""
        if document is not self._of:
            internal, others = _parted(document)
            self.services = (self.services | internal) - others
            self._of, self._public = document, _without(document, self.services)
        return self._public

    def told(self, lines: Iterable[Line]) -> list[Line]:
        return [each for each in lines if each.service not in self.services]


def _parted(document: Document) -> tuple[set[str], set[str]]:
    """Ids of the services that are internal, and of the others."""
    internal: set[str] = set()
    others: set[str] = set()
    for id, entry in document.get("services", {}).items():
        (internal if entry["policy"].get("visibility") == "internal" else others).add(id)
    for entry in document.get("instances", {}).values():
        routed = document.get("services", {}).get(entry["service"], {}).get("routed", False)
        if not routed and told_by(entry["metadata"])[0].get("internal", False):
            internal.add(entry["service"])
    return internal, others - internal


def _without(document: Document, hidden: Collection[str]) -> Document:
    return {name: _kept(section, hidden) if name in OF_SERVICES else section for name, section in document.items()}


def _kept(section: Section, hidden: Collection[str]) -> Section:
    return {key: entry for key, entry in section.items() if not _of(entry, hidden)}


def _of(entry: Entry, hidden: Collection[str]) -> bool:
    return entry.get("service") in hidden
