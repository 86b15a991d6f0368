"""A watcher's place in the registry, valid at any node: how far each origin's log goes, and how much of it is hidden.

What is visible is a function of the logs and of what is hidden of them (`discovery.view`), and whole copies of one log
are the same up to a position wherever they are. So who holds the set of a token and takes in what `changed_since` names
has the set of this node, exactly: an instance may differ only if some origin's record of it is new since the token, or
was hidden then and is not now, or the other way round.

    this node lacks what the token has       it is behind: wait
    a tombstone since the token may be gone  too old: only the whole set will do
    else                                     the instances named, as they are now

A copy that has come in part only is not the log as it was at its end (`discovery.space`). A token taken there names the
place up to which it was whole, which is where to go on from, and how much further it was seen, which a node must have.

Written `LPAR1@1790000000000:17,LPAR2@1790000000001:4+2:90`: origin, position, how much further, the longest hidden
lease; the last two where there are any. An empty registry's is `0`; empty logs are left out.

Not here: the stream (`discovery.watch`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from discovery.space import Space
from shared.errors import BadInput

MAX_TOKEN_CHARS = 8192
MAX_CHANGED = 20_000
"""Of more instances than this the whole set costs less."""

SHOWN = -1
EMPTY = "0"

_PLACE = re.compile(r"([^,\s]{1,255}@[0-9]{1,20}):([0-9]{1,20})(?:\+([0-9]{1,20}))?(?::([0-9]{1,10}))?")


class Place(NamedTuple):
    """How far one log goes, the longest lease whose records in it are hidden (`SHOWN`: none), and how much further it
    was seen in part."""

    seq: int
    hidden: int = SHOWN
    further: int = 0


NOTHING = Place(0)

Token = Mapping[str, Place]


def token_at(spaces: Mapping[str, Space], hidden: Mapping[str, int]) -> dict[str, Place]:
    """The token of what is visible now."""
    return {
        origin: Place(space.whole_seq, hidden.get(origin, SHOWN), space.max_seq - space.whole_seq)
        for origin, space in spaces.items()
        if space.max_seq
    }


def formatted(token: Token) -> str:
    return ",".join(_written(origin, *place) for origin, place in sorted(token.items())) or EMPTY


def _written(origin: str, seq: int, hidden: int, further: int) -> str:
    return f"{origin}:{seq}{f'+{further}' if further else ''}{f':{hidden}' if hidden != SHOWN else ''}"


def parsed(text: str) -> dict[str, Place]:
    """Raises BadInput."""
    if len(text) > MAX_TOKEN_CHARS:
        raise BadInput(f"token: {len(text)} characters, expected at most {MAX_TOKEN_CHARS}")
    if text == EMPTY:
        return {}
    token = {}
    for part in text.split(","):
        found = _PLACE.fullmatch(part)
        if found is None:
            raise BadInput(f"token: {part!r}, expected origin:position as in a mark's id")
        origin, seq, further, hidden = found.groups()
        token[origin] = Place(int(seq), SHOWN if hidden is None else int(hidden), int(further or 0))
    return token


def behind(token: Token, spaces: Mapping[str, Space]) -> list[str]:
    """The origins of whose log the token has more than this node has whole."""
    return [origin for origin, place in token.items() if not _has(spaces.get(origin), place)]


def _has(space: Space | None, place: Place) -> bool:
    return space is not None and space.whole_seq >= place.seq + place.further


def changed_since(
    token: Token, spaces: Mapping[str, Space], hidden: Mapping[str, int], service: str | None = None
) -> dict[str, str] | None:
    """The instances that may differ since the token (key to service), or None: that cannot be told, or is too much.

    `service`: only of that one. Costs what it returns, but for origins hidden to another degree than then: those are
    looked through. None, too, of a node that is `behind`.
    """
    changed: dict[str, str] = {}
    if behind(token, spaces):
        return None
    for origin, space in spaces.items():
        seq, then, _ = token.get(origin, NOTHING)
        now = hidden.get(origin, SHOWN)
        if seq < space.gc_seq and seq:
            return None
        for record in reversed(space.items.values()):
            if record.seq <= seq or len(changed) > MAX_CHANGED:
                break
            changed[record.key] = record.service
        if now != then:
            low, high = min(now, then), max(now, then)
            changed |= {r.key: r.service for r in space.items.values() if r.live and low < r.lease_s <= high}
        if len(changed) > MAX_CHANGED:
            return None
    if service is not None:
        return {key: of for key, of in changed.items() if of == service}
    return changed
