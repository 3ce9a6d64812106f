"""Contestants of `benchmarks.books`: from a market to what takes a payload and reads the top."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, TypeAlias, cast

import attrs
import msgspec

from connector.adapter.local_book import LocalBook
from connector.book import Book, Extent
from connector.channels import OrderBook
from connector.events import BookDelta, BookView
from connector.exchanges import binance
from connector.feeds.backpressure import Full
from connector.feeds.buffer import Overflow
from connector.feeds.lossy_buffers import make_buffer
from connector.feeds.subscription import Subscription

Top: TypeAlias = tuple[float, float, float, float]
Take: TypeAlias = Callable[[bytes], Top]


@attrs.frozen
class Market:
    """A captured snapshot and the deltas that follow it."""

    futures: bool
    symbol: str
    snapshot: bytes
    payloads: list[bytes]

    @property
    def changes(self) -> int:
        """Levels in all deltas."""
        deltas = map(json.loads, self.payloads)
        return sum(len(delta["b"]) + len(delta["a"]) for delta in deltas)


class Exchange:
    """Gives snapshots of a captured market at any of its deltas; stands in for the REST side.

    What it computes is no cost of a book: `seconds` are taken off.
    """

    def __init__(self, market: Market, source: Any) -> None:
        self.asked = False
        self.seconds = 0.0
        self._market = market
        self._source = source
        self._deltas = iter(map(source.deltas.decode, market.payloads))
        self._book: Book | None = None

    def ask(self, job: object, *, after: float = 0.0) -> None:
        """A book wants a snapshot."""
        self.asked = True

    def answer(self, book: LocalBook, last: BookDelta) -> None:
        """Let `book`, which has just seen a delta, have the snapshot of this moment."""
        begin = time.process_time()
        truth = self._book = self._book or self._begun()
        while truth.update_id < last.last_update_id:
            truth.delta(next(self._deltas))
        sides = {
            name: [[str(level.price), str(level.quantity)] for level in side.top(most)]
            for most in [self._source.snapshot_levels]
            for name, side in (("bids", truth.bids), ("asks", truth.asks))
        }
        body = json.dumps({"lastUpdateId": truth.update_id, **sides}).encode()
        self.asked = False
        self.seconds += time.process_time() - begin
        if book.begin():
            book.answered(self._source.snapshot.decode(body))

    def _begun(self) -> Book:
        book = Book(self._source.rules, Extent())
        book.delta(next(self._deltas))
        book.asked()
        book.fetched(self._source.snapshot.decode(self._market.snapshot))
        return book


class Connector:
    """The adapter's way from the payload of a delta to the view in a consumer's hands."""

    def __init__(self, market: Market, *, numbers: Any = float, depth: int | None = None) -> None:
        kind = binance.UsdMFutures if market.futures else binance.Spot
        stream = kind(numbers=numbers).stream(OrderBook(market.symbol, depth=depth))
        source: Any = stream.book
        self._exchange: Any = cast("Any", Exchange(market, source))
        self._wire: Subscription = Subscription(source.deltas, Full())
        self._book = LocalBook(stream, self._exchange, self._wire, self._exchange)
        self._wire.attach(self._book)
        self._buffer: Any = make_buffer(1024, Overflow.BLOCK, gaps=False)
        self._book.attach(self._buffer)
        self._decode = source.deltas.decode
        # The first delta makes it want a snapshot.
        first = self._decode(market.payloads[0])
        self._wire.readers.put_run([first], self._wire.name)
        self._exchange.asked = False
        self._book.begin()
        self._book.answered(source.snapshot.decode(market.snapshot))
        self._buffer.take_all()

    @property
    def elsewhere_seconds(self) -> float:
        """What the exchange has computed."""
        seconds: float = self._exchange.seconds
        return seconds

    def __call__(self, payload: bytes) -> Top:
        event = self._decode(payload)
        event.received_ns, event.session = 1, 1
        self._wire.readers.put_run([event], self._wire.name)
        view: BookView = self._buffer.take()
        bid, ask = view.best_bid, view.best_ask
        assert bid is not None
        assert ask is not None
        top = bid.price, bid.quantity, ask.price, ask.quantity
        if self._exchange.asked:
            self._exchange.answer(self._book, event)
            self._buffer.take_all()
        return top


def connector(market: Market) -> Take:
    return Connector(market)


def connector_decimal(market: Market) -> Take:
    return Connector(market, numbers=Decimal)


def connector_20_levels(market: Market) -> Take:
    return Connector(market, depth=20)


class _Wire(msgspec.Struct, gc=False):
    b: list[tuple[float, float]]
    a: list[tuple[float, float]]


class _Snapshot(msgspec.Struct):
    bids: list[tuple[float, float]]
    asks: list[tuple[float, float]]


_DECODE = msgspec.json.Decoder(_Wire, strict=False).decode
_SNAPSHOT = msgspec.json.Decoder(_Snapshot, strict=False).decode


def sorted_containers(market: Market) -> Take:
    """Bare msgspec and two SortedDicts: what one would write in ten minutes."""
    sorted_dict = importlib.import_module("sortedcontainers").SortedDict
    snapshot = _SNAPSHOT(market.snapshot)
    bids, asks = sorted_dict(snapshot.bids), sorted_dict(snapshot.asks)

    def take(payload: bytes) -> Top:
        delta = _DECODE(payload)
        for side, changes in ((bids, delta.b), (asks, delta.a)):
            for price, quantity in changes:
                if quantity:
                    side[price] = quantity
                else:
                    side.pop(price, None)
        return (*bids.peekitem(-1), *asks.peekitem(0))

    return take


def order_book(market: Market) -> Take:
    """Bare msgspec and the C extension ``order_book``."""
    book = importlib.import_module("order_book").OrderBook()
    snapshot = _SNAPSHOT(market.snapshot)
    book.bids, book.asks = dict(snapshot.bids), dict(snapshot.asks)

    def take(payload: bytes) -> Top:
        delta = _DECODE(payload)
        for side, changes in ((book.bids, delta.b), (book.asks, delta.a)):
            for price, quantity in changes:
                if quantity:
                    side[price] = quantity
                elif price in side:
                    del side[price]
        return (*book.bids.index(0), *book.asks.index(0))

    return take


def cryptofeed(market: Market) -> Take:
    """Its Binance feed: its JSON, its check of ids, its book, its callback."""
    symbols = importlib.import_module("cryptofeed.symbols")
    defines = importlib.import_module("cryptofeed.defines")
    types = importlib.import_module("cryptofeed.types")
    name = "BinanceFutures" if market.futures else "Binance"
    kind = getattr(importlib.import_module("cryptofeed.exchanges"), name)
    pair = "BTC-USDT-PERP" if market.futures else "BTC-USDT"
    information = {"instrument_type": {pair: "perpetual" if market.futures else "spot"}}
    symbols.Symbols.set(kind.id, {pair: market.symbol}, information)
    tops: list[Top] = []

    async def seen(book: Any, _: float) -> None:
        bid, ask = book.book.bids.index(0), book.book.asks.index(0)
        tops.append((float(bid[0]), float(bid[1]), float(ask[0]), float(ask[1])))

    feed = kind(symbols=[pair], channels=[defines.L2_BOOK], callbacks={defines.L2_BOOK: seen})
    snapshot = json.loads(market.snapshot)
    sides = {
        side: {Decimal(price): Decimal(quantity) for price, quantity in snapshot[side]}
        for side in ("bids", "asks")
    }
    feed._l2_book[pair] = types.OrderBook(feed.id, pair, max_depth=0, **sides)
    feed.last_update_id[pair] = snapshot["lastUpdateId"]

    def take(payload: bytes) -> Top:
        message = json.loads(payload, parse_float=Decimal)
        running = feed._book(message, market.symbol, 0.0)
        try:
            running.send(None)
        except StopIteration:
            return tops.pop()
        raise AssertionError("it awaits something")

    return take


def ccxt(market: Market) -> Take:
    """ccxt.pro's Binance: its handler, its book; the consumer reads when it is resolved."""
    exchange = importlib.import_module("ccxt.pro").binance()
    symbol = "BTC/USDT:USDT" if market.futures else "BTC/USDT"
    exchange.set_markets(
        [
            {
                "id": market.symbol, "symbol": symbol, "base": "BTC", "quote": "USDT",
                "spot": not market.futures, "swap": market.futures, "linear": market.futures,
                "type": "swap" if market.futures else "spot", "contract": market.futures,
                "baseId": "BTC", "quoteId": "USDT", "active": True,
            }
        ]
    )  # fmt: skip
    tops: list[Top] = []

    def resolve(book: Any, _: str) -> None:
        tops.append((*book["bids"][0], *book["asks"][0]))

    urls = exchange.urls["api"]["ws"]
    url = (urls.get("linear") or urls["future"]) if market.futures else urls["spot"]
    client = SimpleNamespace(url=url, resolve=resolve)
    snapshot = json.loads(market.snapshot)
    parsed = exchange.parse_order_book(snapshot, symbol)
    parsed["nonce"] = snapshot["lastUpdateId"]
    exchange.orderbooks[symbol] = exchange.order_book(parsed, 1000)

    def take(payload: bytes) -> Top:
        exchange.handle_order_book(client, json.loads(payload))
        return tops.pop()

    return take


CONTESTANTS: dict[str, Callable[[Market], Take]] = {
    "connector": connector,
    "connector, depth 20": connector_20_levels,
    "connector, Decimal": connector_decimal,
    "msgspec + sortedcontainers": sorted_containers,
    "msgspec + order_book": order_book,
    "cryptofeed": cryptofeed,
    "ccxt.pro": ccxt,
}
