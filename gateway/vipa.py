"""This gateway's place on the sysplex address (VIPA), which all gateways share by SO_REUSEPORT.

Each gateway owns a socket there; the kernel spreads new connections over those that are open, and forgets a dead
process's at once. A gateway is *in* only while it is ready, and leaves or comes back when told (drain, quiesce, hot
standby). Leaving keeps the connections it has.
"""

from __future__ import annotations

from gateway.datapath import DataPath
from gateway.listener import Listener
from shared.events import Events
from shared.net import listen


class Vipa:
    def __init__(self, path: DataPath, address: str, events: Events) -> None:
        """`address` is "host:port", or empty: there is none."""
        self.address = address
        self._path = path
        self._events = events
        self._listener: Listener | None = None

    @property
    def state(self) -> str:
        return "in" if self._listener is not None else "out"

    def enter(self) -> None:
        """Raises AddressInUse or ConfigError."""
        if self._listener is not None or not self.address:
            return
        host, _, port = self.address.rpartition(":")
        self._listener = Listener(self._path, listen(host.strip("[]"), int(port), reuse_port=True))
        self._events.emit("vipa.in", address=self.address)

    def leave(self) -> None:
        if self._listener is None:
            return
        self._listener.close()
        self._listener = None
        self._events.emit("vipa.out", address=self.address)
