"""What Hyperliquid offers, where it is, and what it trades."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
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
from connector.exchanges import hyperliquid
from connector.instruments import Instrument, Status, find

EXCHANGE = hyperliquid.Hyperliquid()


def test_where_it_is() -> None:
    assert EXCHANGE.url("public") == "wss://api.hyperliquid.xyz/ws"
    there = hyperliquid.Hyperliquid(endpoints=hyperliquid.TESTNET)
    assert there.url("public") == "wss://api.hyperliquid-testnet.xyz/ws"
    assert there.rest.url == "https://api.hyperliquid-testnet.xyz"
    own = hyperliquid.Endpoints.at(stream="ws://127.0.0.1:1/", rest="http://127.0.0.1:2")
    assert hyperliquid.Hyperliquid(endpoints=own).url("public") == "ws://127.0.0.1:1/ws"
    with pytest.raises(ConfigError, match="no route 'private'"):
        EXCHANGE.url("private")


@pytest.mark.parametrize(
    ("channel", "name"),
    [
        (Trades("kPEPE"), "trades:kPEPE"),
        (BestQuote("BTC"), "bbo:BTC"),
        (PartialBook("BTC"), "l2Book:BTC"),
        (PartialBook("BTC", 20), "l2Book.slow:BTC"),
        (Candles("BTC"), "candle:BTC:1m"),
        (Tickers("BTC"), "activeAssetCtx:BTC"),
        (MarkPrices("@107"), "activeSpotAssetCtx:@107"),
        (OrderBook("BTC", 5), "book of l2Book:BTC, 5 levels"),
        (OrderBook("BTC", 6), "book of l2Book.slow:BTC, 6 levels"),
        (OrderBook("BTC"), "book of l2Book.slow:BTC, all levels"),
        (RawStream("trades:BTC"), "trades:BTC"),
        (RawStream("l2Book:BTC"), "l2Book:BTC"),
        (RawStream("l2Book.slow:BTC"), "l2Book.slow:BTC"),
        (RawStream("candle:xyz:GOLD:1m"), "candle:xyz:GOLD:1m"),
        (RawStream("activeAssetCtx:@1"), "activeSpotAssetCtx:@1"),
    ],
)
def test_streams(channel: Channel[Any], name: str) -> None:
    assert EXCHANGE.stream(channel).name == name


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        (BookDeltas("BTC"), "does not offer BookDeltas.*it offers BestQuote, Candles, MarkPrices"),
        (AggregateTrades("BTC"), "does not offer AggregateTrades"),
        (Liquidations("BTC"), "does not offer Liquidations"),
        (PartialBook("BTC", 10), "levels can be 5, 20"),
        (OrderBook("BTC", 21), "a book has 20 levels, not 21"),
        (Candles("BTC", "2m"), "interval can be 1m, 3m"),
        (Tickers(), "for one symbol at a time"),
        (Trades('B"TC'), "is not a symbol"),
        (RawStream("allMids"), "is not a stream; write one of activeAssetCtx, bbo, candle"),
        (RawStream("userFills:0x1"), "is not a stream"),
    ],
)
def test_what_it_does_not_offer(channel: Channel[Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        EXCHANGE.stream(channel)


def pages(spot: bytes, perpetuals: bytes) -> list[Instrument]:
    first = EXCHANGE.instruments()
    assert (first.target, json.loads(first.body)) == ("/info#spotMeta", {"type": "spotMeta"})
    page = first.decode(spot)
    second = page.next
    assert second is not None
    assert json.loads(second.body) == {"type": "allPerpMetas"}
    last = second.decode(perpetuals)
    assert last.next is None
    return [*page.items, *last.items]


def test_instruments(data_folder: Path) -> None:
    folder = data_folder / "hyperliquid/frames/nautilus"
    spot = json.loads((folder / "http_spot_meta_non_usdc_collateral.json").read_bytes())
    spot["tokens"].append({"name": "HYPE", "index": 150, "szDecimals": 2, "weiDecimals": 8})
    spot["universe"] = [{"name": "@107", "tokens": [150, 0], "index": 107, "isCanonical": False}]
    perpetuals = (folder / "http_all_perp_metas_non_usdc_collateral.json").read_bytes()
    found = pages(json.dumps(spot).encode(), perpetuals)

    pair = find(found, base="HYPE", quote="USDC", kind="spot")
    assert (pair.symbol, pair.tick_size, pair.step_size, pair.min_notional) == (
        "@107", Decimal("0.000001"), Decimal("0.01"), 10,
    )  # fmt: skip
    swap = find(found, base="BTC", quote="USDC", kind="perpetual")
    assert (swap.symbol, swap.tick_size, swap.step_size, swap.settle) == (
        "BTC", Decimal("0.1"), Decimal("0.00001"), "USDC",
    )  # fmt: skip
    assert swap.base_quantity(Decimal("0.2")) == Decimal("0.2")
    built = {each.symbol: (each.base, each.quote, each.settle) for each in found}
    assert built["km:US500"] == ("US500", "USDH", "USDH")
    assert built["hyna:BTC"] == ("BTC", "USDE", "USDE")


def test_what_is_not_traded_any_more() -> None:
    metas = b'[{"universe":[{"name":"X","szDecimals":7,"isDelisted":true}]}]'
    (ended,) = pages(b'{"tokens":[],"universe":[]}', metas)
    assert (ended.status, ended.tick_size, ended.quote) == (Status.ENDED, 1, "USDC")


def test_a_pair_of_an_unknown_token_is_no_answer() -> None:
    with pytest.raises(msgspec.ValidationError, match="no token 5"):
        EXCHANGE.instruments().decode(b'{"tokens":[],"universe":[{"name":"@1","tokens":[5,0]}]}')


def test_a_refusal_is_a_text() -> None:
    assert EXCHANGE.rest.error(b"Failed to deserialize") == ("error", "Failed to deserialize")
    assert EXCHANGE.rest.error(b"<html>") == (None, "<html>")
    assert EXCHANGE.rest.error(b"") == (None, "(no reason given)")
