"""What Deribit offers and answers, where it is, and what it trades."""

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
from connector.exchanges import deribit
from connector.exchanges.protocol import Data, Heartbeat, Inbound, Question, Reply, Unknown
from connector.instruments import Status, find

EXCHANGE = deribit.Deribit()
TEST = '{"id":0,"method":"public/test","params":{},"jsonrpc":"2.0"}'


def error(request_id: int | None, code: int, message: str, data: Any = None) -> str:
    said = {"code": code, "message": message, "data": data}
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "error": said})


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (
            (
                '{"jsonrpc":"2.0","id":7,"result":["trades.A.100ms","book.A.100ms"],'
                '"testnet":true,"usIn":1699999999000000,"usOut":1699999999001000,"usDiff":1000}'
            ),
            Reply(7, streams=("trades.A.100ms", "book.A.100ms"), others="refused"),
        ),
        ('{"jsonrpc":"2.0","id":7,"result":[]}', Reply(7, streams=(), others="refused")),
        (
            error(7, 10028, "too_many_requests"),
            Reply(7, 10028, "too_many_requests", refusal="later"),
        ),
        # The codes of the two lists differ: the words count.
        (error(7, 10040, "retry"), Reply(7, 10040, "retry", refusal="later")),
        (
            error(7, -32602, "Invalid params", {"reason": "wrong format", "param": "channels"}),
            Reply(7, -32602, 'Invalid params {"reason":"wrong format","param":"channels"}'),
        ),
        (error(None, 11050, "bad_request"), Reply(None, 11050, "bad_request")),
        ('{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}', Heartbeat()),
        (
            '{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}',
            Question(TEST),
        ),
        ('{"jsonrpc":"2.0","id":0,"result":{"version":"1.2.26"},"usDiff":2}', Heartbeat()),
        ('{"jsonrpc":"2.0","id":0,"result":"ok"}', Heartbeat()),
        (
            (
                '{"params":{"data":{"a": 1},"channel":"x.y"},"method":"subscription",'
                '"jsonrpc":"2.0"}'
            ),
            Data("x.y", b'{"a": 1}'),
        ),
        ('{"jsonrpc":"2.0","method":"dance","params":{}}', Unknown("dance")),
        ("{}", Unknown("object without method or id")),
        ("[]", Unknown("list")),
    ],
)
def test_frames(frame: str, said: Inbound) -> None:
    assert EXCHANGE.parse(frame.encode()) == said


def test_requests() -> None:
    streams = [EXCHANGE.stream(Trades("btc-perpetual")), EXCHANGE.stream(BestQuote("A"))]
    for write, method in ((EXCHANGE.subscribe, "subscribe"), (EXCHANGE.unsubscribe, "unsubscribe")):
        assert json.loads(write(5, streams)) == {
            "jsonrpc": "2.0", "id": 5, "method": f"public/{method}",
            "params": {"channels": ["trades.BTC-PERPETUAL.100ms", "quote.A"]},
        }  # fmt: skip
    (greeting,) = EXCHANGE.liveness.greeting
    said = json.loads(greeting)
    assert (said["method"], said["params"]["interval"] >= 10) == ("public/set_heartbeat", True)
    assert EXCHANGE.liveness.silence_seconds is not None
    assert EXCHANGE.liveness.silence_seconds > 2 * said["params"]["interval"]


@pytest.mark.parametrize(
    ("channel", "name"),
    [
        (PartialBook("BTC-PERPETUAL", 20, 1000), "book.BTC-PERPETUAL.none.20.agg2"),
        (BookDeltas("eth-27aug21-4000-p"), "book.ETH-27AUG21-4000-P.100ms"),
        (BookDeltas("BTC_USDC", 1000), "book.BTC_USDC.agg2"),
        (Tickers("xrp_usdc-30jun23-0d625-c"), "ticker.XRP_USDC-30JUN23-0d625-C.100ms"),
        (Tickers("btc-3dec21"), "ticker.BTC-3DEC21.100ms"),
        (MarkPrices("BTC-PERPETUAL"), "ticker.BTC-PERPETUAL.agg2"),
        (Candles("BTC-PERPETUAL"), "chart.trades.BTC-PERPETUAL.1"),
        (Candles("BTC-PERPETUAL", "1d"), "chart.trades.BTC-PERPETUAL.1D"),
        (Candles("BTC-PERPETUAL", "180"), "chart.trades.BTC-PERPETUAL.180"),
        (RawStream("perpetual.BTC-PERPETUAL.100ms"), "perpetual.BTC-PERPETUAL.100ms"),
    ],
)
def test_streams(channel: Channel[Any], name: str) -> None:
    stream = EXCHANGE.stream(channel)
    assert (stream.name, stream.route) == (name, "public")


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        (AggregateTrades("A"), "does not offer AggregateTrades.*it offers BestQuote, BookDeltas"),
        (Tickers(), "for one symbol at a time"),
        (Liquidations(), "for one symbol at a time"),
        (BookDeltas("A", 0), "interval_ms can be 100, 1000"),
        (MarkPrices("A", 10), "interval_ms can be 100, 1000"),
        (PartialBook("A", 7), "levels can be 1, 5, 10, 20"),
        (Candles("A", "4h"), "interval can be 1, 3, 5"),
    ],
)
def test_what_it_does_not_offer(channel: Channel[Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        EXCHANGE.stream(channel)


def test_where_it_is() -> None:
    assert EXCHANGE.url("public") == "wss://www.deribit.com/ws/api/v2"
    test = deribit.Deribit(endpoints=deribit.TESTNET)
    assert test.url("public") == "wss://test.deribit.com/ws/api/v2"
    assert test.rest.url == "https://test.deribit.com"
    own = deribit.Endpoints.at(stream="ws://127.0.0.1:1", rest="http://127.0.0.1:2")
    assert deribit.Deribit(endpoints=own).url("public") == "ws://127.0.0.1:1/ws/api/v2"
    with pytest.raises(ConfigError, match="no route 'private'"):
        EXCHANGE.url("private")


def test_a_book_follows_its_chain_and_has_all_levels() -> None:
    source = EXCHANGE.stream(OrderBook("BTC-PERPETUAL", 5)).book
    assert source is not None
    assert (source.deltas.name, source.rules.name) == ("book.BTC-PERPETUAL.100ms", "deribit")
    assert (source.snapshot, source.rules.checksum, source.extent.truncated) == (None, None, None)


def listed(body: bytes) -> dict[str, Any]:
    answer: Any = EXCHANGE.instruments().decode(body)
    return {each.symbol: each for each in answer}


def test_instruments_of_the_capture(data_folder: Path) -> None:
    found: dict[str, Any] = {}
    rows: dict[str, Any] = {}
    with gzip.open(data_folder / "deribit/rest_instruments_2021.jsonl.gz", "rt") as lines:
        for line in lines:
            body = json.loads(line)["m"]
            found |= listed(body.encode())
            rows |= {
                row["instrument_name"]: row
                for row in json.loads(body, parse_float=Decimal)["result"]
            }
    assert set(found) == set(rows)
    assert len(found) == 1017
    for symbol, each in found.items():
        row = rows[symbol]
        assert (each.base, each.quote) == (row["base_currency"], row["quote_currency"])
        assert each.tick_size == row["tick_size"]
        assert each.min_quantity == row["min_trade_amount"]
        assert (each.kind == "option") == (row["kind"] == "option")
        assert (each.kind == "perpetual") == (row["settlement_period"] == "perpetual")
        if each.kind == "option":
            assert (each.strike, each.option_side) == (row["strike"], row["option_type"])
        if each.kind != "perpetual":
            assert each.expires_ns == row["expiration_timestamp"] * 1_000_000
    inverse = find(found.values(), base="BTC", quote="USD", kind="perpetual")
    assert (inverse.symbol, inverse.inverse, inverse.settle) == ("BTC-PERPETUAL", True, "BTC")
    assert inverse.quantity_unit == "quote"
    assert inverse.base_quantity(Decimal(30_000), Decimal(60_000)) == Decimal("0.5")
    linear = find(found.values(), base="SOL", quote="USDC", kind="perpetual")
    assert (linear.inverse, linear.settle, linear.quantity_unit) == (False, "USDC", "base")
    option = found["BTC-24SEP21-40000-P"]
    assert (option.inverse, option.settle, option.quantity_unit) == (True, "BTC", "base")
    # An option of 2 BTC at 0.05 BTC each.
    assert option.notional(Decimal(2), Decimal("0.05")) == Decimal("0.1")


def test_instruments_of_2025(data_folder: Path) -> None:
    folder = data_folder / "deribit/frames/nautilus"
    found = listed((folder / "http_get_instruments.json").read_bytes())
    assert {each.symbol: each.kind for each in found.values()} == {
        "BTC-PERPETUAL": "perpetual", "BTC-27DEC24": "future", "BTC-27DEC24-100000-C": "option",
    }  # fmt: skip
    assert found["BTC-27DEC24"].expires_ns == 1_735_300_800_000 * 1_000_000
    for combos in ("future_combo", "option_combo"):
        assert listed((folder / f"http_get_instruments_{combos}.json").read_bytes()) == {}


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"is_active": True}, Status.TRADING),
        ({"is_active": False}, Status.ENDED),
        ({"state": "open", "is_active": True}, Status.TRADING),
        ({"state": "locked", "is_active": True}, Status.PAUSED),
        ({"state": "dreaming", "is_active": True}, Status.UNKNOWN),
        ({}, Status.UNKNOWN),
    ],
)
def test_states(told: dict[str, Any], status: Status) -> None:
    row = {
        "instrument_name": "BTC_USDC", "kind": "spot", "base_currency": "BTC",
        "quote_currency": "USDC", "tick_size": 1, "min_trade_amount": 0.0001,
    }  # fmt: skip
    (spot,) = listed(json.dumps({"result": [row | told]}).encode()).values()
    assert spot.status is status
    assert (spot.kind, spot.settle, spot.inverse) == ("spot", None, False)


def test_refusals_over_rest() -> None:
    body = b'{"jsonrpc":"2.0","error":{"message":"Invalid params","code":-32602},"testnet":false}'
    assert EXCHANGE.rest.refuses(body)
    assert EXCHANGE.rest.error(body) == (-32602, "Invalid params")
    assert not EXCHANGE.rest.refuses(b'{"jsonrpc":"2.0","result":[]}')
    assert EXCHANGE.rest.error(b"<html>") == (None, "<html>")


@pytest.mark.parametrize(
    "message", ["too_many_requests", "temporarily_unavailable", "retry", "timed_out"]
)
@pytest.mark.parametrize("code", [10028, 1])
def test_what_passes_over_rest_is_told_by_its_words(message: str, code: int) -> None:
    """Sources disagree on the codes. Source: deribit §8."""
    body = json.dumps({"jsonrpc": "2.0", "error": {"message": message, "code": code}}).encode()
    told, text = EXCHANGE.rest.error(body)
    assert (told in EXCHANGE.rest.not_now, text) == (True, message)
