"""From a frame to events: one reader per channel.

A frame is of the product that it names first. Where it names another one, too, a reader refuses it,
and `connector.exchanges.coinbase.frames.parse` takes it apart. What is asked for as ``BTC-USDC``
comes as ``BTC-USD``: the two have one book, and the events have the symbol that was asked for.

Source: coinbase A3, A4, A5.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import msgspec

from connector import events
from connector.exchanges.coinbase import wire
from connector.exchanges.numbers import decoder
from connector.exchanges.offers import Reader
from connector.exchanges.shortcuts import in_order, rows, split
from connector.exchanges.spelling import NS_PER_MS
from connector.exchanges.usual_json import changes_decoder, usual_decoder

CANDLE_INTERVAL, CANDLE_SECONDS = "5m", 300
"""The only one."""
NS_PER_SECOND = 1000 * NS_PER_MS

_MOST_AGAIN = 10_000
"""So many trades do not fit into a snapshot, and into the message behind it."""
_TWIN, _DOLLAR = "-USDC", "-USD"
_OF_THEIR_OWN = frozenset({"USDT-USDC", "EURC-USDC"})
_price, _start, _trade_id = attrgetter("price"), attrgetter("start"), attrgetter("trade_id")


def listed_as(product: str) -> str:
    """The product under which data of `product` comes. Source: coinbase A3."""
    if product.endswith(_TWIN) and product not in _OF_THEIR_OWN:
        return product.removesuffix(_TWIN) + _DOLLAR
    return product


def _misdirected(product: str) -> msgspec.ValidationError:
    return msgspec.ValidationError(f"a frame of several products, {product[:40]!r} among them")


def trades(numbers: Any, symbol: str) -> Reader:
    """``market_trades``, in the order of their ids."""
    kind: Any = wire.TradesFrame
    decode = decoder(kind[numbers])
    known = {symbol, listed_as(symbol)}

    def read(frame: bytes) -> list[wire.Trade[Any]]:
        found: list[wire.Trade[Any]] = []
        for each in decode(frame).events:
            if each.type == "snapshot":
                for trade in each.trades:
                    trade.history = True
            found += each.trades
        if len(found) > 1:
            found.sort(key=_trade_id)
        for trade in found:
            if trade.symbol not in known:
                raise _misdirected(trade.symbol)
            trade.symbol = symbol
        return found

    return read


def new_trades(numbers: Any, symbol: str) -> Reader:
    """``market_trades`` of a product that comes under its own name, but for the snapshot."""
    if listed_as(symbol) != symbol:
        return trades(numbers, symbol)
    kind: Any = wire.NewTradesFrame
    decode = usual_decoder(kind[numbers], strict=False, otherwise=decoder(kind[numbers]))
    return rows(decode, of=symbol, arrange=in_order("trade_id"), within="events")


def book(numbers: Any, symbol: str) -> Reader:
    """``l2_data``: snapshots and changes."""
    kind: Any = wire.BookFrame
    decode = decoder(kind[numbers])
    known = {symbol, listed_as(symbol)}

    def read(frame: bytes) -> Any:
        said = decode(frame)
        found = []
        for each in said.events:
            if each.product_id not in known:
                raise _misdirected(each.product_id)
            found.append(_book(each, symbol, said))
        return found[0] if len(found) == 1 else found

    return read


def changes(numbers: Any, symbol: str) -> Reader:
    """``l2_data``: changes of one product, usually."""
    delta: Any = wire.BookDelta
    bid: Any = wire.BidRow
    offer: Any = wire.OfferRow
    return changes_decoder(
        delta[numbers],
        (bid[numbers], offer[numbers]),
        within="events",
        only={"type": "update"},
        symbols=("product_id", dict.fromkeys((listed_as(symbol), symbol), symbol)),
        levels="updates",
        otherwise=book(numbers, symbol),
    )


def _book(said: wire.BookEvent[Any], symbol: str, frame: wire.BookFrame[Any]) -> events.Event:
    bids, asks = split(said.updates, wire.BidRow)
    number: Any = frame.sequence_num
    time: Any = frame.timestamp
    if said.type == "update":
        return wire.BookDelta(
            symbol=symbol,
            exchange_time_ns=time,
            bids=bids,
            asks=asks,
            last_update_id=number,
        )
    bids.sort(key=_price, reverse=True)
    asks.sort(key=_price)
    return wire.BookSnapshot(
        symbol=symbol, exchange_time_ns=time, bids=bids, asks=asks, update_id=number
    )


def quote(numbers: Any, symbol: str) -> Reader:
    """``ticker``: the quote after a trade."""
    kind: Any = wire.QuotesFrame
    decode = decoder(kind[numbers])
    known = {symbol, listed_as(symbol)}

    def read(frame: bytes) -> Any:
        said = decode(frame)
        found = []
        for each in said.events:
            for row in each.tickers:
                if row.product_id not in known:
                    raise _misdirected(row.product_id)
                found.append(
                    wire.Quote(
                        symbol=symbol,
                        bid_price=row.best_bid,
                        bid_quantity=row.best_bid_quantity,
                        ask_price=row.best_ask,
                        ask_quantity=row.best_ask_quantity,
                        update_id=said.sequence_num,
                        exchange_time_ns=said.timestamp,
                    )
                )
        return found[0] if len(found) == 1 else found

    return read


def ticker(numbers: Any, symbol: str) -> Reader:
    """``ticker_batch``. The price 24 hours ago is computed; the quote volume is always 0."""
    kind: Any = wire.TickersFrame
    decode = decoder(kind[numbers])
    known = {symbol, listed_as(symbol)}

    def read(frame: bytes) -> list[events.Ticker[Any]]:
        said = decode(frame)
        time_ns = wire.nanoseconds(said.timestamp)
        return [
            _ticker(row, symbol, known, time_ns) for each in said.events for row in each.tickers
        ]

    return read


def _ticker(
    row: wire.TickerRow[Any], symbol: str, known: set[str], time_ns: int | None
) -> events.Ticker[Any]:
    if row.product_id not in known:
        raise _misdirected(row.product_id)
    percent = row.price_percent_chg_24_h
    share = percent + 100
    opened = row.price * 100 / share if share > 0 else row.price * 0
    return events.Ticker(
        symbol=symbol,
        last=row.price,
        open=opened,
        high=row.high_24_h,
        low=row.low_24_h,
        volume=row.volume_24_h,
        quote_volume=row.price * 0,
        price_change=row.price - opened,
        price_change_percent=percent,
        exchange_time_ns=time_ns,
    )


def candles(numbers: Any, symbol: str) -> Reader:
    """``candles``, in the order of their begins; but for the last of a frame they are over.

    Quote volume and number of trades are not sent: they are 0.
    """
    kind: Any = wire.CandlesFrame
    decode = decoder(kind[numbers])
    known = {symbol, listed_as(symbol)}

    def read(frame: bytes) -> list[events.Candle[Any]]:
        said = decode(frame)
        time_ns = wire.nanoseconds(said.timestamp)
        rows = [row for each in said.events for row in each.candles]
        for row in rows:
            if row.product_id not in known:
                raise _misdirected(row.product_id)
        rows.sort(key=_start)
        newest = rows[-1].start if rows else 0
        return [_candle(row, symbol, time_ns, closed=row.start < newest) for row in rows]

    return read


def _candle(
    row: wire.CandleRow[Any], symbol: str, time_ns: int | None, *, closed: bool
) -> events.Candle[Any]:
    opened_ns = row.start * NS_PER_SECOND
    return events.Candle(
        symbol=symbol,
        interval=CANDLE_INTERVAL,
        open_time_ns=opened_ns,
        close_time_ns=opened_ns + CANDLE_SECONDS * NS_PER_SECOND - NS_PER_MS,
        open=row.open,
        high=row.high,
        low=row.low,
        close=row.close,
        volume=row.volume,
        quote_volume=row.volume * 0,
        trades=0,
        closed=closed,
        exchange_time_ns=time_ns,
    )


def rising_trade_ids(last_id: int, trade: events.Trade[Any]) -> int:
    """Old trades are dropped. Missing trades cannot be detected."""
    return trade.trade_id if trade.trade_id > last_id else 0


def was_told(last_id: int, trade: wire.Trade[Any]) -> bool:
    """Whether an old trade is of the snapshot with which a subscription begins, or came after it
    once more; if not, the ids begin anew.
    """
    return trade.history or last_id - trade.trade_id < _MOST_AGAIN
