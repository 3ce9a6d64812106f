"""The order flow of one symbol: seeded traders who add, cancel and take, one action at a time."""

from __future__ import annotations

import random
from itertools import groupby

import attrs

from connector.testing.market.candles import Bars
from connector.testing.market.history import History
from connector.testing.market.matching import Fill, OrderBook, Resting, Scale, Side
from connector.testing.market.payloads import TradeFacts
from connector.testing.market.truth import MarketTruth

FIRST_LEVELS = 60
THIN, THICK = 40, 150
"""With fewer levels than THIN traders only add; with more than THICK they cancel more often."""
TAKES, CANCELS, CANCELS_WHEN_THICK, IMPROVES = 0.15, 0.42, 0.50, 0.15
LIQUIDATIONS = 0.02
"""Fraction of taking orders that are liquidations."""
MAX_ORDER_LOTS = 2000
MAX_ID_STEP = 60


@attrs.define
class UpdateIdSource:
    """Source of the ids of book changes: dense on spot; shared and with holes on USD-M."""

    dense: bool
    last: int

    def next(self, rng: random.Random) -> int:
        self.last += 1 if self.dense else rng.randint(1, MAX_ID_STEP)
        return self.last


@attrs.frozen
class Action:
    """The effects of one action of a trader."""

    ms: int
    update_id: int
    changed: tuple[tuple[Side, int], ...]
    """Levels whose quantity changed: side and price in ticks."""
    trades: tuple[TradeFacts, ...] = ()
    aggregates: tuple[TradeFacts, ...] = ()
    liquidation: tuple[TradeFacts, int] | None = None
    """The liquidation order as a single trade, and its average price."""
    top_changed: bool = False
    met: tuple[tuple[Resting, TradeFacts], ...] = ()
    """Trades with orders of accounts: the order and its trade."""


class SymbolFlow:
    """One symbol's book and all actions on it.

    Args:
        symbol: in upper case.
        seed: the seed of this flow; with the symbol, it determines everything.
        start_ticks: the price around which the book begins.
    """

    def __init__(
        self,
        symbol: str,
        *,
        seed: int,
        rate_per_second: float,
        start_ticks: int,
        scale: Scale,
        ids: UpdateIdSource,
        now_ms: int,
    ) -> None:
        self.symbol = symbol
        self.book = OrderBook(scale)
        self.bars = Bars(now_ms, start_ticks)
        self.history = History(
            self.bars, seed=f"{seed}/{symbol}/past", opened_ms=now_ms, start_ticks=start_ticks
        )
        self.update_id = ids.last
        self.changed_ms = now_ms
        self._rng = random.Random(f"{seed}/{symbol}")
        # Actions of accounts use a separate random sequence, so that the traders' is unchanged.
        self._rng_of_accounts = random.Random(f"{seed}/{symbol}/accounts")
        self._last_price = start_ticks
        self._rate = rate_per_second
        self._ids = ids
        self._trade_id = self._rng.randint(1_000_000, 9_000_000)
        self._aggregate_id = self._trade_id // 2
        self._best = (0, 0, 0, 0)
        for side, sign in (("bid", -1), ("ask", 1)):
            price = start_ticks + (sign + 1) // 2
            for _ in range(FIRST_LEVELS):
                for _ in range(self._rng.randint(1, 3)):
                    self.book.side("bid" if side == "bid" else "ask").add(price, self._lots())
                price += sign * self._rng.randint(1, 3)
        self._best = self.book.best()
        self._truths: list[MarketTruth] = []

    def keep_truth(self, levels: int) -> MarketTruth:
        """Record the best levels and the trades of all actions from now on."""
        truth = MarketTruth(self.book, levels, self.changed_ms)
        self._truths.append(truth)
        return truth

    @property
    def best(self) -> tuple[int, int, int, int]:
        """Best bid, its lots, best ask, its lots."""
        return self._best

    @property
    def last_price(self) -> int:
        """The price of the last trade, in ticks; before the first, the start price."""
        return self._last_price

    def pause(self) -> float:
        """Seconds until the next action."""
        return self._rng.expovariate(self._rate)

    def act(self, ms: int) -> Action:
        """Do the next action, at a time in milliseconds."""
        rng = self._rng
        side: Side = "bid" if rng.random() < 0.5 else "ask"
        levels = len(self.book.side(side))
        chance = rng.random()
        cancels = CANCELS if levels < THICK else CANCELS_WHEN_THICK
        update_id = self._ids.next(rng)
        self.update_id = update_id
        self.changed_ms = ms
        if levels <= THIN or chance > TAKES + cancels:
            action = Action(ms, update_id, ((side, self._add(side)),))
        elif chance < TAKES:
            action = self._take(side, ms, update_id)
        else:
            action = Action(ms, update_id, ((side, self._cancel(side)),))
        return self._with_top(action)

    def outside(
        self, ms: int, changed: tuple[tuple[Side, int], ...], trades: tuple[TradeFacts, ...]
    ) -> Action:
        """Record an account's change of the book as an action."""
        self.update_id = self._ids.next(self._rng_of_accounts)
        self.changed_ms = ms
        action = Action(ms, self.update_id, changed, trades, self._aggregate(trades))
        return self._with_top(action)

    def record(self, fill: Fill, ms: int, *, taker_buys: bool) -> TradeFacts:
        """Number a trade, and count it in the candles."""
        self._trade_id += 1
        number = self._trade_id
        self._last_price = fill.price
        self.bars.add(number, fill.price, fill.quantity, taker_buys=taker_buys)
        return TradeFacts(ms, number, fill.price, fill.quantity, taker_buys, number, number)

    def _with_top(self, action: Action) -> Action:
        if action.trades:
            self.history.add(action.trades, action.aggregates)
        best = self.book.best()
        if best != self._best:
            self._best = best
            action = attrs.evolve(action, top_changed=True)
        for truth in self._truths:
            truth.note(action.ms, (*action.trades, *action.aggregates))
        return action

    def _lots(self) -> int:
        return self._rng.randint(1, MAX_ORDER_LOTS)

    def _add(self, side: Side) -> int:
        bid, _, ask, _ = self._best
        if not bid or not ask:  # accounts have emptied a side
            bid, ask = bid or (ask or self._last_price) - 1, ask or (bid or self._last_price) + 1
        own, sign = (bid, -1) if side == "bid" else (ask, 1)
        if ask - bid > 1 and self._rng.random() < IMPROVES:
            price = own - sign * self._rng.randint(1, ask - bid - 1)
        else:
            price = own + sign * int(self._rng.expovariate(0.12))
        self.book.side(side).add(price, self._lots())
        return price

    def _cancel(self, side: Side) -> int:
        levels = self.book.side(side)
        rank = int(self._rng.expovariate(0.1)) % len(levels)
        price = levels.price_at(rank)
        # A level of nothing but orders of accounts is left alone.
        levels.cancel(price, self._rng.randrange(8))
        return price

    def _take(self, side: Side, ms: int, update_id: int) -> Action:
        fills = self.book.side(side).take(self._lots() + self._lots() // 2)
        taker_buys = side == "ask"
        trades = tuple(self.record(fill, ms, taker_buys=taker_buys) for fill in fills)
        whole = _joined(trades, 0)
        average = sum(fill.price * fill.quantity for fill in fills) // whole.quantity
        liquidated = self._rng.random() < LIQUIDATIONS
        return Action(
            ms,
            update_id,
            tuple((side, price) for price in dict.fromkeys(fill.price for fill in fills)),
            trades,
            self._aggregate(trades),
            (whole, average) if liquidated else None,
            met=tuple(
                (fill.maker, trade)
                for fill, trade in zip(fills, trades, strict=True)
                if fill.maker is not None
            ),
        )

    def _aggregate(self, trades: tuple[TradeFacts, ...]) -> tuple[TradeFacts, ...]:
        joined = []
        for _, same_price in groupby(trades, key=lambda trade: trade.price):
            self._aggregate_id += 1
            joined.append(_joined(tuple(same_price), self._aggregate_id))
        return tuple(joined)


def _joined(trades: tuple[TradeFacts, ...], number: int) -> TradeFacts:
    return attrs.evolve(
        trades[0],
        trade_id=number,
        quantity=sum(trade.quantity for trade in trades),
        last_id=trades[-1].last_id,
    )
