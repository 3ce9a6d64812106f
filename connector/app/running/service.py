"""The running thing: adapters, sinks, and the pumps between them, kept at what is configured.

`Service.apply` makes what runs equal to a configuration, at the beginning and again when its file
has changed. What is the same stays as it is: an adapter keeps its sessions, a feed its channels.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext

import attrs
import trio

from connector import Adapter, open_adapter
from connector.adapter.statistics import AdapterStatistics
from connector.app.running.configuration import (
    AdapterPlan,
    Configuration,
    GroupPlan,
    LogTable,
    RunTable,
    SinkPlan,
)
from connector.app.running.event_pump import Pump, Taker
from connector.app.running.frame_pump import FramePump
from connector.app.running.held_context import Held
from connector.app.running.sink_slot import AnySlot, FrameSlot, SinkFailed, SinkSlot, slot_for
from connector.app.running.sinks import takes_frames
from connector.app.running.venues import World
from connector.channels import AnyChannel
from connector.lifecycle import Lifecycle, write_fields

_log = logging.getLogger("connector.run")

RECENT_EVENTS = 50


class Registry:
    """Where adapters are shown while they run (`connector.metrics`); this one shows nothing."""

    def show(self, adapter: Adapter, name: str) -> AbstractContextManager[None]:
        """Show `adapter` for as long as the block lasts."""
        del adapter, name
        return nullcontext()


@attrs.frozen(kw_only=True)
class Summary:
    """What a run has done."""

    seconds: float
    clean: bool
    """Whether everything ended within the bound."""
    sessions: int
    reconnects: dict[str, int]
    messages: int
    wire_bytes: int
    gaps: int
    drops: int
    events: dict[str, int]
    """Events written, by sink; of a sink of frames the frames."""


class Service:
    """What runs; made by `open_service`.

    Attributes:
        configuration: what it is kept at.
        adapters, slots: by name.
        pumps: by group and sink.
        frame_pumps: by adapter and sink.
        recent: the last things that happened to connections, with the adapter's name.
    """

    def __init__(self, nursery: trio.Nursery, world: World, registry: Registry) -> None:
        self.configuration = Configuration({}, {}, {}, LogTable(), None, RunTable())
        self.adapters: dict[str, Adapter] = {}
        self.slots: dict[str, AnySlot] = {}
        self.pumps: dict[tuple[str, str], Pump] = {}
        self.frame_pumps: dict[tuple[str, str], FramePump] = {}
        self.recent: deque[tuple[str, Lifecycle]] = deque(maxlen=RECENT_EVENTS)
        self.stopping = False
        self.ended_clean = True
        self._nursery = nursery
        self._world = world
        self._registry = registry
        self._held: dict[str, Held[Adapter]] = {}
        self._past: list[AdapterStatistics] = []
        self._events: Counter[str] = Counter()
        self._began = trio.current_time()

    async def apply(self, new: Configuration) -> None:
        """Make what runs equal to `new`.

        Raises:
            SinkFailed: a sink cannot be opened; then everything is as before.

        Cancellation: what runs is something between the two.
        """
        old = self.configuration
        displaced = await self._apply_sinks(old, new)
        same = {name for name, plan in new.adapters.items() if old.adapters.get(name) == plan}
        await self._stop_frame_pumps(
            key for key, pump in self.frame_pumps.items() if not self._records(key, pump, new, same)
        )
        await self._stop_pumps(
            key for key, pump in self.pumps.items() if not self._keeps(key, pump, new, same)
        )
        await self._close_adapters([name for name in self._held if name not in same])
        for name in [name for name in self.slots if name not in new.sinks]:
            await self._close_slot(self.slots.pop(name))
        for slot in displaced:
            await self._close_slot(slot)
        for name, plan in new.adapters.items():
            if name not in self._held:
                await self._open_adapter(name, plan)
        for sink, sink_plan in new.sinks.items():
            # Before anything is subscribed for it: it has the first frame, too.
            await self._record(sink, sink_plan, new)
            for group in sink_plan.groups:
                self._pump(group, sink, new.groups[group])
        self.configuration = new

    def unready(self) -> list[str]:
        """Why not everything that is wanted is there; empty if it is."""
        if self.stopping:
            return ["stopping"]
        reasons = [
            f"{link.name} is {link.state}"
            for adapter in self.adapters.values()
            for link in adapter.statistics().links
            if link.streams and link.state != "streaming"
        ]
        reasons += [
            f"group {group} is not subscribed yet"
            for group in sorted({group for (group, _), pump in self.pumps.items() if not pump.live})
        ]
        return reasons

    def summary(self, *, clean: bool = True) -> Summary:
        """What has been done so far."""
        adapters = [*self._past, *(each.statistics() for each in self.adapters.values())]
        reconnects: Counter[str] = Counter()
        for each in adapters:
            reconnects.update(each.reconnects)
        events = self._events.copy()
        events.update({name: each.events for name, each in self.slots.items()})  # "+" leaves out 0
        return Summary(
            seconds=round(trio.current_time() - self._began, 3),
            clean=clean,
            sessions=sum(each.sessions_opened for each in adapters),
            reconnects=dict(reconnects),
            messages=sum(each.messages for each in adapters),
            wire_bytes=sum(each.wire_bytes for each in adapters),
            gaps=sum(each.gaps for each in adapters),
            drops=sum(each.drops for each in adapters),
            events=dict(events),
        )

    async def close(self) -> None:
        """End everything in order: what is buffered is written, connections are closed politely."""
        self.stopping = True
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._stop_frame_pumps, self.frame_pumps)
            nursery.start_soon(self._stop_pumps, self.pumps)
        await self._close_adapters(self._held)
        for name in list(self.slots):
            await self._close_slot(self.slots.pop(name))

    # Sinks.

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
            self.slots[name] = slot_for(name, plan, present)
            try:
                await self.slots[name].fill(self._nursery, plan)
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
        self._events[slot.name] += slot.events

    # Adapters.

    async def _open_adapter(self, name: str, plan: AdapterPlan) -> None:
        held = Held(self._adapter(name, plan))
        self.adapters[name] = await self._nursery.start(held.run, name=f"adapter {name}")
        self._held[name] = held
        fields = {"adapter": name, "exchange": plan.exchange.name}
        text = write_fields(fields)
        _log.info("adapter opened %s", text, extra={"fields": fields})

    @asynccontextmanager
    async def _adapter(self, name: str, plan: AdapterPlan) -> AsyncIterator[Adapter]:
        exchange, dialer = self._world.place(plan)
        async with open_adapter(
            exchange,
            reconnect=plan.reconnect,
            stale_after=plan.stale_after,
            close_timeout=plan.close_timeout,
            dialer=dialer,
        ) as adapter:
            with self._registry.show(adapter, name):
                self._nursery.start_soon(self._mark, name, adapter)
                yield adapter
                self._past.append(adapter.statistics())
                del self.adapters[name]

    async def _mark(self, name: str, adapter: Adapter) -> None:
        """Tell the adapter's sinks what happens to its connections, until it is gone."""
        with adapter.lifecycle() as events:
            try:
                async for event in events:
                    self.recent.append((name, event))
                    for slot in [*self.slots.values()]:
                        if isinstance(slot, SinkSlot) and self._takes(slot.plan, name):
                            await slot.mark(name, event)
            except trio.ClosedResourceError:
                return

    def _takes(self, plan: SinkPlan, adapter: str) -> bool:
        groups = self.configuration.groups
        return any(name in groups and groups[name].adapter == adapter for name in plan.groups)

    async def _close_adapters(self, names: Iterable[str]) -> None:
        async with trio.open_nursery() as nursery:
            for name in list(names):
                nursery.start_soon(self._held.pop(name).close)
                _log.info("adapter closing adapter=%s", name, extra={"fields": {"adapter": name}})

    # Pumps.

    def _keeps(self, key: tuple[str, str], pump: Pump, new: Configuration, same: set[str]) -> bool:
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

    def _pump(self, group: str, sink: str, plan: GroupPlan) -> None:
        pump = self.pumps.get((group, sink))
        if pump is None:
            adapter = self.adapters[plan.adapter]
            pump = Pump(adapter, plan.adapter, group, plan, _taker_of(self.slots[sink]))
            self.pumps[group, sink] = pump
            self._nursery.start_soon(pump.run, name=f"{group} into {sink}")
        elif pump.plan != plan:
            pump.follow(plan)

    async def _stop_pumps(self, keys: Iterable[tuple[str, str]]) -> None:
        async with trio.open_nursery() as nursery:
            for key in list(keys):
                nursery.start_soon(self.pumps.pop(key).stop)

    # Pumps of frames.

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

    async def _record(self, sink: str, plan: SinkPlan, new: Configuration) -> None:
        """Let a sink of frames have what it wants; nothing for one of events."""
        slot, settings = self.slots[sink], plan.settings
        if not isinstance(slot, FrameSlot) or not takes_frames(settings):
            return
        for name, channels in _channels_of(plan, new).items():
            pump = self.frame_pumps.get((name, sink))
            if pump is None:
                pump = FramePump(self.adapters[name], name, slot, channels, settings)
                self.frame_pumps[name, sink] = pump
                await self._nursery.start(pump.run, name=f"frames of {name} into {sink}")
            else:
                pump.follow(channels, settings)

    async def _stop_frame_pumps(self, keys: Iterable[tuple[str, str]]) -> None:
        async with trio.open_nursery() as nursery:
            for key in list(keys):
                nursery.start_soon(self.frame_pumps.pop(key).stop)


def _taker_of(slot: AnySlot) -> Taker:
    """Where the events for a sink go."""
    return slot.unread if isinstance(slot, FrameSlot) else slot


def _channels_of(plan: SinkPlan, of: Configuration) -> dict[str, tuple[AnyChannel, ...]]:
    """What a sink wants, by adapter; a channel of two groups once."""
    wanted: dict[str, dict[AnyChannel, None]] = {}
    for group in map(of.groups.__getitem__, plan.groups):
        wanted.setdefault(group.adapter, {}).update(dict.fromkeys(group.channels))
    return {adapter: tuple(channels) for adapter, channels in wanted.items()}


def _what_opens(plan: SinkPlan) -> SinkPlan:
    """All of `plan` but the groups, which a sink can change while it is open."""
    return attrs.evolve(plan, groups=())


@asynccontextmanager
async def open_service(
    configuration: Configuration, world: World, registry: Registry | None = None
) -> AsyncIterator[Service]:
    """Run what `configuration` says for as long as the block lasts.

    Raises:
        SinkFailed: a sink cannot be opened, or does not take what it should.
        HandshakeRejected, ExchangeUnavailable: an adapter has given up.
        SlowConsumer: with ``overflow = "fail"``.

    They come in an ExceptionGroup. Cancellation: everything is cut off. Otherwise leaving takes at
    most the ``shutdown_timeout`` of the configuration; what takes longer is cut off.
    """
    async with trio.open_nursery() as nursery:
        service = Service(nursery, world, registry or Registry())
        await service.apply(configuration)
        yield service
        with trio.move_on_after(service.configuration.run.shutdown_timeout) as bound:
            await service.close()
        service.ended_clean = not bound.cancelled_caught
        summary = service.summary(clean=service.ended_clean)
        fields = attrs.asdict(summary)
        text = write_fields(fields)
        level = logging.INFO if summary.clean else logging.WARNING
        _log.log(level, "stopped %s", text, extra={"fields": fields})
        nursery.cancel_scope.cancel()
