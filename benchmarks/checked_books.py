"""Local books whose checksum is verified at every change, beside ccxt and cryptofeed.

    python -m benchmarks.checked_books             # captures: CONNECTOR_DATA, as for the tests

Every contestant takes the text of each frame of a capture, decodes it, applies it to the book of
its symbol, verifies the checksum where it can, tells a consumer, and the consumer reads best bid
and best ask; all must read the same tops. Snapshots are not measured. CPU time of one process, the
least of interleaved rounds: what other programs of the machine take is never negative. Contestants
that are not installed are left out.

- **Kraken**: cryptofeed reads version 1 of the protocol, as captured; `connector` and ccxt read the
  same changes as version 2 writes them, which is the same digits as JSON numbers in objects.
- **OKX**: the capture is from before changes had ids; they are put in, as OKX writes them now. ccxt
  follows them and verifies no checksum any more.
- ccxt makes Kraken's checksum of floats, which cannot be right, and has it switched off.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import importlib
import json
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, TypeAlias

import attrs
import trio

from benchmarks.build import warn_if_not_compiled
from benchmarks.replay import Silent
from benchmarks.workloads import DATA
from connector.adapter.local_book import LocalBook
from connector.channels import OrderBook
from connector.exchanges import kraken, okx
from connector.feeds.backpressure import Full
from connector.feeds.buffer import Overflow
from connector.feeds.delivery import Delivery
from connector.feeds.lossy_buffers import make_buffer
from connector.feeds.subscription import Subscription

Top: TypeAlias = tuple[float, float, float, float]
Take: TypeAlias = Callable[[str], Top]


@attrs.frozen
class Capture:
    """Books of one venue."""

    venue: str
    snapshots: list[str]
    changes: list[str]
    originals: list[str]
    """The same, snapshots first, as version 1 of the protocol writes them; the same texts where
    there is only one version."""
    symbols: list[str]


def received(file: str) -> Iterator[str]:
    """The frames of a capture."""
    with gzip.open(DATA / file, "rt", encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            if line["k"] == "recv":
                yield line["m"]


def of_okx() -> Capture:
    """Captured books of OKX."""
    books: list[str] = []
    for text in received("okx/v5_public_20220513.jsonl.gz"):
        if text.startswith('{"arg":{"channel":"books"') and '"data":' in text:
            symbol = json.loads(text)["arg"]["instId"]
            last = sum(f'"instId":"{symbol}"' in each for each in books)
            ids = f'"prevSeqId":{last or -1},"seqId":{last + 1},"checksum":'
            books.append(text.replace('"checksum":', ids, 1))
    snapshots = [text for text in books if '"action":"snapshot"' in text]
    changes = [text for text in books if '"action":"update"' in text]
    symbols = sorted({json.loads(text)["arg"]["instId"] for text in books})
    return Capture("okx", snapshots, changes, snapshots + changes, symbols)


def of_kraken() -> Capture:
    """Captured books of Kraken, whose prices and quantities keep their digits in version 2."""
    snapshots: list[tuple[str, str]] = []
    changes: list[tuple[str, str]] = []
    symbols = set()
    for text in received("kraken/v1_book1000_20210417.jsonl.gz"):
        said = json.loads(text)
        if not isinstance(said, list):
            continue
        parts = {key: value for part in said[1:-2] for key, value in part.items()}
        whole = "as" in parts
        if not whole and "c" not in parts:
            continue
        symbols.add(said[-1])
        bids, asks = (
            ",".join(f'{{"price":{row[0]},"qty":{row[1]}}}' for row in parts.get(side, []))
            for side in (("bs", "as") if whole else ("b", "a"))
        )
        # Version 1 has no checksum of snapshots: none is verified here, either.
        checksum = kraken_checksum(parts) if whole else parts["c"]
        kind = "snapshot" if whole else "update"
        written = (
            f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{said[-1]}","bids":[{bids}],'
            f'"asks":[{asks}],"checksum":{checksum},"timestamp":"2026-08-01T12:00:00.000000Z"}}]}}'
        )
        (snapshots if whole else changes).append((written, text))
    ordered = snapshots + changes
    return Capture(
        "kraken",
        [each[0] for each in snapshots],
        [each[0] for each in changes],
        [each[1] for each in ordered],
        sorted(symbols),
    )


def kraken_checksum(parts: dict[str, Any]) -> int:
    """What version 2 would write of a snapshot."""
    crc32 = importlib.import_module("zlib").crc32
    rows = [row for side in ("as", "bs") for row in parts[side][:10]]
    digits = "".join(text.replace(".", "").lstrip("0") for row in rows for text in row[:2])
    return int(crc32(digits.encode()))


# --- contestants: from a capture to a function that takes a frame and reads the top


class Nobody:
    """Whom a book would ask, if its capture had a hole."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the book asks for {name}")


class Connector:
    """The adapter's way from a frame to the view in a consumer's hands."""

    def __init__(self, capture: Capture, numbers: Any) -> None:
        kind: Any = okx.Okx if capture.venue == "okx" else kraken.Spot
        # A thousand levels of a side, as captured.
        exchange = (
            kind(numbers=numbers) if kind is okx.Okx else kind(numbers=numbers, book_levels=1000)
        )
        full, streams = Full(), dict[bytes, Subscription]()
        self._buffer: Any = make_buffer(1024, Overflow.BLOCK, gaps=False)
        for symbol in capture.symbols:
            stream: Any = exchange.stream(OrderBook(symbol))
            wire = Subscription(stream.book.deltas, full)
            book = LocalBook(stream, Nobody(), wire, Nobody())  # type: ignore[arg-type]
            wire.attach(book)
            book.attach(self._buffer)
            streams[wire.name.encode()] = wire
        self._delivery = Delivery(exchange, 1, streams, full, Silent())

    def __call__(self, text: str) -> Top:
        self._delivery.deliver((text.encode(),), 0)
        view = self._buffer.take()
        bid, ask = view.best_bid, view.best_ask
        return bid.price, bid.quantity, ask.price, ask.quantity


def connector(capture: Capture) -> Take:
    """With floats."""
    return Connector(capture, float)


def connector_decimal(capture: Capture) -> Take:
    """With Decimals."""
    return Connector(capture, Decimal)


def cryptofeed(capture: Capture) -> Take:
    """Its JSON, its book, its checksum, its callback."""
    symbols = importlib.import_module("cryptofeed.symbols")
    defines = importlib.import_module("cryptofeed.defines")
    exchanges = importlib.import_module("cryptofeed.exchanges")
    kind = exchanges.OKX if capture.venue == "okx" else exchanges.Kraken
    pairs = {
        symbol.replace("/", "-").replace("SWAP", "PERP").replace("XBT", "BTC"): symbol
        for symbol in capture.symbols
    }
    symbols.Symbols.set(kind.id, pairs, {"instrument_type": dict.fromkeys(pairs, "spot")})
    tops: list[Top] = []

    async def seen(book: Any, _: float) -> None:
        bid, ask = book.book.bids.index(0), book.book.asks.index(0)
        tops.append((bid[0], bid[1], ask[0], ask[1]))

    feed = kind(
        symbols=list(pairs),
        channels=[defines.L2_BOOK],
        callbacks={defines.L2_BOOK: seen},
        checksum_validation=True,
    )

    def take(text: str) -> Top:
        running = feed.message_handler(text, None, 0.0)
        try:
            running.send(None)
        except StopIteration:
            return tops.pop()
        raise AssertionError("it awaits something")

    return take


def ccxt(capture: Capture) -> Take:
    """ccxt.pro: its handler, its book; the consumer reads when it is resolved. No checksum."""
    exchange = getattr(importlib.import_module("ccxt.pro"), capture.venue)()
    exchange.set_markets(
        [
            {
                "id": symbol, "symbol": symbol, "base": symbol, "quote": symbol, "spot": True,
                "type": "spot", "baseId": symbol, "quoteId": symbol, "active": True,
            }
            for symbol in capture.symbols
        ]
    )  # fmt: skip
    tops: list[Top] = []

    def resolve(book: Any, _: str) -> None:
        tops.append((*book["bids"][0][:2], *book["asks"][0][:2]))

    names = {f"books:{symbol}": True for symbol in capture.symbols}
    depths = {
        exchange.get_message_hash("orderbook", None, symbol): {"limit": 1000}
        for symbol in (capture.symbols if capture.venue == "kraken" else ())
    }
    client = SimpleNamespace(resolve=resolve, subscriptions={**names, **depths})

    def take(text: str) -> Top:
        exchange.handle_order_book(client, json.loads(text))
        return tops.pop()

    return take


CONTESTANTS: dict[str, Callable[[Capture], Take]] = {
    "connector": connector,
    "connector, Decimal": connector_decimal,
    "cryptofeed": cryptofeed,
    "ccxt.pro": ccxt,
}
_WITHOUT = {("okx", "ccxt.pro"), ("kraken", "ccxt.pro")}
"""Who verifies no checksum of whom."""


def run(take: Take, snapshots: list[str], changes: list[str]) -> tuple[float, list[Top]]:
    """CPU seconds of the changes, and every top."""
    for text in snapshots:
        take(text)
    gc.collect()
    begin = time.process_time()
    tops = [take(text) for text in changes]
    return time.process_time() - begin, tops


async def compare(capture: Capture, rounds: int) -> None:
    """Print the rows of one venue."""
    seconds: dict[str, list[float]] = {}
    expected: list[Any] = []
    for _ in range(rounds):
        for name, make in CONTESTANTS.items():
            try:
                take = make(capture)
            except ModuleNotFoundError as missing:
                print(f"{name}: left out, {missing.name} is not installed")
                continue
            snapshots, changes = capture.snapshots, capture.changes
            if name == "cryptofeed":
                count = len(snapshots)
                snapshots, changes = capture.originals[:count], capture.originals[count:]
            spent, tops = run(take, snapshots, changes)
            floats = [tuple(map(float, top)) for top in tops]
            expected = expected or floats
            wrong = sum(top != other for top, other in zip(floats, expected, strict=True))
            if wrong:
                print(f"{name}: {wrong} of {len(tops)} tops differ")
            seconds.setdefault(name, []).append(spent)
    verifying = [each for name, each in seconds.items() if (capture.venue, name) not in _WITHOUT]
    ours = min(verifying[0])
    for name, each in seconds.items():
        best = min(each)
        checked = "no" if (capture.venue, name) in _WITHOUT else "yes"
        micro = best * 1e6 / len(capture.changes)
        print(f"| {capture.venue} | {name} | {checked} | {micro:.1f} | {best / ours:.2f} |")
    await trio.lowlevel.checkpoint()


async def main() -> None:
    warn_if_not_compiled()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print("| venue | client | verified | CPU µs per change | ratio to ours, verified |")
    print("| --- | --- | --- | ---: | ---: |")
    for capture in (of_kraken(), of_okx()):
        await compare(capture, rounds)


if __name__ == "__main__":
    trio.run(main)
