"""`python -P -m gateway`: a gateway, which is a parent and its workers."""

from __future__ import annotations

import sys

from gateway.app import load, main
from shared import log
from shared.lifecycle import Lifecycle, run


async def _main(lifecycle: Lifecycle) -> None:
    config = load()
    log.setup("gateway", config.lpar)
    await main(lifecycle, config)


if __name__ == "__main__":
    sys.exit(run(_main))
