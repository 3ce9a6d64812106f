"""Local order books beside others: one captured market, from the text of a delta to the new top.

    python -m benchmarks.books               # captures: CONNECTOR_DATA, as for the tests

Every contestant decodes the payload, applies it to a book that began with the captured snapshot,
tells a consumer, and the consumer reads best bid and best ask with their quantities; all must read
the same tops. CPU time of one process, the best of interleaved rounds: what other programs of the
machine take is never negative. Contestants that are not installed are left out: sortedcontainers,
order_book, cryptofeed, ccxt.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import importlib
import json
import platform
import re
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias, cast

import attrs
import msgspec
import trio

from benchmarks.workloads import DATA
from connector.adapter.local_book import LocalBook
from connector.book import Book, Extent, rules
from connector.channels import OrderBook
from connector.events import BookDelta, BookView
from connector.exchanges import binance
from connector.feeds.backpressure import Full
from connector.feeds.buffer import Overflow
from connector.feeds.lossy_buffers import make_buffer
from connector.feeds.subscription import Subscription

CAPTURES = {
    "spot, 100 ms": "binance_spot/btcusdt_20240808.jsonl.gz",
    "usdm, real time": "binance_usdm/btcusdt_20240808.jsonl.gz",
}
QUIET = "binance_usdm/multi4_20210722.jsonl.gz"
"""Four symbols of the usual kind, every 100 ms if something has changed."""
QUIET_SECONDS = 31.0
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


def read(path: Path) -> list[Market]:
    """The markets of a capture."""
    futures = "binance_spot" not in str(path)
    rule_set = rules.BINANCE_FUTURES if futures else rules.BINANCE_SPOT
    exchange = binance.UsdMFutures() if futures else binance.Spot()
    deltas: dict[str, list[bytes]] = defaultdict(list)
    snapshots: dict[str, bytes] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            text = line["m"] or ""
            if line["k"] == "http":
                if asked := re.search(r"symbol=(\w+)", line["u"]):
                    snapshots[asked[1]] = text.encode()
            elif told := re.match(r'\{"stream":"(\w+)@depth', text):
                deltas[told[1].upper()].append(text.partition('"data":')[2][:-1].encode())
    markets = []
    for symbol, snapshot in snapshots.items():
        source: Any = exchange.stream(OrderBook(symbol)).book
        taken = source.snapshot.decode(snapshot)
        first = next(
            index
            for index, payload in enumerate(deltas[symbol])
            if rule_set.join(taken.update_id, source.deltas.decode(payload)) > 0
        )
        markets.append(Market(futures, symbol, snapshot, deltas[symbol][first:]))
    return markets


# --- contestants: from a market to a function that takes a payload and reads the top


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


def run(take: Take, payloads: Iterable[bytes]) -> tuple[float, list[Top]]:
    """CPU seconds, and every top."""
    gc.collect()
    before = getattr(take, "elsewhere_seconds", 0.0)
    begin = time.process_time()
    tops = [take(payload) for payload in payloads]
    spent = time.process_time() - begin
    return spent - (getattr(take, "elsewhere_seconds", 0.0) - before), tops


def compare(market: Market, rounds: int, most: int) -> None:
    """Print the table of one market."""
    payloads = market.payloads[:most]
    changes = attrs.evolve(market, payloads=payloads).changes
    seconds: dict[str, list[float]] = {}
    expected: list[Top] = []
    for _ in range(rounds):
        for name, make in CONTESTANTS.items():
            try:
                take = make(market)
            except ModuleNotFoundError as missing:
                print(f"{name}: left out, {missing.name} is not installed")
                continue
            if not name.startswith("connector"):
                take(payloads[0])  # ours has seen it, it was what made it ask for the snapshot
            spent, tops = run(take, payloads[1:])
            tops = [(float(a), float(b), float(c), float(d)) for a, b, c, d in tops]
            expected = expected or tops
            assert len(tops) == len(expected), name
            wrong = sum(top != other for top, other in zip(tops, expected, strict=True))
            if wrong:
                print(f"{name}: {wrong} of {len(tops)} tops differ")
            seconds.setdefault(name, []).append(spent)
    ours = min(seconds["connector"])
    print(f"\n{len(payloads):,} deltas, {changes / len(payloads):.0f} levels each")
    print(f"{'':28}{'µs per delta':>14}{'µs per level':>14}{'ratio':>8}")
    for name, each in seconds.items():
        best = min(each)
        per_delta, per_level = best * 1e6 / len(payloads), best * 1e6 / changes
        print(f"{name:28}{per_delta:14.1f}{per_level:14.3f}{best / ours:8.2f}")


def apply_only(market: Market, most: int) -> None:
    """Print what a level costs without decoding and telling."""
    exchange = binance.UsdMFutures() if market.futures else binance.Spot()
    source: Any = exchange.stream(OrderBook(market.symbol)).book
    deltas = [source.deltas.decode(payload) for payload in market.payloads[:most]]
    book = Book(source.rules, Extent())
    book.delta(deltas[0])
    book.asked()
    book.fetched(source.snapshot.decode(market.snapshot))
    begin = time.process_time()
    for delta in deltas[1:]:
        book.delta(delta)
    spent = time.process_time() - begin
    changes = attrs.evolve(market, payloads=market.payloads[:most]).changes
    print(f"applying alone: {spent * 1e6 / changes:.3f} µs per level")


def many(count: int) -> None:
    """Print what `count` books in one process take, each fed as one of a capture was."""
    markets = read(DATA / QUIET)
    rate = sum(len(market.payloads) for market in markets) / len(markets) / QUIET_SECONDS
    changes = sum(market.changes for market in markets) / sum(
        len(market.payloads) for market in markets
    )
    print(f"\n{count} books, {rate:.1f} deltas of {changes:.0f} levels a second each ({QUIET})")
    for depth in (None, 20):
        gc.collect()
        before = resident_bytes()
        takes = [Connector(markets[each % len(markets)], depth=depth) for each in range(count)]
        gc.collect()
        memory = (resident_bytes() - before) / count
        begin = time.process_time()
        for number, take in enumerate(takes):
            for payload in markets[number % len(markets)].payloads[1:]:
                take(payload)
        elsewhere = sum(take.elsewhere_seconds for take in takes)
        share = (time.process_time() - begin - elsewhere) / QUIET_SECONDS
        print(f"depth {depth}: {memory / 1024:.0f} KiB each, {share:.1%} of a processor")
        del takes


def resident_bytes() -> int:
    """Memory of this process that is in RAM."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


async def main(options: argparse.Namespace) -> None:
    print(f"{platform.python_implementation()} {platform.python_version()}")
    for name, file in CAPTURES.items():
        print(f"\n== {name} ({file})")
        (market,) = read(DATA / file)
        compare(market, options.rounds, options.deltas)
        apply_only(market, options.deltas)
    many(options.books)
    await trio.lowlevel.checkpoint()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--deltas", type=int, default=3000)
    parser.add_argument("--books", type=int, default=500)
    trio.run(main, parser.parse_args())
