"""What Bitget offers and answers, where it is, and what it trades."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from connector.channels import (
    AggregateTrades,
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
from connector.exchanges import bitget
from connector.exchanges.protocol import Heartbeat, Inbound, Reply, Unknown
from connector.instruments import Status

SPOT, FUTURES = bitget.Spot(), bitget.Futures()
ABSENT = '{"instType":"usdt-futures","symbol":"NOPEUSDT","topic":"books"} doesn\'t exist'
CLASSIC_ABSENT = "instType:USDT-FUTURES,channel:books,instId:NOPEUSDT,precision:null doesn't exist"


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ("pong", Heartbeat()),  # bitget §2
        (
            (
                '{"event":"subscribe","arg":{"instType":"usdt-futures","topic":"books",'
                '"symbol":"BTCUSDT"},"connId":"x"}'
            ),
            Reply(None, streams=("books:BTCUSDT",)),
        ),
        (
            # In another case than it was asked in.
            (
                '{"event":"unsubscribe","arg":{"instType":"USDT-FUTURES","topic":"publictrade",'
                '"symbol":"btcusdt"}}'
            ),
            Reply(None, streams=("publicTrade:BTCUSDT",)),
        ),
        (
            (
                '{"event":"subscribe","arg":{"instType":"spot","topic":"kline","symbol":"A",'
                '"interval":"1H"}}'
            ),
            Reply(None, streams=("kline:A:1H",)),
        ),
        (
            '{"event":"subscribe","arg":{"instType":"usdt-futures","topic":"liquidation"}}',
            Reply(None, streams=("liquidation:usdt-futures",)),
        ),
        (
            (
                '{"event":"subscribe","arg":{"instType":"COIN-FUTURES","channel":"books15",'
                '"instId":"BTCUSD"}}'
            ),
            Reply(None, streams=("v2.books15:BTCUSD_CM",)),
        ),
        (
            json.dumps({"event": "error", "code": 30001, "msg": ABSENT, "connId": "x"}),
            Reply(None, 30001, ABSENT, streams=("books:NOPEUSDT",)),
        ),
        (
            json.dumps(
                {
                    "event": "error", "code": "30001", "msg": CLASSIC_ABSENT, "op": "subscribe",
                    "arg": {"instType": "USDT-FUTURES", "channel": "books", "instId": "NOPEUSDT"},
                }
            ),
            Reply(None, "30001", CLASSIC_ABSENT, streams=("v2.books:NOPEUSDT",)),
        ),
        (
            '{"event":"error","code":30007,"msg":"Request too many"}',
            Reply(None, 30007, "Request too many", refusal="later"),
        ),
        (
            '{"event":"error","code":30016,"msg":"Param error"}',
            Reply(None, 30016, "Param error"),
        ),
        ('{"event":"login","code":0}', Unknown("login")),
        ("[]", Unknown("list")),
    ],
)  # fmt: skip
def test_what_is_no_data(frame: str, said: Inbound) -> None:
    assert FUTURES.parse(frame.encode()) == said


def asked(exchange: Any, *channels: Channel[Any]) -> Any:
    said = json.loads(exchange.subscribe(5, [exchange.stream(each) for each in channels]))
    assert said["op"] == "subscribe"
    return said["args"]


def test_requests() -> None:
    assert asked(SPOT, Trades("btcusdt"), Candles("BTCUSDT", "1h")) == [
        {"instType": "spot", "topic": "publicTrade", "symbol": "BTCUSDT"},
        {"instType": "spot", "topic": "kline", "symbol": "BTCUSDT", "interval": "1H"},
    ]
    assert asked(
        FUTURES, Trades("BTCUSDT"), Trades("BTCPERP"), Trades("BTCUSD_CM"), Liquidations()
    ) == [
        {"instType": "usdt-futures", "topic": "publicTrade", "symbol": "BTCUSDT"},
        {"instType": "usdc-futures", "topic": "publicTrade", "symbol": "BTCPERP"},
        {"instType": "coin-futures", "topic": "publicTrade", "symbol": "BTCUSD_CM"},
        {"instType": "usdt-futures", "topic": "liquidation"},
    ]
    assert asked(FUTURES, PartialBook("BTCUSD_CM", 15), Candles("BTCPERP", "1d")) == [
        {"instType": "COIN-FUTURES", "channel": "books15", "instId": "BTCUSD"},
        {"instType": "USDC-FUTURES", "channel": "candle1Dutc", "instId": "BTCPERP"},
    ]
    stream = SPOT.stream(Trades("A"))
    assert json.loads(SPOT.unsubscribe(6, [stream]))["op"] == "unsubscribe"


@pytest.mark.parametrize(
    ("channel", "name", "route"),
    [
        (PartialBook("BTCUSDT"), "books5:BTCUSDT", "v3"),
        (PartialBook("BTCUSDT", 50, 20), "books50:BTCUSDT", "v3"),
        (PartialBook("BTCUSDT", 15), "v2.books15:BTCUSDT", "v2"),
        (BookDeltas("BTCUSDT", 50), "books:BTCUSDT", "v3"),
        (BookDeltas("BTCUSDT", 150), "v2.books:BTCUSDT", "v2"),
        (Candles("BTCUSDT", "4h"), "kline:BTCUSDT:4H", "v3"),
        (Candles("BTCUSDT", "2h"), "v2.candle2H:BTCUSDT", "v2"),
        (Candles("BTCUSDT", "1w"), "v2.candle1Wutc:BTCUSDT", "v2"),
        (RawStream("rpi-books:BTCUSDT"), "rpi-books:BTCUSDT", "v3"),
        (RawStream("v2.ticker:BTCUSDT"), "v2.ticker:BTCUSDT", "v2"),
        (RawStream("liquidation:coin-futures"), "liquidation:coin-futures", "v3"),
    ],
)
def test_streams(channel: Channel[Any], name: str, route: str) -> None:
    stream = FUTURES.stream(channel)
    assert (stream.name, stream.route) == (name, route)
    own = bitget.Endpoints.at(stream="ws://127.0.0.1:1", rest="http://127.0.0.1:1")
    assert bitget.Futures(endpoints=own).url(route) == f"ws://127.0.0.1:1/{route}/ws/public"


@pytest.mark.parametrize(
    ("exchange", "channel", "words"),
    [
        (SPOT, MarkPrices("A"), "bitget_spot does not offer MarkPrices.*it offers BestQuote"),
        (SPOT, AggregateTrades("A"), "does not offer AggregateTrades"),
        (FUTURES, Liquidations("A"), "does not offer Liquidations"),
        (FUTURES, Tickers(), "for all symbols at once it offers Liquidations"),
        (SPOT, BookDeltas("A", 10), "interval_ms can be 100, 50, 150"),
        (SPOT, PartialBook("A", 20), "levels can be 5, 15, 50"),
        (SPOT, Candles("A", "8h"), "interval can be 1m"),
        (SPOT, OrderBook("A", 1001), "has 1000 levels, not 1001"),
        (SPOT, OrderBook("A", 501, interval_ms=150), "has 500 levels, not 501"),
    ],
)
def test_what_it_does_not_offer(exchange: Any, channel: Channel[Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        exchange.stream(channel)


def test_where_it_is() -> None:
    assert SPOT.url("v3") == "wss://ws.bitget.com/v3/ws/public"
    demo = bitget.Futures(endpoints=bitget.DEMO)
    assert demo.url("v2") == "wss://wspap.bitget.com/v2/ws/public"
    assert demo.rest.url == "https://api.bitget.com"
    with pytest.raises(ConfigError, match="no route 'private'"):
        SPOT.url("private")
    assert SPOT.liveness.ping == "ping"
    assert (SPOT.liveness.ping_seconds or 99) <= 30
    assert SPOT.limits.streams_per_request <= 10
    assert SPOT.limits.bytes_per_request == 4096


def test_a_book_of_floats_is_not_verified_by_digits_that_are_lost() -> None:
    for numbers, verified in ((float, False), (Decimal, True)):
        source = bitget.Spot(numbers=numbers).stream(OrderBook("BTCUSDT")).book
        assert source is not None
        assert (source.rules.checksum is not None) is verified
        assert (source.rules.name, source.snapshot) == ("bitget", None)


ROW = {
    "symbol": "BTCUSDT", "category": "USDT-FUTURES", "baseCoin": "BTC", "quoteCoin": "USDT",
    "minOrderQty": "0.0001", "maxOrderQty": "1190", "maxMarketOrderQty": "0",
    "pricePrecision": "1", "quantityPrecision": "4", "priceMultiplier": "0.1",
    "quantityMultiplier": "0.0001", "minOrderAmount": "5", "status": "online",
    "type": "perpetual", "fundInterval": "8", "deliveryTime": "", "symbolType": "crypto",
}  # fmt: skip


def answer(*rows: dict[str, str]) -> bytes:
    return json.dumps(
        {"code": "00000", "msg": "success", "requestTime": 1, "data": list(rows)}
    ).encode()


def test_instruments_come_category_by_category() -> None:
    request: Any = FUTURES.instruments()
    targets, found = [], []
    rows = [
        ROW,
        ROW | {"symbol": "BTCPERP", "quoteCoin": "USDC", "status": "limit_open"},
        ROW | {"symbol": "BTCUSD_CM", "quoteCoin": "USD", "type": "delivery",
               "deliveryTime": "1798185600000"},
    ]  # fmt: skip
    while request is not None:
        targets.append(request.target)
        page = request.decode(answer(rows[len(found)]))
        found += page.items
        request = page.next
    assert [target.rpartition("=")[2] for target in targets] == [
        "USDT-FUTURES", "USDC-FUTURES", "COIN-FUTURES",
    ]  # fmt: skip
    linear, usdc, coin = found
    assert (linear.kind, linear.settle, linear.status) == ("perpetual", "USDT", Status.TRADING)
    assert (linear.tick_size, linear.step_size) == (Decimal("0.1"), Decimal("0.0001"))
    assert (linear.max_quantity, linear.market_max_quantity) == (1190, None)
    assert (linear.min_notional, linear.quantity_unit, linear.inverse) == (5, "base", False)
    assert linear.base_quantity(Decimal(2)) == 2
    assert (usdc.settle, usdc.status) == ("USDC", Status.PAUSED)
    assert (coin.kind, coin.settle, coin.inverse) == ("future", "BTC", True)
    assert coin.expires_ns == 1_798_185_600_000 * 1_000_000
    assert coin.base_quantity(Decimal(30_000), Decimal(60_000)) == Decimal("0.5")


def test_instruments_of_spot() -> None:
    request: Any = SPOT.instruments()
    assert request.target.endswith("/instruments?category=SPOT")
    row = {key: ROW[key] for key in ROW if key not in ("type", "fundInterval", "deliveryTime")}
    row |= {"priceMultiplier": "", "quantityMultiplier": ""}
    page = request.decode(answer(row))
    (spot,) = page.items
    assert (page.next, spot.kind, spot.settle) == (None, "spot", None)
    assert (spot.tick_size, spot.step_size) == (Decimal("0.1"), Decimal("0.0001"))


def test_refusals_over_rest() -> None:
    body = b'{"code":"40020","msg":"Parameter limit error","requestTime":1,"data":null}'
    assert SPOT.rest.refuses(body)
    assert SPOT.rest.error(body) == ("40020", "Parameter limit error")
    assert not SPOT.rest.refuses(answer())


@pytest.mark.parametrize("code", ["429", "25004", "40725", "45001"])
def test_what_passes_over_rest(code: str) -> None:
    """Source: bitget §2, §8."""
    told, _ = SPOT.rest.error(json.dumps({"code": code, "msg": "busy", "data": None}).encode())
    assert told in SPOT.rest.not_now
    assert "40020" not in SPOT.rest.not_now
