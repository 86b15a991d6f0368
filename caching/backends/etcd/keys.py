"""Where things stand in etcd: keys as bytes, all below /PREFIX/SYSPLEX/.

    about                             format of all the rest
    e/OWNER KEY                       an entry           l/OWNER MAP KEY   an item of a list
    u/OWNER                           what an owner uses
    x/EXPIRES e/… or l/…              what expires when: 13 digits (ms), then the entry's own key
    i/INSTANCE                        the last batch of an instance

OWNER and MAP are written with their length before them, so that no two names run together; keys stay in the order of
their bytes.
"""

from __future__ import annotations

from typing import NamedTuple

from caching.entries import Name


class Range(NamedTuple):
    """Keys from `start`, before `end`."""

    start: bytes
    end: bytes


class Keys:
    def __init__(self, prefix: str, sysplex: str) -> None:
        self._root = f"/{prefix}/{sysplex}/".encode()
        self.about = self._root + b"about"

    def entry(self, name: Name) -> bytes:
        return self.space(name.owner, name.map) + name.key.encode()

    def space(self, owner: str, map: str | None = None) -> bytes:
        """What an owner's entries, or the items of one list, begin with."""
        if map is None:
            return self._root + b"e/" + _counted(owner)
        return self.lists(owner) + _counted(map)

    def lists(self, owner: str) -> bytes:
        return self._root + b"l/" + _counted(owner)

    def map_of(self, owner: str, key: bytes) -> str:
        """The list of the item with that key."""
        rest = key[len(self.lists(owner)) :]
        length, _, rest = rest.partition(b":")
        return rest[: int(length)].decode()

    def usage(self, owner: str) -> bytes:
        return self._root + b"u/" + owner.encode()

    def due(self, expires_ms: int, entry: bytes) -> bytes:
        return self._root + b"x/%013d" % expires_ms + entry[len(self._root) :]

    def due_until(self, now_ms: int) -> Range:
        return Range(self._root + b"x/", self._root + b"x/%013d" % (now_ms + 1))

    def due_of(self, key: bytes) -> bytes:
        """The entry's key, of a key in the index."""
        return self._root + key[len(self._root) + 2 + 13 :]

    def instance(self, name: str) -> bytes:
        return self._root + b"i/" + name.encode()


def below(prefix: bytes) -> Range:
    return Range(prefix, prefix[:-1] + bytes([prefix[-1] + 1]))


def _counted(text: str) -> bytes:
    data = text.encode()
    return b"%d:%b" % (len(data), data)
