"""What is found of a token that somebody shows. Plain data: a worker may be told it as well.

    Valid         genuine, not expired, not revoked; `operator`: whose it is may give orders
    TooOld        genuine, and its time is over
    NotOurs       anything else that cannot be believed
    Revoked       its user has logged out
    NotKnown      whether it was revoked cannot be found out now: whoever asks must not go on

Not here: how it is found (`service`).
"""

from __future__ import annotations

import msgspec

from gateway.login.tokens import Token


class Valid(msgspec.Struct, tag=True, frozen=True):
    token: Token
    operator: bool = False


class TooOld(msgspec.Struct, tag=True, frozen=True):
    token: Token


class NotOurs(msgspec.Struct, tag=True, frozen=True):
    pass


class Revoked(msgspec.Struct, tag=True, frozen=True):
    pass


class NotKnown(msgspec.Struct, tag=True, frozen=True):
    why: str


Verdict = Valid | TooOld | NotOurs | Revoked | NotKnown
