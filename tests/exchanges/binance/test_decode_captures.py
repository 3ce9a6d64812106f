"""Every frame of every capture decodes to what a plain `json` reading of it says.

The expectations are written from the protocol pages, field by field, and share no code with the
library: `json.loads`, `float` and `Decimal`.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connector import events
from connector.channels import (
    AggregateTrades,
    AnyChannel,
    BestQuote,
    BookDeltas,
    Candles,
    Liquidations,
    MarkPrices,
    PartialBook,
    RawStream,
    Tickers,
    Trades,
)
from connector.exchanges import binance
from connector.exchanges.envelope import find_name
from connector.exchanges.protocol import Data, Stream

Json = dict[str, Any]
ReadFrames = Callable[[str], Iterator[bytes]]

CAPTURES = {
    "binance_spot/DERIVED_btcusdt_depth5_20240808-09.jsonl.gz": {"BookSnapshot": 6492},
    "binance_spot/btcusdt_20240808.jsonl.gz": {"BookDelta": 3451, "Quote": 28040, "Trade": 9757},
    "binance_spot/btcusdt_20240809.jsonl.gz": {"BookDelta": 3044, "Quote": 45134, "Trade": 10147},
    "binance_spot/multi4_20211012.jsonl.gz": {
        "BookDelta": 177, "Quote": 84, "Trade": 2, "Candle": 2,
    },
    "binance_usdm/DERIVED_ethusdt_depth5_20240718-19.jsonl.gz": {"BookSnapshot": 8922},
    "binance_usdm/btcusdt_20240808.jsonl.gz": {"BookDelta": 6551, "Quote": 66089, "Trade": 21313},
    "binance_usdm/ethusdt_20240718.jsonl.gz": {"BookDelta": 3273, "Quote": 9089, "Trade": 1640},
    "binance_usdm/ethusdt_20240719.jsonl.gz": {"BookDelta": 5656, "Quote": 38239, "Trade": 12015},
    "binance_usdm/multi4_20210722.jsonl.gz": {
        "BookDelta": 764, "Quote": 613, "Trade": 91, "Candle": 67,
    },
    "binance_coinm/btcusd_perp_20240808.jsonl.gz": {
        "BookDelta": 26847, "Quote": 19136, "Trade": 2286,
    },
    "binance_coinm/btcusd_perp_20240809.jsonl.gz": {
        "BookDelta": 17948, "Quote": 29219, "Trade": 2949,
    },
}  # fmt: skip
SMALL = [
    "binance_spot/DERIVED_btcusdt_depth5_20240808-09.jsonl.gz",
    "binance_spot/multi4_20211012.jsonl.gz",
    "binance_usdm/ethusdt_20240718.jsonl.gz",
    "binance_usdm/multi4_20210722.jsonl.gz",
]

EVERY = 1 if os.environ.get("CONNECTOR_WHOLE_CAPTURES") == "1" else 29
"""Of a large capture, every 29th event of each stream is compared field by field.

All are decoded and counted; ``CONNECTOR_WHOLE_CAPTURES=1`` compares all. The small captures are
compared as a whole, with Decimals.
"""
ENVELOPE = binance.Spot().envelope
MS = 1_000_000


def exchange_of(
    capture: str, numbers: Any = float
) -> binance.Spot | binance.UsdMFutures | binance.CoinMFutures:
    if "coinm" in capture:
        return binance.CoinMFutures(numbers=numbers)
    return (binance.Spot if "spot" in capture else binance.UsdMFutures)(numbers=numbers)


def channel_of(name: str) -> AnyChannel:
    """The channel whose stream is called `name`."""
    symbol, _, rest = name.partition("@")
    kind, _, interval = rest.partition("@")
    if kind in ("depth5", "depth"):
        every = {"": 1000, "0ms": 0, "100ms": 100}[interval]
        book = BookDeltas(symbol, interval_ms=every)
        return book if kind == "depth" else PartialBook(symbol, levels=5, interval_ms=every)
    if kind.startswith("kline_"):
        return Candles(symbol, interval=kind.removeprefix("kline_"))
    if kind == "markPrice":
        return MarkPrices(symbol, interval_ms=1000 if interval == "1s" else 3000)
    return {
        "trade": Trades, "aggTrade": AggregateTrades, "bookTicker": BestQuote, "ticker": Tickers,
        "forceOrder": Liquidations,
    }[kind](symbol)  # fmt: skip


def expected(payload: Json, symbol: str, number: Any) -> Json:
    """The public fields of the event that `payload` is, by the protocol pages."""

    def levels(key: str) -> list[tuple[Any, Any]]:
        return [(number(price), number(quantity)) for price, quantity in payload[key]]

    kind = payload.get("e", "depth5" if "lastUpdateId" in payload else "bookTicker")
    base = {
        "symbol": payload.get("s", symbol),
        "exchange_time_ns": payload["E"] * MS if "E" in payload else None,
    }
    if kind in ("trade", "aggTrade"):
        return base | {
            "exchange_time_ns": payload["T"] * MS,
            "price": number(payload["p"]),
            "quantity": number(payload["q"]),
            "side": "sell" if payload["m"] else "buy",
            "trade_id": payload["t" if kind == "trade" else "a"],
            "off_book": payload.get("X") in ("INSURANCE_FUND", "ADL"),
        }
    if kind == "bookTicker":
        return base | {
            "exchange_time_ns": payload["T"] * MS if "T" in payload else None,
            "bid_price": number(payload["b"]),
            "bid_quantity": number(payload["B"]),
            "ask_price": number(payload["a"]),
            "ask_quantity": number(payload["A"]),
            "update_id": payload["u"],
        }
    if kind == "depth5":
        return base | {
            "bids": levels("bids"),
            "asks": levels("asks"),
            "update_id": payload["lastUpdateId"],
            "checksum": None,
        }
    if kind == "depthUpdate":
        return base | {
            "bids": levels("b"),
            "asks": levels("a"),
            "first_update_id": payload["U"],
            "last_update_id": payload["u"],
            "previous_update_id": payload.get("pu"),
            "checksum": None,
        }
    if kind == "kline":
        k = payload["k"]
        return base | {
            "interval": k["i"],
            "open_time_ns": k["t"] * MS,
            "close_time_ns": k["T"] * MS,
            "open": number(k["o"]),
            "high": number(k["h"]),
            "low": number(k["l"]),
            "close": number(k["c"]),
            "volume": number(k["v"]),
            "quote_volume": number(k["q"]),
            "trades": k["n"],
            "closed": k["x"],
        }
    if kind == "24hrTicker":
        names = {
            "last": "c", "open": "o", "high": "h", "low": "l", "volume": "v", "quote_volume": "q",
            "price_change": "p", "price_change_percent": "P",
        }  # fmt: skip
        return base | {name: number(payload[key]) for name, key in names.items()}
    if kind == "markPriceUpdate":
        return base | {
            "mark_price": number(payload["p"]),
            "index_price": number(payload["i"]) if "i" in payload else None,
            "funding_rate": number(payload["r"]),
            "next_funding_time_ns": payload["T"] * MS or None,
        }
    assert kind == "forceOrder"
    o = payload["o"]
    return base | {
        "symbol": o["s"],
        "side": o["S"].lower(),
        "price": number(o["p"]),
        "average_price": number(o["ap"]),
        "quantity": number(o["q"]),
        "filled_quantity": number(o["z"]),
    }


def said(event: events.Event) -> Json:
    """The public fields of `event` but what the adapter stamps, levels as pairs."""
    fields = events.asdict(event)
    assert fields.pop("received_ns") == 0
    assert fields.pop("session") == 0
    assert fields.pop("backfilled", False) is False
    for side in ("bids", "asks"):
        if side in fields:
            fields[side] = [(level.price, level.quantity) for level in fields[side]]
    return fields


def as_snapshot(fields: Json) -> Json:
    """A futures partial book has the form of a delta."""
    snapshot = {key: fields[key] for key in ("symbol", "exchange_time_ns", "bids", "asks")}
    return snapshot | {"update_id": fields["last_update_id"], "checksum": None}


def normalised_name(event: events.Event) -> str:
    return repr(event).partition("(")[0]


@pytest.mark.parametrize("capture", CAPTURES)
def test_every_frame_decodes_to_what_plain_json_says(
    capture: str, received_frames: ReadFrames
) -> None:
    exchange = exchange_of(capture)
    streams: dict[str, Stream[events.Event]] = {}
    last_ids: Counter[str] = Counter()
    every = 1 if "multi4" in capture else EVERY
    seen: Counter[str] = Counter()
    counts: Counter[type] = Counter()
    names: dict[type, str] = {}
    for frame in received_frames(capture):
        name, payload = sliced(frame)
        if name not in streams:
            streams[name] = exchange.stream(channel_of(name))
            assert streams[name].name == name
        stream = streams[name]

        message = exchange.parse(frame)
        assert message == Data(name, payload)
        event = stream.decode(message.payload)

        assert isinstance(event, events.Event)
        if seen[name] % every == 0:
            plain = json.loads(frame)
            assert plain["stream"] == name
            there = expected(plain["data"], name.partition("@")[0].upper(), float)
            if isinstance(event, events.BookSnapshot) and "u" in plain["data"]:
                there = as_snapshot(there)
            assert said(event) == there
        seen[name] += 1
        counts[type(event)] += 1
        if type(event) not in names:
            names[type(event)] = normalised_name(event)
        if stream.sequence is not None:
            # No capture has a gap, a duplicate or a step back: every rule says "go on".
            last_ids[name] = stream.sequence(last_ids[name], event)
            assert last_ids[name] > 0
    assert {names[kind]: count for kind, count in counts.items()} == CAPTURES[capture]


def sliced(frame: bytes) -> tuple[str, bytes]:
    """The fast way: the name and the payload cut out by the envelope alone."""
    assert frame.startswith(ENVELOPE.parts[0].before)
    assert frame.endswith(ENVELOPE.tail)
    name, begin = find_name(ENVELOPE.shape[0], frame)
    return name.decode(), frame[begin : -len(ENVELOPE.tail)]


@pytest.mark.parametrize("capture", SMALL)
def test_decimals_are_exact(capture: str, received_frames: ReadFrames) -> None:
    exchange = exchange_of(capture, Decimal)
    streams: dict[str, Stream[events.Event]] = {}
    for frame in received_frames(capture):
        plain = json.loads(frame)
        name = plain["stream"]
        stream = streams.setdefault(name, exchange.stream(channel_of(name)))
        event = stream.decode(sliced(frame)[1])
        assert isinstance(event, events.Event)
        there = expected(plain["data"], name.partition("@")[0].upper(), Decimal)
        if isinstance(event, events.BookSnapshot) and "u" in plain["data"]:
            there = as_snapshot(there)
        here = said(event)
        assert here == there
        # Equal is not enough: not a digit is lost, not even a zero at the end.
        assert str(here) == str(there)


@pytest.mark.parametrize("capture", [each for each in CAPTURES if "coinm" in each][:1])
def test_all_market_streams_leave_the_coin_margined_out(
    capture: str, received_frames: ReadFrames
) -> None:
    tickers = binance.UsdMFutures().stream(Tickers())
    for _, frame in zip(range(1000), received_frames(capture), strict=False):
        payload = sliced(frame)[1]
        assert tickers.decode(payload) == []
        assert tickers.decode(b"[" + payload + b"," + payload + b"]") == []


def single_messages(folder: Path) -> Iterator[tuple[str, str, Json]]:
    """(where, stream name, payload) of every single message that is market data."""
    for venue in ("binance_spot", "binance_usdm"):
        lines = (folder / venue / "frames/tardis_node").glob("*.jsonl")
        for frame in (line for path in lines for line in path.read_text().splitlines()):
            message = json.loads(frame)
            # Made up by the project that they come from, of streams that do not exist.
            if "generated" not in message:
                yield venue, message["stream"], message["data"]
        for path in (folder / venue / "frames/nautilus").glob("market_data_json__*.json"):
            payload = json.loads(path.read_text())
            symbol = payload.get("s", "BTCUSDT").lower()
            kind = {
                "kline": "kline_1m", "24hrTicker": "ticker", "markPriceUpdate": "markPrice",
                "depthUpdate": "depth@100ms",
            }.get(payload["e"], payload["e"])  # fmt: skip
            yield venue, f"{symbol}@{kind}", payload


def test_single_messages_decode(data_folder: Path) -> None:
    seen: Counter[str] = Counter()
    refused = []
    for venue, name, payload in single_messages(data_folder):
        stream = exchange_of(venue).stream(channel_of(name))
        try:
            event = stream.decode(json.dumps(payload, indent=1).encode())
        except msgspec.ValidationError as error:
            refused.append((venue, name, str(error)))
            continue
        assert isinstance(event, events.Event)
        assert said(event) == expected(payload, name.partition("@")[0].upper(), float)
        seen[normalised_name(event)] += 1
    # An aggregate trade of 2019 without the id that every later one has.
    assert refused == [("binance_usdm", "btcusdt@aggTrade", "Object missing required field `a`")]
    assert seen == {
        "Trade": 7, "Quote": 3, "BookDelta": 7, "Ticker": 4, "MarkPrice": 4, "Candle": 2,
        "Liquidation": 2,
    }  # fmt: skip


def test_a_raw_stream_hands_out_the_bytes(received_frames: ReadFrames) -> None:
    exchange = binance.UsdMFutures()
    for frame in received_frames("binance_usdm/multi4_20210722.jsonl.gz"):
        name, payload = sliced(frame)
        event = exchange.stream(RawStream(name)).decode(payload)
        assert isinstance(event, events.RawMessage)
        assert (event.stream, event.data) == (name, payload)
        assert event.symbol == json.loads(payload)["s"]
