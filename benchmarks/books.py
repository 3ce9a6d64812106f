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
import json
import platform
import re
import resource
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
import trio

from benchmarks.book_contestants import CONTESTANTS, Connector, Market, Take, Top
from benchmarks.workloads import DATA
from connector.book import Book, Extent, rules
from connector.channels import OrderBook
from connector.exchanges import binance

CAPTURES = {
    "spot, 100 ms": "binance_spot/btcusdt_20240808.jsonl.gz",
    "usdm, real time": "binance_usdm/btcusdt_20240808.jsonl.gz",
}
QUIET = "binance_usdm/multi4_20210722.jsonl.gz"
"""Four symbols of the usual kind, every 100 ms if something has changed."""
QUIET_SECONDS = 31.0


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
