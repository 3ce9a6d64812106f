"""One product's feeds: what its order flow does, as Kraken's futures write it.

Each level that changes is a message with a number of its own.

Source: kraken_futures_v1, and stored frames for the order of the keys.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Iterable

from connector.testing.market.audience import Audience
from connector.testing.market.matching import BookSide, Scale, decimal_text
from connector.testing.market.payloads import TradeFacts
from connector.testing.market.traders import Action, SymbolFlow

HISTORY = 100
TICKER_MS = 1000
FUNDING_MS = 3_600_000
FIRST_SEQ = 5_159_966
_SPREAD_BITS = 0x9E3779B97F4A7C15F39CC0605CEDC835
_SIDES = {"bid": "buy", "ask": "sell"}


class FuturesDesk:
    """Sends one product's events to an audience."""

    def __init__(self, flow: SymbolFlow, audience: Audience, scale: Scale) -> None:
        self._flow = flow
        self._audience = audience
        self._scale = scale
        self._seq = FIRST_SEQ
        self._trade_seq = 0
        self._trades: deque[str] = deque(maxlen=HISTORY)

    @property
    def flow(self) -> SymbolFlow:
        """The order flow of the product."""
        return self._flow

    def show(self, action: Action) -> None:
        """Trades and changes of the book are sent in real time."""
        kind = "fill" if action.liquidation is None else "liquidation"
        for trade in action.trades:
            self._trade_seq += 1
            text = self._trade(trade, kind)
            self._trades.appendleft(text)
            self._publish("trade", text)
        for side, price in action.changed:
            self._seq += 1
            if self._wants("book"):
                lots = self._flow.book.side(side).quantities.get(price, 0)
                self._publish(
                    "book",
                    f'{{"feed":"book","product_id":"{self._flow.symbol}","side":"{_SIDES[side]}",'
                    f'"seq":{self._seq},{self._level(price, lots)},"timestamp":{action.ms}}}',
                )

    def pass_boundary(self, now_ms: int) -> None:
        """Tickers are sent by the clock."""
        if now_ms % TICKER_MS == 0:
            if self._wants("ticker"):
                self._publish("ticker", self._ticker(now_ms))
            if self._wants("ticker_lite"):
                self._publish("ticker_lite", self._small_ticker())

    def first(self, stream: str) -> Iterable[bytes]:
        """The first messages of a feed."""
        feed, _, product = stream.partition(":")
        if product != self._flow.symbol:
            return
        if feed == "book":
            book = self._flow.book
            yield (
                f'{{"feed":"book_snapshot","product_id":"{product}",'
                f'"timestamp":{self._audience.now_ms()},"seq":{self._seq},"tickSize":null,'
                f'"bids":[{self._levels(book.bids)}],"asks":[{self._levels(book.asks)}]}}'
            ).encode()
        elif feed == "trade":
            yield (
                f'{{"feed":"trade_snapshot","product_id":"{product}",'
                f'"trades":[{",".join(self._trades)}]}}'
            ).encode()
        elif feed == "ticker":
            yield self._ticker(self._audience.now_ms()).encode()
        elif feed == "ticker_lite":
            yield self._small_ticker().encode()

    # -- inside ---------------------------------------------------------------------------------

    def _wants(self, feed: str) -> bool:
        return self._audience.wants(f"{feed}:{self._flow.symbol}")

    def _publish(self, feed: str, text: str) -> None:
        if self._wants(feed):
            self._audience.publish(f"{feed}:{self._flow.symbol}", text.encode())

    def _level(self, price: int, lots: int) -> str:
        return f'"price":{self._scale.price(price)},"qty":{self._scale.quantity(lots)}'

    def _levels(self, side: BookSide) -> str:
        return ",".join(
            f"{{{self._level(price, lots)}}}" for price, lots in side.best_levels(len(side))
        )

    def _trade(self, trade: TradeFacts, kind: str) -> str:
        number = uuid.UUID(int=trade.trade_id * _SPREAD_BITS & (1 << 128) - 1)
        return (
            f'{{"feed":"trade","product_id":"{self._flow.symbol}","uid":"{number}",'
            f'"side":"{"buy" if trade.taker_buys else "sell"}","type":"{kind}",'
            f'"seq":{self._trade_seq},"time":{trade.ms},'
            f'"qty":{self._scale.quantity(trade.quantity)},"price":{self._scale.price(trade.price)}'
            f"}}"
        )

    def _ticker(self, now_ms: int) -> str:
        day, scale = self._flow.bars.day, self._scale
        bid, bid_lots, ask, ask_lots = self._flow.best
        funding = (
            '"funding_rate":-6.2604214e-11,"relative_funding_rate":-1.380384722222e-6,'
            f'"next_funding_rate_time":{now_ms - now_ms % FUNDING_MS + FUNDING_MS},'
            if self._flow.symbol.startswith("P")
            else ""
        )
        index = scale.price(self._flow.bars.running("1m").open)
        return (
            f'{{"time":{now_ms},"product_id":"{self._flow.symbol}",{funding}"feed":"ticker",'
            f'"bid":{scale.price(bid)},"ask":{scale.price(ask)},'
            f'"bid_size":{scale.quantity(bid_lots)},"ask_size":{scale.quantity(ask_lots)},'
            f'"volume":{scale.quantity(day.volume)},"dtm":0,"leverage":"50x","index":{index},'
            f'"premium":0.0,"last":{scale.price(day.close)},"change":{self._change()},'
            f'"suspended":false,"tag":"perpetual","pair":"XBT:USD","openInterest":30072580.0,'
            f'"markPrice":{scale.price((bid + ask) // 2)},"maturityTime":0,"post_only":false,'
            f'"volumeQuote":{scale.value(day.quote_volume)},"open":{scale.price(day.open)},'
            f'"high":{scale.price(day.high)},"low":{scale.price(day.low)}}}'
        )

    def _small_ticker(self) -> str:
        bid, _, ask, _ = self._flow.best
        day, scale = self._flow.bars.day, self._scale
        return (
            f'{{"feed":"ticker_lite","product_id":"{self._flow.symbol}","bid":{scale.price(bid)},'
            f'"ask":{scale.price(ask)},"change":{self._change()},"premium":0.0,'
            f'"volume":{scale.quantity(day.volume)},"tag":"perpetual","pair":"XBT:USD","dtm":0,'
            f'"maturityTime":0}}'
        )

    def _change(self) -> str:
        day = self._flow.bars.day
        return decimal_text((day.close - day.open) * 10**8 // day.open, 6, 6)
