"""The history of a symbol's market: newest trades, candles and funding payments.

Since the opening of the exchange, trades and candles equal those of the streams. The two days
before it have candles that are made up from the seed, so that a client can request a past. Earlier,
the symbol was not listed.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import dropwhile, islice

import attrs

from connector.testing.market.candles import INTERVALS_MS, MINUTE_MS, Bar, Bars
from connector.testing.market.payloads import FUNDING_MS, TradeFacts

TRADES_KEPT = 10_000
PAST_MINUTES = 2 * 24 * 60
FUNDING_RATE = 10_000
"""Rate of every funding, in units of 10**-8."""


@attrs.frozen
class FundingFacts:
    """A funding payment."""

    ms: int
    rate: int
    """The funding rate, in units of 10**-8."""
    price: int
    """The mark price in ticks."""


class History:
    """The history of one symbol's market.

    Args:
        bars: the bars of the symbol.
        seed: the seed of the made-up past.
        opened_ms: time at which the past ends.
        start_ticks: price at which the past ends.
    """

    def __init__(self, bars: Bars, *, seed: str, opened_ms: int, start_ticks: int) -> None:
        self._bars = bars
        self._seed = seed
        self._opened_ms = opened_ms
        self._start_ticks = start_ticks
        self._trades: deque[TradeFacts] = deque(maxlen=TRADES_KEPT)
        self._aggregates: deque[TradeFacts] = deque(maxlen=TRADES_KEPT)
        self._past: tuple[Bar, ...] = ()
        self._joined: dict[int, tuple[Bar, ...]] = {}

    def add(self, trades: Iterable[TradeFacts], aggregates: Iterable[TradeFacts]) -> None:
        """Remember an action."""
        self._trades.extend(trades)
        self._aggregates.extend(aggregates)

    def keep_last(self, most: int) -> None:
        """From now on, keep at most this many trades, and candles of each interval."""
        self._trades = deque(self._trades, maxlen=most)
        self._aggregates = deque(self._aggregates, maxlen=most)
        self._bars.keep_last(most)

    def newest_trades(self, limit: int) -> list[TradeFacts]:
        """The newest trades, oldest first."""
        return list(islice(self._trades, max(len(self._trades) - limit, 0), None))

    def trades_from(self, number: int, limit: int) -> list[TradeFacts]:
        """Trades from this number on, oldest first."""
        return list(islice(dropwhile(lambda trade: trade.trade_id < number, self._trades), limit))

    def trades_before(self, number: int, limit: int) -> list[TradeFacts]:
        """The newest trades before this number, oldest first."""
        older = [trade for trade in self._trades if trade.trade_id < number]
        return older[-limit:]

    def aggregates_from(self, number: int, limit: int) -> list[TradeFacts]:
        """Aggregates from this number on, oldest first."""
        later = dropwhile(lambda trade: trade.trade_id < number, self._aggregates)
        return list(islice(later, limit))

    def newest_aggregates(self, limit: int) -> list[TradeFacts]:
        """The newest aggregates, oldest first."""
        return list(islice(self._aggregates, max(len(self._aggregates) - limit, 0), None))

    def aggregates_between(self, begin_ms: int, end_ms: int, limit: int) -> list[TradeFacts]:
        """Aggregates between two times, both included, oldest first."""
        inside = (each for each in self._aggregates if begin_ms <= each.ms <= end_ms)
        return list(islice(inside, limit))

    def candles(self, interval: str, begin_ms: int, end_ms: int) -> list[Bar]:
        """Candles that open between two times, both included, oldest first."""
        everything = [
            *self._past_of(INTERVALS_MS[interval]),
            *self._bars.closed(interval),
            self._bars.running(interval),
        ]
        first = bisect_left(everything, begin_ms, key=lambda bar: bar.start_ms)
        last = bisect_left(everything, end_ms + 1, key=lambda bar: bar.start_ms)
        return everything[first:last]

    def funding(self, begin_ms: int, end_ms: int, now_ms: int) -> list[FundingFacts]:
        """Funding payments between two times, both included, oldest first."""
        listed_ms = self._opened_ms - PAST_MINUTES * MINUTE_MS
        begin_ms, end_ms = max(begin_ms, listed_ms), min(end_ms, now_ms)
        first_ms = begin_ms + -begin_ms % FUNDING_MS
        found = []
        for ms in range(first_ms, end_ms + 1, FUNDING_MS):
            minute = ms - ms % MINUTE_MS
            bars = self.candles("1m", minute, minute)
            found.append(FundingFacts(ms, FUNDING_RATE, bars[0].open if bars else 0))
        return found

    def _past_of(self, length_ms: int) -> tuple[Bar, ...]:
        """Candles before the opening of the exchange, joined once for each interval."""
        if length_ms not in self._joined:
            self._joined[length_ms] = tuple(self._join(length_ms))
        return self._joined[length_ms]

    def _join(self, length_ms: int) -> Iterator[Bar]:
        minutes = length_ms // MINUTE_MS
        if not minutes:
            return
        if not self._past:
            self._past = tuple(self._make_past())
        end_ms = self._opened_ms - self._opened_ms % length_ms
        first_ms = self._past[0].start_ms
        for start_ms in range(first_ms + -first_ms % length_ms, end_ms, length_ms):
            index = (start_ms - first_ms) // MINUTE_MS
            yield _joined(start_ms, self._past[index : index + minutes])

    def _make_past(self) -> list[Bar]:
        """Make the candle of every minute, in a walk back from the market's start price."""
        rng = random.Random(self._seed)
        start_ms = self._opened_ms - self._opened_ms % MINUTE_MS
        price = self._start_ticks
        bars: list[Bar] = []
        for _ in range(PAST_MINUTES):
            start_ms -= MINUTE_MS
            close, price = price, max(price + rng.randint(-40, 40), 1)
            low, high = min(price, close), max(price, close)
            volume, taken = rng.randint(1000, 90_000), rng.random()
            average = (low + high) // 2
            bars.append(
                Bar(
                    start_ms,
                    -1,
                    price,
                    high + rng.randint(0, 20),
                    max(low - rng.randint(0, 20), 1),
                    close,
                    volume=volume,
                    quote_volume=volume * average,
                    taker_buy_volume=int(volume * taken),
                    taker_buy_quote_volume=int(volume * taken) * average,
                    trades=rng.randint(1, 400),
                )
            )
        return bars[::-1]


def history_of(market: object, symbol: str | None) -> History | None:
    """The history of a symbol, if `market` keeps one."""
    ask = getattr(market, "history", None)
    if ask is None or symbol is None:
        return None
    found: History | None = ask(symbol)
    return found


def market_takes(
    market: object,
    what: str,
    most: int,
    seconds: float,
    *,
    weight: int = 1,
    ban_seconds: float = 0.0,
) -> bool:
    """Whether `market`, if it counts, accepts one more request (`VenueMarket.takes`)."""
    take = getattr(market, "takes", None)
    return take is None or bool(take(what, most, seconds, weight=weight, ban_seconds=ban_seconds))


def _joined(start_ms: int, bars: tuple[Bar, ...]) -> Bar:
    return Bar(
        start_ms,
        -1,
        bars[0].open,
        max(bar.high for bar in bars),
        min(bar.low for bar in bars),
        bars[-1].close,
        volume=sum(bar.volume for bar in bars),
        quote_volume=sum(bar.quote_volume for bar in bars),
        taker_buy_volume=sum(bar.taker_buy_volume for bar in bars),
        taker_buy_quote_volume=sum(bar.taker_buy_quote_volume for bar in bars),
        trades=sum(bar.trades for bar in bars),
    )
