"""The log of a run: one line per record on standard error, plain or as JSON.

Records of the package carry their fields as ``extra``; in JSON each is a key of its own.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, TextIO

import msgspec

from connector.app.running.configuration import LogTable

PLAIN = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class JsonFormatter(logging.Formatter):
    """One object per record: ``time``, ``level``, ``logger``, ``event`` and the record's fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        fields: Mapping[str, Any] | None = getattr(record, "lifecycle", None)
        if fields is None:
            fields = getattr(record, "fields", None)
        message = record.getMessage()
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if fields:
            # The words before the fields, if the message writes them.
            line["event"] = message.partition(f" {next(iter(fields))}=")[0]
            line |= fields
        else:
            line["event"] = message
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


class PlainFormatter(logging.Formatter):
    """A line for people, times in UTC."""

    def __init__(self) -> None:
        super().__init__(PLAIN)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """ISO 8601 with milliseconds."""
        del datefmt
        moment = datetime.fromtimestamp(record.created, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


FORMATS: Mapping[str, type[logging.Formatter]] = MappingProxyType(
    {"plain": PlainFormatter, "json": JsonFormatter}
)


def configure(table: LogTable, out: TextIO | None = None) -> None:
    """Write what is logged under ``connector`` to `out`, standard error by default, only there."""
    handler = logging.StreamHandler(sys.stderr if out is None else out)
    handler.setFormatter(FORMATS[table.format]())
    logger = logging.getLogger("connector")
    for before in logger.handlers[:]:
        logger.removeHandler(before)
    logger.addHandler(handler)
    logger.setLevel(table.level.upper())
    logger.propagate = False
