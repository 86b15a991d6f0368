"""The gossip keys: who may speak to a discovery node as its peer.

A ring is the text of `<data>/volume/gossip.key`: one key a line, 64 hex digits; blank lines and lines that begin with
`#` do not count. The **first** key signs, **every** key is accepted. So keys are changed without stopping anything,
with the running nodes looking at the file every 5 s (a moment of 10 s between two steps is enough):

    install   add the new key as a further line            everybody accepts it, nobody signs with it
    use       move its line to the top                     everybody signs with it, the old one is still accepted
    remove    delete the old key's line                    the old one is worth nothing any more

A key is named on the wire by an id that tells nothing about it.

Source: HashiCorp Serf's key ring (install, use, remove); RFC 2104.

Not here: the file (`discovery.keyfile`), what is signed (`discovery.auth`).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from shared.errors import BadInput

KEY_BYTES = 32
BLOCK_BYTES = 64

KEY_IDS = b"plexmesh gossip key id"


class Mac:
    """HMAC-SHA256 under one key: the two hashes of its pads are made once and copied, which costs half of `hmac.digest`
    (with cold caches, as between two messages, a good deal less)."""

    def __init__(self, key: bytes) -> None:
        """`key` is no longer than a block of SHA-256, 64 bytes."""
        padded = key.ljust(BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))

    def hex(self, data: bytes) -> str:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(data)
        outer.update(inner.digest())
        return outer.hexdigest()


class KeyRing:
    """At least one key, in the order of the file."""

    def __init__(self, keys: list[bytes]) -> None:
        self._macs = {key_id(key): Mac(key) for key in keys}
        self.ids = list(self._macs)
        self._signing = self._macs[self.ids[0]]

    def sign(self, data: bytes) -> tuple[str, str]:
        """The signing key's id, and HMAC-SHA256 of the data under it in hex."""
        return self.ids[0], self._signing.hex(data)

    def accepts(self, id: str, mac: str, data: bytes) -> bool:
        key = self._macs.get(id)
        if key is None or not mac.isascii():
            return False
        return hmac.compare_digest(key.hex(data), mac)


def key_id(key: bytes) -> str:
    return hmac.digest(key, KEY_IDS, "sha256").hex()[:12]


def new_key() -> str:
    return secrets.token_hex(KEY_BYTES)


def parse(text: str) -> KeyRing:
    """Raises BadInput that names the line; never repeats what the line holds."""
    keys: list[bytes] = []
    for number, line in enumerate(text.splitlines(), 1):
        given = line.strip()
        if not given or given.startswith("#"):
            continue
        try:
            key = bytes.fromhex(given)
        except ValueError as error:
            raise BadInput(
                f"line {number}: expected a key of {2 * KEY_BYTES} hex digits, found other characters"
            ) from error
        if len(key) != KEY_BYTES:
            raise BadInput(f"line {number}: expected a key of {2 * KEY_BYTES} hex digits, found {2 * len(key)}")
        keys.append(key)
    if not keys:
        raise BadInput("no key: expected one a line, the first signs")
    return KeyRing(keys)
