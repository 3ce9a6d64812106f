"""What the simulated Kraken answers, as the notes say: kraken §2, §8b, kraken_futures_v1."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from connector.testing.kits.kraken.kit import FuturesKit, SpotKit, UnifiedKit
from tests.testing.kits.ears import Ears, ears_of


def open_dialect(kit: Any) -> tuple[Any, Ears]:
    ears = ears_of(kit)
    return kit.converse(ears), ears


def answers(dialect: Any, request: Any) -> list[Any]:
    text = request if isinstance(request, str) else json.dumps(request)
    said = [json.loads(each) for each in dialect.hear(text.encode())]
    for each in said:
        each.pop("time_in", None)
        each.pop("time_out", None)
    return said


def subscribe(channel: str, *symbols: str, method: str = "subscribe", **params: Any) -> Any:
    told = {"channel": channel, "symbol": list(symbols), **params}
    return {"method": method, "params": told, "req_id": 7}


async def test_spot_answers_each_symbol_by_itself(autojump_clock: MockClock) -> None:
    dialect, ears = open_dialect(SpotKit())
    assert answers(dialect, subscribe("book", "BTC/USD", "NO/PE", depth=25)) == [
        {
            "method": "subscribe", "success": True, "req_id": 7,
            "result": {"channel": "book", "symbol": "BTC/USD", "depth": 25, "snapshot": True},
        },
        {
            "error": "Currency pair not supported NO/PE", "method": "subscribe", "success": False,
            "symbol": "NO/PE", "req_id": 7,
        },
    ]  # fmt: skip
    assert ears.held == ["book-25:BTC/USD"]
    # Its frames do not say of which depth they are.
    assert [each["error"] for each in answers(dialect, subscribe("book", "BTC/USD", depth=10))] == [
        "Already subscribed"
    ]
    (reply,) = answers(dialect, subscribe("book", "BTC/USD", method="unsubscribe", depth=10))
    assert reply["error"] == "Subscription Not Found"
    (reply,) = answers(dialect, subscribe("book", "BTC/USD", method="unsubscribe", depth=25))
    assert reply["success"]
    assert ears.held == []


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ("{", "Malformed request"),
        ({"method": "nope", "req_id": 1}, "Unsupported method"),
        (subscribe("executions", "BTC/USD"), "Unsupported channel"),
        (subscribe("book", "BTC/USD", depth=50), "Subscription depth not supported"),
        (subscribe("ohlc", "BTC/USD", interval=3), "Subscription interval not supported"),
        (subscribe("trade", "BTC/USD", depth=10), "Unsupported field: 'depth'"),
        (subscribe("trade"), "Symbol(s) missing"),
        (subscribe("book", "BTC/USD", snapshot="no"), "Invalid snapshot"),
        (subscribe("book", "BTC/USD", depth=10.0), "Subscription depth not supported"),
        (
            subscribe("instrument", execution_venue="moon"),
            "Subscription execution_venue not supported",
        ),
        (
            subscribe("instrument", include_tokenized_assets=1),
            "Subscription include_tokenized_assets not supported",
        ),
        (subscribe("heartbeat"), "Unsupported channel"),
        ({**subscribe("trade", "BTC/USD"), "req_id": "7"}, "Invalid req_id"),
    ],
)
async def test_what_spot_refuses_as_a_whole(
    autojump_clock: MockClock, request_: Any, error: str
) -> None:
    dialect, ears = open_dialect(SpotKit())
    (reply,) = answers(dialect, request_)
    assert (reply["error"], reply["success"], ears.held) == (error, False, [])


DERIVATIVES = {"asset_class": "derivatives"}
PRODUCT = "PF_XBTUSD"


@pytest.mark.parametrize(
    ("channel", "params", "result", "stream"),
    [
        ("trade", {"snapshot": False}, {}, "trade:PF_XBTUSD"),
        ("trade", {"snapshot": True}, {}, "trade-history:PF_XBTUSD"),
        ("ticker", {}, {"snapshot": True}, "ticker-trades:PF_XBTUSD"),
        ("ticker", {"snapshot": False}, {}, "ticker-trades-changes:PF_XBTUSD"),
        ("book", {"depth": 500}, {"snapshot": True}, "book-500:PF_XBTUSD"),
        ("book", {"depth": 10, "snapshot": False}, {}, "book-10-changes:PF_XBTUSD"),
        (
            "ohlc", {"interval": 5, "snapshot": False}, {"tick_type": "trade"},
            "ohlc-5:PF_XBTUSD",
        ),
    ],
)  # fmt: skip
async def test_the_unified_websocket_names_the_class_of_the_assets(
    autojump_clock: MockClock, channel: str, params: Any, result: Any, stream: str
) -> None:
    dialect, ears = open_dialect(UnifiedKit())
    (reply,) = answers(dialect, subscribe(channel, PRODUCT, **DERIVATIVES, **params))
    assert reply == {
        "method": "subscribe", "success": True, "req_id": 7,
        "result": {"channel": channel, "symbol": PRODUCT, **DERIVATIVES, **params, **result},
    }  # fmt: skip
    assert ears.held == [stream]


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (subscribe("trade", PRODUCT), "Asset class not supported"),
        (subscribe("trade", "BTC/USD", asset_class="spot"), "Asset class not supported"),
        (
            subscribe("ticker", PRODUCT, **DERIVATIVES, event_trigger="bbo"),
            "Unsupported field: 'event_trigger'",
        ),
        (
            subscribe("ohlc", PRODUCT, **DERIVATIVES, tick_type="last"),
            "Subscription tick_type not supported",
        ),
        (subscribe("book", PRODUCT, **DERIVATIVES, depth=50), "Subscription depth not supported"),
        (subscribe("trade", "BTC/USD", **DERIVATIVES), "Currency pair not supported BTC/USD"),
        (subscribe("level3", PRODUCT, **DERIVATIVES), "Unsupported channel"),
    ],
)
async def test_what_the_unified_websocket_refuses(
    autojump_clock: MockClock, request_: Any, error: str
) -> None:
    dialect, ears = open_dialect(UnifiedKit())
    (reply,) = answers(dialect, request_)
    assert (reply["error"], reply["success"], ears.held) == (error, False, [])


@pytest.mark.parametrize("kit", [SpotKit(), UnifiedKit()])
@pytest.mark.parametrize(
    ("params", "stream"),
    [
        ({}, "instrument"),
        ({"snapshot": False}, "instrument-changes"),
        ({"include_tokenized_assets": True, "execution_venue": "international"}, "instrument"),
    ],
)
async def test_instruments_begin_with_a_snapshot_unless_it_is_not_wanted(
    autojump_clock: MockClock, kit: Any, params: Any, stream: str
) -> None:
    dialect, ears = open_dialect(kit)
    of_class = DERIVATIVES if isinstance(kit, UnifiedKit) else {}
    request = {
        "method": "subscribe",
        "params": {"channel": "instrument", **of_class, **params},
    }
    (reply,) = answers(dialect, request)
    assert reply["success"]
    assert reply["result"].items() >= params.items()
    assert ears.held == [stream]
    (reply,) = answers(dialect, request)
    assert reply["error"] == "Already subscribed"
    (reply,) = answers(dialect, {**request, "method": "unsubscribe"})
    assert (reply["success"], ears.held) == (True, [])


@pytest.mark.parametrize(
    ("channel", "first", "second"),
    [
        ("book", {"snapshot": False}, {"snapshot": True}),
        ("ticker", {}, {"snapshot": False}),
        ("trade", {}, {"snapshot": True}),
    ],
)
async def test_a_channel_is_subscribed_once_however_it_begins(
    autojump_clock: MockClock, channel: str, first: Any, second: Any
) -> None:
    dialect, ears = open_dialect(SpotKit())
    (reply,) = answers(dialect, subscribe(channel, "BTC/USD", **first))
    assert reply["success"]
    (reply,) = answers(dialect, subscribe(channel, "BTC/USD", **second))
    assert reply["error"] == "Already subscribed"
    (reply,) = answers(dialect, subscribe(channel, "BTC/USD", method="unsubscribe", **second))
    assert (reply["success"], ears.held) == (True, [])


async def test_spot_knows_no_class_of_assets(autojump_clock: MockClock) -> None:
    dialect, _ = open_dialect(SpotKit())
    (reply,) = answers(dialect, subscribe("trade", "BTC/USD", asset_class="spot"))
    assert reply["error"] == "Unsupported field: 'asset_class'"


async def test_pings_heartbeats_and_the_end_of_an_idle_connection(
    autojump_clock: MockClock,
) -> None:
    dialect, ears = open_dialect(SpotKit())
    (status,) = map(json.loads, dialect.greet())
    assert status["data"][0]["connection_id"] > 2**53
    assert answers(dialect, {"method": "ping", "req_id": 101}) == [
        {"method": "pong", "req_id": 101}
    ]
    answers(dialect, subscribe("trade", "BTC/USD"))
    assert dialect.due_at == trio.current_time() + 1
    assert list(dialect.speak()) == [b'{"channel":"heartbeat"}']
    answers(dialect, subscribe("trade", "BTC/USD", method="unsubscribe"))
    assert dialect.due_at == trio.current_time() + 60
    await trio.sleep(60)
    assert list(dialect.speak()) == []
    assert ears.closed == [1000]


async def test_too_many_requests(autojump_clock: MockClock) -> None:
    dialect, _ = open_dialect(SpotKit())
    said = [answers(dialect, {"method": "ping"})[0] for _ in range(21)]
    assert [each.get("error") for each in said[-2:]] == [None, "Exceeded msg rate"]


async def test_futures_name_nothing_in_a_refusal(autojump_clock: MockClock) -> None:
    dialect, ears = open_dialect(FuturesKit())
    assert list(dialect.greet()) == [b'{"event":"info","version":1}']
    request = {"event": "subscribe", "feed": "book", "product_ids": ["pi_xbtusd", "PI_NOPEUSD"]}
    assert answers(dialect, request) == [
        {"event": "subscribed", "feed": "book", "product_ids": ["PI_XBTUSD"]},
        {"event": "error", "message": "Invalid product id"},
    ]
    assert ears.held == ["book:PI_XBTUSD"]
    assert answers(dialect, {**request, "product_ids": ["PI_XBTUSD"]}) == [
        {"event": "alert", "message": "Already subscribed to feed, re-requesting"}
    ]
    assert answers(dialect, {**request, "feed": "candles"}) == [
        {"event": "error", "message": "Invalid feed"}
    ]
    assert answers(dialect, "[]") == [{"event": "error", "message": "Json Error"}]


async def test_futures_want_pings_and_send_heartbeats_when_asked(
    autojump_clock: MockClock,
) -> None:
    dialect, ears = open_dialect(FuturesKit())
    begun = trio.current_time()
    assert dialect.due_at == begun + 60
    assert answers(dialect, {"event": "subscribe", "feed": "heartbeat"}) == [
        {"event": "subscribed", "feed": "heartbeat"}
    ]
    assert dialect.due_at == begun + 5
    (heartbeat,) = map(json.loads, dialect.speak())
    assert heartbeat["feed"] == "heartbeat"
    await trio.sleep(30)
    assert answers(dialect, {"event": "ping"}) == [{"event": "pong"}]
    await trio.sleep(59)
    assert list(dialect.speak())
    await trio.sleep(1)
    assert list(dialect.speak()) == []
    assert ears.closed == [1000]
