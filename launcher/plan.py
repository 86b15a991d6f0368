"""What `up` is going to run, derived from plexmesh.yaml, and whether this machine can."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from launcher import control, listeners
from launcher.place import Program
from launcher.spec import place_variables
from shared import exposure
from shared.config import ServiceConfig
from shared.errors import AddressInUse, ConfigError, PlexmeshError
from shared.net import listen
from shared.plexfile import Plexfile


@dataclass(frozen=True)
class Plan:
    file: Plexfile
    data: Path
    program: Program

    @property
    def address(self) -> tuple[str, int]:
        """Where `up` itself answers."""
        return exposure.split(self.file.address)

    def environment(self, lpar: str) -> dict[str, str]:
        """What that LPAR's launcher is told."""
        place = ServiceConfig(
            sysplex=self.file.sysplex,
            lpar=lpar,
            host=self.file.lpars[lpar].hostname,
            data=self.data,
            vipa=self.file.vipa,
            discovery=self.file.discovery_urls(lpar),
            tls=self.file.tls,
        )
        own = {"PLEXMESH_LAUNCHER_ECHO": "false", "PLEXMESH_UP": self.file.url}
        return dict(os.environ) | place_variables(self.file, place) | own

    def addresses(self, lpars: Iterable[str]) -> Iterator[tuple[str, int]]:
        """Everything that these LPARs will listen on."""
        yield from listeners.of_lpars(self.file, lpars, os.environ)

    def exposed(self) -> list[str]:
        """What of it others can reach in plain, which is allowed. Raises ConfigError: it is not."""
        return listeners.exposed(self.file, os.environ)

    def check_all_addresses(self) -> None:
        """As `check_addresses`, `up`'s own and the sysplex address too."""
        self._check(listeners.of_sysplex(self.file))
        self.check_addresses(self.file.lpars)

    def check_addresses(self, lpars: Iterable[str]) -> None:
        """Bind each one plainly once: a gateway's shared socket would hide that somebody else listens there.

        Raises ConfigError, naming the sysplex that has the address if it is one.
        """
        self._check(self.addresses(lpars))

    def _check(self, addresses: Iterable[tuple[str, int]]) -> None:
        for host, port in addresses:
            try:
                listen(host, port).close()
            except AddressInUse as error:
                raise (self._whose(f"{host}:{port}") or error) from error

    def _whose(self, address: str) -> ConfigError | None:
        try:
            whose = control.Control(self.file.url).whose()
        except PlexmeshError:
            return None
        stop = self.program.with_data(whose.data, "down")
        return ConfigError(
            f"{address} is in use by sysplex {whose.sysplex} of {whose.data} (pid {whose.pid}); stop it: {stop}"
        )
