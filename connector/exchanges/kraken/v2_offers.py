"""The streams of WebSocket v2 as a table: spot and the unified WebSocket fill it alike.

Source: kraken §3, §8b.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import attrs

from connector.book import Extent
from connector.book.rules import KRAKEN
from connector.channels import BookDeltas, Candles, OrderBook, Tickers, Trades
from connector.errors import ConfigError
from connector.exchanges import parameters, shortcuts
from connector.exchanges.kraken import v2_decode as decode
from connector.exchanges.kraken.learned_digits import LearnedDigits
from connector.exchanges.kraken.spot_rest import spell
from connector.exchanges.offers import Catalogue, Offer
from connector.exchanges.protocol import BookSource, Stream
from connector.exchanges.symbol_form import SymbolForm

BOOK_LEVELS = (10, 25, 100, 500, 1000)
VERIFIED_LEVELS = 10
"""Levels of each side of which a checksum is made. Source: kraken §3."""

SILENCE_SECONDS = 180.0
"""Assumed: long before that time, the best hundred levels of a pair that is traded have changed."""

INTERVALS: Mapping[str, str] = MappingProxyType(
    {
        **{name: str(minutes) for name, minutes in decode.INTERVALS.items()},
        **{str(minutes): str(minutes) for minutes in decode.INTERVALS.values()},
    }
)
"""Intervals as other exchanges write them, and as Kraken does: minutes."""

_REAL_TIME = MappingProxyType({0: "", 100: ""})
"""Only real time exists; 100 is the default of a program that does not choose."""

OFFERS: Mapping[type[Any], Offer] = MappingProxyType(
    {
        Trades: Offer(
            name="trade:{symbol}",
            reader=decode.trades,
            sequence=shortcuts.dense(decode.dense_trade_ids, "trade_id"),
            batch="trade",
        ),
        BookDeltas: Offer(
            name="book:{symbol}",
            reader=decode.book,
            parameters={"interval_ms": _REAL_TIME},
            silence_seconds=SILENCE_SECONDS,
        ),
        Candles: Offer(
            name="ohlc-{interval}:{symbol}",
            reader=decode.candles,
            parameters={"interval": INTERVALS},
            fold=decode.close_candles,
            batch="ohlc,{interval}",
        ),
        Tickers: Offer(name="ticker:{symbol}", reader=decode.ticker, batch="ticker"),
    }
)
"""What both have. The batch of a book names its levels: `catalogues` writes it."""


def catalogues(
    exchange: str,
    offers: Mapping[type[Any], Offer],
    *,
    symbol_form: SymbolForm,
    learns_digits: bool = False,
) -> Mapping[int, Catalogue]:
    """What `exchange` offers, by the levels of its books.

    Args:
        exchange: its name.
        offers: its streams.
        symbol_form: how it writes symbols.
        learns_digits: whether it is not known how the numbers of its books are written.
    """
    return MappingProxyType(
        {
            levels: _catalogue(exchange, offers, symbol_form, learns_digits, levels)
            for levels in BOOK_LEVELS
        }
    )


def _catalogue(
    exchange: str,
    offers: Mapping[type[Any], Offer],
    symbol_form: SymbolForm,
    learns_digits: bool,
    levels: int,
) -> Catalogue:
    def book(channel: OrderBook, deltas: Stream[Any], numbers: parameters.NumberType) -> BookSource:
        shown = VERIFIED_LEVELS if channel.depth is None else channel.depth
        if shown > levels:
            raise ConfigError(
                f"{exchange}: a book has {levels} levels, not {shown}; with book_levels of the "
                f"exchange it can have {', '.join(map(str, BOOK_LEVELS))}"
            )
        digits = LearnedDigits() if learns_digits else decode.digits
        return BookSource(
            deltas,
            attrs.evolve(KRAKEN, read_digits=digits),
            Extent(shown=shown, needed=1, truncated=levels),
        )

    deltas = attrs.evolve(offers[BookDeltas], batch=f"book,{levels}")
    return Catalogue(
        exchange=exchange,
        json_numbers=True,
        of_symbol={**offers, BookDeltas: deltas},
        spell=spell,
        book=book,
        symbol_form=symbol_form,
    )
