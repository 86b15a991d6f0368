"""The gossip key: only processes that can read the shared volume may speak to a node as its peers.

A request carries HMAC-SHA256 over its path and body; the answer one over the request's and its own body, which binds it
to that request. The key is made at the first start, by whichever node comes first, readable by its owner only.

Not promised yet: a recorded request can be played again. It changes nothing (messages are idempotent) but is answered.
"""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

from shared.errors import ConfigError, Forbidden

HEADER = "X-Plexmesh-Mac"
KEY_BYTES = 32


class GossipKey:
    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, context: str, body: bytes) -> str:
        """`context` is the path of a request, or the request's MAC for its answer."""
        return hmac.digest(self._key, context.encode() + b"\n" + body, "sha256").hex()

    def check(self, context: str, body: bytes, mac: str) -> None:
        """Raises Forbidden."""
        if not hmac.compare_digest(self.sign(context, body), mac):
            raise Forbidden(f"{HEADER}: expected the HMAC of this message under the sysplex's gossip key")


def load(path: Path) -> GossipKey:
    """Read the key, making it if there is none; safe when several nodes do so at once. Raises ConfigError."""
    try:
        if not path.exists():
            _make(path)
        key = bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot use the gossip key: {error}") from error
    if len(key) != KEY_BYTES:
        raise ConfigError(f"{path}: the gossip key has {len(key)} bytes, expected {KEY_BYTES}")
    return GossipKey(key)


def _make(path: Path) -> None:
    """Write a whole file aside and link it into place: nobody ever reads half a key, and the first one stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secrets.token_hex(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(aside, path)
    except FileExistsError:
        pass
    finally:
        aside.unlink()
