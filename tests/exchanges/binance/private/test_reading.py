"""Binance's private frames, from stored fixtures and by hand, as reports."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connector.exchanges import binance
from connector.exchanges.binance.private import replies, requests
from connector.exchanges.protocol import UNDECODABLE
from connector.trading.reports import (
    BalanceChange,
    BalanceReport,
    FillReport,
    FundingReport,
    Ignored,
    ModeChanged,
    OrderReport,
    PositionReport,
    StreamEnded,
)
from connector.trading.venue import Answer, Shutdown, Window

SPOT = binance.Spot().trading
USDM = binance.UsdMFutures().trading
COINM = binance.CoinMFutures().trading


def stored(folder: Path, venue: str, name: str) -> bytes:
    return (folder / venue / "frames" / "nautilus" / name).read_bytes()


def spot(folder: Path, name: str) -> tuple[Any, ...]:
    return SPOT.read(stored(folder, "binance_spot", f"user_data_json__{name}.json"))


def usdm(folder: Path, name: str) -> tuple[Any, ...]:
    return USDM.read(stored(folder, "binance_usdm", f"user_data_json__{name}.json"))


# --- events of spot


def test_a_trade_of_spot(data_folder: Path) -> None:
    (report,) = spot(data_folder, "execution_report_trade")

    assert (report.state, report.filled, report.average_price) == ("filled", 1, 2500)
    assert report.fill == FillReport(
        symbol="ETHUSDT",
        trade_id="98765432",
        exchange_id="12345678",
        client_id="x-TD67BGP9-T0000000000000",
        side="buy",
        price=Decimal(2500),
        quantity=Decimal(1),
        cumulative=Decimal(1),
        fee=Decimal("0.001"),
        fee_asset="ETH",
        maker=True,
        time_ns=1709654401000 * 10**6,
    )


@pytest.mark.parametrize(
    ("name", "state", "reason", "conditional"),
    [
        ("execution_report_new", "open", "", False),
        ("execution_report_wrapped", "open", "", False),
        ("execution_report_canceled", "cancelled", "", False),
        ("execution_report_expired", "expired", "INSUFFICIENT_LIQUIDITY", False),
        ("execution_report_stop_loss", "open", "", False),
    ],
)
def test_states_of_spot(
    data_folder: Path, name: str, state: str, reason: str, conditional: bool
) -> None:
    (report,) = spot(data_folder, name)

    assert isinstance(report, OrderReport)
    assert (report.state, report.reason, report.fill) == (state, reason, None)
    assert report.conditional is conditional


def test_a_cancel_of_spot_is_of_the_id_that_was_known() -> None:
    frame = {
        "subscriptionId": 0,
        "event": {
            "e": "executionReport", "s": "ETHUSDC", "c": "of-the-cancel", "C": "ours", "S": "SELL",
            "o": "LIMIT_MAKER", "q": "2", "p": "3000", "x": "CANCELED", "X": "CANCELED", "i": 9,
            "z": "0.5", "Z": "1500", "t": -1,
        },
    }  # fmt: skip

    (report,) = SPOT.read(json.dumps(frame).encode())

    assert isinstance(report, OrderReport)
    assert (report.client_id, report.state, report.filled) == ("ours", "cancelled", Decimal("0.5"))


def test_self_trade_prevention_is_no_fill() -> None:
    frame = {
        "e": "executionReport", "s": "ETHUSDC", "c": "c", "C": "", "S": "SELL", "o": "LIMIT",
        "q": "2", "p": "3000", "x": "TRADE_PREVENTION", "X": "EXPIRED_IN_MATCH", "i": 9, "z": "0",
        "l": "0", "L": "0", "t": -1, "B": "2",
    }  # fmt: skip

    (report,) = SPOT.read(json.dumps(frame).encode())

    assert isinstance(report, OrderReport)
    assert (report.state, report.fill) == ("expired", None)
    assert report.reason == "self-trade prevention"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({}, ""),
        ({"eR": None}, ""),
        ({"eR": "NONE"}, ""),
        ({"eR": "REJECTED"}, "REJECTED"),
        ({"eR": 3}, "3"),
        ({"r": "OCO_BAD_PRICES"}, "OCO_BAD_PRICES"),
    ],
)
@pytest.mark.parametrize("trade", [{}, {"t": -1}])
def test_why_an_order_of_spot_has_expired(
    said: dict[str, Any], reason: str, trade: dict[str, Any]
) -> None:
    """No form of the reason, which was added later, keeps the end of an order from being read."""
    frame = {
        "e": "executionReport", "s": "ETHUSDC", "c": "c", "C": "", "S": "SELL", "o": "LIMIT",
        "q": "2", "p": "3000", "x": "EXPIRED", "X": "EXPIRED", "i": 9, "z": "0",
    }  # fmt: skip

    (report,) = SPOT.read(json.dumps(frame | said | trade).encode())

    assert isinstance(report, OrderReport)
    assert (report.state, report.reason) == ("expired", reason)


def test_balances_of_spot(data_folder: Path) -> None:
    reports = spot(data_folder, "account_position")

    assert reports[0] == BalanceReport(
        asset="USDT",
        total=Decimal(12500),
        available=Decimal(10000),
        locked=Decimal(2500),
        time_ns=1709654400000 * 10**6,
    )
    assert [each.asset for each in reports] == ["USDT", "ETH"]
    (change,) = spot(data_folder, "balance_update_wrapped")
    assert isinstance(change, BalanceChange)
    assert change.change == 100


def test_what_else_comes_on_spot(data_folder: Path) -> None:
    assert spot(data_folder, "list_status_wrapped") == (Ignored(kind="listStatus"),)
    assert isinstance(
        SPOT.read(b'{"subscriptionId":0,"event":{"e":"eventStreamTerminated"}}')[0], StreamEnded
    )
    assert SPOT.read(b'{"event":{"e":"serverShutdown","E":1}}') == (Shutdown(),)


# --- events of futures


def test_a_trade_of_futures(data_folder: Path) -> None:
    (report,) = usdm(data_folder, "order_update_trade")

    assert (report.state, report.leg, report.quantity) == ("open", "long", Decimal("0.001"))
    fill = report.fill
    assert (fill.trade_id, fill.cumulative, fill.fee, fill.realised, fill.maker) == (
        "12345678",
        Decimal("0.001"),
        Decimal("0.01"),
        Decimal("12.34"),
        True,
    )


def test_the_early_notice_is_the_same_trade(data_folder: Path) -> None:
    (early,) = usdm(data_folder, "trade_lite")
    (report,) = usdm(data_folder, "order_update_trade")

    assert early.early
    assert (early.fee, early.cumulative) == (None, None)
    for name in ("symbol", "trade_id", "exchange_id", "client_id", "side", "price", "quantity"):
        assert getattr(early, name) == getattr(report.fill, name)


@pytest.mark.parametrize(
    ("name", "state", "filled"),
    [
        ("calculated", "filled", "0.014"),
        ("calculated_pending", "open", "0"),
        ("adl", "filled", "0.005"),
        ("insurance", "filled", "0.020"),
        ("settlement", "filled", "0.010"),
        ("delivery", "filled", "1"),
    ],
)
def test_orders_of_the_exchange(data_folder: Path, name: str, state: str, filled: str) -> None:
    # A symbol of COIN-M is delivered in it.
    trading = COINM if name == "delivery" else USDM
    frame = stored(data_folder, "binance_usdm", f"user_data_json__order_update_{name}.json")
    (report,) = trading.read(frame)

    assert (report.state, report.filled) == (state, Decimal(filled))
    assert (report.fill is not None) == (Decimal(filled) > 0)
    assert report.reduce_only
    if name == "delivery":
        assert report.fill.fee is None


def test_a_conditional_order_in_the_old_system(data_folder: Path) -> None:
    (report,) = usdm(data_folder, "order_update_new")

    assert report.conditional
    assert report.price is None


def test_positions_and_balances_of_futures(data_folder: Path) -> None:
    reports = usdm(data_folder, "account_update")

    assert reports[0] == BalanceReport(
        asset="USDT",
        total=Decimal("122624.12345678"),
        reason="ORDER",
        time_ns=1564745798939 * 10**6,
    )
    positions = [each for each in reports if isinstance(each, PositionReport)]
    assert [(each.leg, each.quantity) for each in positions] == [
        (None, 0),
        ("long", 20),
        ("short", 10),
    ]
    assert [each.asset for each in usdm(data_folder, "account_update_bnfcr")] == ["BNFCR"]


def test_funding() -> None:
    frame = (
        b'{"e":"ACCOUNT_UPDATE","T":5,"a":{"m":"FUNDING_FEE","S":"ETHUSDC",'
        b'"B":[{"a":"USDC","wb":"9","cw":"9","bc":"-1.5"}],"P":[]}}'
    )

    balance, funding = USDM.read(frame)

    assert isinstance(balance, BalanceReport)
    assert funding == FundingReport(
        symbol="ETHUSDC", asset="USDC", amount=Decimal("-1.5"), time_ns=5_000_000
    )


def test_conditional_orders_of_futures(data_folder: Path) -> None:
    (new,) = usdm(data_folder, "algo_update_new")
    (cancelled,) = usdm(data_folder, "algo_update_canceled")

    assert (new.exchange_id, new.state, new.conditional) == ("algo:2148719", "open", True)
    assert cancelled.state == "cancelled"


@pytest.mark.parametrize("time", ['"1690000000000"', "1690000000000"])
def test_an_expired_key(time: str) -> None:
    frame = f'{{"e":"listenKeyExpired","E":{time},"listenKey":"secret"}}'.encode()

    (ended,) = USDM.read(frame)

    assert isinstance(ended, StreamEnded)
    assert "secret" not in str(ended)


def test_configuration() -> None:
    assert USDM.read(b'{"e":"ACCOUNT_CONFIG_UPDATE","T":1,"ac":{"s":"ETHUSDC","l":5}}') == (
        Ignored(kind="leverage"),
    )
    (mode,) = USDM.read(b'{"e":"ACCOUNT_CONFIG_UPDATE","T":1,"ai":{"j":true}}')
    assert isinstance(mode, ModeChanged)


def test_a_wrapped_event_and_an_unknown_one() -> None:
    assert USDM.read(b'{"stream":"k","data":{"e":"MARGIN_CALL"}}') == (Ignored(kind="MARGIN_CALL"),)
    assert USDM.read(b'{"e":"SOMETHING_NEW","x":[1]}') == (Ignored(kind="SOMETHING_NEW"),)


@pytest.mark.parametrize("frame", [b"", b"null", b"[1]", b'{"e":"ORDER_TRADE_UPDATE"}', b"\xff"])
def test_what_does_not_decode_raises_what_is_documented(frame: bytes) -> None:
    with pytest.raises(UNDECODABLE):
        USDM.read(frame)


@pytest.mark.parametrize("word", ["NaN", "sNaN", "Infinity", "1e999999999"])
@pytest.mark.parametrize("name", ["q", "p", "z", "l", "L", "n"])
def test_a_number_of_an_order_that_is_none_does_not_decode(name: str, word: str) -> None:
    order = {
        "s": "ETHUSDC", "c": "a", "S": "BUY", "o": "LIMIT", "q": "1", "p": "3000", "x": "TRADE",
        "X": "PARTIALLY_FILLED", "i": 42, "z": "0.5", "l": "0.5", "L": "3000", "n": "0", "t": 9,
    }  # fmt: skip
    wrong = order | {name: word}

    with pytest.raises(UNDECODABLE):
        SPOT.read(json.dumps({"e": "executionReport", **wrong}).encode())
    with pytest.raises(UNDECODABLE):
        USDM.read(json.dumps({"e": "ORDER_TRADE_UPDATE", "o": wrong}).encode())


@pytest.mark.parametrize("word", ["NaN", "Infinity", "1e999999999"])
def test_a_balance_that_is_no_number_does_not_decode(word: str) -> None:
    (account,) = SPOT.reading()

    with pytest.raises(UNDECODABLE):
        account.decode(
            json.dumps({"balances": [{"asset": "ETH", "free": word, "locked": "0"}]}).encode()
        )


def test_an_order_is_read_whether_its_numbers_are_numbers_or_text() -> None:
    frame = (
        b'{"e":"ORDER_TRADE_UPDATE","E":1,"T":7,"o":{"s":"ETHUSDC","c":"a","S":"BUY","o":"LIMIT",'
        b'"f":"GTC","q":"1","p":"3000","ap":"3000","sp":"0","x":"TRADE","X":"PARTIALLY_FILLED",'
        b'"i":42,"l":"0.5","z":"0.5","L":"3000","n":"0","N":"USDC","T":7,"t":9,"m":true,"R":false,'
        b'"ps":"BOTH","rp":"0"}}'
    )
    as_text = re.sub(rb'"(i|t|T)":(\d+)', rb'"\1":"\2"', frame)
    assert as_text != frame

    assert USDM.read(as_text) == USDM.read(frame)
    (report,) = USDM.read(frame)
    assert isinstance(report, OrderReport)
    assert report.exchange_id == "42"
    assert report.fill is not None
    assert report.fill.trade_id == "9"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({}, ""),
        ({"er": None}, ""),
        ({"er": 0}, ""),
        ({"er": "0"}, ""),
        ({"er": 5}, "liquidation"),
        ({"er": "5"}, "liquidation"),
    ],
)
def test_why_an_order_of_futures_has_expired(said: dict[str, Any], reason: str) -> None:
    order = {
        "s": "ETHUSDC", "c": "a", "S": "BUY", "o": "LIMIT", "q": "1", "p": "3000", "x": "EXPIRED",
        "X": "EXPIRED", "i": 42, "z": "0", "t": 0,
    }  # fmt: skip

    (report,) = USDM.read(
        json.dumps({"e": "ORDER_TRADE_UPDATE", "T": 7, "o": order | said}).encode()
    )

    assert isinstance(report, OrderReport)
    assert (report.state, report.reason) == ("expired", reason)


def test_every_stored_frame_decodes(data_folder: Path) -> None:
    for venue, trading in (("binance_spot", SPOT), ("binance_usdm", USDM)):
        frames = sorted((data_folder / venue / "frames" / "nautilus").glob("user_data_json__*"))
        assert len(frames) > 9
        for path in frames:
            assert trading.read(path.read_bytes())


# --- replies


def test_a_reply_tells_the_limits() -> None:
    (answer,) = SPOT.read(
        b'{"id":7,"status":200,"result":{"a":1},"rateLimits":['
        b'{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000,"count":4},'
        b'{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":50,"count":12},'
        b'{"rateLimitType":"ORDERS","interval":"DAY","intervalNum":1,"limit":160000,"count":99}]}'
    )

    assert isinstance(answer, Answer)
    assert (answer.request_id, json.loads(answer.payload), answer.refusal) == (7, {"a": 1}, None)
    assert answer.used == ((Window(50, 10.0), 12), (Window(160_000, 86_400.0), 99))


def test_a_refusal_over_the_websocket() -> None:
    (answer,) = SPOT.read(
        b'{"id":7,"status":418,"error":{"code":-1003,"msg":"banned","data":'
        b'{"serverTime":1,"retryAfter":1659146400000}}}'
    )

    assert isinstance(answer, Answer)
    assert answer.refusal is not None
    assert (answer.refusal.status, answer.refusal.code) == (418, -1003)
    assert answer.refusal.retry_at_ns == 1659146400000 * 10**6


def test_a_revoked_key_and_an_error_without_an_id() -> None:
    (answer,) = SPOT.read(
        b'{"id":null,"status":401,"error":{"code":-2015,"msg":"Invalid API-key"}}'
    )

    assert isinstance(answer, Answer)
    assert answer.request_id is None
    assert answer.refusal is not None
    assert SPOT.verdict(answer.refusal).meaning == "permission"


def test_replies_about_orders(data_folder: Path) -> None:
    name = "http_json__{}_response.json".format
    placed = requests.read_order(stored(data_folder, "binance_spot", name("new_order_full")))
    cancelled = requests.read_order(stored(data_folder, "binance_spot", name("cancel_order")))
    (listed,) = requests.read_orders(stored(data_folder, "binance_spot", name("open_orders")))
    futures = requests.read_order(stored(data_folder, "binance_usdm", name("order")))

    assert (placed.state, placed.filled, placed.price, placed.partial) == (
        "filled",
        10,
        None,
        False,
    )
    assert (cancelled.client_id, cancelled.state) == ("myOrder1", "cancelled")
    assert (listed.state, listed.quantity, listed.created_ns) == (
        "open",
        1,
        1499827319559 * 10**6,
    )
    assert (futures.price, futures.leg, futures.reduce_only) == (50000, None, False)


def test_an_acknowledgement_is_partial() -> None:
    report = requests.read_order(
        b'{"symbol":"ETHUSDC","orderId":5,"orderListId":-1,"clientOrderId":"c","transactTime":1}'
    )

    assert (report.partial, report.state, report.exchange_id) == (True, "open", "5")


def test_trades(data_folder: Path) -> None:
    raw = stored(data_folder, "binance_spot", "http_json__account_trades_response.json")

    (fill,) = requests.read_trades(raw)

    assert (fill.trade_id, fill.side, fill.maker) == ("28457", "buy", False)
    assert (fill.fee, fill.fee_asset) == (Decimal("10.1"), "BNB")
    futures = requests.read_trades(
        b'[{"symbol":"ETHUSDC","id":9,"orderId":1,"side":"SELL","price":"1","qty":"2","buyer":false,'
        b'"maker":true,"commission":"-0.1","commissionAsset":"USDC","realizedPnl":"3","time":4,'
        b'"positionSide":"SHORT"},{"symbol":"ETHUSDC","id":8,"orderId":1,"side":"SELL","price":"1",'
        b'"qty":"2","maker":true,"time":4,"positionSide":"SHORT"}]'
    )
    assert [each.trade_id for each in futures] == ["8", "9"]
    assert (futures[1].side, futures[1].leg, futures[1].fee) == ("sell", "short", Decimal("-0.1"))


def test_readings(data_folder: Path) -> None:
    (account,) = SPOT.reading()
    balances = account.decode(
        stored(data_folder, "binance_spot", "http_json__account_response.json")
    ).balances
    assert balances[0].asset == "BTC"
    assert balances[0].total == Decimal("4723846.89208129")
    assert balances[0].time_ns == 123456789 * 10**6

    assets, positions, mode = USDM.reading()
    futures = assets.decode(stored(data_folder, "binance_usdm", "http_json__account_info_v2.json"))
    assert futures.balances[0].total == Decimal("23.72469206")
    assert futures.summary is not None
    assert futures.summary.equity == Decimal("23.72469206")
    (position,) = positions.decode(
        stored(data_folder, "binance_usdm", "http_json__position_risk.json")
    ).positions
    assert (position.quantity, position.mark_price, position.unrealised) == (
        Decimal("0.001"),
        51000,
        1,
    )
    assert mode.decode(b'{"dualSidePosition":true}').hedge_mode
    _, conditional = USDM.open_orders()
    (order,) = conditional.decode(
        stored(data_folder, "binance_usdm", "http_json__open_algo_orders.json")
    )
    assert order.conditional


def test_a_refusal_over_rest() -> None:
    refusal = replies.rest_refusal(429, b'{"code":-1003,"msg":"Too many"}', {"retry-after": "7"})

    assert refusal is not None
    assert (refusal.code, refusal.text, refusal.retry_after) == (-1003, "Too many", 7.0)
    assert replies.rest_refusal(200, b"{}", {}) is None
    html = replies.rest_refusal(502, b"<html>Bad Gateway</html>", {})
    assert html is not None
    assert (html.code, USDM.verdict(html).meaning) == (None, "unknown")


def test_reports_are_values() -> None:
    (report,) = SPOT.read(
        b'{"e":"balanceUpdate","E":1,"a":"BTC","d":"1","T":1}',
    )
    assert report == msgspec.structs.replace(report)
