"""What the server's errors mean: whether the command was done, and what is to be done about it.

    AGAIN     it was not done, and may be elsewhere or a little later: the connection is given up, the call waits
    NOSCRIPT  it was not done; load the script and send it again
    else      it was not done: Unavailable, VolumeFull (no memory), Corrupt (the key holds something else)

A script checks all of this before its first change, so none of these leaves half a write.

Source: Redis' error codes (READONLY, LOADING, MASTERDOWN, NOREPLICAS, MISCONF, OOM, BUSY, WRONGTYPE, NOPERM).
"""

from __future__ import annotations

import re

from redis import exceptions as theirs

from caching.refusals import Corrupt, VolumeFull
from shared.errors import PlexmeshError, Unavailable

AGAIN = (theirs.ReadOnlyError, theirs.BusyLoadingError, theirs.MasterDownError)
NOSCRIPT = theirs.NoScriptError
CUT = (theirs.ConnectionError, theirs.TimeoutError, theirs.InvalidResponse, OSError, TimeoutError)
"""The connection is of no more use; whether what was sent on it was done is not known."""

REASONS = {
    "NOREPLICAS": "too few replicas are connected (min-replicas-to-write)",
    "MISCONF": "the server cannot write to its disk and refuses writes",
    "BUSY": "the server is busy with a script",
    "READONLY": "the server has become a replica",
    "LOADING": "the server is loading its data",
    "MASTERDOWN": "the server has lost its master",
    "CLUSTERDOWN": "the cluster is down",
    "NOPERM": "the user may not do this",
    "NOAUTH": "the server wants a password",
}
FORBIDDEN = REASONS["NOPERM"]
CODE = re.compile(rf"\b({'|'.join(REASONS)})\b")


def waits(error: Exception) -> str:
    """Why it may be tried again; empty: it may not."""
    if isinstance(error, theirs.ReadOnlyError):
        return REASONS["READONLY"]
    if isinstance(error, theirs.BusyLoadingError):
        return REASONS["LOADING"]
    return REASONS["MASTERDOWN"] if isinstance(error, theirs.MasterDownError) else ""


def meaning(error: Exception) -> PlexmeshError:
    """Of an answer that the command was not done."""
    if why := waits(error):
        return Unavailable(f"Redis: {why}; nothing was changed")
    text = str(error)
    if isinstance(error, theirs.OutOfMemoryError) or text.startswith("OOM"):
        return VolumeFull("Redis has no memory left (maxmemory); nothing was changed")
    if "WRONGTYPE" in text or "DAMAGED" in text:
        return Corrupt("what this key holds in Redis is not an entry")
    if isinstance(error, theirs.NoPermissionError):
        return Unavailable(f"Redis: {FORBIDDEN}; nothing was changed")
    if isinstance(error, theirs.AuthenticationError):
        return Unavailable(f"Redis: {REASONS['NOAUTH']}, or another one; nothing was changed")
    if (found := CODE.search(text)) is not None:
        return Unavailable(f"Redis: {REASONS[found[1]]}; nothing was changed")
    return PlexmeshError(f"Redis refuses the command: {text[:200]}")
