"""Who calls: the owner of the entries a request is about.

Without TLS nobody can prove a name, so it is what the caller says in `X-CS-Service-ID`, and alone: a certificate's
name in a header would be a claim dressed up as a proof. The gateway's own id is refused from anybody who came through
a gateway (`X-Forwarded-For`): the gateway itself calls directly.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.errors import Forbidden, PlexmeshError

HEADER = "X-CS-Service-ID"
FORWARDED = "X-Forwarded-For"
GATEWAY = "gateway"
MAX_CHARACTERS = 255


class NoCaller(PlexmeshError):
    status = 401


def owner(named: Sequence[str], *, forwarded: bool) -> str:
    """`named`: the header's values, one per line of the request. Raises NoCaller or Forbidden."""
    if len(named) != 1 or not named[0].strip():
        raise NoCaller(f"Say who you are, once, in the header {HEADER}")
    name = named[0].strip()
    if len(name) > MAX_CHARACTERS or not name.isprintable():
        raise NoCaller(f"{HEADER} has to be at most {MAX_CHARACTERS} printable characters")
    if forwarded and name.casefold() == GATEWAY:
        raise Forbidden(f"The id {GATEWAY!r} is not for callers from outside")
    return name
