"""Errors in Zowe's words: which message an error is answered with.

The numbers and keys are the wire contract of Zowe's Caching Service; a case the original does not have gets the number
of the case nearest to it.
"""

from __future__ import annotations

from caching.caller import NoCaller
from caching.refusals import Changed, Corrupt, Exists, Full, Missing, OutcomeUnknown, ValueTooLong
from shared.errors import BadInput, Forbidden, PlexmeshError, TooLarge, Unavailable
from shared.zowe import COMMON_KEY, Message

KEY = "org.zowe.apiml.cache."

NOT_VALID = Message(
    "ZWECS130E", KEY + "invalidPayload", "The payload cannot be stored.", "Send JSON with a key and a value as text."
)
TOO_MANY = Message(
    "ZWECS130E", KEY + "invalidPayload", "The entries are too many for one answer.", "Read them in pages."
)
NOT_THERE = Message(
    "ZWECS131E", KEY + "keyNotInCache", "The cache does not hold this key.", "Create the key, or use one that is there."
)
IS_THERE = Message(
    "ZWECS133E", KEY + "keyCollision", "The key is in the cache already.", "Replace or delete it, or use another key."
)
NOT_THE_ONE = Message(
    "ZWECS133E",
    KEY + "keyCollision",
    "The entry is not the one that the condition names.",
    "Read it again, and decide anew with its ETag.",
)
NO_SPACE = Message(
    "ZWECS134E",
    KEY + "insufficientStorage",
    "The storage is full.",
    "Delete entries, give the storage more room, or choose the eviction strategy removeOldest.",
)
NO_ANSWER = Message(
    "ZWECS152E",
    KEY + "errorQueryingStorage",
    "The storage did not do what it was asked.",
    "Try again; see the health page of the caching service.",
)
WHO = Message(
    "ZWECS702W",
    KEY + "missingCertificate",
    "The caller is not known.",
    "Name the calling service in X-CS-Service-ID.",
    type="WARNING",
)
DEFECT = Message(
    "ZWEAM701E",
    COMMON_KEY + "internalRequestError",
    "The caching service has a defect.",
    "Tell its administrator.",
)

BY_ERROR: dict[type[PlexmeshError], Message] = {
    BadInput: NOT_VALID,
    TooLarge: TOO_MANY,
    ValueTooLong: NOT_VALID,
    Missing: NOT_THERE,
    Exists: IS_THERE,
    Changed: NOT_THE_ONE,
    Full: NO_SPACE,
    NoCaller: WHO,
    Forbidden: WHO,
    Corrupt: NO_ANSWER,
    Unavailable: NO_ANSWER,
    OutcomeUnknown: NO_ANSWER,
}


def message_of(error: PlexmeshError) -> Message:
    """The message of the error's own class, or of the nearest above it."""
    return next((BY_ERROR[each] for each in type(error).__mro__ if each in BY_ERROR), DEFECT)


def status_of(error: PlexmeshError, oversize_status: int = 413) -> int:
    return oversize_status if isinstance(error, ValueTooLong) else error.status
