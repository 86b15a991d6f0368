"""What a node asks of its shell after a step: to be performed in order.

The shape is etcd raft's `Ready`: the core collects what is to be done, the shell does it and tells the outcome.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from discovery.messages import Request
from discovery.view import Change
from shared.wire import OwnerState


@dataclass(frozen=True)
class Send:
    """A message for the peer at `address`."""

    address: str
    message: Request


@dataclass(frozen=True)
class Changed:
    """Instances whose visible record is new, different or gone."""

    changes: tuple[Change, ...]


@dataclass(frozen=True)
class OwnerChanged:
    """A new judgement of a discovery node's boot."""

    origin: str
    state: OwnerState


@dataclass(frozen=True)
class Said:
    """Something people should know."""

    event: str
    fields: dict[str, object] = field(default_factory=dict)


Effect = Send | Changed | OwnerChanged | Said
