"""Stored answers of Deribit read as plain ``json`` and ``Decimal`` say, and what is asked."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
import trio
from trio.testing import MockClock

from connector import open_adapter
from connector.channels import Trades
from connector.errors import ConfigError
from connector.exchanges import deribit
from connector.exchanges.requests import Span
from connector.testing import MemoryNetwork, OrderFlow, open_exchange

EXACT: Any = deribit.Deribit(numbers=Decimal)
REQUESTS = EXACT.requests
MS = 1_000_000
HOUR = 3_600_000


def stored(data_folder: Path, name: str) -> tuple[bytes, Any]:
    body = (data_folder / "deribit/frames/nautilus" / f"http_{name}.json").read_bytes()
    return body, json.loads(body, parse_float=Decimal)["result"]


def asked(request: Any) -> tuple[str, dict[str, str]]:
    url = urlsplit(request.target)
    return url.path, {name: value for name, (value,) in parse_qs(url.query).items()}


def test_depth(data_folder: Path) -> None:
    body, told = stored(data_folder, "get_order_book")
    request = REQUESTS.depth.request("btc-perpetual", 20)
    assert asked(request) == (
        "/api/v2/public/get_order_book", {"instrument_name": "BTC-PERPETUAL", "depth": "20"},
    )  # fmt: skip
    book = request.decode(body)
    assert (book.symbol, book.update_id) == ("BTC-PERPETUAL", told["change_id"])
    assert book.exchange_time_ns == told["timestamp"] * MS
    for levels, rows in ((book.bids, told["bids"]), (book.asks, told["asks"])):
        assert [list(level) for level in levels] == rows


@pytest.mark.parametrize("name", ["get_last_trades", "get_last_trades_perpetual_with_combo_tags"])
def test_recent_trades(data_folder: Path, name: str) -> None:
    body, told = stored(data_folder, name)
    request = REQUESTS.recent_trades.request("btc-perpetual", 5)
    assert asked(request)[1] == {
        "instrument_name": "BTC-PERPETUAL", "count": "5", "sorting": "desc",
    }  # fmt: skip
    rows = sorted(told["trades"], key=lambda row: row["trade_seq"])
    assert [
        (e.trade_id, e.price, e.quantity, e.side, e.exchange_time_ns, e.off_book)
        for e in request.decode(body)
    ] == [
        (r["trade_seq"], r["price"], r["amount"], r["direction"], r["timestamp"] * MS,
         "combo_trade_id" in r or "block_trade_id" in r)
        for r in rows
    ]  # fmt: skip


def test_missing_trades_are_asked_for_by_number() -> None:
    (way,) = REQUESTS.backfill[Trades].ways
    assert asked(way.request("btc-perpetual", 77, 5)) == (
        "/api/v2/public/get_last_trades_by_instrument",
        {"instrument_name": "BTC-PERPETUAL", "start_seq": "77", "count": "5", "sorting": "asc"},
    )
    assert (way.reach, REQUESTS.backfill[Trades].dense) == ("from", True)


def test_candles(data_folder: Path) -> None:
    body, told = stored(data_folder, "get_tradingview_chart_data")
    span = Span(begin_ms=60_000, end_ms=360_000, limit=5, now_ms=10**12)
    request = REQUESTS.candles.request("btc-perpetual", "1m", span)
    assert asked(request) == (
        "/api/v2/public/get_tradingview_chart_data",
        {
            "instrument_name": "BTC-PERPETUAL", "start_timestamp": "60000",
            "end_timestamp": "359999", "resolution": "1",
        },
    )  # fmt: skip
    candles = request.decode(body)
    names = {"open": "open", "high": "high", "low": "low", "close": "close", "volume": "volume",
             "quote_volume": "cost"}  # fmt: skip
    for ours, theirs in names.items():
        assert [getattr(each, ours) for each in candles] == told[theirs]
    assert [each.open_time_ns for each in candles] == [tick * MS for tick in told["ticks"]]
    with pytest.raises(msgspec.ValidationError, match="different lengths"):
        request.decode(body.replace(b'"ticks": [', b'"ticks": [1, '))


def test_funding_is_of_hours_and_of_perpetuals() -> None:
    span = Span(begin_ms=HOUR, end_ms=2000 * HOUR, limit=500, now_ms=10**12)
    request = REQUESTS.funding_rates.request("btc-perpetual", span)
    query = asked(request)[1]
    assert int(query["end_timestamp"]) == 501 * HOUR - 1
    row = {"timestamp": HOUR, "index_price": 1.5, "prev_index_price": 1.5, "interest_8h": 1e-4,
           "interest_1h": 1.25e-5}  # fmt: skip
    (rate,) = request.decode(json.dumps({"result": [row]}).encode())
    assert (rate.symbol, rate.funding_rate) == ("BTC-PERPETUAL", Decimal("1.25E-5"))
    assert rate.exchange_time_ns == HOUR * MS
    with pytest.raises(ConfigError, match="has no funding"):
        REQUESTS.funding_rates.request("BTC_USDC", span)


async def test_funding_rates_of_the_simulated_exchange(autojump_clock: MockClock) -> None:
    network = MemoryNetwork()
    flow = OrderFlow(symbols=("BTC-PERPETUAL",), rate_per_second=1)
    async with open_exchange("deribit", source=flow, network=network) as exchange:
        made = deribit.Deribit(endpoints=exchange.endpoints, numbers=Decimal)
        async with open_adapter(made, dialer=network) as adapter:
            opened = exchange._audience.opened_ms * MS
            with trio.fail_after(60):
                rates = await adapter.funding_rates(
                    "BTC-PERPETUAL", opened - 30 * HOUR * MS, opened
                )
    times = [each.exchange_time_ns for each in rates]
    assert len(times) in (30, 31)
    assert times == list(range(times[0], times[0] + len(times) * HOUR * MS, HOUR * MS))  # type: ignore[arg-type, operator]
    assert {each.funding_rate for each in rates} == {Decimal("0.0000125")}
