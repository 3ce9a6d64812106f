"""What Coinbase offers, where it is, and what it trades."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector.adapter.channel_streams import streams_of
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
from connector.exchanges import coinbase
from connector.instruments import Instrument, Status, find

EXCHANGE = coinbase.AdvancedTrade()


def test_where_it_is() -> None:
    assert EXCHANGE.url("public") == "wss://advanced-trade-ws.coinbase.com"
    assert EXCHANGE.rest.url == "https://api.coinbase.com"
    own = coinbase.Endpoints.at(stream="ws://127.0.0.1:1/", rest="http://127.0.0.1:2")
    assert coinbase.AdvancedTrade(endpoints=own).url("public") == "ws://127.0.0.1:1"
    with pytest.raises(ConfigError, match="no route 'private'"):
        EXCHANGE.url("private")


@pytest.mark.parametrize(
    ("channel", "name"),
    [
        (Trades("btc-usd"), "market_trades:BTC-USD"),
        (BestQuote("BTC-USD"), "ticker:BTC-USD"),
        (BookDeltas("BTC-USD"), "l2_data:BTC-USD"),
        (Candles("BTC-USD", "5m"), "candles:BTC-USD"),
        (Tickers("BTC-USD"), "ticker_batch:BTC-USD"),
        (RawStream("level2:BTC-USD"), "l2_data:BTC-USD"),
        (RawStream("status:BTC-USD"), "status:BTC-USD"),
        (OrderBook("BTC-USD", 20), "book of l2_data:BTC-USD, 20 levels"),
        (Trades("BIT-26DEC26-CDE"), "market_trades:BIT-26DEC26-CDE"),
    ],
)
def test_streams(channel: Channel[Any], name: str) -> None:
    assert EXCHANGE.stream(channel).name == name


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        (AggregateTrades("BTC-USD"),
         "offer AggregateTrades.*it offers BestQuote, BookDeltas, Candles, OrderBook, RawStream, "),
        (PartialBook("BTC-USD"), "does not offer PartialBook"),
        (MarkPrices("BTC-USD"), "does not offer MarkPrices"),
        (Liquidations("BTC-USD"), "does not offer Liquidations"),
        (Candles("BTC-USD"), "interval can be 5m"),
        (BookDeltas("BTC-USD", 1000), "interval_ms can be 100"),
        (Tickers(), "for one symbol at a time"),
        (Trades('BTC"USD'), "is not a symbol"),
        (RawStream("status"), "is not a stream; write one of candles, l2_data"),
        (RawStream("heartbeats:heartbeats"), "is not a stream"),
        (RawStream("user:BTC-USD"), "is not a stream"),
    ],
)  # fmt: skip
def test_what_it_does_not_offer(channel: Channel[Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        EXCHANGE.stream(channel)


def test_twins_are_one_stream_whose_events_have_one_symbol() -> None:
    with pytest.raises(ConfigError, match="are the same stream"):
        streams_of(EXCHANGE, [Trades("BTC-USD"), Trades("BTC-USDC")], {})
    assert len(streams_of(EXCHANGE, [Trades("BTC-USD"), Trades("btc-usd")], {})) == 2


def listed(folder: Path, name: str) -> list[Instrument]:
    body = (folder / "coinbase_advanced/frames/nautilus" / f"http_{name}.json").read_bytes()
    page = EXCHANGE.instruments().decode(body)
    assert page.next is None
    return list(page.items)


def test_instruments(data_folder: Path) -> None:
    spot = find(listed(data_folder, "products"), base="BTC", quote="USD")
    assert (spot.symbol, spot.kind, spot.tick_size, spot.step_size, spot.min_notional) == (
        "BTC-USD", "spot", Decimal("0.01"), Decimal("1e-8"), 1,
    )  # fmt: skip
    assert (spot.status, spot.quantity_unit, spot.expires_ns) == (Status.TRADING, "base", None)

    futures = listed(data_folder, "products_future")
    swap = find(futures, base="BTC", quote="USD", kind="perpetual")
    assert (swap.symbol, swap.quantity_unit, swap.settle) == ("BIP-20DEC30-CDE", "contracts", "USD")
    assert (swap.tick_size, swap.step_size, swap.status) == (5, 1, Status.TRADING)
    # 20 contracts of 0.01 BTC are as much as 0.2 on spot.
    assert swap.base_quantity(Decimal(20)) == spot.base_quantity(Decimal("0.2"))
    future = find(futures, base="BTC", quote="USD", kind="future")
    assert future.symbol == "BIT-24APR26-CDE"
    assert future.expires_ns == 1777042800 * 10**9


def test_instruments_come_in_pages() -> None:
    first = EXCHANGE.instruments()
    assert first.target == "/api/v3/brokerage/market/products?limit=500&offset=0"
    row = (
        b'{"product_id":"A-B","product_type":"SPOT","status":"delisted","base_increment":"0",'
        b'"price_increment":"0.1"}'
    )
    equity = b'{"product_id":"AAPL","product_type":"EQUITY"}'
    page = first.decode(b'{"products":[%b]}' % b",".join([row] * 499 + [equity]))
    assert len(page.items) == 499
    assert (page.items[0].status, page.items[0].step_size) == (Status.ENDED, None)
    assert page.next is not None
    assert page.next.target.endswith("limit=500&offset=500")


def test_a_refusal() -> None:
    body = b'{"error":"INVALID_ARGUMENT","error_details":"bad limit","message":""}'
    assert EXCHANGE.rest.error(body) == ("INVALID_ARGUMENT", "bad limit")
    assert EXCHANGE.rest.error(b"<html>") == (None, "<html>")
