"""The error tree, and the status each error has as an HTTP answer.

    PlexmeshError                500
    ├── BadInput                 400   what, where, what was expected
    │   └── ConfigError          exit code 2
    ├── Unauthorized             401
    ├── Forbidden                403
    ├── NotFound                 404
    ├── Conflict                 409
    ├── Gone                     410   an older process speaks, or one that has left
    ├── TooLarge                 413
    └── Unavailable              503   not now; try again or elsewhere
        └── AddressInUse         exit code 2

Errors of libraries are raised again as one of these at the edge (`raise … from error`). One middleware turns them into
answers; the form of the body is the caller's wire contract (`shared.problem` has the default, RFC 9457).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PlexmeshError(Exception):
    status = 500


class BadInput(PlexmeshError):
    status = 400


class ConfigError(BadInput):
    """A file, flag or variable that cannot be used; its text is one line a person can act on."""


class Unauthorized(PlexmeshError):
    status = 401


class Forbidden(PlexmeshError):
    status = 403


class NotFound(PlexmeshError):
    status = 404


class Conflict(PlexmeshError):
    status = 409


class Gone(PlexmeshError):
    status = 410


class TooLarge(PlexmeshError):
    status = 413


class Unavailable(PlexmeshError):
    status = 503


class AddressInUse(Unavailable, ConfigError):
    status = 503


def nearest(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'port'?)`, or nothing when no known name is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""
