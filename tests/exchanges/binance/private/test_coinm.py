"""What the private side of COIN-M asks, and which reports are of its market."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from connector.exchanges import binance
from connector.orders import Limit
from connector.trading.reports import BalanceReport, Ignored, OrderReport, PositionReport

USDM = binance.UsdMFutures().trading
COINM = binance.CoinMFutures().trading


def update(symbol: str) -> bytes:
    order = {"s": symbol, "c": "x", "S": "BUY", "o": "LIMIT", "q": "1", "p": "10", "x": "NEW",
             "X": "NEW", "i": 1, "z": "0", "ma": "BTC"}  # fmt: skip
    return json.dumps({"e": "ORDER_TRADE_UPDATE", "T": 1, "E": 1, "o": order}).encode()


def account(*symbols: str, **more: Any) -> bytes:
    positions = [{"s": each, "pa": "5", "ep": "10", "up": "0", "ps": "BOTH"} for each in symbols]
    inner = {"m": "ORDER", "B": [{"a": "BTC", "wb": "1", "bc": "0"}], "P": positions, **more}
    return json.dumps({"e": "ACCOUNT_UPDATE", "T": 1, "E": 1, "a": inner}).encode()


def kinds(said: tuple[Any, ...]) -> list[type]:
    return [type(each) for each in said]


def test_where_it_is() -> None:
    assert COINM.orders_url == "wss://ws-dapi.binance.com/ws-dapi/v1"
    assert COINM.rest_url == "https://dapi.binance.com"
    assert COINM.stream("a/b").url == "wss://dstream.binance.com/ws/a%2Fb"
    assert COINM.token is not None
    assert COINM.token.fetch.method == "POST /dapi/v1/listenKey"
    assert COINM.token.renew("k").method == "PUT /dapi/v1/listenKey"


def test_every_path_is_its_own() -> None:
    asked = [
        *COINM.reading(),
        *COINM.open_orders(),
        COINM.order("BTCUSD_PERP", "a"),
        COINM.orders_from("BTCUSD_PERP", "1"),
        COINM.fills("BTCUSD_PERP", "1", None),
        COINM.order_limits(),
        COINM.clock(),
        COINM.dead_man("BTCUSD_PERP", 30),
        COINM.cancel_listed(
            OrderReport(
                symbol="BTCUSD_PERP", client_id="x", side="buy", state="open", exchange_id="7"
            )
        ),
    ]
    assert {each.method.split("/")[1] for each in asked} == {"dapi"}


def test_a_place_and_an_amend_are_those_of_usdm() -> None:
    intent = Limit("btcusd_perp", "buy", quantity=5, price="60000.1", post_only=True)
    for trading in (USDM, COINM):
        place = trading.place(intent, "a" * 32)
        assert place.parameters["symbol"] == "BTCUSD_PERP"
        assert (place.parameters["timeInForce"], place.parameters["quantity"]) == ("GTX", "5")
    assert COINM.place(intent, "a").parameters == USDM.place(intent, "a").parameters
    changed = COINM.amend(intent, "a", Decimal(4), Decimal(60000))
    assert (changed.parameters["quantity"], changed.parameters["price"]) == ("4", "60000")


def test_reports_of_the_other_market_are_left_out() -> None:
    assert kinds(COINM.read(update("BTCUSD_PERP"))) == [OrderReport]
    assert kinds(COINM.read(update("BTCUSD_260925"))) == [OrderReport]
    assert kinds(COINM.read(update("BTCUSDT"))) == [Ignored]
    assert kinds(USDM.read(update("BTCUSD_PERP"))) == [Ignored]
    assert kinds(USDM.read(update("BTCUSDT_260925"))) == [OrderReport]


def test_balances_of_the_other_wallet_are_left_out() -> None:
    both = [BalanceReport, PositionReport]
    assert kinds(COINM.read(account("BTCUSD_PERP"))) == both
    assert kinds(USDM.read(account("BTCUSD_PERP"))) == [Ignored]
    assert kinds(USDM.read(account("BTCUSDT", "BTCUSD_PERP"))) == both
    # A transfer names no symbol.
    assert kinds(COINM.read(account(m="DEPOSIT"))) == [BalanceReport]
    funding = account(m="FUNDING_FEE", S="BTCUSD_PERP")
    assert kinds(USDM.read(funding)) == [Ignored]
