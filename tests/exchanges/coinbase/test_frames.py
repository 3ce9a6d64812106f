"""Replies, heartbeats and requests of Coinbase."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from connector.channels import BookDeltas, RawStream, Trades
from connector.exchanges import coinbase
from connector.exchanges.protocol import (
    UNDECODABLE,
    Data,
    Heartbeat,
    Inbound,
    Reply,
    Several,
    Subscribed,
    Unknown,
)

EXCHANGE = coinbase.AdvancedTrade()


def envelope(channel: str, events: str) -> str:
    return (
        f'{{"channel":"{channel}","timestamp":"2026-09-07T23:37:22.278662782Z",'
        f'"sequence_num":1,"events":{events}}}'
    )


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        # coinbase A3
        (envelope("subscriptions",
                  '[{"subscriptions":{"level2":["BTC-USD"],"heartbeats":["heartbeats"]}}]'),
         Subscribed(frozenset({"l2_data:BTC-USD"}))),
        (envelope("subscriptions",
                  '[{"subscriptions":{"market_trades":["BTC-USDC","ETH-USD"],"ticker":["A-B"]}}]'),
         Subscribed(frozenset({"market_trades:BTC-USD", "market_trades:ETH-USD", "ticker:A-B"}))),
        (envelope("subscriptions", '[{"subscriptions":{}}]'), Subscribed(frozenset())),
        ('{"type":"error","message":"authentication failure"}',
         Reply(None, None, "authentication failure")),
        ('{"type":"error"}', Reply(None, None, "(no reason given)")),
        # coinbase A4
        (envelope("heartbeats",
                  '[{"current_time":"2026-09-07 23:37:22.674409 +0000 UTC m=+139651.272674714",'
                  '"heartbeat_counter":139651}]'), Heartbeat()),
        (envelope("market_trades", '[{"type":"snapshot","trades":[]}]'), Several(())),
        (envelope("candles", "[]"), Several(())),
        (envelope("futures_balance_summary", "[]"), Unknown("futures_balance_summary")),
        ('{"type":"welcome"}', Unknown("welcome")),
        ("[1]", Unknown("list")),
    ],
)  # fmt: skip
def test_what_is_no_data_of_one_stream(frame: str, said: Inbound) -> None:
    assert EXCHANGE.parse(frame.encode()) == said


def test_products_that_share_a_frame_are_taken_apart() -> None:
    rows: list[dict[str, Any]] = [
        {"product_id": product, "price": price, "volume_24_h": "1", "low_24_h": "1",
         "high_24_h": "1", "price_percent_chg_24_h": "0"}
        for product, price in (("BTC-USD", "1"), ("ETH-USD", "2"), ("BTC-USD", "3"))
    ]  # fmt: skip
    events = json.dumps([
        {"type": "update", "tickers": rows[:2]}, {"type": "update", "tickers": rows[2:]},
    ])  # fmt: skip
    said = EXCHANGE.parse(envelope("ticker_batch", events).encode())

    assert isinstance(said, Several)
    got = [
        (part.stream, [row["price"] for each in json.loads(part.payload)["events"]
                       for row in each["tickers"]])
        for part in said.parts
    ]  # fmt: skip
    assert got == [("ticker_batch:BTC-USD", ["1", "3"]), ("ticker_batch:ETH-USD", ["2"])]


def test_products_of_the_status_have_another_key() -> None:
    frame = envelope("status", '[{"type":"snapshot","products":[{"id":"BTC-USD"}]}]').encode()
    assert EXCHANGE.parse(frame) == Data("status:BTC-USD", frame)


def test_requests_are_of_one_channel() -> None:
    trades = [EXCHANGE.stream(Trades(symbol)) for symbol in ("btc-usd", "BTC-USDC", "ETH-USD")]
    book = EXCHANGE.stream(BookDeltas("BTC-USD"))
    status = EXCHANGE.stream(RawStream("status:BTC-USD"))
    assert {each.batch for each in trades} == {"market_trades"}
    assert [book.batch, status.batch] == ["level2", "status"]
    assert json.loads(EXCHANGE.subscribe(5, trades)) == {
        "type": "subscribe", "product_ids": ["BTC-USD", "BTC-USDC", "ETH-USD"],
        "channel": "market_trades",
    }  # fmt: skip
    assert json.loads(EXCHANGE.unsubscribe(6, [book])) == {
        "type": "unsubscribe", "product_ids": ["BTC-USD"], "channel": "level2",
    }  # fmt: skip
    (greeting,) = EXCHANGE.liveness.greeting
    assert json.loads(greeting) == {"type": "subscribe", "channel": "heartbeats"}


@pytest.mark.parametrize("frame", ["{", '{"channel":1}', '{"channel":"ticker","events":1}'])
def test_what_is_not_documented_does_not_parse(frame: str) -> None:
    with pytest.raises(UNDECODABLE):
        EXCHANGE.parse(frame.encode())


@pytest.mark.parametrize(
    ("frame", "number"),
    [
        ('{"channel":"x","sequence_num":12,"events":[]}', 12),
        ('{"channel":"x","sequence_num": 12 ,"events":[]}', 12),
        ('{"channel":"x","events":[],"sequence_num":12}', 12),
        (f'{{"a":"{"x" * 600}","sequence_num":12,"b":1}}', 12),
        ('{"type":"error","message":"no"}', None),
        ('{"channel":"x","sequence_num":12', None),
        ('{"channel":"x","sequence_num":"12","events":[]}', None),
        ("", None),
    ],
)
def test_the_number_of_a_message(frame: str, number: int | None) -> None:
    assert EXCHANGE.envelope.number is not None
    assert EXCHANGE.envelope.number(frame.encode()) == number


def test_an_error_is_never_data() -> None:
    frame = msgspec.json.encode({"type": "error", "message": '"product_id":"BTC-USD"'})
    assert isinstance(EXCHANGE.parse(frame), Reply)
