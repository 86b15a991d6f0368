"""What a write requires of the entry that is there.

Source: RFC 9110, section 13.1 (If-Match, If-None-Match), and Zowe's create and replace, which are the same two.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from caching.entries import Entry, Name
from caching.refusals import Changed, Exists, missing

Kind = Literal["any", "absent", "present", "match"]


class Condition(msgspec.Struct, frozen=True):
    kind: Kind = "any"
    etags: tuple[str, ...] = ()
    """For "match": it has to be one of these."""

    def check(self, name: Name, found: Entry | None) -> None:
        """Raises Exists, Missing or Changed."""
        if self.kind == "absent" and found is not None:
            raise Exists(name, found.etag)
        if self.kind == "present" and found is None:
            raise missing(name)
        if self.kind == "match" and (found is None or found.etag not in self.etags):
            raise Changed(name, found.etag if found else None)


ANY = Condition()
ABSENT = Condition("absent")
PRESENT = Condition("present")


def matching(*etags: str) -> Condition:
    return Condition("match", etags)
