"""The access log: one record per exchange, taken on the loop, written by a thread.

    exchange ends ──add──► ring ──every 0.25 s──► writer thread ──► <data>/LPARn/logs/gateway-access.log

`add` never waits, raises or formats: it puts the record into the ring. The first record after rest sets a timer; at its
end the whole ring is handed to the thread, if it is done with the one before. So memory is bounded by two rings, and an
idle gateway has no timer and no thread that turns.

    busy                 each k-th is recorded and says so (`access_sampling`); failed exchanges all are
    ring full            the record is dropped and counted; one line in the log says so per burst
    file not writable    said once; tried again after 5 s, records are dropped and counted meanwhile

Lines of one process are in the order in which exchanges ended.

Python runs one thread at a time: while the writer makes lines, requests wait. Therefore it makes a few at a time and
rests after them.

Not here: the lines (`access_records`), the file, its size and its other writers (`access_file`).
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from queue import SimpleQueue

from gateway.access_file import AppendedFile
from gateway.access_records import FORMS, AccessRecord, Line, failed
from gateway.access_sampling import Sampling
from gateway.config import GatewayConfig

log = logging.getLogger("plexmesh.gateway.access")

NAME = "gateway-access.log"

FLUSH_S = 0.25
STOP_S = 2.0
"""How long the end of the gateway waits for a disk."""
RETRY_S = 5.0

MIN_RING, MAX_RING = 1024, 65_536

SLICE = 16
"""Lines made at a time, about 0.1 ms."""
REST_S = 0.001


class AccessLog:
    """`sampling.skip` is counted down by exchanges themselves; see `access_sampling`."""

    def __init__(self, config: GatewayConfig) -> None:
        form = config.access_log
        self.sampling = Sampling(0 if form == "off" else config.access_log_per_s)
        self._capacity = min(max(MIN_RING, 2 * config.access_log_per_s), MAX_RING)
        self._ring: list[AccessRecord] = []
        self._overflowed = self._overflowed_before = 0
        """Exchanges whose record found no room; the same at the flush before."""
        self._bursting = False
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._writer: Writer | None = None
        if form != "off":
            path = config.data / config.lpar / "logs" / NAME
            self._writer = Writer(AppendedFile(path, config.access_log_max_bytes), FORMS[form])

    @property
    def written(self) -> int:
        """Lines."""
        return self._writer.file.lines if self._writer else 0

    @property
    def dropped(self) -> int:
        """Exchanges that should have a line, or be stood for by one, and have none."""
        return self._overflowed + (self._writer.dropped if self._writer else 0)

    def add(self, record: AccessRecord) -> None:
        if self._writer is None:
            return
        if self._timer is None:
            self._wake()
        if not failed(record.status):
            record.stands_for = self.sampling.take()
        if len(self._ring) < self._capacity:
            record.shorten()
            self._ring.append(record)
        else:
            self._overflowed += record.stands_for

    def _wake(self) -> None:
        self.sampling.turn(time.monotonic())
        self._timer = self._loop.call_later(FLUSH_S, self._flush)

    def _flush(self) -> None:
        self._timer = None
        self._say_overflow()
        if self._ring or self.sampling.skipping:
            self._hand_over()
            self._wake()

    def _hand_over(self) -> None:
        if self._ring and self._writer is not None and not self._writer.busy:
            batch, self._ring = self._ring, []
            self._writer.give(batch)

    def _say_overflow(self) -> None:
        overflows = self._overflowed > self._overflowed_before
        if overflows and not self._bursting:
            log.warning("access_log.overflow", extra={"fields": {"records": self._capacity}})
        self._bursting, self._overflowed_before = overflows, self._overflowed

    async def stop(self) -> None:
        """What is in the ring is written, unless the disk takes too long."""
        if self._timer is not None:
            self._timer.cancel()
        if self._writer is None:
            return
        self._capacity = 0
        batch, self._ring = self._ring, []
        if batch:
            self._writer.give(batch)
        if not await self._loop.run_in_executor(None, self._writer.end, STOP_S):
            log.warning("access_log.unfinished", extra={"fields": {"waited_s": STOP_S}})


class Writer:
    """The thread, begun with its first batch. A daemon, because a disk that hangs must not hold the process."""

    def __init__(self, file: AppendedFile, line: Line) -> None:
        self.file = file
        self.dropped = 0
        self.busy = False
        """Set by who gives a batch, cleared when it is written."""
        self._line = line
        self._batches: SimpleQueue[list[AccessRecord] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
        self._again_at = 0.0
        self._failing = False

    def give(self, batch: list[AccessRecord]) -> None:
        if self._thread.ident is None:
            self._thread.start()
        self.busy = True
        self._batches.put(batch)

    def end(self, wait_s: float) -> bool:
        """After what was given; False when that takes longer. Blocks."""
        if self._thread.ident is None:
            return True
        self._batches.put(None)
        self._thread.join(wait_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (batch := self._batches.get()) is not None:
            for at in range(0, len(batch), SLICE):
                if at:
                    time.sleep(REST_S)
                self._write_or_drop(batch[at : at + SLICE])
            self.busy = False
        self.file.close()

    def _write_or_drop(self, records: list[AccessRecord]) -> None:
        before = self.file.lines
        if not self._failing or time.monotonic() >= self._again_at:
            try:
                self._write(records)
                return
            except OSError as error:
                self._failed(str(error))
            except Exception:  # the thread goes on whatever a record holds
                log.exception("access_log.defect")
                self._failed("a defect")
        self.dropped += sum(each.stands_for for each in records[self.file.lines - before :])

    def _write(self, records: list[AccessRecord]) -> None:
        wall_s = time.time() - time.monotonic()
        self.file.append(b"".join([self._line(each, wall_s) for each in records]))
        if self._failing:
            self._failing = False
            log.info("access_log.resumed", extra={"fields": {"dropped": self.dropped}})

    def _failed(self, why: str) -> None:
        self._again_at = time.monotonic() + RETRY_S
        if not self._failing:
            self._failing = True
            log.error("access_log.failed", extra={"fields": {"file": str(self.file.path), "why": why}})
