"""From a frame to events: one reader per channel, and how ids follow.

Source: bitget §4, §5.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from connector import events
from connector.exchanges import shortcuts
from connector.exchanges.bitget import wire
from connector.exchanges.numbers import ON_WIRE, decoder, number
from connector.exchanges.offers import Reader
from connector.exchanges.spelling import NS_PER_MS

_sort_trades = shortcuts.in_order("wire_exchange_time_ns", "trade_id")
"""The newest is first."""
_MINUTE_MS = 60_000
INTERVAL_MS: Mapping[str, int] = MappingProxyType(
    {
        "1m": _MINUTE_MS, "3m": 3 * _MINUTE_MS, "5m": 5 * _MINUTE_MS, "15m": 15 * _MINUTE_MS,
        "30m": 30 * _MINUTE_MS, "1H": 60 * _MINUTE_MS, "4H": 240 * _MINUTE_MS,
    }
)  # fmt: skip
"""Of v3, as far as they open on the grid of UTC."""
CLASSIC_INTERVAL_MS: Mapping[str, int] = MappingProxyType(
    {
        "2H": 120 * _MINUTE_MS, "6Hutc": 360 * _MINUTE_MS, "12Hutc": 720 * _MINUTE_MS,
        "1Dutc": 1440 * _MINUTE_MS, "3Dutc": 3 * 1440 * _MINUTE_MS,
        "1Wutc": 7 * 1440 * _MINUTE_MS,
    }
)  # fmt: skip
"""Of v2: v3 has none that open on the grid of UTC."""


def trades(numbers: Any, symbol: str) -> Reader:
    """``publicTrade``. What was traded before the subscription is left out: a snapshot brings it.

    A trade of a snapshot that is new comes as an update, too.
    """
    kind: Any = wire.Trades
    decode = decoder(kind[numbers])

    def read(frame: bytes) -> list[wire.Trade[Any]]:
        said = decode(frame)
        rows: list[wire.Trade[Any]] = said.data
        if said.action == "snapshot":
            return []
        for row in rows:
            row.symbol = symbol
        if len(rows) > 1:
            _sort_trades(rows)
        return rows

    return read


def new_trades(numbers: Any, symbol: str) -> Reader:
    """``publicTrade``, but for the snapshot."""
    kind: Any = wire.NewTrades
    return shortcuts.rows(decoder(kind[numbers]), named=symbol, arrange=_sort_trades)


def book(numbers: Any, symbol: str) -> Reader:
    """``books``: a snapshot, then changes."""
    snapshot: Any = wire.SnapshotFrame
    delta: Any = wire.DeltaFrame
    return _of_symbol(decoder(snapshot[numbers], delta[numbers]), symbol)


def classic_book(numbers: Any, symbol: str) -> Reader:
    """``books`` of v2."""
    snapshot: Any = wire.ClassicSnapshotFrame
    delta: Any = wire.ClassicDeltaFrame
    return _of_symbol(decoder(snapshot[numbers], delta[numbers]), symbol)


def whole_book(numbers: Any, symbol: str) -> Reader:
    """``books5``, ``books50``, ``books1``: whole each time."""
    kind: Any = wire.WholeBooks
    return _of_symbol(decoder(kind[numbers]), symbol)


def classic_whole_book(numbers: Any, symbol: str) -> Reader:
    """``books15`` of v2."""
    kind: Any = wire.ClassicWholeBooks
    return _of_symbol(decoder(kind[numbers]), symbol)


def _of_symbol(decode: Reader, symbol: str) -> Reader:
    return shortcuts.rows(decode, named=symbol, alone=True)


def quote(numbers: Any, symbol: str) -> Reader:
    """``books1``: price and quantity of an empty side are 0."""
    kind: Any = wire.WholeBooks
    decode = decoder(kind[numbers])
    zero = number("0", _type_of(numbers))

    def read(frame: bytes) -> Any:
        found = [_quote(each, symbol, zero) for each in decode(frame).data]
        return found[0] if len(found) == 1 else found

    return read


def _type_of(numbers: Any) -> Any:
    """`float` or `Decimal`, whichever the payload's numbers become."""
    return next((plain for plain, wired in ON_WIRE.items() if wired is numbers), float)


def _quote(book: wire.BookSnapshot[Any], symbol: str, zero: Any) -> events.Quote[Any]:
    bid = book.bids[0] if book.bids else None
    ask = book.asks[0] if book.asks else None
    return events.Quote(
        symbol=symbol,
        bid_price=bid.price if bid else zero,
        bid_quantity=bid.quantity if bid else zero,
        ask_price=ask.price if ask else zero,
        ask_quantity=ask.quantity if ask else zero,
        update_id=book.update_id,
        exchange_time_ns=book.exchange_time_ns,
    )


def ticker(numbers: Any, symbol: str) -> Reader:
    """``ticker``."""
    kind: Any = wire.Tickers
    decode = decoder(kind[numbers])

    def read(frame: bytes) -> list[events.Ticker[Any]]:
        said = decode(frame)
        return [_ticker(row, symbol, said.ts * NS_PER_MS) for row in said.data]

    return read


def _ticker(row: wire.TickerRow[Any], symbol: str, time_ns: int) -> events.Ticker[Any]:
    change = row.last_price - row.open_price24h
    return events.Ticker(
        symbol=symbol,
        last=row.last_price,
        open=row.open_price24h,
        high=row.high_price24h,
        low=row.low_price24h,
        volume=row.volume24h,
        quote_volume=row.turnover24h,
        price_change=change,
        # Whether ``price24hPcnt`` is a share or a percentage is not documented.
        price_change_percent=(
            change * 100 / row.open_price24h if row.open_price24h else row.open_price24h
        ),
        exchange_time_ns=time_ns,
    )


def mark_price(numbers: Any, symbol: str) -> Reader:
    """``ticker`` of futures; what expires has no funding."""
    decode = msgspec.json.Decoder(wire.MarkPrices).decode
    plain = _type_of(numbers)

    def read(frame: bytes) -> list[events.MarkPrice[Any]]:
        said = decode(frame)
        return [
            events.MarkPrice(
                symbol=symbol,
                mark_price=number(row.mark_price, plain),
                index_price=number(row.index_price, plain) if row.index_price else None,
                funding_rate=number(row.funding_rate, plain) if row.funding_rate else None,
                next_funding_time_ns=_time_ns(row.next_funding_time),
                exchange_time_ns=said.ts * NS_PER_MS,
            )
            for row in said.data
            if row.mark_price
        ]

    return read


def _time_ns(text: str) -> int | None:
    """Milliseconds in digits; nothing, or 0, is no time."""
    return int(number(text or "0", float)) * NS_PER_MS or None


def candles_of(interval: str) -> Any:
    """Make the maker of readers of ``kline``, and of ``candle…`` of v2. The number of trades is 0.

    Of the past, which a snapshot brings first, only the candle that runs is taken.
    """

    def make(numbers: Any, symbol: str) -> Reader:
        kind: Any = wire.Candles if interval in INTERVAL_MS else wire.ClassicCandles
        decode = decoder(kind[numbers])

        def read(frame: bytes) -> list[events.Candle[Any]]:
            said = decode(frame)
            rows = said.data[-1:] if said.action == "snapshot" else said.data
            return [
                candle(row, symbol, interval, closed=False, time_ns=said.ts * NS_PER_MS or None)
                for row in rows
            ]

        return read

    return make


def length_ms(interval: str) -> int:
    """Of a candle."""
    return INTERVAL_MS.get(interval) or CLASSIC_INTERVAL_MS[interval]


def candle(
    row: wire.CandleRow[Any] | wire.ClassicCandleRow[Any],
    symbol: str,
    interval: str,
    *,
    closed: bool,
    time_ns: int | None = None,
) -> events.Candle[Any]:
    """A row of ``kline``, ``candle…`` or the history."""
    return events.Candle(
        symbol=symbol,
        interval=interval,
        open_time_ns=row.start * NS_PER_MS,
        close_time_ns=(row.start + length_ms(interval) - 1) * NS_PER_MS,
        open=row.open,
        high=row.high,
        low=row.low,
        close=row.close,
        volume=row.volume,
        quote_volume=row.turnover,
        trades=0,
        closed=closed,
        exchange_time_ns=time_ns,
    )


def liquidations(numbers: Any, symbol: str) -> Reader:
    """``liquidation``: the largest of a second. Assumed: its side is the side of the order."""
    kind: Any = wire.Liquidations
    decode = decoder(kind[numbers])

    def read(frame: bytes) -> list[events.Liquidation[Any]]:
        return [
            events.Liquidation(
                symbol=row.symbol,
                side=row.side,
                price=row.price,
                average_price=row.price,
                quantity=row.amount,
                filled_quantity=row.amount,
                exchange_time_ns=row.ts * NS_PER_MS,
            )
            for row in decode(frame).data
        ]

    return read


def other_trade_ids(last_id: int, trade: events.Trade[Any]) -> int:
    """Ids jump; the same once more is a repetition."""
    return 0 if trade.trade_id == last_id else trade.trade_id


def chained_book_ids(last_id: int, event: Any) -> int:
    """A snapshot begins anew; a change names the id before it. ``pseq`` is 0 at a restart.

    Old frames have no ids: there, every event is taken to follow.
    """
    if isinstance(event, events.BookSnapshot):
        return max(event.update_id, 1)
    last: int = event.last_update_id
    if event.previous_update_id is None:
        return max(last_id, 1)
    if not last_id or event.previous_update_id == last_id:
        return max(last, 1)
    return 0 if last == last_id else -max(last, 1)
