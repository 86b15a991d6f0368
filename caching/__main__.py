"""`python -P -m caching`: one caching instance."""

import sys

from caching import app
from caching.config import CachingConfig
from shared import config, lifecycle, log


async def main(life: lifecycle.Lifecycle) -> None:
    settings = config.load(CachingConfig, "caching")
    log.setup("caching", settings.lpar)
    await app.run(settings, life)


if __name__ == "__main__":
    sys.exit(lifecycle.run(main))
