"""One record: what one origin says about one instance, and which of several such sayings holds.

States up to 15 are live and mirror Eureka's statuses. LEFT (deregistered) counts everywhere and is final for its `gen`;
DROPPED (the lease expired here, or moved to another origin) only empties the origin's own slot: it says "nobody beats
*here*" and must not outrank a live lease elsewhere. POISON stands where a record could not be read: its place in the
log is kept, nothing of it is shown.

`key` is "service/instance id": two services may use one id, many clients send just their host's name. `gen` is the
process: milliseconds of its start (Eureka's lastDirtyTimestamp) times 2^16. `rev` is the hybrid logical clock of the
write. `seq` is its place in the origin's log. `body` is the packed `Registration`, decoded when asked for.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

UP, STARTING, DOWN, OUT_OF_SERVICE, UNKNOWN = 1, 2, 3, 4, 5
LEFT, DROPPED, POISON = 16, 17, 18

Status = Literal["UP", "STARTING", "DOWN", "OUT_OF_SERVICE", "UNKNOWN"]

STATUS_OF: dict[int, Status] = {
    UP: "UP",
    STARTING: "STARTING",
    DOWN: "DOWN",
    OUT_OF_SERVICE: "OUT_OF_SERVICE",
    UNKNOWN: "UNKNOWN",
}
STATE_OF: dict[str, int] = {status: state for state, status in STATUS_OF.items()}

MAX_BODY_BYTES = 8 * 1024
MAX_NAME_CHARS = 1024

Rank = tuple[int, bool, int, str]

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME_CHARS)]
Count = Annotated[int, msgspec.Meta(ge=0)]


def key_of(service: str, instance: str) -> str:
    return f"{service}/{instance}"


class Record(msgspec.Struct, frozen=True, array_like=True, gc=False):
    service: Name
    key: Name
    gen: Count
    rev: Count
    seq: Count
    state: Annotated[int, msgspec.Meta(ge=UP, le=POISON)]
    lease_s: Count
    body: Annotated[bytes, msgspec.Meta(max_length=MAX_BODY_BYTES)]

    @property
    def live(self) -> bool:
        return self.state < LEFT

    @property
    def tombstone(self) -> bool:
        return self.state >= LEFT

    def written(self, rev: int, seq: int) -> Record:
        """This record with its version and its place in a log."""
        return Record(self.service, self.key, self.gen, rev, seq, self.state, self.lease_s, self.body)

    def buried(self, state: int) -> Record:
        """The tombstone that takes this record's slot."""
        return Record(self.service, self.key, self.gen, self.rev, self.seq, state, self.lease_s, b"")


def rank(record: Record, origin: str) -> Rank:
    """The total order by which one record holds against others of the same instance; the highest holds.

    A newer process beats an older one; a deregistration is final for its process; then the newest write; then, so that
    every node picks the same, the origin's name.
    """
    return (record.gen, record.state == LEFT, record.rev, origin)
