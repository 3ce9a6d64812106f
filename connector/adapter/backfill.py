"""`Backfill`: fetch the trades that a stream missed, and deliver them in their place.

Each feed of a channel with ``backfill`` has one, between the stream and the feed. While nothing is
missing, it passes events on. After a loss, live trades wait in a pen, which has the policy and
capacity of the feed, until the missing trades have been fetched and delivered:

.. code-block:: text

    passing on ──── loss, and something came before it ───▶ filling (a task of the adapter)
        ▲                                                     │
        └── the pen is empty, and nothing is in doubt ────────┘

    filling:  live trade after the loss ─▶ fetch what is between ─▶ deliver, or yield a Gap
              acknowledged, but quiet   ─▶ fetch what has been; the next live trade closes the rest

It waits for a slow feed, as live data does. If a fetch takes too long, or the exchange refuses it,
the feed yields a `Gap` with the missing range.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from typing import Any

import trio

from connector.errors import (
    ConnectorError,
    ExchangeUnavailable,
    RequestRejected,
    SubscriptionRejected,
)
from connector.events import Gap, Trade
from connector.exchanges.missing import Filled, Hole, MissingTrades
from connector.exchanges.protocol import AnyStream
from connector.exchanges.requests import BackfillWay
from connector.feeds.backpressure import Full
from connector.feeds.buffer import Buffer, Overflow
from connector.feeds.lossy_buffers import make_buffer
from connector.link.rest import Rest

REFILLED = frozenset({"disconnected", "sequence", "resubscribed", "decode error"})
"""Reasons of losses before the feed. Events that the feed dropped itself are not fetched."""
PATIENCE_SECONDS = 60.0
"""Seconds for all requests of one loss."""
MOST_REQUESTS = 50
"""The most requests for one loss."""
GRACE_SECONDS = 1.0
"""Seconds to wait for a live trade, which ends the loss, before requesting without it."""
_TIMES, _AGAIN_SECONDS = 4, 0.5
"""How often, and after how long, to repeat a request whose answer is not up to date yet."""
_LOOK_AGAIN_SECONDS = 0.02
"""For room in a feed that never holds a link back, and so tells nobody when there is some."""
_AT_ONCE = 256
"""Number of trades that are delivered without a checkpoint."""


class Backfill(Buffer[Any]):
    """Delivers the trades of a stream to one feed, and fills in missed ones.

    Args:
        stream: with `connector.exchanges.protocol.Stream.backfill`.
        reader: the feed's buffer.
        rest: sends requests.
        start: lets `run` run in the adapter's nursery.
        now_ns: the time that fetched trades are stamped with.
    """

    def __init__(
        self,
        stream: AnyStream,
        reader: Buffer[Any],
        rest: Callable[[], Rest],
        start: Callable[[Backfill], None],
        now_ns: Callable[[], int],
    ) -> None:
        super().__init__(1, gaps=True)
        assert stream.backfill is not None
        self.name = f"backfill of {stream.backfill.wire.name}"
        self._stream = stream
        self._wire_name = stream.backfill.wire.name
        self._offer = stream.backfill.offer
        self._reader = reader
        self._rest = rest
        self._start = start
        self._now_ns = now_ns
        self._last: Any = None
        """The last delivered trade."""
        self._pen: Buffer[Any] | None = None
        """The pen in which live trades wait; None while they are passed on."""
        self._doubt: Gap | None = None
        """The loss whose end is not known yet, or None."""
        self._resumed = False
        """Whether the stream was acknowledged since that loss."""
        self._full: Full | None = None
        self._drained = Full()
        self._news = trio.Event()
        self._scope = trio.CancelScope()
        self._running = False

    def __repr__(self) -> str:
        return (
            f"<Backfill of {self._wire_name}, {'passing on' if self._pen is None else 'filling'}>"
        )

    # What the subscription of the stream does (`connector.feeds.buffer.Buffer`).

    def room(self) -> int:
        """The room for the next events."""
        return (self._reader if self._pen is None else self._pen).room()

    def put(self, item: Any) -> None:
        """Take a trade."""
        self.put_run((item,), self._wire_name)

    def put_run(self, items: Sequence[Any], stream: str) -> None:
        """Take trades that arrived together."""
        if self._pen is None:
            self._reader.put_run(items, stream)
            self._last = items[-1]
            return
        self._pen.put_run(items, stream)
        self._tell()

    def lose(self, gap: Gap) -> None:
        """Note that trades were lost, and fetch them if the last trade before them is known."""
        gap.channels = tuple(
            self._stream.channel if each == self._wire_channel else each for each in gap.channels
        )
        if self._pen is not None:
            self._pen.lose(gap)
        elif gap.reason not in REFILLED or self._last is None or self.closed:
            self._reader.lose(gap)
            return
        else:
            self._pen = make_buffer(self._reader.capacity, self._reader.overflow, gaps=True)
            self._pen.channels = (self._stream.channel,)
            if self._full is not None:
                self._pen.join(self._full)
            self._pen.lose(gap)
            if not self._running:
                self._running = True
                self._start(self)
        self._resumed = False
        self._tell()

    def resumed(self) -> None:
        """Note that the exchange acknowledged the stream on the current connection."""
        self._resumed = True
        self._tell()

    def fail(self, error: ConnectorError) -> None:
        """Note that the exchange rejected the stream."""
        self._reader.fail(self.rejection(error))

    def rejection(self, error: ConnectorError) -> ConnectorError:
        """`error` with the channel that the feed subscribed to."""
        if not isinstance(error, SubscriptionRejected):
            return copy(error)
        rejection = SubscriptionRejected(
            self._stream.channel, error.code, error.message, error.hint
        )
        rejection.__cause__ = error.__cause__
        return rejection

    def join(self, full: Full) -> None:
        """Hold back the link when the feed or the pen is full."""
        self._full = full
        self._reader.join(full)

    def leave(self, full: Full) -> None:
        """Undo `join`, but for the feed's buffer, which may have other streams of the link."""
        if self._pen is not None:
            self._pen.leave(full)

    def close(self) -> None:
        """Drop everything: the feed no longer reads the channel."""
        self.closed = True
        self._scope.cancel()
        if self._pen is not None:
            self._pen.close()

    # The task.

    async def run(self) -> None:
        """Fetch and deliver until nothing is missing and no live trade waits.

        Cancellation, and `close`: what waits is dropped with the feed.
        """
        self._scope = trio.CancelScope()
        with self._scope:
            self._reader.join(self._drained)
            try:
                while not self.closed and self._pen is not None:
                    await self._pass_on(self._pen)
            except trio.ClosedResourceError:
                pass  # the adapter is being left
            finally:
                self._reader.leave(self._drained)
        self._running = False

    async def _pass_on(self, pen: Buffer[Any]) -> None:
        """Deliver the waiting trades up to the next loss, or fetch the missing ones."""
        await trio.lowlevel.checkpoint()
        trades = self._take(pen)
        if self._doubt is None:
            await self._deliver(trades)
            if not trades and not len(pen):
                self._finish(pen)
            return
        first = self._first_new(trades)
        if first is not None:
            begin = next(index for index, each in enumerate(trades) if each is first)
            doubt, self._doubt = self._doubt, None
            await self._fill(doubt, first)
            await self._deliver(trades[begin:])
        elif trades:
            return  # all of them were fetched already
        elif self._resumed and self._offer.numbered:
            self._news = trio.Event()
            with trio.move_on_after(GRACE_SECONDS) as grace:
                await self._news.wait()
            if grace.cancelled_caught:
                self._resumed = False
                await self._fill(self._doubt, None)
        elif not len(pen):
            self._news = trio.Event()
            await self._news.wait()

    def _take(self, pen: Buffer[Any]) -> list[Any]:
        """The waiting trades up to the next loss. Notes a loss before them."""
        trades: list[Any] = []
        while len(pen) and len(trades) < _AT_ONCE:
            item = pen.take()
            if not isinstance(item, Gap):
                trades.append(item)
            elif item.reason in REFILLED:
                if trades:
                    # It is for the next round, as what is before it must be delivered first.
                    self._put_back(pen, item)
                    break
                self._doubt = item
            elif self._doubt is None:
                self._reader.lose(item)
            # What the pen dropped behind a loss is fetched with it.
        if pen.blocking:
            pen.unblock_if_drained()
        return trades

    @staticmethod
    def _put_back(pen: Buffer[Any], gap: Gap) -> None:
        if pen.overflow is Overflow.CONFLATE:
            pen.lose(gap)  # it has no order, but for the latest
        else:
            pen.items.appendleft(gap)

    def _first_new(self, trades: Sequence[Any]) -> Any:
        """The first of `trades` that was not fetched yet."""
        if not self._offer.numbered:
            return trades[0] if trades else None
        last_id = self._last.trade_id
        return next((each for each in trades if each.trade_id > last_id), None)

    async def _fill(self, doubt: Gap, first: Any) -> None:
        """Fetch and deliver the trades between the last one and `first`; the rest is a gap."""
        last = self._last
        follows = first is not None and first.trade_id == last.trade_id + 1
        if self._offer.numbered and self._offer.dense and follows:
            return
        filled = await self._fetch(last, first)
        if first is None and not filled.joins_last and not filled.found:
            return  # the next live trade will tell
        missing: list[Any] = [
            self._gap(doubt, each) if isinstance(each, Hole) else self._stamped(each)
            for each in filled.items()
        ]
        await self._deliver(missing)

    async def _fetch(self, last: Any, first: Any) -> Filled:
        found: list[Any] = []
        joins_last = joins_first = False
        with trio.move_on_after(PATIENCE_SECONDS):
            for way in self._offer.ways:
                try:
                    for attempt in range(_TIMES):
                        missing = self._missing(way, found[-1] if found else last, first)
                        try:
                            await self._ask(missing)
                        finally:
                            if not found:
                                joins_last = missing.joins_last
                            found += missing.found
                            joins_first = missing.joins_first
                        if joins_first or attempt + 1 == _TIMES:
                            break
                        await trio.sleep(_AGAIN_SECONDS)
                except (RequestRejected, ExchangeUnavailable):
                    if found:
                        break
                else:
                    break
        return Filled(self._offer, last, first, found, joins_last, joins_first)

    def _missing(self, way: BackfillWay, last: Any, first: Any) -> MissingTrades:
        symbol: Any = self._stream.channel.symbol
        return MissingTrades(self._offer, way, symbol, last, first)

    async def _ask(self, missing: MissingTrades) -> None:
        rest = self._rest()
        for _ in range(MOST_REQUESTS):
            missing.take(await rest.fetch(missing.next_request(), math.inf))
            if missing.finished:
                break

    def _stamped(self, trade: Trade[Any]) -> Trade[Any]:
        trade.backfilled = True
        trade.received_ns = self._now_ns()
        return trade

    def _gap(self, doubt: Gap, hole: Hole) -> Gap:
        """The part of the loss that is still missing."""
        gap = copy(doubt)
        gap.symbol = self._last.symbol
        gap.channels = (self._stream.channel,)
        gap.begin_ns, gap.end_ns = hole.begin_ns, hole.end_ns
        gap.first_id, gap.last_id = hole.first_id, hole.last_id
        if self._offer.dense and hole.first_id is not None and hole.last_id is not None:
            gap.dropped = hole.last_id - hole.first_id + 1
        return gap

    async def _deliver(self, items: Iterable[Any]) -> None:
        """Deliver trades and gaps to the feed, whenever it has room."""
        run: list[Any] = []
        room = 0
        for item in items:
            if isinstance(item, Gap):
                self._hand_on(run)
                self._reader.lose(item)
                continue
            if len(run) >= room:
                self._hand_on(run)
                room = await self._room()
            run.append(item)
        self._hand_on(run)

    def _hand_on(self, run: list[Any]) -> None:
        if run:
            self._last = run[-1]
            self._reader.put_run(tuple(run), self._wire_name)
            run.clear()

    async def _room(self) -> int:
        """The number of trades that the feed takes now, at least 1. Executes a checkpoint."""
        reader = self._reader
        await trio.lowlevel.checkpoint()
        if reader.overflow is Overflow.CONFLATE:
            return _AT_ONCE
        while len(reader) >= reader.capacity and not reader.closed:
            if reader.blocking:
                await self._drained.wait_for_room()
            else:
                await trio.sleep(_LOOK_AGAIN_SECONDS)
        return max(min(reader.capacity - len(reader), _AT_ONCE), 1)

    def _finish(self, pen: Buffer[Any]) -> None:
        """Pass on live trades from now on."""
        self._pen = None
        if self._full is not None:
            pen.leave(self._full)
        self._reader.dropped += pen.dropped
        self._reader.replaced += pen.replaced
        while (error := pen.next_error()) is not None:
            self._reader.fail(error)

    def _tell(self) -> None:
        self._news.set()

    @property
    def _wire_channel(self) -> Any:
        assert self._stream.backfill is not None
        return self._stream.backfill.wire.channel
