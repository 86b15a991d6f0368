"""Where things stand in Redis: keys as bytes, all below plexmesh:SYSPLEX:

    about                  format of all the rest           owners     who has written (set)
    {OWNER}:u              what the owner uses, and the number of its last write (hash)
    {OWNER}:eKEY           an entry (hash)                  {OWNER}:iMAP KEY   an item of a list (hash)
    {OWNER}:k              keys of its entries              {OWNER}:lMAP       keys of a list's items
    {OWNER}:a              its entries by age               {OWNER}:m          names of its lists
    {OWNER}:x              what expires when: `member` by ms

OWNER and MAP are written with their length before them, so that no two names run together. All keys of an owner begin
alike up to the first }, so they are in one hash slot, whatever the owner is called. What stands behind {OWNER}: is the
`member` of an entry: its name below the owner.
"""

from __future__ import annotations

from caching.entries import Name


class Keys:
    def __init__(self, sysplex: str) -> None:
        self._root = f"plexmesh:{sysplex}:".encode()
        self.about = self._root + b"about"
        self.owners = self._root + b"owners"

    def base(self, owner: str) -> bytes:
        return self._root + b"{" + counted(owner) + b"}:"

    def entry(self, name: Name) -> bytes:
        return self.base(name.owner) + member(name)

    def index(self, owner: str, map: str | None) -> bytes:
        """Keys in their order: of the owner's entries, or of one list."""
        return self.base(owner) + (b"k" if map is None else b"l" + counted(map))

    def maps(self, owner: str) -> bytes:
        return self.base(owner) + b"m"

    def usage(self, owner: str) -> bytes:
        return self.base(owner) + b"u"

    def due(self, owner: str) -> bytes:
        return self.base(owner) + b"x"


def member(name: Name) -> bytes:
    return b"e" + name.key.encode() if name.map is None else b"i" + counted(name.map) + name.key.encode()


def counted(text: str) -> bytes:
    data = text.encode()
    return b"%d:%b" % (len(data), data)


def bounds(prefix: str, after: str | None) -> tuple[bytes, bytes]:
    """Of ZRANGEBYLEX: keys that begin with `prefix`, behind the key `after`. No byte of UTF-8 text is 0xff."""
    start = prefix.encode()
    behind = None if after is None else after.encode()
    low = b"(" + behind if behind is not None and behind >= start else b"[" + start
    return low, b"(" + start[:-1] + bytes([start[-1] + 1]) if start else b"+"
