"""A made-up market whose streams agree with each other, as a source of a simulated exchange.

Seeded traders act on one matching book per symbol. Trades, quotes, partial books, deltas, candles,
tickers, mark prices and liquidations are views of the same actions, with the fields and intervals
of the venue. The market depends only on the seed and the time since the opening of the exchange.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from heapq import heapify, heapreplace
from typing import Protocol

import attrs
import trio

from connector.testing.market.audience import Audience
from connector.testing.market.coinm_payloads import CoinmPayloads, pair_of
from connector.testing.market.history import History
from connector.testing.market.matching import Fill, OrderBook, Resting, Scale, Side
from connector.testing.market.payloads import Payloads, SpotPayloads, TradeFacts, UsdmPayloads
from connector.testing.market.sources import Player
from connector.testing.market.symbol_streams import (
    COINM_CADENCES,
    QUOTES_OF_ALL,
    SPOT_CADENCES,
    USDM_CADENCES,
    WINDOWS_MS,
    Cadences,
    Desk,
)
from connector.testing.market.traders import SymbolFlow, UpdateIdSource
from connector.testing.market.truth import MarketTruth

START_PRICES = (("ETH", 3000), ("BTC", 60_000), ("XBT", 60_000), ("BNB", 600), ("SOL", 150))
OTHER_START_PRICE = 100
TICKS_PER_UNIT = 100
FIRST_UPDATE_ID = 5_000_000_000
QUANTUM_SECONDS = 0.001
"""All actions within one quantum are published together."""
BOUNDARY_MS = 50
"""Every cadence is a multiple of this."""


def _in_upper_case(flow: OrderFlow, _: object, given: object) -> None:
    """Check the spelling: channels use upper case, so other symbols would never get data."""
    if isinstance(given, str):
        raise TypeError(f"symbols is one string; write OrderFlow(symbols=({given.upper()!r},))")
    for symbol in flow.symbols:
        if symbol != symbol.upper():
            raise ValueError(f"symbol {symbol!r} is not in upper case; write {symbol.upper()!r}")


@attrs.frozen(kw_only=True)
class OrderFlow:
    """A seeded market: the same seed, the same market, to the byte.

    Args:
        symbols: the symbols, in upper case.
        seed: the seed of the market.
        rate_per_second: the number of actions per symbol and second. About one in two changes the
            top of the book, and one in seven is a trade.

    24 hour statistics begin when the exchange is opened, and mark prices follow the middle of the
    book. Streams that it does not write (``@avgPrice``, ``!contractInfo``, …) stay silent.

    Raises:
        ValueError: a symbol is not in upper case.
        TypeError: `symbols` is one string.
    """

    symbols: tuple[str, ...] = attrs.field(default=("ETHUSDC",), validator=_in_upper_case)
    seed: int = 0
    rate_per_second: float = attrs.field(default=50.0, validator=attrs.validators.gt(0))

    def begin(self, audience: Audience) -> Player:
        """Open the market; its past is not simulated."""
        ticks = {symbol: _start_ticks(symbol) for symbol in self.symbols}
        player = audience.open_market(ticks, self.seed, self.rate_per_second)
        return player or Market(self, audience)


def _start_ticks(symbol: str) -> int:
    named = symbol.removeprefix("PF_").removeprefix("PI_")  # Kraken's futures
    prices = (price for base, price in START_PRICES if named.startswith(base))
    return next(prices, OTHER_START_PRICE) * TICKS_PER_UNIT


def writer_of(venue: str) -> tuple[Payloads, Cadences]:
    """How a venue of Binance writes events, and when it sends them."""
    if venue == "spot":
        return SpotPayloads(), SPOT_CADENCES
    if venue == "binance_coinm":
        return CoinmPayloads(), COINM_CADENCES
    return UsdmPayloads(), USDM_CADENCES


class Accounts(Protocol):
    """The accounts on a market: notified when a trader's order matches one of theirs."""

    @property
    def rests(self) -> bool:
        """Whether any of their orders rests; if so, the market runs even without subscribers."""
        ...

    def meet(self, symbol: str, resting: Resting, trade: TradeFacts) -> None:
        """Settle a trade; the book has already been changed."""
        ...


class Market:
    """A running order flow of one exchange."""

    def __init__(self, source: OrderFlow, audience: Audience) -> None:
        write, cadences = writer_of(audience.venue.rules.name)
        spot = isinstance(write, SpotPayloads)
        self._audience = audience
        self._futures = write if isinstance(write, UsdmPayloads) else None
        self._write = write
        self._cadences = cadences
        self._opened_ms = audience.opened_ms
        self._boundary_ms = self._opened_ms - self._opened_ms % BOUNDARY_MS + BOUNDARY_MS
        shared = UpdateIdSource(dense=False, last=FIRST_UPDATE_ID)
        self._desks = {
            symbol: Desk(
                SymbolFlow(
                    symbol,
                    seed=source.seed,
                    rate_per_second=source.rate_per_second,
                    start_ticks=_start_ticks(symbol),
                    scale=write.scale,
                    ids=UpdateIdSource(dense=True, last=FIRST_UPDATE_ID) if spot else shared,
                    now_ms=self._opened_ms,
                ),
                audience,
                write,
                cadences,
            )
            for symbol in source.symbols
        }
        self._accounts: Accounts | None = None
        self._next = [
            (desk.flow.pause(), number, desk) for number, desk in enumerate(self._desks.values())
        ]
        heapify(self._next)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols of the order flow."""
        return tuple(self._desks)

    async def play(self) -> None:
        """Advance the market with time, and publish its actions to the subscribers."""
        while True:
            if self._audience.streams:
                self.advance()
                # A minimum pause, so that rounding cannot make this loop spin.
                soonest = self._audience.seconds + QUANTUM_SECONDS
                await trio.sleep_until(self._audience.opened + max(soonest, self._next_seconds()))
            elif self._accounts is not None and self._accounts.rests:
                self.advance(quietly=True)
                soonest = self._audience.seconds + QUANTUM_SECONDS
                with trio.move_on_at(self._audience.opened + max(soonest, self._next[0][0])):
                    await self._audience.wait_change()
            else:
                await self._audience.wait_change()
                self.advance(quietly=True)

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        """The current REST depth snapshot."""
        self.advance()
        desk = self._desks.get(symbol)
        if desk is None:
            return None
        flow = desk.flow
        return self._write.snapshot(
            self._audience.now_ms(), flow.update_id, flow.book, limit, symbol
        ).encode()

    def history(self, symbol: str) -> History | None:
        """The history of a symbol up to now; None if there is no such symbol."""
        self.advance()
        desk = self._desks.get(symbol)
        return None if desk is None else desk.flow.history

    def _next_seconds(self) -> float:
        action = self._next[0][0] if self._next else float("inf")
        return min(action, (self._boundary_ms - self._opened_ms) / 1000)

    def advance(self, *, quietly: bool = False) -> None:
        """Do all actions that are due by now; `quietly` publishes none of them."""
        # Read the time once: a machine too slow for the rate must lag, not starve the senders.
        now = self._audience.seconds
        with self._audience.silenced(quietly):
            while (moment := self._next_seconds()) <= now:
                if self._next and self._next[0][0] <= moment:
                    when, number, desk = self._next[0]
                    heapreplace(self._next, (when + desk.flow.pause(), number, desk))
                    action = desk.flow.act(self._opened_ms + round(when * 1000))
                    desk.show(action)
                    if self._accounts is not None:
                        for order, trade in action.met:
                            self._accounts.meet(desk.flow.symbol, order, trade)
                else:
                    self._pass_boundary(self._boundary_ms)
                    self._boundary_ms += BOUNDARY_MS

    # -- accounts that trade beside the traders -------------------------------------------------

    @property
    def scale(self) -> Scale:
        """How prices and quantities are written."""
        return self._write.scale

    def attend(self, accounts: Accounts) -> None:
        """Set the receiver of trades with orders of accounts."""
        self._accounts = accounts

    def wake(self) -> None:
        """Note that an account's order rests."""
        self._audience.wake()

    def keep_truth(self, symbol: str, levels: int) -> MarketTruth:
        """Record the actions on a symbol from now on."""
        return self._desks[symbol].flow.keep_truth(levels)

    def book(self, symbol: str) -> OrderBook:
        """A symbol's book; call `show` after changing it."""
        return self._desks[symbol].flow.book

    def last_price(self, symbol: str) -> Decimal:
        """The price of the last trade, or the start price."""
        return Decimal(self._desks[symbol].flow.last_price).scaleb(-self.scale.tick_decimals)

    def mark(self, symbol: str) -> Decimal:
        """The mark price, as the stream of mark prices shows it."""
        return Decimal(_mark_and_index(self._desks[symbol].flow)[0]).scaleb(-8)

    def trade(self, symbol: str, price: int, lots: int, *, taker_buys: bool, ms: int) -> TradeFacts:
        """Number and record a trade, in ticks and lots."""
        return self._desks[symbol].flow.record(Fill(price, lots), ms, taker_buys=taker_buys)

    def show(
        self,
        symbol: str,
        ms: int,
        changed: Sequence[tuple[Side, int]],
        trades: Sequence[TradeFacts],
    ) -> None:
        """Publish an account's changes to a book."""
        desk = self._desks[symbol]
        desk.show(desk.flow.outside(ms, tuple(changed), tuple(trades)))

    def _pass_boundary(self, now_ms: int) -> None:
        for window_ms in WINDOWS_MS:
            if now_ms % window_ms == 0:
                for desk in self._desks.values():
                    desk.end_window(now_ms, window_ms)
        if now_ms % 250 == 0:
            for desk in self._desks.values():
                desk.show_candles(now_ms)
                desk.show_tickers(now_ms)
        if now_ms % 1000 == 0:
            self._show_arrays(now_ms)
            if self._futures is not None:
                self._show_futures(now_ms, self._futures)
        for desk in self._desks.values():
            desk.end_spans(now_ms)
            if now_ms % 1000 == 0:
                desk.forget_changes()

    def _publish_if_wanted(self, stream: str, text: str) -> None:
        if self._audience.wants(stream):
            self._audience.publish(stream, text.encode())

    def _show_arrays(self, now_ms: int) -> None:
        changed = [desk.recent_tickers(now_ms) for desk in self._desks.values()]
        tickers = [both for both in changed if both is not None]
        if tickers:
            mini = ",".join(mini for _, mini in tickers)
            self._publish_if_wanted("!miniTicker@arr", f"[{mini}]")
            if self._futures is not None:
                self._publish_if_wanted("!ticker@arr", f"[{','.join(full for full, _ in tickers)}]")

    def _show_futures(self, now_ms: int, write: UsdmPayloads) -> None:
        marks: list[str] = []
        for symbol, desk in self._desks.items():
            name = symbol.lower()
            liquidation = desk.take_liquidation()
            if liquidation is not None:
                for stream in (f"{name}@forceOrder", "!forceOrder@arr"):
                    of_all = stream.startswith("!")
                    text = write.force_order(symbol, now_ms, *liquidation, of_all=of_all)
                    self._publish_if_wanted(stream, text)
            marks.append(write.mark_price(symbol, now_ms, *_mark_and_index(desk.flow)))
            self._publish_if_wanted(f"{name}@markPrice@1s", marks[-1])
            if now_ms % 3000 == 0:
                self._publish_if_wanted(f"{name}@markPrice", marks[-1])
            every = self._cadences.quotes_of_all_ms
            if every and now_ms % every == 0:
                quote = write.quote(symbol, now_ms, desk.flow.update_id, desk.flow.best)
                self._publish_if_wanted(QUOTES_OF_ALL, quote)
        if isinstance(write, CoinmPayloads):
            self._show_pairs(now_ms, write, marks)
        else:
            self._publish_marks("!markPrice@arr", now_ms, marks)

    def _publish_marks(self, stream: str, now_ms: int, marks: list[str]) -> None:
        self._publish_if_wanted(f"{stream}@1s", f"[{','.join(marks)}]")
        if now_ms % 3000 == 0:
            self._publish_if_wanted(stream, f"[{','.join(marks)}]")

    def _show_pairs(self, now_ms: int, write: CoinmPayloads, marks: list[str]) -> None:
        """Publish the mark prices of all symbols of a pair, and its index price."""
        by_pair: dict[str, list[str]] = {}
        for (symbol, desk), mark in zip(self._desks.items(), marks, strict=True):
            pair = pair_of(symbol).lower()
            if pair not in by_pair:
                _, index = _mark_and_index(desk.flow)
                text = write.index_price(symbol, now_ms, index)
                self._publish_if_wanted(f"{pair}@indexPrice@1s", text)
                if now_ms % 3000 == 0:
                    self._publish_if_wanted(f"{pair}@indexPrice", text)
            by_pair.setdefault(pair, []).append(mark)
        for pair, its in by_pair.items():
            self._publish_marks(f"{pair}@markPrice", now_ms, its)


def _mark_and_index(flow: SymbolFlow) -> tuple[int, int]:
    """Mark and index price in units of 10**-8: the index lags the mid price, marks lie between."""
    bid, _, ask, _ = flow.best
    middle = (bid + ask) * (10**8 // (2 * TICKS_PER_UNIT))
    index = flow.bars.running("1m").open * (10**8 // TICKS_PER_UNIT)
    return (middle + index) // 2, index
