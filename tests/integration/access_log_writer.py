"""A process that has exchanges to log: `python -P -m tests.integration.access_log_writer NAME COUNT FLAGS…`.

COUNT 0: a hundred a second, until SIGTERM. The flags are a gateway's. At the end it prints how many lines it wrote and
how many exchanges it dropped.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys

import uvloop

from gateway.access_log import AccessLog
from gateway.access_records import AccessRecord
from gateway.config import GatewayConfig
from shared import config, log


def a_record(id: str, status: int = 200) -> AccessRecord:
    return AccessRecord(
        0.0, b"127.0.0.1", b"GET", b"/orders/api/v1/x", 1, status, 0, 22, 0.001, 0.0009, "orders", b"/orders/api/v1",
        b"LPAR2/orders:9000", 1, "", id.encode(), b"", b"curl/8.1", b"",
    )  # fmt: skip


async def main(name: str, count: int, flags: list[str]) -> None:
    settings = config.load(GatewayConfig, "gateway", flags)
    log.setup("gateway", settings.lpar)
    access, ended = AccessLog(settings), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    number = 0
    while number < count or (not count and not ended.is_set()):
        for _ in range(10):
            number += 1
            access.add(a_record(f"{name}-{number}"))
        await asyncio.sleep(0.1 if not count else 0.001)
    await access.stop()
    print(json.dumps({"added": number, "written": access.written, "dropped": access.dropped}))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
