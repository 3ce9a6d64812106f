"""What Kraken offers and answers, where it is, and what it trades."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector.channels import (
    AggregateTrades,
    BestQuote,
    BookDeltas,
    Candles,
    Channel,
    Liquidations,
    MarkPrices,
    OrderBook,
    PartialBook,
    RawStream,
    Tickers,
    Trades,
)
from connector.errors import ConfigError
from connector.exchanges import kraken
from connector.exchanges.protocol import Data, Heartbeat, Inbound, Reply, Unknown
from connector.instruments import Status, find

SPOT, FUTURES = kraken.Spot(), kraken.Futures()
TIMES = '"time_in":"2023-09-25T09:04:31.742599Z","time_out":"2023-09-25T09:04:31.742648Z"'
NOT_SUPPORTED = "Currency pair not supported NO/PE"


def number_of(channel: Channel[Any], request_id: int = 7) -> int:
    """The number that a request for `channel` has on the wire."""
    number: int = json.loads(SPOT.subscribe(request_id, [SPOT.stream(channel)]))["req_id"]
    return number


@pytest.mark.parametrize(
    ("channel", "request_id", "answer", "said"),
    [
        (
            BookDeltas("A/B"), 3, '"result":{"channel":"book","symbol":"A/B","depth":100}',
            Reply(3, streams=("book:A/B",)),
        ),
        (
            Candles("A/B", "5m"), 4, '"result":{"channel":"ohlc","symbol":"A/B","interval":5}',
            Reply(4, streams=("ohlc-5:A/B",)),
        ),
        (
            BestQuote("A/B"), 5, f'"error":"{NOT_SUPPORTED}","symbol":"NO/PE"',
            Reply(5, None, NOT_SUPPORTED, streams=("ticker:NO/PE",)),
        ),
        (
            Candles("A/B", "4h"), 6, f'"error":"{NOT_SUPPORTED}"',
            Reply(6, None, NOT_SUPPORTED, streams=("ohlc-240:NO/PE",)),
        ),
        (Trades("A/B"), 7, '"error":"Internal"', Reply(7, None, "Internal")),
        (
            Trades("A/B"), 8, '"error":"Exceeded msg rate"',
            Reply(8, None, "Exceeded msg rate", refusal="later"),
        ),
        (
            Trades("A/B"), 9, '"error":"Already subscribed","symbol":"A/B"',
            Reply(9, None, "Already subscribed", streams=("trade:A/B",), refusal="already"),
        ),
    ],
)  # fmt: skip
def test_replies_of_spot(
    channel: Channel[Any], request_id: int, answer: str, said: Inbound
) -> None:
    success = str("result" in answer).lower()
    frame = (
        f'{{"method":"subscribe","req_id":{number_of(channel, request_id)},{answer},'
        f'"success":{success},{TIMES}}}'
    )
    assert SPOT.parse(frame.encode()) == said
    assert SPOT.parse(frame.replace('"subscribe"', '"unsubscribe"').encode()) == said


@pytest.mark.parametrize(
    ("exchange", "frame", "said"),
    [
        (SPOT, '{"channel":"heartbeat"}', Heartbeat()),
        (SPOT, f'{{"method":"pong","req_id":1,{TIMES}}}', Heartbeat()),
        (
            SPOT,
            (
                '{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online",'
                '"api_version":"v2","connection_id":18239578009413566319,"emergency":[]}]}'
            ),
            Heartbeat(),
        ),
        (SPOT, '{"error":"Unsupported","success":false}', Reply(None, None, "Unsupported")),
        (SPOT, '{"method":"add_order","success":true}', Unknown("add_order")),
        (SPOT, "[1]", Unknown("list")),
        (SPOT, '{"channel":"l3"}', Unknown("l3")),
        (FUTURES, '{"event":"info","version":1}', Heartbeat()),
        (FUTURES, '{"event":"pong"}', Heartbeat()),
        (FUTURES, '{"feed":"heartbeat","time":1534262350627}', Heartbeat()),
        (FUTURES, '{"event":"subscribed","feed":"heartbeat"}', Heartbeat()),
        (
            FUTURES,
            '{"event":"subscribed","feed":"book","product_ids":["PI_A","PI_B"]}',
            Reply(None, streams=("book:PI_A", "book:PI_B")),
        ),
        (
            FUTURES,
            '{"event":"unsubscribed","feed":"trade","product_ids":["PI_A"]}',
            Reply(None, streams=("trade:PI_A",)),
        ),
        (
            FUTURES,
            '{"event":"error","message":"Invalid product id"}',
            Reply(None, None, "Invalid product id"),
        ),
        (
            FUTURES,
            '{"event":"alert","message":"Already subscribed to feed, re-requesting"}',
            Reply(None, None, "Already subscribed to feed, re-requesting", refusal="already"),
        ),
        (FUTURES, '{"event":"challenge","message":"x"}', Unknown("challenge")),
        (FUTURES, "[]", Unknown("list")),
    ],
)  # fmt: skip
def test_what_is_no_data(exchange: Any, frame: str, said: Inbound) -> None:
    assert exchange.parse(frame.encode()) == said


def test_requests() -> None:
    def asked(exchange: Any, *channels: Channel[Any], method: str = "subscribe") -> Any:
        streams = [exchange.stream(channel) for channel in channels]
        assert len({stream.batch for stream in streams}) == 1
        request = json.loads(getattr(exchange, method)(5, streams))
        request.pop("req_id", None)
        return request

    assert asked(SPOT, Trades("btc/usd"), Trades("AAPLx/USD")) == {
        "method": "subscribe",
        "params": {"channel": "trade", "symbol": ["BTC/USD", "AAPLx/USD"], "snapshot": False},
    }
    assert asked(SPOT, BookDeltas("A/B", 0))["params"] == {
        "channel": "book", "symbol": ["A/B"], "depth": 100
    }  # fmt: skip
    assert asked(kraken.Spot(book_levels=25), RawStream("book:A/B"))["params"]["depth"] == 25
    assert asked(SPOT, BestQuote("A/B"))["params"]["event_trigger"] == "bbo"
    assert asked(SPOT, Tickers("A/B"), BestQuote("A/B"))["params"]["event_trigger"] == "bbo"
    assert asked(SPOT, RawStream("instrument"))["params"] == {"channel": "instrument"}
    assert asked(SPOT, RawStream("ohlc-60:A/B"))["params"]["interval"] == 60
    assert asked(SPOT, Candles("A/B", "1d"), method="unsubscribe") == {
        "method": "unsubscribe",
        "params": {"channel": "ohlc", "symbol": ["A/B"], "interval": 1440},
    }
    assert asked(FUTURES, Trades("PI_A"), Liquidations("pf_b")) == {
        "event": "subscribe", "feed": "trade", "product_ids": ["PI_A", "PF_B"]
    }  # fmt: skip
    assert asked(FUTURES, RawStream("ticker_lite:PI_A"), method="unsubscribe") == {
        "event": "unsubscribe", "feed": "ticker_lite", "product_ids": ["PI_A"]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("exchange", "channel", "words"),
    [
        (SPOT, AggregateTrades("A/B"), "AggregateTrades.*it offers BestQuote, BookDeltas"),
        (SPOT, PartialBook("A/B"), "does not offer PartialBook"),
        (SPOT, MarkPrices("A/B"), "does not offer MarkPrices"),
        (SPOT, Tickers(), "one symbol at a time"),
        (SPOT, BookDeltas("A/B", 250), "interval_ms can be 0, 100"),
        (SPOT, Candles("A/B", "3m"), "interval can be 1m, 5m"),
        (SPOT, OrderBook("A/B", 101), "has 100 levels, not 101.*book_levels"),
        (FUTURES, Candles("PI_A"), "does not offer Candles.*it offers BookDeltas, Liquidations"),
        (FUTURES, BestQuote("PI_A"), "does not offer BestQuote"),
        (FUTURES, Trades('P"'), "is not a symbol"),
    ],
)  # fmt: skip
def test_what_it_does_not_offer(exchange: Any, channel: Channel[Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        exchange.stream(channel)


def test_endpoints() -> None:
    assert SPOT.url("public") == "wss://ws.kraken.com/v2"
    assert FUTURES.url("public") == "wss://futures.kraken.com/ws/v1"
    assert kraken.Unified().url("public") == "wss://uws.kraken.com/v2/public"
    assert kraken.Unified().rest.url == FUTURES.rest.url
    own = kraken.Endpoints.at(stream="ws://127.0.0.1:1/", rest="http://127.0.0.1:2")
    for made, path in (
        (kraken.Spot(endpoints=own), "v2"),
        (kraken.Futures(endpoints=own), "ws/v1"),
        (kraken.Unified(endpoints=own), "v2/public"),
    ):
        assert made.url("public") == f"ws://127.0.0.1:1/{path}"
        assert made.rest.url == "http://127.0.0.1:2"
        with pytest.raises(ConfigError, match="no route"):
            made.url("private")
    for levels in (11, "10", True):
        with pytest.raises(ConfigError, match="it can be 10, 25, 100"):
            kraken.Spot(book_levels=levels)  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="Unified: book_levels"):
            kraken.Unified(book_levels=levels)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="numbers is"):
        kraken.Spot(numbers=int)


def test_a_book_shows_what_is_verified_or_as_much_as_is_asked_for() -> None:
    for channel, shown in (
        (OrderBook("A/B"), 10),
        (OrderBook("A/B", 5), 5),
        (OrderBook("A/B", 50), 50),
    ):
        source = SPOT.stream(channel).book
        assert source is not None
        assert (source.extent.shown, source.extent.truncated) == (shown, 100)
        assert source.rules.read_digits is not None
    exact = kraken.Spot(numbers=Decimal).stream(OrderBook("A/B")).book
    assert exact is not None
    assert exact.rules.read_digits is not None
    assert exact.rules.checksum is not None


def test_instruments_of_spot(data_folder: Path) -> None:
    with gzip.open(data_folder / "kraken/rest_assetpairs_2021.jsonl.gz", "rt") as lines:
        body = json.loads(lines.readline())["m"].encode()
    listed = json.loads(body)["result"].values()
    known = SPOT.instruments().decode(body)
    assert [each.symbol for each in known] == [
        "/".join({"XBT": "BTC", "XDG": "DOGE"}.get(name, name) for name in row["wsname"].split("/"))
        for row in listed
        if "wsname" in row
    ]
    for each, row in zip(known, (row for row in listed if "wsname" in row), strict=True):
        assert each.tick_size == Decimal(10) ** -row["pair_decimals"]
        assert each.step_size == Decimal(10) ** -row["lot_decimals"]
        assert each.min_quantity == (Decimal(row["ordermin"]) if "ordermin" in row else None)
        assert (each.kind, each.status, each.quantity_unit) == ("spot", Status.TRADING, "base")
    new: dict[str, Any] = {}
    for name in ("http_asset_pairs", "http_asset_pairs_tokenized"):
        page = (data_folder / f"kraken/frames/nautilus/{name}.json").read_bytes()
        new |= {each.symbol: each for each in SPOT.instruments().decode(page)}
    bitcoin = find(new.values(), base="BTC", quote="USDT")
    assert (bitcoin.tick_size, bitcoin.min_notional) == (Decimal("0.1"), Decimal("0.5"))
    assert new["AAPLx/USD"].base == "AAPLx"


def test_instruments_of_futures(data_folder: Path) -> None:
    folder = data_folder / "kraken/frames/nautilus"
    known = FUTURES.instruments().decode((folder / "http_futures_instruments.json").read_bytes())
    assert len(known) == 4
    inverse = find(known, base="BTC", quote="USD", kind="perpetual")
    assert (inverse.symbol, inverse.quantity_unit, inverse.settle) == (
        "PI_XBTUSD",
        "contracts",
        "BTC",
    )
    assert inverse.base_quantity(Decimal(250), Decimal(25_000)) == Decimal("0.01")
    linear = find(known, base="ETH", quote="USD", kind="perpetual")
    assert (linear.symbol, linear.quantity_unit, linear.settle) == ("PF_ETHUSD", "base", "USD")
    assert (linear.tick_size, linear.step_size) == (Decimal("0.1"), Decimal("0.001"))
    (pepe,) = (each for each in known if each.base == "PEPE")
    assert (pepe.tick_size, pepe.step_size) == (Decimal("1e-10"), Decimal(1000))
    old = (
        b'{"result":"success","instruments":[{"symbol":"fi_xbtusd_210730","type":"futures_inverse",'
        b'"tickSize":0.5,"contractSize":1,"tradeable":true,"lastTradingTime":'
        b'"2021-07-30T15:00:00.000Z"},{"symbol":"rr_xbtusd","type":"spot index"}]}'
    )
    (future,) = FUTURES.instruments().decode(old)
    assert (future.kind, future.base, future.quote, future.inverse) == (
        "future",
        "BTC",
        "USD",
        True,
    )
    assert future.expires_ns == 1_627_657_200 * 10**9


def test_rest_refusals() -> None:
    spot = b'{"error":["EQuery:Unknown asset pair"]}'
    assert (SPOT.rest.refuses(spot), SPOT.rest.error(spot)) == (
        True, ("EQuery:Unknown asset pair", "EQuery:Unknown asset pair")
    )  # fmt: skip
    assert not SPOT.rest.refuses(b'{"error":[],"result":{}}')
    futures = b'{"result":"error","error":"apiLimitExceeded","serverTime":"2025-11-17T00:34:37Z"}'
    assert (FUTURES.rest.refuses(futures), FUTURES.rest.error(futures)) == (
        True, ("apiLimitExceeded", "apiLimitExceeded")
    )  # fmt: skip
    assert not FUTURES.rest.refuses(b'{"result":"success","instruments":[]}')
    for exchange in (SPOT, FUTURES):
        assert exchange.rest.error(b"<html>") == (None, "<html>")
        assert exchange.rest.error(b"{}") == (None, "{}")
        assert exchange.rest.error(b"") == (None, "(no reason given)")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"result":"error","error":"invalidUnit"}', ("invalidUnit", "invalidUnit")),
        (b'{"result":"error","errors":[{"code":7}]}', ("error", '{"code":7}')),
        (b'{"result":"error"}', ("error", "(no reason given)")),
        (b'{"status":"unauthorized","reason":"no key"}', ("unauthorized", "no key")),
    ],
)
def test_errors_of_the_futures_have_three_shapes(body: bytes, said: tuple[str, str]) -> None:
    """Source: kraken_futures_v1."""
    assert (FUTURES.rest.refuses(body), FUTURES.rest.error(body)) == (True, said)


def test_the_list_of_instruments_is_a_raw_stream(data_folder: Path) -> None:
    frame = (data_folder / "kraken/frames/kdr/v2_instrument_snapshot.json").read_bytes()
    assert SPOT.parse(frame) == Data("instrument", frame)
    event: Any = SPOT.stream(RawStream("instrument")).decode(frame)
    assert event.data == frame
