"""`Service`: the adapters, the sinks and the pumps between them, as configured.

`Service.apply` makes what runs equal to a configuration, at the beginning and again when its file
has changed. What has not changed is left alone: an adapter keeps its sessions, a feed its channels.
What fails is tried again (`connector.app.running.sink_slot`, `connector.app.running.adapter_slot`),
and nothing else waits for it.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import attrs
import trio

from connector import Adapter, open_adapter
from connector.app.running.account_slot import AccountSlots
from connector.app.running.adapter_slot import AdapterSlot
from connector.app.running.configuration import (
    AdapterPlan,
    Configuration,
    GroupPlan,
    LogTable,
    RunTable,
    SinkPlan,
)
from connector.app.running.event_pump import EventPump, Taker
from connector.app.running.frame_pump import FramePump
from connector.app.running.showing import Registry
from connector.app.running.sink_slot import (
    GRACE_SECONDS,
    AnySlot,
    FrameSlot,
    SinkFailed,
    SinkSlot,
    slot_for,
)
from connector.app.running.sinks import takes_frames
from connector.app.running.tally import Reload, Summary, Tally
from connector.app.running.venues import World
from connector.channels import AnyChannel
from connector.lifecycle import Lifecycle, Subscribed, write_fields

_log = logging.getLogger("connector.run")

RECENT_EVENTS = 50


class Service:
    """What runs; made by `open_service`.

    Attributes:
        configuration: what it is kept at.
        adapters: those that are open, by name.
        adapter_slots, slots: by name.
        accounts: those that are watched.
        pumps: by group and sink.
        frame_pumps: by adapter and sink.
        recent: the last things that happened to connections, with the adapter's name.
    """

    def __init__(self, nursery: trio.Nursery, world: World, registry: Registry) -> None:
        self.configuration = Configuration({}, {}, {}, LogTable(), None, RunTable())
        self.adapters: dict[str, Adapter] = {}
        self.slots: dict[str, AnySlot] = {}
        self.pumps: dict[tuple[str, str], EventPump] = {}
        self.frame_pumps: dict[tuple[str, str], FramePump] = {}
        self.recent: deque[tuple[str, Lifecycle]] = deque(maxlen=RECENT_EVENTS)
        self.last_reload = Reload(success=True, applied_at=time.time())
        self.stopping = False
        self.ended_clean = True
        self._nursery = nursery
        self._world = world
        self._registry = registry
        self.adapter_slots: dict[str, AdapterSlot] = {}
        self.accounts = AccountSlots(nursery, world.keys)
        self._applying = trio.Lock()
        self._tally = Tally()

    async def apply(self, new: Configuration) -> None:
        """Make what runs equal to `new`.

        Raises:
            SinkFailed: a sink cannot be opened; then everything is as before.

        Cancellation: what runs is something between the two.
        """
        async with self._applying:
            await self._apply(new)
        self.last_reload = Reload(success=True, applied_at=time.time())

    async def _apply(self, new: Configuration) -> None:
        old = self.configuration
        displaced = await self._apply_sinks(old, new)
        same = {name for name, plan in new.adapters.items() if old.adapters.get(name) == plan}
        await self._stop_frame_pumps(
            key for key, pump in self.frame_pumps.items() if not self._records(key, pump, new, same)
        )
        await self._stop_pumps(
            key for key, pump in self.pumps.items() if not self._keeps(key, pump, new, same)
        )
        await self._close_adapters([name for name in self.adapter_slots if name not in same])
        for name in [name for name in self.slots if name not in new.sinks]:
            await self._close_slot(self.slots.pop(name))
        for slot in displaced:
            await self._close_slot(slot)
        for name, plan in new.adapters.items():
            if name not in self.adapter_slots:
                await self._open_adapter(name, plan)
        self.accounts.apply(new.accounts, self.adapters)
        await self._fill_sinks(new)
        self.configuration = new

    async def _fill_sinks(self, of: Configuration, *, resumes: bool = False) -> None:
        """Start the pumps of every sink for the open adapters."""
        for sink, plan in of.sinks.items():
            # Before anything is subscribed for it: it has the first frame, too.
            await self._record(sink, plan, of, resumes=resumes)
            for group in plan.groups:
                self._pump(group, sink, of.groups[group], resumes=resumes)

    async def reopen_sinks(self) -> None:
        """Let sinks that write to a file begin anew at its path."""
        for slot in self.slots.values():
            await slot.reopen()

    def summary(self, *, clean: bool = True) -> Summary:
        """The totals so far."""
        adapters = [each.statistics() for each in self.adapters.values()]
        return self._tally.summary(adapters, self.slots, self.adapter_slots, clean=clean)

    async def close(self, within: float = math.inf) -> None:
        """End everything in order: what is buffered is written, connections are closed politely.

        A sink that does not take what is buffered has half of `within` seconds for it, so that all
        others are closed in order, too.
        """
        self.stopping = True
        async with self._applying:
            self._tally.remember_failing([*self.slots.values(), *self.adapter_slots.values()])
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._stop_frame_pumps, self.frame_pumps, within / 2)
                nursery.start_soon(self._stop_pumps, self.pumps, within / 2)
            await self._close_adapters(self.adapter_slots)
            for name in list(self.slots):
                await self._close_slot(self.slots.pop(name))

    @property
    def complete(self) -> bool:
        """Whether no sink was cut off while it had something to write."""
        return not self._tally.cut_off

    async def _apply_sinks(self, old: Configuration, new: Configuration) -> list[AnySlot]:
        """Open what is new or changed; put everything back when one of them fails.

        The result is what stood where a sink of another kind is now: pumps still write to it.
        """
        done: dict[str, AnySlot | None] = {}
        failure: SinkFailed | None = None
        for name, plan in new.sinks.items():
            before = old.sinks.get(name)
            if before is not None and _what_opens(before) == _what_opens(plan):
                self.slots[name].plan = plan
                continue
            present = done[name] = self.slots.get(name)
            slot = self.slots[name] = slot_for(name, plan, present)
            try:
                await slot.fill(self._nursery, plan)
                if slot is not present and isinstance(slot, SinkSlot):
                    self._nursery.start_soon(slot.write_marks, name=f"marks into {name}")
            except SinkFailed as error:
                failure = error
                break
        if failure is None:
            return [
                slot
                for name, slot in done.items()
                if slot is not None and slot is not self.slots[name]
            ]
        for name, present in done.items():
            slot = self.slots[name]
            if present is not slot:
                await self._close_slot(self.slots.pop(name))
                if present is not None:
                    self.slots[name] = present
            elif name != list(done)[-1]:  # which has gone back by itself
                await slot.fill(self._nursery, old.sinks[name])
        raise failure

    async def _close_slot(self, slot: AnySlot) -> None:
        await slot.close()
        self._tally.add_sink(slot)

    # Adapters.

    async def _open_adapter(self, name: str, plan: AdapterPlan) -> None:
        slot = self.adapter_slots[name] = AdapterSlot(name, plan)
        await slot.fill(self._nursery, self._adapter(slot))
        self._nursery.start_soon(self._keep_open, slot, name=f"adapter {name} again")
        fields = {"adapter": name, "exchange": plan.exchange.name}
        _log.info("adapter opened %s", write_fields(fields), extra={"fields": fields})

    async def _keep_open(self, slot: AdapterSlot) -> None:
        """Open an adapter again each time that it has failed, until it is closed.

        Raises:
            ConnectorError, OSError: what it has failed with, with ``on_failure = "stop"``.
        """
        while await slot.wait_failed():
            async with self._applying:
                if self.adapter_slots.get(slot.name) is not slot:
                    return
                # They have ended with the adapter.
                await self._stop_frame_pumps(key for key in self.frame_pumps if key[0] == slot.name)
                await self._stop_pumps(
                    key for key, pump in self.pumps.items() if pump.plan.adapter == slot.name
                )
                await slot.fill(self._nursery, self._adapter(slot))
                await self._fill_sinks(self.configuration, resumes=True)

    @asynccontextmanager
    async def _adapter(self, slot: AdapterSlot) -> AsyncIterator[Adapter]:
        name, plan = slot.name, slot.plan
        exchange, dialer = self._world.place(plan)
        async with open_adapter(
            exchange,
            reconnect=plan.reconnect,
            stale_after=plan.stale_after,
            close_timeout=plan.close_timeout,
            dialer=dialer,
        ) as adapter:
            with self._registry.show(adapter, name):
                self.adapters[name] = adapter
                self.accounts.adapter_opened(name, adapter)
                self._nursery.start_soon(self._mark, slot, adapter)
                try:
                    yield adapter
                    await self.accounts.close_those_of(name)
                finally:
                    self.accounts.adapter_closing(name)
                    self._tally.past.append(adapter.statistics())
                    del self.adapters[name]

    async def _mark(self, place: AdapterSlot, adapter: Adapter) -> None:
        """Pass the lifecycle of an adapter to its sinks, until the adapter ends."""
        with adapter.lifecycle() as events:
            try:
                async for event in events:
                    self.recent.append((place.name, event))
                    if isinstance(event, Subscribed):
                        place.trouble.over()
                    for slot in [*self.slots.values()]:
                        if isinstance(slot, SinkSlot) and self._takes(slot.plan, place.name):
                            slot.mark(place.name, event)
            except trio.ClosedResourceError:
                return

    def _takes(self, plan: SinkPlan, adapter: str) -> bool:
        groups = self.configuration.groups
        return any(name in groups and groups[name].adapter == adapter for name in plan.groups)

    async def _close_adapters(self, names: Iterable[str]) -> None:
        async with trio.open_nursery() as nursery:
            for name in list(names):
                slot = self.adapter_slots.pop(name)
                self._tally.add_adapter(slot)
                nursery.start_soon(slot.close)
                _log.info("adapter closing adapter=%s", name, extra={"fields": {"adapter": name}})

    def _keeps(
        self, key: tuple[str, str], pump: EventPump, new: Configuration, same: set[str]
    ) -> bool:
        """Whether a pump can go on, perhaps with other channels."""
        group, sink = key
        plan = new.groups.get(group)
        return (
            plan is not None
            and plan.adapter in same
            and sink in new.sinks
            and group in new.sinks[sink].groups
            and pump.slot is _taker_of(self.slots[sink])
            and attrs.evolve(plan, channels=()) == attrs.evolve(pump.plan, channels=())
        )

    def _pump(self, group: str, sink: str, plan: GroupPlan, *, resumes: bool) -> None:
        pump, adapter = self.pumps.get((group, sink)), self.adapters.get(plan.adapter)
        if pump is not None:
            if pump.plan != plan:
                pump.follow(plan)
        elif adapter is not None:  # otherwise it has failed, and this comes when it is open again
            taker = _taker_of(self.slots[sink])
            board = self._registry.board
            pump = EventPump(
                adapter, plan.adapter, group, plan, taker, board=board, resumes=resumes
            )
            self.pumps[group, sink] = pump
            self._nursery.start_soon(pump.run, name=f"{group} into {sink}")

    async def _stop_pumps(
        self, keys: Iterable[tuple[str, str]], within: float = GRACE_SECONDS
    ) -> None:
        async with trio.open_nursery() as nursery:
            for key in list(keys):
                nursery.start_soon(self._stop, self.pumps.pop(key), within)

    async def _stop(self, pump: EventPump | FramePump, within: float) -> None:
        self._tally.cut_off += not await pump.stop(within)

    def _records(
        self, key: tuple[str, str], pump: FramePump, new: Configuration, same: set[str]
    ) -> bool:
        """Whether a pump of frames can go on, perhaps with other channels."""
        adapter, sink = key
        plan = new.sinks.get(sink)
        return (
            plan is not None
            and adapter in same
            and adapter in _channels_of(plan, new)
            and pump.slot is self.slots[sink]
        )

    async def _record(
        self, sink: str, plan: SinkPlan, new: Configuration, *, resumes: bool
    ) -> None:
        """Start the pumps of a sink of frames; do nothing for a sink of events."""
        slot, settings = self.slots[sink], plan.settings
        if not isinstance(slot, FrameSlot) or not takes_frames(settings):
            return
        for name, channels in _channels_of(plan, new).items():
            pump, adapter = self.frame_pumps.get((name, sink)), self.adapters.get(name)
            if pump is not None:
                pump.follow(channels, settings)
            elif adapter is not None:  # as above
                pump = FramePump(adapter, name, slot, channels, settings, resumes=resumes)
                self.frame_pumps[name, sink] = pump
                await self._nursery.start(pump.run, name=f"frames of {name} into {sink}")

    async def _stop_frame_pumps(
        self, keys: Iterable[tuple[str, str]], within: float = GRACE_SECONDS
    ) -> None:
        async with trio.open_nursery() as nursery:
            for key in list(keys):
                nursery.start_soon(self._stop, self.frame_pumps.pop(key), within)


def _taker_of(slot: AnySlot) -> Taker:
    """The place for the events of a sink."""
    return slot.unread if isinstance(slot, FrameSlot) else slot


def _channels_of(plan: SinkPlan, of: Configuration) -> dict[str, tuple[AnyChannel, ...]]:
    """The channels of a sink, by adapter; a channel of two groups once."""
    wanted: dict[str, dict[AnyChannel, None]] = {}
    for group in map(of.groups.__getitem__, plan.groups):
        wanted.setdefault(group.adapter, {}).update(dict.fromkeys(group.channels))
    return {adapter: tuple(channels) for adapter, channels in wanted.items()}


def _what_opens(plan: SinkPlan) -> SinkPlan:
    """All of `plan` but what a sink can change while it is open."""
    return attrs.evolve(plan, groups=(), on_failure="retry")


@asynccontextmanager
async def open_service(
    configuration: Configuration, world: World, registry: Registry | None = None
) -> AsyncIterator[Service]:
    """Run what `configuration` says for as long as the block lasts.

    Raises:
        SinkFailed: a sink cannot be opened, or does not take what it should and has
            ``on_failure = "stop"``.
        HandshakeRejected, ExchangeUnavailable: an adapter has given up that has that.
        SlowConsumer: with ``overflow = "fail"``.

    They come in an ExceptionGroup. Cancellation: everything is cut off. Otherwise leaving takes at
    most the ``shutdown_timeout`` of the configuration; what takes longer is cut off.
    """
    async with trio.open_nursery() as nursery:
        service = Service(nursery, world, registry or Registry())
        await service.apply(configuration)
        yield service
        seconds = service.configuration.run.shutdown_timeout
        with trio.move_on_after(seconds) as bound:
            await service.close(seconds)
        service.ended_clean = service.complete and not bound.cancelled_caught
        summary = service.summary(clean=service.ended_clean)
        fields = attrs.asdict(summary)
        level = logging.INFO if summary.clean else logging.WARNING
        _log.log(level, "stopped %s", write_fields(fields), extra={"fields": fields})
        nursery.cancel_scope.cancel()
