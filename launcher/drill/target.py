"""What a drill is done to: a sysplex that takes the orders people give. Two kinds: here (`local`), or in containers.

Methods are synchronous and return when the order is done, as the command's do; a drill calls them in threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import aiohttp

from launcher.secure import Credentials
from shared import wire
from shared.errors import PlexmeshError

EVERYTHING = ""


class NotHere(PlexmeshError):
    """This target cannot do that; the text says which can."""


class Target(Protocol):
    kind: str
    """local or compose."""

    credentials: Credentials | None
    """None: it speaks no TLS."""

    def status(self) -> wire.SysplexStatus: ...

    def order(self, lpar: str, action: str) -> None:
        """kill, pause, resume, stop, start."""

    def order_component(self, lpar: str, component: str, action: str) -> None: ...

    def partition(self, lpar: str) -> None:
        """Cut it off from the other LPARs; its users still reach it."""

    def silence(self, lpar: str) -> None:
        """Cut it off from everybody."""

    def heal(self, lpar: str) -> None: ...

    def rolling(self, lpar: str, component: str) -> Iterator[str]:
        """Restart everything, an LPAR, or one component one after the other; what it does, in words."""

    def add(self, lpar: str) -> None:
        """One more LPAR, without a restart of the others."""

    def event_urls(self) -> dict[str, str]:
        """Whose /application/events tell what happens: the LPAR ("" for the sysplex' own), and the base URL."""


def connector(target: Target) -> aiohttp.TCPConnector:
    """For calls to its processes, with the command's certificate where they speak TLS."""
    return aiohttp.TCPConnector(ssl=target.credentials.holder if target.credentials else True)
