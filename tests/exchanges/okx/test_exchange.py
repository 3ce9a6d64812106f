"""What OKX offers and answers, where it is, and what it trades."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector.channels import (
    AggregateTrades,
    BookDeltas,
    Candles,
    Channel,
    Liquidations,
    OrderBook,
    PartialBook,
    RawStream,
    Trades,
)
from connector.errors import ConfigError
from connector.exchanges import okx
from connector.exchanges.protocol import Heartbeat, Inbound, Reply, Shutdown, Unknown
from connector.instruments import find

EXCHANGE = okx.Okx()
REFUSED = (
    "Subscribe failed, wrong URL or channel:trades,instId:XX-USDT doesn't exist. Please use the "
    "correct URL, channel and parameters referring to API document."
)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ("pong", Heartbeat()),  # okx §2
        (
            (
                '{"id":"15","event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT"},'
                '"connId":"a4d3ae55"}'
            ),
            Reply(15, streams=("books:BTC-USDT",)),
        ),
        (
            '{"event":"unsubscribe","arg":{"channel":"liquidation-orders","instType":"SWAP"}}',
            Reply(None, streams=("liquidation-orders:SWAP",)),
        ),
        (
            json.dumps({"event": "error", "msg": REFUSED, "code": "60018", "id": "7"}),
            Reply(7, "60018", REFUSED, streams=("trades:XX-USDT",)),
        ),
        (
            '{"event":"error","msg":"Requests too frequent","code":"60014","id":"7"}',
            Reply(7, "60014", "Requests too frequent", refusal="later"),
        ),
        (
            '{"event":"error","msg":"internal error","code":"64007","id":"7"}',
            Reply(7, "64007", "internal error", refusal="later"),
        ),
        (
            '{"event":"error","msg":"Invalid args","code":"60013"}',
            Reply(None, "60013", "Invalid args"),
        ),
        (
            (
                '{"event":"notice","code":"64008","msg":"The connection will soon be closed for a '
                'service upgrade. Please reconnect.","connId":"a4d3ae55"}'
            ),
            Shutdown("The connection will soon be closed for a service upgrade. Please reconnect."),
        ),
        ('{"event":"channel-conn-count","channel":"orders"}', Unknown("channel-conn-count")),
        ("[]", Unknown("list")),
    ],
)
def test_what_is_no_data(frame: str, said: Inbound) -> None:
    assert EXCHANGE.parse(frame.encode()) == said


def test_requests() -> None:
    streams = [
        EXCHANGE.stream(AggregateTrades("btc-usdt")), EXCHANGE.stream(Liquidations())
    ]  # fmt: skip
    assert json.loads(EXCHANGE.subscribe(5, streams)) == {
        "id": "5", "op": "subscribe",
        "args": [
            {"channel": "trades", "instId": "BTC-USDT"},
            {"channel": "liquidation-orders", "instType": "SWAP"},
        ],
    }  # fmt: skip
    assert json.loads(EXCHANGE.unsubscribe(6, streams[:1]))["op"] == "unsubscribe"


@pytest.mark.parametrize(
    ("channel", "name", "route"),
    [
        (Trades("BTC-USDT"), "trades-all:BTC-USDT", "business"),
        (PartialBook("BTC-USDT"), "books5:BTC-USDT", "public"),
        (Candles("BTC-USDT"), "candle1m:BTC-USDT", "business"),
        (Candles("BTC-USDT", "1d"), "candle1Dutc:BTC-USDT", "business"),
        (RawStream("funding-rate:BTC-USDT-SWAP"), "funding-rate:BTC-USDT-SWAP", "public"),
        (RawStream("mark-price-candle1m:BTC-USDT"), "mark-price-candle1m:BTC-USDT", "business"),
    ],
)
def test_streams(channel: Channel[Any], name: str, route: str) -> None:
    stream = EXCHANGE.stream(channel)
    assert (stream.name, stream.route) == (name, route)
    own = okx.Okx(endpoints=okx.Endpoints.at(stream="ws://127.0.0.1:1", rest="http://127.0.0.1:1"))
    assert own.url(route) == f"ws://127.0.0.1:1/ws/v5/{route}"


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        (Liquidations("BTC-USDT-SWAP"), "does not offer Liquidations.*it offers AggregateTrades"),
        (BookDeltas("BTC-USDT", 10), "interval_ms can be 100"),
        (PartialBook("BTC-USDT", 20), "levels can be 5"),
        (Candles("BTC-USDT", "7m"), "interval can be 1s, 1m"),
        (OrderBook("BTC-USDT", 401), "has 400 levels, not 401"),
    ],
)
def test_what_it_does_not_offer(channel: Channel[Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        EXCHANGE.stream(channel)


def test_books_are_verified() -> None:
    for numbers in (float, Decimal):
        source = okx.Okx(numbers=numbers).stream(OrderBook("BTC-USDT")).book
        assert source is not None
        assert source.fallback is not None
        assert source.snapshot is not None
        assert source.rules.checksum is not None
        assert source.fallback.checksum is not None
        assert source.snapshot.target == "/api/v5/market/books?instId=BTC-USDT&sz=400&source=0"


def test_the_book_over_rest() -> None:
    source = EXCHANGE.stream(OrderBook("BTC-USDT")).book
    assert source is not None
    assert source.snapshot is not None
    body = (
        b'{"code":"0","msg":"","data":[{"asks":[["2","1","0","1"]],"bids":[["1","3","0","2"]],'
        b'"ts":"1597026383085","seqId":99}]}'
    )
    book = source.snapshot.decode(body)
    assert (book.symbol, book.update_id, book.bids[0].quantity) == ("BTC-USDT", 99, 3)
    assert not EXCHANGE.rest.refuses(body)
    refusal = b'{"code":"51001","msg":"Instrument ID does not exist","data":[]}'
    assert EXCHANGE.rest.refuses(refusal)
    assert EXCHANGE.rest.error(refusal) == ("51001", "Instrument ID does not exist")


def test_instruments(data_folder: Path) -> None:
    listed: dict[str, Any] = {}
    with gzip.open(data_folder / "okx/rest_instruments_2022.jsonl.gz", "rt") as lines:
        for line in lines:
            row = json.loads(line)
            if row["k"] == "http" and any(
                row["u"].endswith(f"instType={kind}") for kind in ("SPOT", "SWAP", "FUTURES")
            ):
                page: Any = EXCHANGE.instruments().decode(row["m"].encode())
                listed |= {each.symbol: each for each in page.items}
    known = list(listed.values())
    spot = find(known, base="BTC", quote="USDT")
    assert (spot.symbol, spot.quantity_unit, spot.tick_size) == ("BTC-USDT", "base", Decimal("0.1"))
    linear = find(known, base="BTC", quote="USDT", kind="perpetual")
    assert (linear.symbol, linear.inverse, linear.settle) == ("BTC-USDT-SWAP", False, "USDT")
    assert linear.base_quantity(Decimal(100)) == 1
    inverse = find(known, base="BTC", quote="USD", kind="perpetual")
    assert (inverse.symbol, inverse.inverse, inverse.settle) == ("BTC-USD-SWAP", True, "BTC")
    assert inverse.base_quantity(Decimal(250), Decimal(25_000)) == 1
    futures = [each for each in known if each.kind == "future"]
    assert futures
    assert all(each.expires_ns for each in futures)


def test_the_kinds_of_instruments_come_one_after_another() -> None:
    request: Any = EXCHANGE.instruments()
    targets = []
    while request is not None:
        targets.append(request.target.rpartition("=")[2])
        request = request.decode(b'{"code":"0","data":[]}').next
    assert targets == ["SPOT", "SWAP", "FUTURES"]
