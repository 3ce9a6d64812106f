"""From a frame of the futures to events: one reader per feed, and how messages are numbered.

Source: kraken_futures_v1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connector import events
from connector.exchanges.kraken import futures_wire as wire
from connector.exchanges.kraken.v2_decode import decoder, number_type
from connector.exchanges.offers import Reader
from connector.exchanges.spelling import NS_PER_MS


def _trade_decoder(numbers: Any) -> Callable[[bytes], Any]:
    trade: Any = wire.TradeFrame
    history: Any = wire.TradeHistory
    number = number_type(numbers)
    return decoder(trade[number], history[number])


def trades(numbers: Any, symbol: str) -> Reader:
    """``trade``. What was traded before the subscription is left out: a snapshot brings it."""
    decode = _trade_decoder(numbers)

    def read(frame: bytes) -> Any:
        said = decode(frame)
        return [] if type(said) is wire.TradeHistory else said

    return read


def new_trades(numbers: Any, symbol: str) -> Reader:
    """``trade``, but for what was traded before the subscription."""
    kind: Any = wire.TradeFrame
    return decoder(kind[number_type(numbers)])


def liquidations(numbers: Any, symbol: str) -> Reader:
    """``trade``, as far as somebody was liquidated: the taker's order, and what it traded."""
    decode = _trade_decoder(numbers)

    def read(frame: bytes) -> list[events.Liquidation[Any]]:
        said: Any = decode(frame)
        if isinstance(said, wire.TradeHistory) or said.wire_off_book != "liquidation":
            return []
        return [
            events.Liquidation(
                symbol=said.symbol,
                side=said.side,
                price=said.price,
                average_price=said.price,
                quantity=said.quantity,
                filled_quantity=said.quantity,
                exchange_time_ns=said.exchange_time_ns,
            )
        ]

    return read


def book(numbers: Any, symbol: str) -> Reader:
    """``book``: a snapshot, or the change of one level."""
    snapshot: Any = wire.BookSnapshot
    delta: Any = wire.BookDelta
    number = number_type(numbers)
    return decoder(delta[number], snapshot[number])


def changes(numbers: Any, symbol: str) -> Reader:
    """``book``, but for the snapshot."""
    kind: Any = wire.BookDelta
    return decoder(kind[number_type(numbers)])


def ticker(numbers: Any, symbol: str) -> Reader:
    """``ticker``. High and low are the last price where they are absent, in frames of 2021."""
    kind: Any = wire.Ticker
    number = number_type(numbers)
    decode = decoder(kind[number])

    def read(frame: bytes) -> events.Ticker[Any]:
        said = decode(frame)
        last = said.last
        opened = last if said.open is None else said.open
        return events.Ticker(
            symbol=said.product_id,
            last=last,
            open=opened,
            high=last if said.high is None else said.high,
            low=last if said.low is None else said.low,
            volume=said.volume,
            quote_volume=number(0) if said.volume_quote is None else said.volume_quote,
            price_change=last - opened,
            price_change_percent=said.change,
            exchange_time_ns=said.time * NS_PER_MS,
        )

    return read


def mark_price(numbers: Any, symbol: str) -> Reader:
    """``ticker``: mark price, index and hourly funding."""
    kind: Any = wire.Ticker
    decode = decoder(kind[number_type(numbers)])

    def read(frame: bytes) -> events.MarkPrice[Any]:
        said = decode(frame)
        return events.MarkPrice(
            symbol=said.product_id,
            mark_price=said.mark_price,
            index_price=said.index,
            funding_rate=said.funding_rate,
            next_funding_time_ns=said.next_funding_time * NS_PER_MS or None,
            exchange_time_ns=said.time * NS_PER_MS,
        )

    return read


def dense_book_ids(last_id: int, event: Any) -> int:
    """A snapshot begins anew, at any time; a change has the last number + 1."""
    if isinstance(event, events.BookSnapshot):
        return max(event.update_id, 1)
    number: int = event.last_update_id
    if number == last_id + 1 or not last_id:
        return number
    return 0 if number <= last_id else -number
