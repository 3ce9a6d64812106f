"""Every simulated event of Binance COIN-M as JSON text: what differs from USD-M.

Quantities are numbers of contracts, turnover is in the coin, `ps` is the pair, and `st` is 2 in
frames that have it. The coin volume of a candle is computed from its average price. The exchange
adds up trades instead; the difference is *assumed* to be negligible.

Source: binance_coinm §2–§4.
"""

from __future__ import annotations

from connector.testing.market.candles import Bar
from connector.testing.market.matching import OrderBook, Scale, decimal_text
from connector.testing.market.payloads import BookEvent, TradeFacts, UsdmPayloads

SCALE = Scale(tick_decimals=2, lot_decimals=0, price_decimals=2, quantity_decimals=0)
_COIN_DECIMALS = 8


def pair_of(symbol: str) -> str:
    """Such as BTCUSD, of BTCUSD_PERP and BTCUSD_260925."""
    return symbol.partition("_")[0]


def contract_dollars(symbol: str) -> int:
    """What one contract is worth."""
    return 100 if symbol.startswith("BTC") else 10


def is_perpetual(symbol: str) -> bool:
    """Whether it never expires."""
    return symbol.endswith("_PERP")


class CoinmPayloads(UsdmPayloads):
    """As COIN-M futures write it."""

    scale = SCALE
    market = 2

    def pair(self, symbol: str) -> str:
        return pair_of(symbol)

    def turnover(self, symbol: str, lots: int, value: int) -> str:
        """The turnover in coins: dollars divided by the average price."""
        if not value:
            return decimal_text(0, 0, _COIN_DECIMALS)
        coins = contract_dollars(symbol) * lots * lots * 10 ** (SCALE.tick_decimals + 8) // value
        return decimal_text(coins, _COIN_DECIMALS, _COIN_DECIMALS)

    def aggregate(self, symbol: str, trade: TradeFacts) -> str:
        return super().aggregate(symbol, trade).replace(f'"nq":"{trade.quantity}",', "")

    def ticker(self, symbol: str, ms: int, day: Bar, best: tuple[int, int, int, int]) -> str:
        return self._with_pair(symbol, super().ticker(symbol, ms, day, best))

    def mini_ticker(self, symbol: str, ms: int, day: Bar) -> str:
        text = super().mini_ticker(symbol, ms, day)
        return self._with_pair(symbol, f'{text[:-1]},"st":{self.market}}}')

    def _with_pair(self, symbol: str, text: str) -> str:
        return text.replace(f'"s":"{symbol}",', f'"s":"{symbol}","ps":"{pair_of(symbol)}",', 1)

    def snapshot(
        self, ms: int, update_id: int, book: OrderBook, limit: int, symbol: str = ""
    ) -> str:
        return (
            f'{{"lastUpdateId":{update_id},"E":{ms},"T":{ms},"symbol":"{symbol}",'
            f'"pair":"{pair_of(symbol)}","bids":{book.bids.top(limit)},'
            f'"asks":{book.asks.top(limit)}}}'
        )

    def partial(self, symbol: str, event: BookEvent) -> str:
        return self.delta(symbol, event)

    def mark_price(self, symbol: str, ms: int, mark: int, index: int) -> str:
        """Without the average of the mark price; a delivery has no funding."""
        text = super().mark_price(symbol, ms, mark, index)
        mark_text = decimal_text(mark, 8, 8)
        text = text.replace(f'"ap":"{mark_text}",', "")
        if is_perpetual(symbol):
            return text
        head, _, _ = text.partition('"r":')
        return f'{head}"r":"","T":0,"st":{self.market}}}'

    def index_price(self, symbol: str, ms: int, index: int) -> str:
        """Of the pair of a symbol."""
        return (
            f'{{"e":"indexPriceUpdate","E":{ms},"i":"{pair_of(symbol)}",'
            f'"p":"{decimal_text(index, 8, 8)}","st":{self.market}}}'
        )

    def force_order(
        self, symbol: str, ms: int, trade: TradeFacts, average: int, *, of_all: bool
    ) -> str:
        """`ps` is inside, and only the stream of all symbols has `st`."""
        text = super().force_order(symbol, ms, trade, average, of_all=of_all)
        head, _, _ = text.rpartition('},"ps":')
        text = self._with_pair(symbol, f"{head}}}}}")
        return f'{text[:-1]},"st":{self.market}}}' if of_all else text
