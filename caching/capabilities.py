"""What a backend promises, in words that the health page, the documentation and the tests share.

The contract suite proves for every backend what it declares here; what it does not declare nobody may rely on.
"""

from __future__ import annotations

from typing import Literal

import msgspec

AckedLoss = Literal["none", "window", "all"]
Watch = Literal["none", "lossy", "gap-free"]


class Capabilities(msgspec.Struct, frozen=True, rename="camel"):
    shared: bool
    """Every instance of the sysplex sees the same entries."""
    durable: bool
    """An acknowledged write is on a disk."""
    linearizable: bool
    """All reads and writes of a key have one order, which agrees with real time."""
    acked_loss: AckedLoss
    """What a failure of instances or servers can take of the acknowledged writes."""
    ordered: bool
    """Pages are in the byte order of the keys, whatever their length; else in an order that stays the same."""
    watch: Watch
    total_limit: bool
    """`size`, over all owners, is kept; else only the quota of each owner is."""
    max_value_bytes: int
    simulated: str | None
    """What is simulated, in a sentence; None: all of it is real."""
    remark: str
    """The honest sentence: what it is, and what it can lose."""
