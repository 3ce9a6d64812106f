"""What Binance is asked, as it goes on the wire."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

import pytest

from connector.errors import ConfigError, OrderInvalid
from connector.exchanges import binance
from connector.exchanges.binance import signing
from connector.keys import ApiKey
from connector.orders import Limit, Market
from connector.trading.client_ids import ClientIds

SPOT = binance.Spot(
    endpoints=binance.Endpoints(stream="ws://h:1", rest="http://h:2", orders="ws://h:3")
).trading
USDM = binance.UsdMFutures(
    endpoints=binance.Endpoints(stream="ws://h:1", rest="http://h:2")
).trading
KEY = ApiKey("the-key", "the-secret")
NOW_NS = 1_790_000_000_123_456_789


def limit(**changes: Any) -> Limit:
    return Limit(
        **{"symbol": "ethusdc", "side": "buy", "quantity": "0.0350", "price": "2990.10"} | changes
    )


def placed(trading: Any, intent: Any) -> dict[str, Any]:
    return dict(trading.place(intent, "c1").parameters)


def test_limit_on_spot() -> None:
    assert placed(SPOT, limit()) == {
        "symbol": "ETHUSDC",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.035",
        "price": "2990.1",
        "newClientOrderId": "c1",
        "newOrderRespType": "RESULT",
    }
    post_only = placed(SPOT, limit(post_only=True))
    assert post_only["type"] == "LIMIT_MAKER"
    assert "timeInForce" not in post_only


def test_market_on_spot() -> None:
    spent = placed(SPOT, Market("ETHUSDC", "buy", quote_quantity="100"))
    assert (spent["type"], spent["quoteOrderQty"]) == ("MARKET", "100")
    assert not {"quantity", "price", "timeInForce"} & set(spent)


def test_limit_on_futures() -> None:
    assert placed(USDM, limit(post_only=True)) == {
        "symbol": "ETHUSDC",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTX",
        "quantity": "0.035",
        "price": "2990.1",
        "newClientOrderId": "c1",
    }
    assert placed(USDM, limit())["selfTradePreventionMode"] == "EXPIRE_TAKER"
    assert placed(USDM, limit(time_in_force="IOC"))["timeInForce"] == "IOC"
    assert placed(USDM, limit(reduce_only=True))["reduceOnly"] == "true"


def test_hedge_mode_on_futures() -> None:
    closing = placed(USDM, limit(leg="short", reduce_only=True))
    assert closing["positionSide"] == "SHORT"
    assert "reduceOnly" not in closing
    with pytest.raises(OrderInvalid, match="does not reduce"):
        placed(USDM, limit(leg="long", reduce_only=True))


def test_what_is_not_offered() -> None:
    with pytest.raises(ConfigError, match="reduce_only"):
        SPOT.place(limit(reduce_only=True), "c1")
    with pytest.raises(ConfigError, match="hedge"):
        SPOT.place(limit(leg="long"), "c1")
    with pytest.raises(ConfigError, match="quote_quantity"):
        USDM.place(Market("ETHUSDC", "buy", quote_quantity=1), "c1")
    with pytest.raises(ConfigError, match="dead man"):
        SPOT.dead_man("ETHUSDC", 10)
    with pytest.raises(ConfigError, match="each symbol"):
        USDM.dead_man(None, 10)
    with pytest.raises(ConfigError, match="amends"):
        SPOT.amend(limit(), "c1", limit().quantity, None)


@pytest.mark.parametrize("trading", [SPOT, USDM])
def test_a_cancel_is_by_client_id(trading: Any) -> None:
    request = trading.cancel("ethusdc", "c1")

    assert (request.over, request.method, request.orders) == ("orders", "order.cancel", 0)
    assert request.parameters == {"symbol": "ETHUSDC", "origClientOrderId": "c1"}


def test_over_the_websocket_it_is_signed_now() -> None:
    request = SPOT.place(limit(), "c1")

    sent = json.loads(SPOT.write(request, 7, KEY, NOW_NS, 2.0))

    assert (sent["id"], sent["method"]) == (7, "order.place")
    parameters = sent["params"]
    signature = parameters.pop("signature")
    assert signature == KEY.sign(signing.payload(parameters).encode()).hex()
    assert (parameters["timestamp"], parameters["recvWindow"]) == (1_790_000_000_123, 2000)
    assert parameters["apiKey"] == "the-key"
    later = json.loads(SPOT.write(request, 8, KEY, NOW_NS + 10**9, 2.0))
    assert later["params"]["timestamp"] == 1_790_000_001_123


def test_over_rest_the_signature_is_last() -> None:
    written = USDM.write_rest(USDM.order("ETHUSDC", "c1"), KEY, NOW_NS, 2.0)

    path, _, query = written.target.partition("?")
    assert (written.verb, path) == ("GET", "/fapi/v1/order")
    payload, _, signature = query.rpartition("&signature=")
    assert signature == KEY.sign(payload.encode()).hex()
    assert dict(parse_qsl(payload)) == {
        "symbol": "ETHUSDC",
        "origClientOrderId": "c1",
        "recvWindow": "2000",
        "timestamp": "1790000000123",
    }
    assert written.headers == {"X-MBX-APIKEY": "the-key"}
    assert signature not in repr(written)
    assert "the-key" not in repr(written)


def test_what_needs_no_signature_has_none() -> None:
    token = USDM.token
    assert token is not None
    fetch = USDM.write_rest(token.fetch, KEY, NOW_NS, 2.0)
    assert (fetch.verb, fetch.target) == ("POST", "/fapi/v1/listenKey")
    assert fetch.headers == {"X-MBX-APIKEY": "the-key"}
    assert USDM.write_rest(token.renew("k"), KEY, NOW_NS, 2.0).verb == "PUT"
    clock = SPOT.write_rest(SPOT.clock(), KEY, NOW_NS, 2.0)
    assert (clock.target, clock.headers) == ("/api/v3/time", {})


def test_addresses() -> None:
    assert SPOT.orders_url == "ws://h:3/ws-api/v3"
    assert SPOT.stream("").url == "ws://h:3/ws-api/v3"
    assert SPOT.token is None
    assert USDM.orders_url == "ws://h:1/ws-fapi/v1"
    access = USDM.stream("a/b")
    assert access.url == "ws://h:1/private/ws?listenKey=a%2Fb"
    assert access.login is None
    assert "a%2Fb" not in repr(access)


def test_trades_behind_an_id_since_a_time_or_the_latest() -> None:
    assert USDM.fills("ETHUSDC", "41", 5).parameters == {
        "symbol": "ETHUSDC",
        "fromId": 42,
        "limit": 1000,
    }
    assert USDM.fills("ETHUSDC", None, 5_000_000_000).parameters == {
        "symbol": "ETHUSDC",
        "startTime": 5000,
        "limit": 1000,
    }
    assert SPOT.fills("ETHUSDC", None, None).parameters == {"symbol": "ETHUSDC", "limit": 1}


def test_dead_man_of_futures() -> None:
    request = USDM.dead_man("ETHUSDC", 30.0)

    assert request.method == "POST /fapi/v1/countdownCancelAll"
    assert request.parameters == {"symbol": "ETHUSDC", "countdownTime": 30000}


def test_an_amend_of_futures_is_of_quantity_and_price() -> None:
    request = USDM.amend(limit(), "c1", limit().quantity, limit().price)

    assert request.method == "order.modify"
    assert request.parameters["quantity"] == "0.035"
    assert request.orders == 1
    with pytest.raises(ConfigError):
        USDM.amend(limit(), "c1", limit().quantity, None)


def test_our_ids_are_what_binance_takes() -> None:
    """binance_trading §5.4: what both take is ``[A-Za-z0-9_-]{1,32}``."""
    for trading in (SPOT, USDM):
        made = ClientIds("mm1", 5, trading.id_spelling).make()
        assert len(made) == 32
        assert made.isalnum()
        assert made.isascii()
