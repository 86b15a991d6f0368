"""Calls to the other discovery nodes: one HTTP POST of msgpack per message, signed, over kept-alive connections.

Not here: what to send and when (`discovery.node`); answering peers (`discovery.api`).
"""

from __future__ import annotations

import aiohttp

from discovery.auth import HEADER, GossipKey
from discovery.config import DiscoveryConfig
from discovery.messages import Envelope, Reply, Request, Sync, Touch, decode, encode
from shared.errors import PlexmeshError
from shared.net import connector

MSGPACK = "application/msgpack"


class PeerFailure(Exception):
    """No usable answer; `refused`: the connection was refused or broken, nobody listens there."""

    def __init__(self, reason: str, refused: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused


class Peers:
    def __init__(self, config: DiscoveryConfig, key: GossipKey) -> None:
        self._config = config
        self._key = key
        self._session = aiohttp.ClientSession(connector=connector(config.host))

    async def close(self) -> None:
        await self._session.close()

    async def call(self, address: str, origin: str, message: Request) -> tuple[str, Reply]:
        """Send one message; returns the answering node's origin and its reply. Raises PeerFailure."""
        path = f"/peer/v1/{_kind(message)}"
        body = encode(self._config.sysplex, origin, message)
        mac = self._key.sign(path, body)
        total_s = self._config.sync_timeout_s if isinstance(message, Sync) else self._config.push_timeout_s
        try:
            async with self._session.post(
                address + path,
                data=body,
                headers={"Content-Type": MSGPACK, HEADER: mac},
                timeout=aiohttp.ClientTimeout(total=total_s),
            ) as answer:
                data = await answer.read()
        except TimeoutError as error:
            raise PeerFailure(f"silent for {total_s} s") from error
        except (aiohttp.ClientConnectionError, OSError) as error:
            raise PeerFailure(str(error) or type(error).__name__, refused=True) from error
        except aiohttp.ClientError as error:
            raise PeerFailure(f"no HTTP answer: {error}") from error
        if answer.status != 200:
            raise PeerFailure(f"answered {answer.status}: {data[:200].decode(errors='replace')}")
        return self._read(mac, data, answer.headers.get(HEADER, ""))

    def _read(self, mac: str, data: bytes, said_mac: str) -> tuple[str, Reply]:
        try:
            self._key.check(mac, data, said_mac)
            envelope: Envelope = decode(self._config.sysplex, data)
        except PlexmeshError as error:
            raise PeerFailure(str(error)) from error
        if isinstance(envelope.body, Request):
            raise PeerFailure("answered with a request")
        return envelope.origin, envelope.body


def _kind(message: Request) -> str:
    return "sync" if isinstance(message, Sync) else "touch" if isinstance(message, Touch) else "push"
