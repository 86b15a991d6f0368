"""One request to Eureka's API, apart from its body, whichever way it came in.

What of HTTP means something here: the path's steps, the query, and five header fields. JSON is answered when Accept
names it, else XML: most clients but Java's send no Accept and read XML. An answer is packed (gzip) only for who says
that it can unpack it; the full form is given unless `X-Eureka-Accept` says `compact`.

Source: Netflix Eureka's resources and its key of cached responses (type, version, form).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from discovery.eureka.paths import parameters, segments
from discovery.eureka.render import Dialect, media_type
from discovery.rights import UNKNOWN, Caller

COMPACT = "X-Eureka-Accept"
REPLICATION = "x-netflix-discovery-replication"


class Manner(NamedTuple):
    """What the header fields say. `replicated`: a Eureka server says what it was told, and does not want it back."""

    dialect: Dialect
    packed: bool
    content_type: str
    replicated: bool


class Call(NamedTuple):
    method: str
    steps: list[str]
    query: Mapping[str, str]
    manner: Manner
    caller: Caller = UNKNOWN

    @property
    def dialect(self) -> Dialect:
        return self.manner.dialect


def call_of(method: str, raw_path: str, raw_query: str, manner: Manner, caller: Caller = UNKNOWN) -> Call:
    return Call(method, segments(raw_path), parameters(raw_query) if raw_query else {}, manner, caller)


def manner_of(field: Callable[[str], str]) -> Manner:
    """`field` gives a header field's value, empty where there is none."""
    return Manner(
        dialect=Dialect(media_type(field("Accept")), field(COMPACT).lower() == "compact"),
        packed="gzip" in field("Accept-Encoding").lower(),
        content_type=field("Content-Type").partition(";")[0].strip().lower(),
        replicated=field(REPLICATION).lower() == "true",
    )
