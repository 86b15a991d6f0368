"""Where a configuration listens: every component, the launchers, `up`, and the sysplex address.

A user's program is taken to listen on its LPAR's address; what it really does is its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from shared import exposure
from shared.config import bind_of
from shared.exposure import Listener
from shared.plexfile import COMPONENTS, Plexfile

LAUNCHER = "launcher"


def of_lpars(file: Plexfile, lpars: Iterable[str], environ: Mapping[str, str]) -> Iterator[Listener]:
    for lpar in lpars:
        yield from of_lpar(file, lpar, file.lpars[lpar].hostname, (LAUNCHER, *file.enabled(lpar)), environ)


def of_lpar(
    file: Plexfile, lpar: str, host: str, names: Iterable[str], environ: Mapping[str, str]
) -> Iterator[Listener]:
    """Of these components of it; `host` is its address, `environ` what its launcher is told."""
    for name in names:
        for each in _told(file, name, lpar, environ) or (host,):
            yield each, file.port(name, lpar)


def of_sysplex(file: Plexfile) -> list[Listener]:
    """`up`'s own, and the sysplex address."""
    return [exposure.split(file.address), exposure.split(file.vipa)]


def exposed(file: Plexfile, environ: Mapping[str, str]) -> list[str]:
    """What of all this others can reach in plain, which is allowed. Raises ConfigError: it is not."""
    everything = [*of_sysplex(file), *of_lpars(file, file.lpars, environ)]
    return exposure.check(everything, tls=file.tls, allowed=file.allow_insecure)


def _told(file: Plexfile, name: str, lpar: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Its `bind`, which only what is ours knows."""
    if name not in (LAUNCHER, *COMPONENTS) or "command" in file.component(name, lpar):
        return ()
    told = dict(environ) | dict(file.entry(lpar).environments if name != LAUNCHER else {})
    return bind_of(file, name, lpar, told)
