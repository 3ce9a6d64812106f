"""Every simulated event as JSON text, in the fields and number formats of its venue.

Source: binance_spot §5, binance_usdm §4, and captured traffic for order and format of the fields.
"""

from __future__ import annotations

from typing import Protocol

import attrs

from connector.testing.market.candles import INTERVALS_MS, Bar
from connector.testing.market.matching import OrderBook, Scale, decimal_text

SPOT_SCALE = Scale(tick_decimals=2, lot_decimals=4, price_decimals=8, quantity_decimals=8)
USDM_SCALE = Scale(tick_decimals=2, lot_decimals=3, price_decimals=2, quantity_decimals=3)
FUNDING_MS = 8 * 3_600_000


@attrs.frozen
class TradeFacts:
    """One trade, or an aggregate of trades from `first_id` to `last_id`."""

    ms: int
    trade_id: int
    price: int
    quantity: int
    taker_buys: bool
    first_id: int
    last_id: int


@attrs.frozen(kw_only=True)
class BookEvent:
    """A change of a book, or its best levels, as JSON arrays."""

    now_ms: int
    """Time of sending, milliseconds since 1970."""
    ms: int
    """Time of the last change in it, milliseconds since 1970."""
    first_id: int
    last_id: int
    previous_id: int
    """The last id of the previous event in the same stream."""
    bids: str
    asks: str


class Payloads(Protocol):
    """How one venue writes the events of the order flow."""

    @property
    def scale(self) -> Scale: ...

    def trade(self, symbol: str, trade: TradeFacts) -> str: ...

    def aggregate(self, symbol: str, trade: TradeFacts) -> str: ...

    def quote(
        self, symbol: str, ms: int, update_id: int, best: tuple[int, int, int, int]
    ) -> str: ...

    def delta(self, symbol: str, event: BookEvent) -> str: ...

    def partial(self, symbol: str, event: BookEvent) -> str: ...

    def ticker(self, symbol: str, ms: int, day: Bar, best: tuple[int, int, int, int]) -> str: ...

    def mini_ticker(self, symbol: str, ms: int, day: Bar) -> str: ...

    def snapshot(
        self, ms: int, update_id: int, book: OrderBook, limit: int, symbol: str = ""
    ) -> str: ...

    def turnover(self, symbol: str, lots: int, value: int) -> str:
        """The turnover of a number of lots; `value` is the sum of prices times lots."""
        ...


def candle(symbol: str, ms: int, interval: str, bar: Bar, write: Payloads, *, closed: bool) -> str:
    """A kline event; a `closed` candle is final."""
    price, quantity = write.scale.price, write.scale.quantity
    end = bar.start_ms + INTERVALS_MS[interval] - 1
    return (
        f'{{"e":"kline","E":{ms},"s":"{symbol}","k":{{"t":{bar.start_ms},"T":{end},"s":"{symbol}",'
        f'"i":"{interval}","f":{bar.first_id},"L":{bar.last_id},"o":"{price(bar.open)}",'
        f'"c":"{price(bar.close)}","h":"{price(bar.high)}","l":"{price(bar.low)}",'
        f'"v":"{quantity(bar.volume)}","n":{bar.trades},"x":{_boolean(closed)},'
        f'"q":"{write.turnover(symbol, bar.volume, bar.quote_volume)}",'
        f'"V":"{quantity(bar.taker_buy_volume)}",'
        f'"Q":"{write.turnover(symbol, bar.taker_buy_volume, bar.taker_buy_quote_volume)}",'
        f'"B":"0"}}}}'
    )


def _mini_ticker(symbol: str, ms: int, day: Bar, write: Payloads) -> str:
    """A 24hrMiniTicker event, the same on all venues."""
    price = write.scale.price
    return (
        f'{{"e":"24hrMiniTicker","E":{ms},"s":"{symbol}","c":"{price(day.close)}",'
        f'"o":"{price(day.open)}","h":"{price(day.high)}","l":"{price(day.low)}",'
        f'"v":"{write.scale.quantity(day.volume)}",'
        f'"q":"{write.turnover(symbol, day.volume, day.quote_volume)}"}}'
    )


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _percent(day: Bar) -> str:
    change = 100_000 * (day.close - day.open)
    return decimal_text(change // day.open if change >= 0 else -(-change // day.open), 3, 3)


def _weighted(day: Bar, scale: Scale) -> str:
    if not day.volume:
        return scale.price(day.close)
    decimals = scale.price_decimals
    units = day.quote_volume * 10 ** (decimals - scale.tick_decimals) // day.volume
    return decimal_text(units, decimals, decimals)


class SpotPayloads:
    """Spot's format: eight decimals everywhere, partial books and quotes without a time."""

    scale = SPOT_SCALE

    def trade(self, symbol: str, trade: TradeFacts) -> str:
        return (
            f'{{"e":"trade","E":{trade.ms},"s":"{symbol}","t":{trade.trade_id},'
            f'"p":"{self.scale.price(trade.price)}","q":"{self.scale.quantity(trade.quantity)}",'
            f'"T":{trade.ms},"m":{_boolean(not trade.taker_buys)},"M":true}}'
        )

    def aggregate(self, symbol: str, trade: TradeFacts) -> str:
        return (
            f'{{"e":"aggTrade","E":{trade.ms},"s":"{symbol}","a":{trade.trade_id},'
            f'"p":"{self.scale.price(trade.price)}","q":"{self.scale.quantity(trade.quantity)}",'
            f'"f":{trade.first_id},"l":{trade.last_id},"T":{trade.ms},'
            f'"m":{_boolean(not trade.taker_buys)},"M":true}}'
        )

    def quote(self, symbol: str, ms: int, update_id: int, best: tuple[int, int, int, int]) -> str:
        bid, bid_quantity, ask, ask_quantity = best
        price, quantity = self.scale.price, self.scale.quantity
        return (
            f'{{"u":{update_id},"s":"{symbol}","b":"{price(bid)}","B":"{quantity(bid_quantity)}",'
            f'"a":"{price(ask)}","A":"{quantity(ask_quantity)}"}}'
        )

    def delta(self, symbol: str, event: BookEvent) -> str:
        return (
            f'{{"e":"depthUpdate","E":{event.now_ms},"s":"{symbol}",'
            f'"U":{event.first_id},"u":{event.last_id},"b":{event.bids},"a":{event.asks}}}'
        )

    def partial(self, symbol: str, event: BookEvent) -> str:
        return f'{{"lastUpdateId":{event.last_id},"bids":{event.bids},"asks":{event.asks}}}'

    def ticker(self, symbol: str, ms: int, day: Bar, best: tuple[int, int, int, int]) -> str:
        price, quantity = self.scale.price, self.scale.quantity
        bid, bid_quantity, ask, ask_quantity = best
        return (
            f'{{"e":"24hrTicker","E":{ms},"s":"{symbol}","p":"{price(day.close - day.open)}",'
            f'"P":"{_percent(day)}","w":"{_weighted(day, self.scale)}","x":"{price(day.open)}",'
            f'"c":"{price(day.close)}","Q":"{quantity(day.last_quantity)}","b":"{price(bid)}",'
            f'"B":"{quantity(bid_quantity)}","a":"{price(ask)}","A":"{quantity(ask_quantity)}",'
            f'"o":"{price(day.open)}","h":"{price(day.high)}","l":"{price(day.low)}",'
            f'"v":"{quantity(day.volume)}","q":"{self.scale.value(day.quote_volume)}",'
            f'"O":{day.start_ms},"C":{ms},"F":{day.first_id},"L":{day.last_id},"n":{day.trades}}}'
        )

    def mini_ticker(self, symbol: str, ms: int, day: Bar) -> str:
        return _mini_ticker(symbol, ms, day, self)

    def turnover(self, symbol: str, lots: int, value: int) -> str:
        return self.scale.value(value)

    def snapshot(
        self, ms: int, update_id: int, book: OrderBook, limit: int, symbol: str = ""
    ) -> str:
        return (
            f'{{"lastUpdateId":{update_id},"bids":{book.bids.top(limit)},'
            f'"asks":{book.asks.top(limit)}}}'
        )


class UsdmPayloads:
    """USD-M's format: as many decimals as the tick, times everywhere, `st` and `ps` of 2026."""

    scale = USDM_SCALE
    market = 1
    """`st`: 1 is USD-M, 2 COIN-M."""

    def pair(self, symbol: str) -> str:
        """`ps`."""
        return symbol

    def trade(self, symbol: str, trade: TradeFacts) -> str:
        return (
            f'{{"e":"trade","E":{trade.ms},"T":{trade.ms},"s":"{symbol}","t":{trade.trade_id},'
            f'"p":"{self.scale.price(trade.price)}","q":"{self.scale.quantity(trade.quantity)}",'
            f'"X":"MARKET","m":{_boolean(not trade.taker_buys)}}}'
        )

    def aggregate(self, symbol: str, trade: TradeFacts) -> str:
        quantity = self.scale.quantity(trade.quantity)
        return (
            f'{{"e":"aggTrade","E":{trade.ms},"a":{trade.trade_id},"s":"{symbol}",'
            f'"p":"{self.scale.price(trade.price)}","q":"{quantity}","nq":"{quantity}",'
            f'"f":{trade.first_id},"l":{trade.last_id},"T":{trade.ms},'
            f'"m":{_boolean(not trade.taker_buys)},"st":{self.market}}}'
        )

    def quote(self, symbol: str, ms: int, update_id: int, best: tuple[int, int, int, int]) -> str:
        bid, bid_quantity, ask, ask_quantity = best
        price, quantity = self.scale.price, self.scale.quantity
        return (
            f'{{"e":"bookTicker","u":{update_id},"s":"{symbol}","ps":"{self.pair(symbol)}","b":"{price(bid)}",'
            f'"B":"{quantity(bid_quantity)}","a":"{price(ask)}","A":"{quantity(ask_quantity)}",'
            f'"T":{ms},"E":{ms},"st":{self.market}}}'
        )

    def delta(self, symbol: str, event: BookEvent) -> str:
        return (
            f'{{"e":"depthUpdate","E":{event.now_ms},"T":{event.ms},"s":"{symbol}",'
            f'"ps":"{self.pair(symbol)}","U":{event.first_id},"u":{event.last_id},"pu":{event.previous_id},'
            f'"b":{event.bids},"a":{event.asks},"st":{self.market}}}'
        )

    def partial(self, symbol: str, event: BookEvent) -> str:
        return self.delta(symbol, event)

    def ticker(self, symbol: str, ms: int, day: Bar, best: tuple[int, int, int, int]) -> str:
        price, quantity = self.scale.price, self.scale.quantity
        return (
            f'{{"e":"24hrTicker","E":{ms},"s":"{symbol}","p":"{price(day.close - day.open)}",'
            f'"P":"{_percent(day)}","w":"{_weighted(day, self.scale)}","c":"{price(day.close)}",'
            f'"Q":"{quantity(day.last_quantity)}","o":"{price(day.open)}","h":"{price(day.high)}",'
            f'"l":"{price(day.low)}","v":"{quantity(day.volume)}",'
            f'"q":"{self.turnover(symbol, day.volume, day.quote_volume)}",'
            f'"O":{day.start_ms},"C":{ms},"F":{day.first_id},"L":{day.last_id},"n":{day.trades},"st":{self.market}}}'
        )

    def mini_ticker(self, symbol: str, ms: int, day: Bar) -> str:
        return _mini_ticker(symbol, ms, day, self)

    def turnover(self, symbol: str, lots: int, value: int) -> str:
        return self.scale.value(value)

    def snapshot(
        self, ms: int, update_id: int, book: OrderBook, limit: int, symbol: str = ""
    ) -> str:
        return (
            f'{{"lastUpdateId":{update_id},"E":{ms},"T":{ms},"bids":{book.bids.top(limit)},'
            f'"asks":{book.asks.top(limit)}}}'
        )

    def mark_price(self, symbol: str, ms: int, mark: int, index: int) -> str:
        """Mark price, index and funding; `mark` and `index` in 10**-8."""
        rate = max(-75_000, min(75_000, (mark - index) * 10**8 // (index or 1)))
        next_funding = ms - ms % FUNDING_MS + FUNDING_MS
        mark_text, index_text = decimal_text(mark, 8, 8), decimal_text(index, 8, 8)
        return (
            f'{{"e":"markPriceUpdate","E":{ms},"s":"{symbol}","p":"{mark_text}",'
            f'"ap":"{mark_text}","P":"{index_text}","i":"{index_text}",'
            f'"r":"{decimal_text(rate, 8, 8)}","T":{next_funding},"st":{self.market}}}'
        )

    def force_order(
        self, symbol: str, ms: int, trade: TradeFacts, average: int, *, of_all: bool
    ) -> str:
        """A liquidation that took `trade.quantity` at an average price, from `trade.price` on."""
        price, quantity = self.scale.price, self.scale.quantity(trade.quantity)
        return (
            f'{{"e":"forceOrder","E":{ms},"o":{{"s":"{symbol}",'
            f'"S":"{"BUY" if trade.taker_buys else "SELL"}","o":"LIMIT","f":"IOC","q":"{quantity}",'
            f'"p":"{price(trade.price)}","ap":"{price(average)}","X":"FILLED","l":"{quantity}",'
            f'"z":"{quantity}","T":{trade.ms}}},"ps":"{self.pair(symbol)}","st":{self.market}}}'
        )
