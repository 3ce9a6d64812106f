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
            SinkFailed: it cannot be opened; what there was is open again.
        """
        async with self._turn:
            before = None if self._held is None else self.plan
            await self._leave()
            failure: SinkFailed | None = None
            try:
                self._held = await self._open(nursery, plan)
                self.plan = plan
            except SinkFailed as error:
                failure = error
            if failure is not None:
                if before is not None:
                    self._held = await self._open(nursery, before)
                raise failure

    async def _open(self, nursery: trio.Nursery, plan: SinkPlan) -> Held[Sink]:
        held = Held(plan.settings.open())
        try:
            await nursery.start(held.run, name=f"sink {self.name}")
        except (OSError, ConnectorError) as error:
            raise SinkFailed(f"sink {self.name}: {error}") from error
        fields = {"sink": self.name, "kind": plan.kind}
        _log.info("sink opened sink=%s kind=%s", self.name, plan.kind, extra={"fields": fields})
        return held

    async def _leave(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            await held.close()

    async def write(self, batch: Batch) -> None:
        """Hand over `batch` when it is its turn.

        Raises:
            SinkFailed: the sink did not take it.
        """
        async with self._turn:
            assert self._held is not None, "pumps end before their sink"
            try:
                await self._held.value.write(batch)
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
            if self._held is None:
                return  # closed, while we waited for our turn
            try:
                await self._held.value.mark(adapter, event)
            except (OSError, ConnectorError) as error:
                raise SinkFailed(f"sink {self.name}: {error}") from error

    async def close(self) -> None:
        """Close the sink after what it is doing."""
        async with self._turn:
            await self._leave()
