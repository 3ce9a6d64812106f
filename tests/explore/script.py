"""What a user and a network do, as a list of actions; and what must be true of an adapter then.

A script is played by one program in the explorer, and after the last action the network is mended,
so that all that is wanted must come true. The model beside it is the set of open feeds with their
channels: nothing else decides what the exchange must have subscribed and what each feed must see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import attrs
import trio

from connector import Adapter, Feed, Overflow, open_adapter
from connector.channels import AnyChannel, BestQuote, PartialBook, Trades
from connector.errors import SlowConsumer
from connector.exchanges import binance
from connector.testing import Fault, FaultKind
from connector.testing.explore import Reader, Scenario, Stage
from connector.testing.explore.programs import RECONNECT, STALE_SECONDS
from connector.testing.explore.steps import WORLD
from connector.testing.explore.tree import all_tasks

CHANNELS: tuple[AnyChannel, ...] = (
    PartialBook("ETHUSDC", levels=5, interval_ms=100),
    BestQuote("ETHUSDC"),
    BestQuote("BTCUSDC"),
    Trades("ETHUSDC"),
)
STREAMS = ("ethusdc@depth5@100ms", "ethusdc@bookTicker", "btcusdc@bookTicker", "ethusdc@trade")
SYMBOLS = ("ETHUSDC", "ETHUSDC", "BTCUSDC", "ETHUSDC")
ROUTES = ("/public", "/public", "/public", "/market")
CONVERGE_SECONDS = 60.0
CATCH_UP_SECONDS = 30.0
LOOK_SECONDS = 0.05
"""Even a feed that holds one event is read faster than its channels bring some."""
STRETCH = 16
"""`Overflow.BLOCK` may hold so often its capacity while an acknowledgement is awaited."""
MARKERS = 10
"""Gaps that may stand beside the events of a buffer: one per reason at either end."""
LINK_TASKS = 6
"""The loop of a link, and the tasks of its one session."""


@attrs.frozen
class Subscribe:
    """Open a feed, called by a number from now on."""

    feed: int
    channels: tuple[int, ...]
    overflow: Overflow
    buffer: int


@attrs.frozen
class Unsubscribe:
    """Leave a feed's block."""

    feed: int


@attrs.frozen
class Add:
    """Add a channel to a feed, without waiting for the acknowledgement."""

    feed: int
    channel: int


@attrs.frozen
class Discard:
    """Take a channel from a feed."""

    feed: int
    channel: int


@attrs.frozen
class Consume:
    """Take what is there, at most so many events."""

    feed: int
    events: int


@attrs.frozen
class Advance:
    """Let time pass."""

    seconds: float


@attrs.frozen
class Disconnect:
    """Break what is connected, now."""

    kind: FaultKind


@attrs.frozen
class StrikeIn:
    """Let a fault happen in so many steps."""

    steps: int
    fault: str


@attrs.frozen
class Reconnect:
    """Ask for new connections."""


@attrs.frozen
class Trouble:
    """Let the next attempts meet a fault."""

    kind: FaultKind
    times: int


Action: TypeAlias = (
    Subscribe | Unsubscribe | Add | Discard | Consume | Advance
    | Disconnect | StrikeIn | Reconnect | Trouble
)  # fmt: skip


@attrs.define(eq=False)
class Open:
    """A feed of the model."""

    reader: Reader
    buffer: int
    overflow: Overflow
    channels: set[int]
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    left: trio.Event = attrs.field(factory=trio.Event)
    begun: bool = False
    """Whether the task that keeps it open has had a turn."""
    feed: Feed[Any] | None = None
    held: int = 0
    """Events that were there when it was entered: before, nobody could read it."""
    failed: bool = False
    """Whether the consumer was told that it is too slow."""


class Player:
    """Plays a script."""

    def __init__(self, stage: Stage, adapter: Adapter, nursery: trio.Nursery) -> None:
        self.stage = stage
        self.adapter = adapter
        self.nursery = nursery
        self.open: dict[int, Open] = {}

    # --- actions

    async def act(self, action: Action) -> None:
        match action:
            case Subscribe(number, channels, overflow, buffer):
                reader = self.stage.reader(gaps=True)
                self.open[number] = Open(reader, buffer, overflow, set(channels))
                self.nursery.start_soon(self.keep_open, self.open[number])
            case Unsubscribe(number):
                given = self.open.pop(number)
                given.scope.cancel()
                await given.left.wait()
            case Add(number, channel):
                self.nursery.start_soon(self.add, self.open[number], channel)
            case Discard(number, channel):
                given = self.open[number]
                if given.feed is not None:
                    given.channels.discard(channel)
                    given.reader.left(SYMBOLS[channel])
                    await given.feed.discard(CHANNELS[channel])
            case Consume(number, events):
                self.consume(self.open[number], events)
            case Advance(seconds):
                await trio.sleep(seconds)
            case Disconnect(kind):
                self.stage.exchange.break_connections(kind)
            case StrikeIn(steps, fault):
                self.stage.strike_in(steps, fault)
            case Reconnect():
                self.adapter.reconnect()
            case Trouble(kind, times):
                self.stage.exchange.inject(Fault(kind, times=times))
        await trio.lowlevel.checkpoint()

    async def keep_open(self, given: Open) -> None:
        """One feed, as a user's task has it."""
        given.begun = True
        channels = [CHANNELS[channel] for channel in sorted(given.channels)]
        try:
            with given.scope:
                async with self.adapter.subscribe(
                    *channels, buffer=given.buffer, overflow=given.overflow, gaps=True
                ) as feed:
                    given.feed = feed
                    given.held = feed.statistics().buffered
                    await trio.sleep_forever()
        except SlowConsumer:
            given.failed = True
            given.channels.clear()
        finally:
            given.feed = None
            given.left.set()

    async def add(self, given: Open, channel: int) -> None:
        if given.feed is None:
            return
        given.channels.add(channel)
        try:
            await given.feed.add(CHANNELS[channel])
        except trio.ClosedResourceError:
            return
        except SlowConsumer:
            given.channels.discard(channel)

    def consume(self, given: Open, events: int) -> None:
        feed = given.feed
        if feed is None or given.failed:
            return
        try:
            for _ in range(events):
                given.reader.saw(feed.receive_nowait())
        except trio.WouldBlock:
            return
        except SlowConsumer:
            given.failed = True

    # --- what must be true

    def look(self) -> None:
        """After every action, without waiting for anything."""
        find, statistics = self.stage.find, self.adapter.statistics()
        connections, ledger = len(self.stage.network.connections), self.stage.network.ledger
        if statistics.sockets_open != connections:
            find("I4", f"{statistics.sockets_open} sockets are counted, {connections} are open")
        if any(link.sessions_open > 1 or link.sockets_open > 1 for link in statistics.links):
            find("I1", f"a link has two sessions: {statistics.links}")
        users = 1 + len(self.nursery.child_tasks)
        alive = sum(not task.context.get(WORLD) for task in all_tasks())
        if alive != users + statistics.tasks:
            find("I3", f"{alive} tasks, {users} of the user, {statistics.tasks} are counted")
        most = 1 + LINK_TASKS * len(statistics.links)
        if statistics.tasks > most:
            find("I3", f"{statistics.tasks} tasks on {len(statistics.links)} links")
        under_way = len(ledger) - sum(statistics.reconnects.values())
        if not 0 <= under_way <= len(statistics.links):
            find("I5", f"{len(ledger)} dials, of which {statistics.reconnects} have ended")
        for given in self.open.values():
            if given.feed is not None:
                buffered = given.feed.statistics().buffered
                stretch = STRETCH if given.overflow is Overflow.BLOCK else 1
                if buffered > max(stretch * given.buffer, given.held) + MARKERS:
                    find("I9", f"{buffered} events in a buffer of {given.buffer}")

    async def converge(self) -> None:
        """When the network is well: exactly what is wanted is subscribed, once."""
        wrong = ""
        with trio.move_on_after(CONVERGE_SECONDS):
            while True:
                self.drain()
                wrong = self.difference()
                if not wrong:
                    self.look_for_growth()
                    return
                await trio.sleep(LOOK_SECONDS)
        self.stage.find("I10", f"after {CONVERGE_SECONDS:g} s without trouble: {wrong}")

    def difference(self) -> str:
        """What is wanted and not on the wire, or the other way round."""
        for route in sorted(set(ROUTES)):
            wanted = {
                STREAMS[channel]
                for given in self.open.values()
                for channel in given.channels
                if ROUTES[channel] == route
            }
            # What fell silent during its handshake lives on at the exchange, and nobody is there.
            live = [
                each
                for each in self.stage.exchange.connections
                if each.route == route and each.memory in self.stage.network.connections
            ]
            there = {stream for connection in live for stream in connection.subscriptions}
            if wanted != there:
                return f"{route} has {sorted(there)}, wanted are {sorted(wanted)}"
        return ""

    def look_for_growth(self) -> None:
        """What the adapter keeps is what the model has, however much has happened before."""
        find, statistics = self.stage.find, self.adapter.statistics()
        feeds = [each for each in self.open.values() if each.begun and not each.left.is_set()]
        if len(statistics.feeds) != len(feeds):
            find("I3", f"{len(statistics.feeds)} feeds are kept, {len(feeds)} are open")
        wanted = {STREAMS[channel] for given in feeds for channel in given.channels}
        if set(statistics.streams) != wanted:
            find("I3", f"{sorted(statistics.streams)} are kept, {sorted(wanted)} are wanted")

    async def catch_up(self) -> None:
        """Every feed sees data of each of its channels again."""
        before = {number: dict(given.reader.numbers) for number, given in self.open.items()}
        missing: list[int] = []
        with trio.move_on_after(CATCH_UP_SECONDS):
            while True:
                self.drain()
                missing = [
                    number
                    for number, given in self.open.items()
                    if not self.has_caught_up(given, before[number])
                ]
                if not missing:
                    return
                await trio.sleep(LOOK_SECONDS)
        self.stage.find("I8", f"feeds {missing} stay without data, and are told nothing")

    def has_caught_up(self, given: Open, before: dict[tuple[str, str], int]) -> bool:
        if given.failed or given.feed is None or not given.channels:
            return True
        fresh = len(given.reader.numbers.items() - before.items())
        # What came at the same time for a buffer of one may push each other out, with a Gap.
        return fresh >= (len(given.channels) if given.overflow is Overflow.BLOCK else 1)

    def drain(self) -> None:
        for given in self.open.values():
            self.consume(given, 10_000)


async def play(stage: Stage, actions: Sequence[Action]) -> None:
    async with (
        open_adapter(
            binance.UsdMFutures(endpoints=stage.exchange.endpoints),
            reconnect=RECONNECT,
            stale_after=STALE_SECONDS,
            dialer=stage.network,
        ) as adapter,
        trio.open_nursery() as nursery,
    ):
        with stage.body:
            player = Player(stage, adapter, nursery)
            for action in actions:
                await player.act(action)
                player.look()
            stage.exchange.mend()
            await player.converge()
            await player.catch_up()
        stage.leaving()
        nursery.cancel_scope.cancel()


def scenario(actions: Sequence[Action]) -> Scenario:
    """The program that plays `actions`."""

    async def program(stage: Stage) -> None:
        await play(stage, actions)

    return Scenario(
        name="script",
        program=program,
        links=2,
        links_per_route=1,
        most_tasks=80,
        groups=True,
        limit_seconds=900.0,
    )
