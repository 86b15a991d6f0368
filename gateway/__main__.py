"""`python -P -m gateway`: one gateway process."""

from __future__ import annotations

import sys

from gateway.app import main
from gateway.config import GatewayConfig
from shared import config, log
from shared.lifecycle import Lifecycle, run


async def _main(lifecycle: Lifecycle) -> None:
    settings = config.load(GatewayConfig, "gateway")
    log.setup("gateway", settings.lpar)
    await main(lifecycle, settings)


if __name__ == "__main__":
    sys.exit(run(_main))
