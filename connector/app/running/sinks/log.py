"""The sink ``log``: log the number of events of each group periodically, as ``connector.sink``."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import msgspec
import trio

from connector.app.running.sinks.sink import Batch
from connector.events import Event
from connector.lifecycle import Lifecycle, write_fields

_log = logging.getLogger("connector.sink")


class LogLines(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``kind = "log"``."""

    every: Annotated[float, msgspec.Meta(gt=0, examples=[10.0])] = 10.0
    """Seconds between two lines of a group."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[LogLinesSink]:
        """Tell for as long as the block lasts, and once more at its end."""
        sink = LogLinesSink()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sink.tell, self.every)
            try:
                yield sink
            finally:
                nursery.cancel_scope.cancel()
        sink.tell_once()


class LogLinesSink:
    """Counts events by group; `tell` logs the counts."""

    def __init__(self) -> None:
        self._events: Counter[tuple[str, str]] = Counter()
        self._latest: dict[tuple[str, str], Event] = {}
        self._since = trio.current_time()

    async def write(self, batch: Batch) -> None:
        """Count `batch`. Executes a checkpoint; cancellation: it is counted or not."""
        await trio.lowlevel.checkpoint()
        key = batch.adapter, batch.group
        self._events[key] += len(batch.events)
        self._latest[key] = batch.events[-1]

    async def mark(self, adapter: str, event: Lifecycle) -> None:
        """Nothing: `connector.lifecycle` logs it already."""
        await trio.lowlevel.checkpoint()

    async def tell(self, seconds: float) -> None:
        """Log every `seconds`, until cancelled."""
        while True:
            await trio.sleep(seconds)
            self.tell_once()

    def tell_once(self) -> None:
        """Log the events since the last time, with 0 for a group that had none."""
        now = trio.current_time()
        seconds, self._since = now - self._since, now
        for (adapter, group), latest in self._latest.items():
            events = self._events.pop((adapter, group), 0)
            fields = {
                "adapter": adapter,
                "group": group,
                "events": events,
                "seconds": round(seconds, 3),
                "symbol": latest.symbol,
                "age_seconds": round((time.time_ns() - latest.received_ns) / 1e9, 3),
            }
            text = write_fields(fields)
            _log.info("events %s", text, extra={"fields": fields})
