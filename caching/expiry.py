"""When an item of a list is past: Zowe's two hard-wired rules.

    tokens   the value is JSON with `expiresAt`, and that instant is over
    rules    the value is an instant in ms, and that is more than 90 whole days ago

`expiresAt` is what Jackson makes of a LocalDateTime: [year, month, day, hour, minute, second, nanosecond] with the last
ones left out when zero, or ISO 8601 text; without a zone it means local time, as in the original. A value that cannot
be read is kept: forgetting a revocation makes a revoked token valid again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

Rule = Literal["tokens", "rules"]

DAY_MS = 86_400_000
RULES_KEPT_DAYS = 90


class _Token(msgspec.Struct):
    expiresAt: str | list[int]  # noqa: N815


_decoder = msgspec.json.Decoder(_Token)


def past(rule: Rule, value: bytes, now_ms: int) -> bool:
    try:
        if rule == "tokens":
            return _expires_ms(value) < now_ms
        return (now_ms - int(value)) // DAY_MS > RULES_KEPT_DAYS
    except (ValueError, TypeError, OverflowError):  # msgspec's errors are ValueErrors too
        return False


def _expires_ms(value: bytes) -> int:
    given = _decoder.decode(value).expiresAt
    if isinstance(given, str):
        instant = datetime.fromisoformat(given)
    else:
        *whole, nanos = given if len(given) == 7 else [*given, 0]
        instant = datetime(*whole, microsecond=nanos // 1000)  # type: ignore[arg-type, misc]  # noqa: DTZ001
    return int(instant.timestamp() * 1000)
