"""A sink as the pumps see it: one call at a time, and another one behind it after a change."""

from __future__ import annotations

import logging

import trio

from connector.app.configuration import SinkPlan
from connector.app.running.held import Held
from connector.app.sinks import Batch, Sink
from connector.errors import ConnectorError
from connector.lifecycle import Lifecycle

_log = logging.getLogger("connector.run")


class SinkFailed(ConnectorError):
    """A sink cannot take what it should: the run ends."""


class SinkSlot:
    """The place of one sink. While it is being replaced, its feeds fill; nothing is lost by it."""

    def __init__(self, name: str, plan: SinkPlan) -> None:
        self.name = name
        self.plan = plan
        self.events = 0
        self.batches = 0
        self._held: Held[Sink] | None = None
        self._turn = trio.Lock()

    async def fill(self, nursery: trio.Nursery, plan: SinkPlan) -> None:
        """Open what `plan` says, in place of what there was.

        Raises:
            SinkFailed: it cannot be opened.
        """
        async with self._turn:
            if self._held is not None:
                await self._held.close()
            self.plan = plan
            self._held = Held(plan.settings.open())
            try:
                await nursery.start(self._held.run, name=f"sink {self.name}")
            except (OSError, ConnectorError) as error:
                raise SinkFailed(f"sink {self.name}: {error}") from error
            fields = {"sink": self.name, "kind": plan.kind}
            _log.info("sink opened sink=%s kind=%s", self.name, plan.kind, extra={"fields": fields})

    async def write(self, batch: Batch) -> None:
        """Hand over `batch` when it is its turn.

        Raises:
            SinkFailed: the sink did not take it.
        """
        async with self._turn:
            try:
                await self._sink.write(batch)
            except (OSError, ConnectorError) as error:
                raise SinkFailed(f"sink {self.name}: {error}") from error
            self.batches += 1
            self.events += len(batch.events)

    async def mark(self, adapter: str, event: Lifecycle) -> None:
        """Tell what happened.

        Raises:
            SinkFailed: the sink did not take it.
        """
        async with self._turn:
            try:
                await self._sink.mark(adapter, event)
            except (OSError, ConnectorError) as error:
                raise SinkFailed(f"sink {self.name}: {error}") from error

    async def close(self) -> None:
        """Close the sink after what it is doing."""
        async with self._turn:
            if self._held is not None:
                await self._held.close()
                self._held = None

    @property
    def _sink(self) -> Sink:
        assert self._held is not None
        return self._held.value
