"""Log lines: one JSON object a line for machines, a readable line on a terminal (or with PLEXMESH_LOG=text).

An event has a dotted name as its message and its values in `extra={"fields": {…}}`:

    log.info("lease.expired", extra={"fields": {"instance": "orders-1", "age_s": 15.2}})
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from typing import Any


def setup(service: str, lpar: str, handler: logging.Handler | None = None) -> None:
    """Send everything at INFO to standard error, or to `handler`. Called once, first, by each process."""
    form = os.environ.get("PLEXMESH_LOG") or ("text" if handler is None and sys.stderr.isatty() else "json")
    handler = handler or logging.StreamHandler()
    handler.setFormatter(_Text(service, lpar) if form == "text" else _Json(service, lpar))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    logging.getLogger("aiohttp.server").addFilter(_without_quotes)


MALFORMED = {"HttpProcessingError", "RequestPayloadError"}
"""What aiohttp raises for a request that is no HTTP; by name, because not every process needs aiohttp."""


def _without_quotes(record: logging.LogRecord) -> bool:
    """aiohttp logs such a request as if it were a defect of ours, with a trace that quotes it: maybe a secret."""
    error = record.exc_info[1] if record.exc_info else None
    if MALFORMED.intersection(each.__name__ for each in type(error).__mro__):
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.exc_info = None
        record.fields = {"why": type(error).__name__}
    return True


class _Form(logging.Formatter):
    def __init__(self, service: str, lpar: str) -> None:
        super().__init__()
        self.converter = time.gmtime
        self.service = service
        self.lpar = lpar

    def instant(self, record: logging.LogRecord) -> str:
        return f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%S')}.{int(record.msecs):03d}Z"

    def trace(self, record: logging.LogRecord) -> str | None:
        return self.formatException(record.exc_info) if record.exc_info else None


class _Json(_Form):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.instant(record),
            "level": record.levelname,
            "lpar": self.lpar,
            "service": self.service,
            "event": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if trace := self.trace(record):
            line["trace"] = trace
        return json.dumps(line, default=str, ensure_ascii=False)


class _Text(_Form):
    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{key}={value}" for key, value in getattr(record, "fields", {}).items())
        clock = self.instant(record)[11:23]
        line = f"{clock} {record.levelname:<7} {self.lpar} {self.service:<9} {record.getMessage()} {fields}".rstrip()
        trace = self.trace(record)
        return f"{line}\n{trace}" if trace else line
