"""`python -P -m sample`: one sample instance."""

import sys

from sample import app
from sample.config import SampleConfig
from shared import config, lifecycle, log


async def main(life: lifecycle.Lifecycle) -> None:
    settings = config.load(SampleConfig, "sample")
    log.setup("sample", settings.lpar)
    await app.run(settings, life)


if __name__ == "__main__":
    sys.exit(lifecycle.run(main))
