"""One record: what one origin says about one instance, and which of several such sayings holds.

States up to 15 are live and mirror Eureka's statuses. LEFT (deregistered) counts everywhere and is final for its `gen`;
DROPPED (the lease expired here, or moved to another origin) only empties the origin's own slot: it says "nobody beats
*here*" and must not outrank a live lease elsewhere.

`key` is "service/instance id": two services may use one id, many clients send just their host's name. `gen` is the
process: milliseconds of its start (Eureka's lastDirtyTimestamp) times 2^16. `rev` is the hybrid logical clock of the
write. `seq` is its place in the origin's log. `body` is the packed `Registration`, decoded when asked for.
"""

from __future__ import annotations

from typing import Literal

import msgspec

UP, STARTING, DOWN, OUT_OF_SERVICE, UNKNOWN = 1, 2, 3, 4, 5
LEFT, DROPPED = 16, 17

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

Rank = tuple[int, bool, int, str]


def key_of(service: str, instance: str) -> str:
    return f"{service}/{instance}"


class Record(msgspec.Struct, frozen=True, array_like=True, gc=False):
    service: str
    key: str
    gen: int
    rev: int
    seq: int
    state: int
    lease_s: int
    body: bytes

    @property
    def live(self) -> bool:
        return self.state < LEFT

    @property
    def tombstone(self) -> bool:
        return self.state >= LEFT

    def revised(self, rev: int) -> Record:
        return msgspec.structs.replace(self, rev=rev)

    def at(self, seq: int) -> Record:
        """This record at another place of a log."""
        return msgspec.structs.replace(self, seq=seq)

    def buried(self, state: int, rev: int) -> Record:
        """The tombstone that takes this record's slot."""
        return msgspec.structs.replace(self, state=state, rev=rev, body=b"")


def rank(record: Record, origin: str) -> Rank:
    """The total order by which one record holds against others of the same instance; the highest holds.

    A newer process beats an older one; a deregistration is final for its process; then the newest write; then, so that
    every node picks the same, the origin's name.
    """
    return (record.gen, record.state == LEFT, record.rev, origin)
