"""A program that knows only the docs receives every frame of a capture of each venue once.

The capture is played through the simulated venue, frame by frame, and what the feeds bring is
compared with a reading by `json` and `Decimal` that shares no code with the package: every event
once, in order, with the right numbers. A capture of an older version of an API is rewritten into
the present one; each ``…_now`` below says what differs.
"""

from __future__ import annotations

import gzip
import json
import math
import os
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector import open_adapter
from connector.channels import (
    AggregateTrades,
    BestQuote,
    BookDeltas,
    OrderBook,
    PartialBook,
    Tickers,
    Trades,
)
from connector.events import BookDelta, BookSnapshot, BookView, Gap, Quote, Ticker, Trade
from connector.exchanges import binance, bitget, coinbase, deribit, hyperliquid, kraken, okx
from connector.testing import Capture, MemoryNetwork, open_exchange

BESIDE = Path(__file__).parents[3] / "shared" / "data"
DATA = Path(os.environ.get("CONNECTOR_DATA") or BESIDE)
MOST = 500
"""Events of each kind and symbol; ``CONNECTOR_WHOLE_CAPTURES=1`` plays all, over real sockets."""
WHOLE = os.environ.get("CONNECTOR_WHOLE_CAPTURES") == "1"

Facts = tuple[Any, ...]
Book = tuple[tuple[Decimal, Decimal], ...]


@attrs.frozen
class Told:
    """A frame for the simulated venue to send, and what it must become."""

    stream: str
    data: bytes
    facts: tuple[Facts, ...]


# -- reading captures by json and Decimal -------------------------------------------------------


def received(name: str) -> Iterator[tuple[str, Any]]:
    """Text and content of each frame."""
    with gzip.open(DATA / name, "rt") as lines:
        for line in lines:
            entry = json.loads(line)
            if entry["k"] == "recv":
                yield entry["m"], json.loads(entry["m"], parse_float=Decimal)


def side_of(levels: Any) -> Book:
    """Levels by price: the order in a message means nothing."""
    return tuple(sorted((Decimal(price), Decimal(size)) for price, size, *_ in levels))


def number(text: Any) -> Decimal:
    return Decimal(str(text))


def seconds_ms(text: str) -> int:
    return int(Decimal(text) * 1000)


def binance_frames(name: str) -> Iterator[Told]:
    for text, said in received(name):
        stream, data = said["stream"], said["data"]
        payload = text[text.index('"data":') + 7 : -1].encode()
        symbol, kind = data["s"], stream.partition("@")[2]
        facts: tuple[Facts, ...]
        if kind.startswith("depth"):
            book = side_of(data["b"]), side_of(data["a"])
            facts = (("delta", symbol, *book, data["U"], data["u"], data["E"]),)
        elif kind == "bookTicker":
            facts = (("quote", symbol, *(number(data[key]) for key in "bBaA"), data["u"]),)
        elif kind == "trade":
            side = "sell" if data["m"] else "buy"
            numbers = number(data["p"]), number(data["q"])
            facts = (("trade", symbol, *numbers, side, data["t"], data["T"]),)
            if numbers[0] == 0 or data.get("X", "MARKET") == "NA":
                facts = ()  # between the trades of futures there are entries that are none
        else:
            continue
        yield Told(stream, payload, facts)


def okx_now(name: str) -> Iterator[Told]:
    """A message of a book of 2022 has no `seqId` and `prevSeqId`: they count here. Its checksum,
    which is 0 by now, is of that time.
    """
    last: dict[str, int] = {}
    for text, said in received(name):
        if "data" not in said:
            continue
        channel, symbol = said["arg"]["channel"], said["arg"]["instId"]
        facts: list[Facts] = []
        for data in said["data"]:
            time = int(data["ts"])
            if channel == "trades":
                numbers = number(data["px"]), number(data["sz"])
                trade_id = int(data["tradeId"])
                facts.append(("trade", symbol, *numbers, data["side"], trade_id, time))
            elif channel == "books":
                kind = "snapshot" if said["action"] == "snapshot" else "delta"
                book = side_of(data["bids"]), side_of(data["asks"])
                facts.append((kind, symbol, *book, None, None, time))
                before = -1 if kind == "snapshot" else last[symbol]
                last[symbol] = 10 + max(before, 0)
                ids = f'"seqId":{last[symbol]},"prevSeqId":{before}'
                text = text.replace('"checksum":', f'{ids},"checksum":', 1)
            else:
                facts.append(("ticker", symbol, number(data["last"]), time))
        yield Told(f"{channel}:{symbol}", text.encode(), tuple(facts))


def kraken_futures_frames(name: str) -> Iterator[Told]:
    for text, said in received(name):
        feed, symbol = said.get("feed"), said.get("product_id")
        if "event" in said:
            continue
        if feed == "book_snapshot":
            book = tuple(
                side_of((each["price"], each["qty"]) for each in said[side])
                for side in ("bids", "asks")
            )
            facts: Facts = ("snapshot", symbol, *book, None, None, said["timestamp"])
            yield Told(f"book:{symbol}", text.encode(), (facts,))
        elif feed == "book":
            level = (number(said["price"]), number(said["qty"]))
            book = ((level,), ()) if said["side"] == "buy" else ((), (level,))
            facts = ("delta", symbol, *book, said["seq"], said["seq"], said["timestamp"])
            yield Told(f"book:{symbol}", text.encode(), (facts,))
        elif feed == "trade":
            numbers = number(said["price"]), number(said["qty"])
            facts = ("trade", symbol, *numbers, said["side"], said["seq"], said["time"])
            yield Told(f"trade:{symbol}", text.encode(), (facts,))


def deribit_frames(name: str) -> Iterator[Told]:
    """Raw channels are for those who log in now: the same comes on the channel of 100 ms."""
    for text, said in received(name):
        if said.get("method") != "subscription":
            continue
        channel, data = said["params"]["channel"], said["params"]["data"]
        symbol = data["instrument_name"]
        payload = text[text.index('"data":') + 7 : text.rindex("}}")].encode()
        if channel.startswith("book"):
            kind = "snapshot" if data["type"] == "snapshot" else "delta"
            book = tuple(side_of(row[1:] for row in data[side]) for side in ("bids", "asks"))
            facts: Facts = (kind, symbol, *book, None, None, data["timestamp"])
        else:
            last = data["last_price"]
            facts = ("ticker", symbol, None if last is None else number(last), data["timestamp"])
        yield Told(channel.replace(".raw", ".100ms"), payload, (facts,))


def hyperliquid_frames(name: str) -> Iterator[Told]:
    for text, said in received(name):
        data = said["data"]
        if said["channel"] == "trades":
            facts = tuple(
                (
                    *("trade", each["coin"], number(each["px"]), number(each["sz"])),
                    "buy" if each["side"] == "B" else "sell",
                    *(each["tid"], each["time"]),
                )
                for each in data
            )
            yield Told(f"trades:{data[0]['coin']}", text.encode(), facts)
        else:
            book = tuple(
                side_of((each["px"], each["sz"]) for each in side) for side in data["levels"]
            )
            fact: Facts = ("snapshot", data["coin"], *book, None, None, data["time"])
            yield Told(f"l2Book.slow:{data['coin']}", text.encode(), (fact,))


def bitget_now(name: str) -> Iterator[Told]:
    """v1 → v3: `channel`, `instId` and "sp" are `topic`, `symbol` and "spot"; levels are in `a` and
    `b`, with `seq` and `pseq`, which count here; a trade is an object, with an id that counts here.
    """
    numbered: dict[str, int] = defaultdict(int)
    for _, said in received(name):
        if "data" not in said or said["arg"]["channel"] not in ("books", "trade"):
            continue
        channel, symbol, action = said["arg"]["channel"], said["arg"]["instId"], said["action"]
        arg = {"instType": "spot", "symbol": symbol}
        if channel == "books":
            (data,) = said["data"]
            before = numbered[symbol] if action == "update" else 0
            numbered[symbol] += 1
            row = {
                "a": data["asks"], "b": data["bids"], "checksum": data["checksum"],
                "seq": numbered[symbol], "pseq": before, "ts": str(data["ts"]),
            }  # fmt: skip
            kind = "snapshot" if action == "snapshot" else "delta"
            book = side_of(data["bids"]), side_of(data["asks"])
            facts: tuple[Facts, ...] = ((kind, symbol, *book, None, None, int(data["ts"])),)
            arg["topic"], rows, stream = "books", [row], f"books:{symbol}"
        else:
            if action == "snapshot":
                continue  # what was before the subscription
            arg["topic"], rows, stream = "publicTrade", [], f"publicTrade:{symbol}"
            made = []
            for time, price, size, side in reversed(said["data"]):
                numbered["trade"] += 1
                trade_id = numbered["trade"]
                rows.insert(0, {"i": str(trade_id), "p": price, "v": size, "S": side, "T": time})
                made.append(
                    ("trade", symbol, number(price), number(size), side, trade_id, int(time))
                )
            facts = tuple(made)
        message = {"action": action, "arg": arg, "data": rows, "ts": facts[0][-1]}
        yield Told(stream, json.dumps(message).encode(), facts)


def kraken_now(name: str) -> Iterator[Told]:
    """v1 → v2: arrays are objects, texts of numbers are numbers with the same digits, the pair and
    the channel have names; the checksum of a snapshot, which v1 has not, is computed here, and a
    trade has an id, which counts here.
    """
    counted: dict[str, int] = defaultdict(int)
    for _, said in received(name):
        if not isinstance(said, list):
            continue
        *parts, channel, symbol = said[1:]
        if channel == "trade":
            rows, facts = [], []
            for price, size, time, side, *_ in parts[0]:
                counted[symbol] += 1
                word = "buy" if side == "b" else "sell"
                rows.append(
                    f'{{"symbol":"{symbol}","side":"{word}","price":{price},"qty":{size},'
                    f'"ord_type":"limit","trade_id":{counted[symbol]},"timestamp":"{rfc3339(time)}"}}'
                )
                numbers = number(price), number(size)
                facts.append(("trade", symbol, *numbers, word, counted[symbol], seconds_ms(time)))
            text = f'{{"channel":"trade","type":"update","data":[{",".join(rows)}]}}'
            yield Told(f"trade:{symbol}", text.encode(), tuple(facts))
            continue
        merged = {key: value for part in parts for key, value in part.items()}
        kind = "snapshot" if "as" in merged else "update"
        bids = merged.get("bs") or merged.get("b") or []
        asks = merged.get("as") or merged.get("a") or []
        checksum = merged.get("c") or kraken_checksum(bids, asks)
        time = max(each[2] for each in (*bids, *asks))
        text = (
            f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}",'
            f'"bids":[{kraken_levels(bids)}],"asks":[{kraken_levels(asks)}],'
            f'"checksum":{checksum},"timestamp":"{rfc3339(time)}"}}]}}'
        )
        word = "snapshot" if kind == "snapshot" else "delta"
        fact: Facts = (word, symbol, side_of(bids), side_of(asks), None, None, seconds_ms(time))
        yield Told(f"book-1000:{symbol}", text.encode(), (fact,))


def kraken_levels(levels: Any) -> str:
    return ",".join(f'{{"price":{price},"qty":{size}}}' for price, size, *_ in levels)


def kraken_checksum(bids: Any, asks: Any) -> int:
    best = [*sorted(asks, key=lambda each: Decimal(each[0]))[:10],
            *sorted(bids, key=lambda each: -Decimal(each[0]))[:10]]  # fmt: skip
    digits = (
        text.replace(".", "").lstrip("0") for price, size, *_ in best for text in (price, size)
    )
    return zlib.crc32("".join(digits).encode())


def rfc3339(time: str) -> str:
    whole, _, fraction = time.partition(".")
    moment = datetime.fromtimestamp(int(whole), UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction.ljust(6, '0')[:6]}Z"


def coinbase_now(name: str) -> Iterator[Told]:
    """Exchange → Advanced Trade: a message has a channel and events, a book has one list of updates
    with words for sides, and the levels of a snapshot are updates; the side of a trade is the
    maker's in both.
    """
    words = {"buy": "bid", "sell": "offer"}
    for _, said in received(name):
        symbol, kind = said.get("product_id"), said["type"]
        if kind in ("snapshot", "l2update"):
            if kind == "snapshot":
                changes = [("buy", *each) for each in said["bids"]]
                changes += [("sell", *each) for each in said["asks"]]
            else:
                changes = said["changes"]
            time = said.get("time", "2021-04-17T16:43:36.000000Z")
            updates = [
                {"side": words[side], "event_time": time, "price_level": price,
                 "new_quantity": "0" if Decimal(size) == 0 else size}
                for side, price, size in changes
            ]  # fmt: skip
            word = "snapshot" if kind == "snapshot" else "update"
            event: Any = {"type": word, "product_id": symbol, "updates": updates}
            book = (side_of(each[1:] for each in changes if each[0] == side) for side in words)
            fact: Facts = (
                "snapshot" if kind == "snapshot" else "delta", symbol, *book, None, None, None,
            )  # fmt: skip
            yield Told(f"l2_data:{symbol}", coinbase_message("l2_data", time, event), (fact,))
        elif kind == "match":
            trade = {
                "trade_id": str(said["trade_id"]), "product_id": symbol, "price": said["price"],
                "size": said["size"], "side": said["side"].upper(), "time": said["time"],
            }  # fmt: skip
            event = {"type": "update", "trades": [trade]}
            side = "buy" if said["side"] == "sell" else "sell"
            numbers = number(said["price"]), number(said["size"])
            at = datetime.fromisoformat(said["time"])
            fact = (
                "trade", symbol, *numbers, side, said["trade_id"],
                round(at.timestamp() * 1_000_000) // 1000,
            )  # fmt: skip
            message = coinbase_message("market_trades", said["time"], event)
            yield Told(f"market_trades:{symbol}", message, (fact,))


def coinbase_message(channel: str, time: str, event: Any) -> bytes:
    message = {"channel": channel, "client_id": "", "timestamp": time, "events": [event]}
    return json.dumps(message, separators=(",", ":")).encode()


# -- what the feeds bring, in the same words ----------------------------------------------------


def facts_of(event: Any) -> Facts:
    time = None if event.exchange_time_ns is None else event.exchange_time_ns // 1_000_000
    match event:
        case Trade():
            numbers = event.price, event.quantity
            return ("trade", event.symbol, *numbers, event.side, event.trade_id, time)
        case Quote():
            bid, ask = (event.bid_price, event.bid_quantity), (event.ask_price, event.ask_quantity)
            return ("quote", event.symbol, *bid, *ask, event.update_id)
        case BookSnapshot():
            book = side_of(event.bids), side_of(event.asks)
            return ("snapshot", event.symbol, *book, None, None, time)
        case BookDelta():
            book = side_of(event.bids), side_of(event.asks)
            ids = event.first_update_id, event.last_update_id
            return ("delta", event.symbol, *book, *ids, time)
        case Ticker():
            return ("ticker", event.symbol, event.last, time)
    raise AssertionError(f"{event!r} was not subscribed")


def agree(brought: Facts, told: Facts) -> bool:
    """Whether they are the same; None in what was told: the capture does not say."""
    if len(brought) != len(told):
        return False
    return all(ours is None or ours == theirs for theirs, ours in zip(brought, told, strict=True))


@attrs.frozen
class Case:
    """A venue, its capture, and what is subscribed."""

    venue: Any
    exchange: Callable[..., Any]
    capture: str
    frames: Callable[[str], Iterator[Told]]
    channels: Mapping[str, Callable[[str], Any]]
    """By what the capture calls it, before the symbol."""
    book: str = ""
    """Which of them a local book can be kept from."""

    def __str__(self) -> str:
        return self.capture.removesuffix(".jsonl.gz").replace("/", "-")

    def channel(self, fact: Facts) -> Any:
        """The channel that brings it."""
        kind = "book" if fact[0] in ("snapshot", "delta") else fact[0]
        return self.channels[kind](fact[1])


def deltas(symbol: str) -> BookDeltas:
    return BookDeltas(symbol)


def deep_kraken(**options: Any) -> kraken.Spot[Any]:
    return kraken.Spot(book_levels=1000, **options)


def every_delta(symbol: str) -> BookDeltas:
    return BookDeltas(symbol, interval_ms=0)


OF_BINANCE: Mapping[str, Callable[[str], Any]] = {
    "book": deltas,
    "trade": Trades,
    "quote": BestQuote,
}
OF_FUTURES: Mapping[str, Callable[[str], Any]] = {**OF_BINANCE, "book": every_delta}
CASES = (
    Case("binance_spot", binance.Spot, "binance_spot/btcusdt_20240808.jsonl.gz",
         binance_frames, OF_BINANCE),
    Case("binance_usdm", binance.UsdMFutures, "binance_usdm/ethusdt_20240718.jsonl.gz",
         binance_frames, OF_FUTURES),
    Case("binance_coinm", binance.CoinMFutures, "binance_coinm/btcusd_perp_20240808.jsonl.gz",
         binance_frames, OF_FUTURES),
    Case("okx", okx.Okx, "okx/v5_public_20220513.jsonl.gz", okx_now,
         {"book": deltas, "trade": AggregateTrades, "ticker": Tickers}, "books:"),
    Case("kraken", deep_kraken, "kraken/v1_book1000_20210417.jsonl.gz", kraken_now,
         {"book": deltas}, "book-1000:"),
    Case("kraken", kraken.Spot, "kraken/v1_trade_20210417.jsonl.gz", kraken_now,
         {"trade": Trades}),
    Case("kraken_futures", kraken.Futures, "kraken_futures/futures_v1_20210722.jsonl.gz",
         kraken_futures_frames, {"book": deltas, "trade": Trades}, "book:"),
    Case("deribit", deribit.Deribit, "deribit/v2_raw_20210722.jsonl.gz", deribit_frames,
         {"book": deltas, "ticker": Tickers}, "book."),
    Case("bitget_spot", bitget.Spot, "bitget/v1_spot_20220407.jsonl.gz", bitget_now,
         {"book": deltas, "trade": Trades}, "books:"),
    Case("coinbase", coinbase.AdvancedTrade, "coinbase_exchange/exchange_l2_20210417.jsonl.gz",
         coinbase_now, {"book": deltas, "trade": Trades}, "l2_data:"),
    Case("hyperliquid", hyperliquid.Hyperliquid,
         "hyperliquid/btc_l2book_trades_20250126.jsonl.gz", hyperliquid_frames,
         {"book": lambda symbol: PartialBook(symbol, 20), "trade": Trades}),
)  # fmt: skip


def played(case: Case) -> list[Told]:
    """The frames to play, so many of each stream; without the capture the test is skipped."""
    if not (DATA / case.capture).is_file():
        pytest.skip(f"no capture {DATA / case.capture}; CONNECTOR_DATA is the folder")
    most = math.inf if WHOLE else MOST
    counted: dict[str, int] = defaultdict(int)
    found = []
    for told in case.frames(case.capture):
        counted[told.stream] += 1
        if counted[told.stream] <= most:
            found.append(told)
        elif not WHOLE and sum(counted.values()) > 12 * MOST:
            break
    return found


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_every_frame_is_received_once(case: Case, autojump_clock: MockClock) -> None:
    await receive(case, played(case), MemoryNetwork())


@pytest.mark.skipif(not WHOLE, reason="takes minutes; CONNECTOR_WHOLE_CAPTURES=1")
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_whole_captures_over_sockets(case: Case) -> None:
    await receive(case, played(case), None)


def told_by(case: Case, frames: list[Told]) -> dict[Any, list[Facts]]:
    """What each channel is to bring."""
    told: dict[Any, list[Facts]] = defaultdict(list)
    for frame in frames:
        for fact in frame.facts:
            told[case.channel(fact)].append(fact)
    return told


def compare(brought: Mapping[Any, list[Facts]], told: Mapping[Any, list[Facts]]) -> None:
    assert told
    for channel, facts in told.items():
        assert len(brought[channel]) >= len(facts), channel
        for place, (theirs, ours) in enumerate(zip(brought[channel], facts, strict=False)):
            assert agree(theirs, ours), (channel, place, theirs, ours)
    assert set(brought) == set(told)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_capture_is_the_source_of_its_venue(case: Case, autojump_clock: MockClock) -> None:
    """The simulated venue reads the capture itself: no frame is handed to it."""
    frames, network = played(case), MemoryNetwork()
    told = told_by(case, frames)
    names = tuple({frame.stream for frame in frames})
    source = Capture(DATA / case.capture, speed=math.inf, resume=True, streams=names)
    brought: dict[Any, list[Facts]] = defaultdict(list)
    async with open_exchange(case.venue, network=network, source=source) as exchange:
        described = case.exchange(endpoints=exchange.endpoints, numbers=Decimal)
        async with (
            open_adapter(described, dialer=network) as adapter,
            adapter.subscribe(*told, gaps=True) as feed,
        ):
            with trio.fail_after(600):
                while any(len(brought[channel]) < len(told[channel]) for channel in told):
                    event = await anext(feed)
                    assert not isinstance(event, Gap), event
                    fact = facts_of(event)
                    brought[case.channel(fact)].append(fact)
            assert adapter.statistics().decode_errors == 0
            assert adapter.statistics().unknown_messages == 0
    compare(brought, told)


async def receive(case: Case, frames: list[Told], network: MemoryNetwork | None) -> None:
    """Play the frames, read the feeds, and compare."""
    told = told_by(case, frames)
    brought: dict[Any, list[Facts]] = defaultdict(list)

    async with open_exchange(case.venue, network=network) as exchange:
        described = case.exchange(endpoints=exchange.endpoints, numbers=Decimal)
        async with (
            open_adapter(described, dialer=network) as adapter,
            adapter.subscribe(*told, gaps=True) as feed,
            trio.open_nursery() as nursery,
        ):

            async def read() -> None:
                async for event in feed:
                    assert not isinstance(event, Gap), event
                    fact = facts_of(event)
                    brought[case.channel(fact)].append(fact)

            nursery.start_soon(read)
            with trio.fail_after(600):
                sent = 0
                for number_of_frame, frame in enumerate(frames, 1):
                    assert exchange.publish(frame.stream, frame.data) == 1, frame.stream
                    sent += len(frame.facts)
                    if number_of_frame % 100 == 0 or number_of_frame == len(frames):
                        while sum(map(len, brought.values())) < sent:  # the time it takes
                            await trio.sleep(0.001)
                await trio.sleep(0.2)  # what comes twice would come now
            assert adapter.statistics().decode_errors == 0
            assert adapter.statistics().unknown_messages == 0
            nursery.cancel_scope.cancel()

    compare(brought, told)
    assert {each: len(facts) for each, facts in brought.items()} == {
        each: len(facts) for each, facts in told.items()
    }


@pytest.mark.parametrize("case", [case for case in CASES if case.book], ids=str)
async def test_the_book_is_what_the_frames_say(case: Case, autojump_clock: MockClock) -> None:
    network = MemoryNetwork()
    frames = [frame for frame in played(case) if frame.stream.startswith(case.book)]
    books: dict[str, tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]] = {}
    for frame in frames:
        for kind, symbol, bids, asks, *_ in frame.facts:
            if kind == "snapshot":
                books[symbol] = {}, {}
            for side, changes in zip(books[symbol], (bids, asks), strict=True):
                side.update(changes)
                for price in [price for price, size in side.items() if size == 0]:
                    del side[price]
    views: dict[str, BookView[Decimal]] = {}

    async with open_exchange(case.venue, network=network) as exchange:
        described = case.exchange(endpoints=exchange.endpoints, numbers=Decimal)
        channels = [OrderBook(symbol, 5) for symbol in books]
        async with (
            open_adapter(described, dialer=network) as adapter,
            adapter.subscribe(*channels, gaps=True) as feed,
            trio.open_nursery() as nursery,
        ):

            async def read() -> None:
                seen: Any = feed
                async for event in seen:
                    assert not isinstance(event, Gap), event
                    views[event.symbol] = event

            nursery.start_soon(read)
            for number_of_frame, frame in enumerate(frames, 1):
                assert exchange.publish(frame.stream, frame.data) == 1
                if number_of_frame % 100 == 0:
                    await trio.sleep(0.001)
            await trio.sleep(0.5)
            nursery.cancel_scope.cancel()

    for symbol, (bids, asks) in books.items():
        view = views[symbol]
        assert view.synced, symbol
        best_bids = sorted(bids.items(), reverse=True)[:5]
        assert [(each.price, each.quantity) for each in view.bids[:5]] == best_bids, symbol
        assert [(each.price, each.quantity) for each in view.asks[:5]] == sorted(asks.items())[:5]
