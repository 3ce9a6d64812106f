"""Programs that maintain local order books, and a reader that detects a wrong book."""

from __future__ import annotations

from typing import Any

from connector import Feed
from connector.channels import OrderBook
from connector.events import BookView, Gap
from connector.testing.explore.numbered_book import is_right
from connector.testing.explore.programs import Describe, adapter_on, usdm
from connector.testing.explore.stage import Stage
from connector.testing.faults.faults import Fault


class BookReader:
    """Check what one consumer of books sees: correct books, and a gap between sessions."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._reader = stage.reader(gaps=True)
        self._sessions: dict[int, int] = {}

    @property
    def events(self) -> int:
        """How many synced books the consumer has received."""
        return self._reader.events

    def saw(self, event: Any) -> None:
        """Check one event that the consumer has received."""
        if isinstance(event, Gap):
            self._sessions.clear()
        elif isinstance(event, BookView):
            if not is_right(event):
                self._stage.find("I8", f"a wrong book: {event}")
            if event.synced:
                before = self._sessions.setdefault(id(event), event.session)
                if event.session != before:
                    self._stage.find("I8", f"no Gap between sessions {before} and {event.session}")
        self._reader.saw(event)
        self._stage.turn()


async def read_books(stage: Stage, feed: Feed[Any], reader: BookReader, books: int = 3) -> None:
    """Read this many synced books, then continue until one arrives after the last fault."""
    target = reader.events + books
    while reader.events < target or not stage.settled:
        reader.saw(await feed.receive())


async def book(
    stage: Stage,
    describe: Describe = usdm,
    faults: tuple[Fault, ...] = (),
    channels: tuple[OrderBook, ...] = (OrderBook("ETHUSDC"),),
) -> None:
    """Keep local books: join deltas and a REST snapshot, also again after every fault."""
    for fault in faults:
        stage.exchange.inject(fault)
    async with (
        adapter_on(stage, describe) as adapter,
        adapter.subscribe(*channels, gaps=True) as feed,
    ):
        await read_books(stage, feed, BookReader(stage))


async def synced_only(stage: Stage) -> None:
    """A feed that asks only for synced books yields no other."""
    channel = OrderBook("ETHUSDC", synced_only=True)
    async with adapter_on(stage) as adapter, adapter.subscribe(channel, gaps=True) as feed:
        reader = BookReader(stage)
        while reader.events < 3 or not stage.settled:
            event = await feed.receive()
            if isinstance(event, BookView) and not event.synced:
                stage.find("I8", "the feed asked only for synced books, and yielded another")
            reader.saw(event)


async def instruments(stage: Stage) -> None:
    """Request the list of instruments while keeping a book."""
    channel = OrderBook("ETHUSDC")
    async with adapter_on(stage) as adapter, adapter.subscribe(channel, gaps=True) as feed:
        known = await adapter.instruments()
        if [each.symbol for each in known] != ["ETHUSDC"]:
            stage.find("I8", f"wrong instruments: {known}")
        await read_books(stage, feed, BookReader(stage))
