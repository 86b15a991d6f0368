"""What clients did to the entries of a cache and what they were told, as a sequence of operations.

    kind      given                     results
    read                                Read(value, etag), or ABSENT
    create    value                     Written(etag), or Refused(etag of what is there)
    put       value                     Written(etag)
    replace   value, etag or any        Written(etag), or Refused(etag of what is there, None: nothing)
    delete    etag or any               Written(""), or Refused(etag of what is there, None: nothing)

An operation without a result (`result` None) may have been done, at any time after it was called, or never.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["read", "create", "put", "replace", "delete"]


@dataclass(frozen=True)
class Read:
    value: str | None
    """None: there was none."""
    etag: str | None = None


@dataclass(frozen=True)
class Written:
    etag: str


@dataclass(frozen=True)
class Refused:
    """A condition did not hold. `etag`: of what is there; None: nothing is; UNTOLD: not said."""

    etag: str | None


UNTOLD = "?"
ABSENT = Read(None)

Result = Read | Written | Refused


@dataclass
class Operation:
    """`called` and `returned` are instants of one clock, in s."""

    client: int
    key: str
    kind: Kind
    called: float
    value: str = ""
    etag: str | None = None
    returned: float = float("inf")
    result: Result | None = None

    @property
    def known(self) -> bool:
        return self.result is not None


@dataclass
class History:
    operations: list[Operation] = field(default_factory=list)

    def by_key(self) -> dict[str, list[Operation]]:
        found: dict[str, list[Operation]] = {}
        for each in self.operations:
            found.setdefault(each.key, []).append(each)
        return found

    def acknowledged(self) -> list[Operation]:
        return [each for each in self.operations if isinstance(each.result, Written)]
