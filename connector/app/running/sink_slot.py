"""`SinkSlot`: the sink of a pump, with one call at a time; a reload can replace the sink in it.

A sink that cannot take what it should is tried again, as long as ``on_failure`` does not say
otherwise: its pumps keep what they have (`connector.app.running.backlog`), and no other sink waits.
A call that does not return blocks no other sink either: when the sink is replaced or closed, the
call gets `GRACE_SECONDS` and is then cancelled.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Generic, NoReturn, TypeAlias, TypeVar, cast

import attrs
import trio

from connector.app.running.configuration import SinkPlan
from connector.app.running.held_context import Held
from connector.app.running.sinks import (
    Batch,
    FrameBatch,
    FrameSink,
    Reopens,
    Sink,
    SinkBroken,
    takes_frames,
)
from connector.app.running.trouble import SINK_PACE, Trouble
from connector.errors import ConnectorError
from connector.lifecycle import Lifecycle, write_fields
from connector.link.raw_frames import RawFrame

S = TypeVar("S")

GRACE_SECONDS = 1.0
"""For a call that is under way when the sink is to be replaced or closed."""
MARKS = 1024
"""That wait for a sink; the oldest are left out."""

_log = logging.getLogger("connector.run")


class SinkFailed(ConnectorError):
    """A sink cannot write: the run ends."""


class SinkAway(ConnectorError):
    """A sink cannot write at the moment: the batch returns to the pump."""


class Slot(Generic[S]):
    """The place of one sink. While it is being replaced, its feeds fill; nothing is lost by it."""

    def __init__(self, name: str, plan: SinkPlan) -> None:
        self.name = name
        self.plan = plan
        self.events = 0
        """Or frames."""
        self.batches = 0
        self.lost = 0
        """Events or frames that it never got, because it had failed."""
        self._lost_before = 0
        self._losing = False
        self.cut_off = 0
        """Calls that did not return in time when it was replaced or closed."""
        self.trouble = Trouble("sink", name, SINK_PACE)
        self._held: Held[S] | None = None
        self._nursery: trio.Nursery | None = None
        self._turn = trio.Lock()
        self._entry = trio.Event()
        """Set while calls may begin."""
        self._call: trio.CancelScope | None = None
        self._called = 0.0

    @property
    def stuck_seconds(self) -> float:
        """How long the present call has been going on."""
        return 0.0 if self._call is None else trio.current_time() - self._called

    @property
    def sink(self) -> S | None:
        """The open sink; None without one."""
        return None if self._held is None or self._held.ended else self._held.value

    async def fill(self, nursery: trio.Nursery, plan: SinkPlan) -> None:
        """Open what `plan` says, in place of what there was.

        Raises:
            SinkFailed: it cannot be opened; what there was is open again.
        """
        self._nursery = nursery
        try:
            async with self._alone():
                before = None if self._held is None else self.plan
                await self._leave()
                failure: SinkFailed | None = None
                try:
                    self._held = await self._open(plan)
                    self.plan = plan
                    self._works()
                except SinkFailed as error:
                    failure = error
                if failure is not None:
                    if before is not None:
                        self._held = await self._open(before)
                    raise failure
        finally:
            self._entry.set()

    async def reopen(self) -> None:
        """Let a sink that writes to a file begin anew at its path: somebody may have moved it.

        One that is busy is left alone: it looks again by itself when it fails.
        """
        sink = self.sink
        if isinstance(sink, Reopens) and self._call is None:
            try:
                sink.reopen()
            except OSError as error:
                self.trouble.failed(str(error))
        await trio.lowlevel.checkpoint()

    async def close(self) -> None:
        """Close the sink after its current call, or after `GRACE_SECONDS`."""
        async with self._alone():
            await self._leave()

    def lose(self, events: int, where: str) -> None:
        """Report a number of lost events or frames: the first at once, the sum at the end."""
        if not events:
            return
        self.lost += events
        if not self.trouble.reason or not self._losing:
            self._losing = True
            fields = {"sink": self.name, "lost": events, "where": where}
            if self.trouble.reason:
                fields["reason"] = self.trouble.reason
            _log.error("sink is losing events %s", write_fields(fields), extra={"fields": fields})

    async def deliver(
        self, do: Callable[[S], Awaitable[None]], *, last: bool = False, proves: bool = True
    ) -> None:
        """Let the sink do something, when it is the caller's turn; all of it or nothing is done.

        Args:
            do: what.
            last: whether it is tried even while the sink rests from a failure.
            proves: whether the sink works again when it is done; not all that is asked of it
                writes anything.

        Raises:
            SinkAway: it cannot at the moment.
            SinkFailed: it cannot, and shall not be tried again.

        Cancellation: whether it was done is not known.
        """
        while True:  # noqa: ASYNC913  # it does what it is told to, which waits
            if not self._entry.is_set():
                await self._entry.wait()
            # A scheduler's round costs as much as a small batch: none when it is free.
            try:
                self._turn.acquire_nowait()
            except trio.WouldBlock:
                await self._turn.acquire()
            try:
                if not self._entry.is_set():
                    continue  # it is being replaced
                if self.trouble.resting and not last:
                    await trio.lowlevel.checkpoint()
                    raise SinkAway(self.trouble.reason)
                with trio.CancelScope() as self._call:
                    self._called = trio.current_time()
                    try:
                        await do(await self._present())
                    except (OSError, ConnectorError) as error:
                        self._failed(error)
                    finally:
                        self._call = None
                    if proves:
                        self._works()
                    return
            finally:
                self._turn.release()
            # Cut off: another sink is there now, or nothing.

    async def _present(self) -> S:
        """The sink, opened again if it has ended by itself."""
        if self._held is not None and not self._held.ended:
            return self._held.value
        error = None if self._held is None else self._held.error
        if error is not None and not isinstance(error, OSError | ConnectorError):
            raise error
        self._held = await self._open(self.plan)
        return self._held.value

    def _works(self) -> None:
        if self.trouble.reason:
            self.trouble.over(lost=self.lost - self._lost_before)
        self._losing, self._lost_before = False, self.lost

    def _failed(self, error: Exception) -> NoReturn:
        reason = str(error).removeprefix(f"sink {self.name}: ") or type(error).__name__
        self.trouble.failed(reason)
        if self.plan.on_failure == "stop" or isinstance(error, SinkBroken):
            raise SinkFailed(f"sink {self.name}: {reason}") from error
        raise SinkAway(reason) from error

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """No call is under way in the block, and none begins."""
        self._entry = trio.Event()
        alone = False
        with trio.move_on_after(GRACE_SECONDS):
            await self._turn.acquire()
            alone = True
        if not alone:
            if self._call is not None:
                self._call.cancel()
                self.cut_off += 1
            await self._turn.acquire()
        try:
            yield
        finally:
            self._turn.release()

    async def _open(self, plan: SinkPlan) -> Held[S]:
        # Of the kind that the slot is for: `slot_for` has seen to that.
        held = Held(cast("AbstractAsyncContextManager[S]", plan.settings.open()))
        assert self._nursery is not None
        try:
            await self._nursery.start(held.run, name=f"sink {self.name}")
        except (OSError, ConnectorError) as error:
            raise SinkFailed(f"sink {self.name}: {error}") from error
        fields = {"sink": self.name, "kind": plan.kind}
        _log.info("sink opened sink=%s kind=%s", self.name, plan.kind, extra={"fields": fields})
        return held

    async def _leave(self) -> None:
        held, self._held = self._held, None
        if held is not None and not await held.close(GRACE_SECONDS):
            reason = "it takes too long" if held.error is None else str(held.error)
            if held.error is None:
                self.cut_off += 1
            else:
                self.trouble.failures += 1
            fields = {"sink": self.name, "reason": reason}
            text = write_fields(fields)
            _log.error("sink was not closed cleanly %s", text, extra={"fields": fields})


class SinkSlot(Slot[Sink]):
    """The place of a sink of events."""

    def __init__(self, name: str, plan: SinkPlan) -> None:
        super().__init__(name, plan)
        self._marks: deque[tuple[str, Lifecycle]] = deque(maxlen=MARKS)
        self._marked = trio.Event()
        self._told = trio.Event()
        self._telling = self._closed = False
        self._scope = trio.CancelScope()

    async def write(self, batch: Batch, *, last: bool = False) -> None:
        """Hand over `batch` when it is its turn.

        Raises, Cancellation: as `deliver`.
        """
        await self.deliver(lambda sink: sink.write(batch), last=last)
        self.batches += 1
        self.events += len(batch.events)

    def mark(self, adapter: str, event: Lifecycle) -> None:
        """Pass marks to the sink, by `write_marks`."""
        self._marks.append((adapter, event))
        self._marked.set()

    async def write_marks(self) -> None:
        """Tell the sink of what happens, until it is closed.

        Raises:
            SinkFailed: it cannot take it, and shall not be tried again.
        """
        self._telling = True
        try:
            with self._scope:
                await self._write_marks()
        finally:
            self._told.set()

    async def _write_marks(self) -> None:
        while self._marks or not self._closed:
            if not self._marks:
                self._marked = trio.Event()
                await self._marked.wait()
                continue
            adapter, event = mark = self._marks[0]
            try:
                await self.deliver(lambda sink: sink.mark(adapter, event), proves=False)  # noqa: B023  # now
            except SinkAway:
                if self._closed:
                    return
                self._marked = trio.Event()
                with trio.move_on_after(self.trouble.retry_seconds):
                    await self._marked.wait()  # for `close`; another mark comes too early
                continue
            if self._marks and self._marks[0] is mark:
                self._marks.popleft()

    async def close(self) -> None:
        """Close the sink after what it is doing and has been told, or after `GRACE_SECONDS`."""
        self._closed = True
        self._marked.set()
        if self._telling:
            with trio.move_on_after(GRACE_SECONDS):
                await self._told.wait()
            self.cut_off += not self._told.is_set()
            self._scope.cancel()
        await super().close()


@attrs.frozen(eq=False)
class Unread:
    """A place for events without a reader: their channels are subscribed for the frames."""

    name: str
    """The name of the sink that takes the frames."""
    trouble: Trouble
    """Of that sink, which is none for these events."""

    async def write(self, batch: Batch, *, last: bool = False) -> None:
        """Nothing. Executes a checkpoint."""
        del batch, last
        await trio.lowlevel.checkpoint()

    def lose(self, events: int, where: str) -> None:
        """Nothing is lost here."""


class FrameSlot(Slot[FrameSink]):
    """The place of a sink of frames."""

    def __init__(self, name: str, plan: SinkPlan) -> None:
        super().__init__(name, plan)
        self.unread = Unread(name, Trouble("sink", name, SINK_PACE))

    async def write(self, batch: FrameBatch, *, last: bool = False) -> None:
        """Hand over `batch` when it is its turn.

        Raises, Cancellation: as `deliver`.
        """
        await self.deliver(lambda sink: sink.write(batch), last=last)
        self.batches += bool(batch.items)
        self.events += sum(isinstance(each, RawFrame) for each in batch.items)

    async def end(self, adapter: str) -> None:
        """Tell that nothing more comes from `adapter`.

        Raises, Cancellation: as `deliver`.
        """
        await self.deliver(lambda sink: sink.end(adapter), last=True, proves=False)


AnySlot: TypeAlias = SinkSlot | FrameSlot


def slot_for(name: str, plan: SinkPlan, present: AnySlot | None) -> AnySlot:
    """Where the sink of `plan` belongs: the `present` slot if it is of its kind, or a new one."""
    kind = FrameSlot if takes_frames(plan.settings) else SinkSlot
    return present if isinstance(present, kind) else kind(name, plan)
