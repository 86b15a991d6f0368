"""`python -P -m discovery`: one discovery node."""

import sys

from discovery import app
from discovery.config import DiscoveryConfig
from shared import config, lifecycle, log


async def main(life: lifecycle.Lifecycle) -> None:
    settings = config.load(DiscoveryConfig, "discovery")
    log.setup("discovery", settings.lpar)
    await app.run(settings, life)


if __name__ == "__main__":
    sys.exit(lifecycle.run(main))
