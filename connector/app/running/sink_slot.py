"""A sink as the pumps see it: one call at a time, and another one behind it after a change."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Generic, TypeAlias, TypeVar, cast

import attrs
import trio

from connector.app.running.configuration import SinkPlan
from connector.app.running.held_context import Held
from connector.app.running.sinks import Batch, FrameBatch, FrameSink, Sink, takes_frames
from connector.errors import ConnectorError
from connector.lifecycle import Lifecycle
from connector.link.raw_frames import RawFrame

S = TypeVar("S")

_log = logging.getLogger("connector.run")


class SinkFailed(ConnectorError):
    """A sink cannot take what it should: the run ends."""


class Slot(Generic[S]):
    """The place of one sink. While it is being replaced, its feeds fill; nothing is lost by it."""

    def __init__(self, name: str, plan: SinkPlan) -> None:
        self.name = name
        self.plan = plan
        self.events = 0
        """Or frames."""
        self.batches = 0
        self._held: Held[S] | None = None
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

    async def close(self) -> None:
        """Close the sink after what it is doing."""
        async with self._turn:
            await self._leave()

    async def _open(self, nursery: trio.Nursery, plan: SinkPlan) -> Held[S]:
        # Of the kind that the slot is for: `slot_for` has seen to that.
        held = Held(cast("AbstractAsyncContextManager[S]", plan.settings.open()))
        with self._named():
            await nursery.start(held.run, name=f"sink {self.name}")
        fields = {"sink": self.name, "kind": plan.kind}
        _log.info("sink opened sink=%s kind=%s", self.name, plan.kind, extra={"fields": fields})
        return held

    async def _leave(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            await held.close()

    @contextmanager
    def _named(self) -> Iterator[None]:
        """What the sink says, with its name."""
        try:
            yield
        except (OSError, ConnectorError) as error:
            raise SinkFailed(f"sink {self.name}: {error}") from error

    @asynccontextmanager
    async def _at_turn(self) -> AsyncIterator[S]:
        """The sink, when it is the caller's turn."""
        async with self._turn:
            assert self._held is not None, "pumps end before their sink"
            with self._named():
                yield self._held.value


class SinkSlot(Slot[Sink]):
    """The place of a sink of events."""

    async def write(self, batch: Batch) -> None:
        """Hand over `batch` when it is its turn.

        Raises:
            SinkFailed: the sink did not take it.
        """
        async with self._at_turn() as sink:
            await sink.write(batch)
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
            with self._named():
                await self._held.value.mark(adapter, event)


@attrs.frozen(eq=False)
class Unread:
    """Where events go that nobody reads: their channels are subscribed for the frames."""

    name: str
    """Of the sink that takes the frames."""

    async def write(self, batch: Batch) -> None:
        """Nothing. Executes a checkpoint."""
        del batch
        await trio.lowlevel.checkpoint()


class FrameSlot(Slot[FrameSink]):
    """The place of a sink of frames."""

    def __init__(self, name: str, plan: SinkPlan) -> None:
        super().__init__(name, plan)
        self.unread = Unread(name)

    async def write(self, batch: FrameBatch) -> None:
        """Hand over `batch` when it is its turn.

        Raises:
            SinkFailed: the sink did not take it.
        """
        async with self._at_turn() as sink:
            await sink.write(batch)
            self.batches += bool(batch.items)
            self.events += sum(isinstance(each, RawFrame) for each in batch.items)

    async def end(self, adapter: str) -> None:
        """Tell that nothing more comes from `adapter`.

        Raises:
            SinkFailed: the sink could not write what it held of it.
        """
        async with self._at_turn() as sink:
            await sink.end(adapter)


AnySlot: TypeAlias = SinkSlot | FrameSlot


def slot_for(name: str, plan: SinkPlan, present: AnySlot | None) -> AnySlot:
    """Where the sink of `plan` belongs: the `present` slot if it is of its kind, or a new one."""
    kind = FrameSlot if takes_frames(plan.settings) else SinkSlot
    return present if isinstance(present, kind) else kind(name, plan)
