"""Replies, pongs and requests of Bybit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connector.channels import Trades
from connector.exchanges import bybit
from connector.exchanges.protocol import Heartbeat, Inbound, Reply, Unknown

EXCHANGE = bybit.Spot()


def refused(request_id: int | None, message: str, topic: str, meaning: Any = "never") -> Reply:
    return Reply(request_id, None, message, streams=(topic,), others="again", refusal=meaning)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        # bybit §3
        ('{"success":true,"ret_msg":"subscribe","conn_id":"c","req_id":"7","op":"subscribe"}',
         Reply(7)),
        ('{"success":true,"ret_msg":"","conn_id":"c","op":"subscribe"}', Reply(None)),
        ('{"success":true,"ret_msg":"","conn_id":"c","req_id":"8","op":"unsubscribe"}', Reply(8)),
        (('{"success":false,"ret_msg":"error:handler not found,topic:orderbook.50.NOPEUSDT",'
         '"conn_id":"c","req_id":"3","op":"subscribe"}'),
         refused(3, "error:handler not found,topic:orderbook.50.NOPEUSDT",
                 "orderbook.50.NOPEUSDT")),
        (('{"success":false,"ret_msg":"error:already subscribed,topic:orderbook.1.ETHUSDT",'
         '"conn_id":"c","req_id":"","op":"subscribe"}'),
         refused(None, "error:already subscribed,topic:orderbook.1.ETHUSDT",
                 "orderbook.1.ETHUSDT", "already")),
        (('{"success":false,"ret_msg":"Invalid topic:invalid.topic.BTCUSDT","conn_id":"c",'
         '"op":"subscribe"}'),
         refused(None, "Invalid topic:invalid.topic.BTCUSDT", "invalid.topic.BTCUSDT")),
        ('{"success":false,"ret_msg":"args size >10","req_id":"4","op":"subscribe"}',
         Reply(4, None, "args size >10")),
        ('{"success":false,"ret_msg":"","op":""}', Reply(None, None, "(no reason given)")),
        # bybit §2
        ('{"success":true,"ret_msg":"pong","conn_id":"c","req_id":"ping","op":"ping"}',
         Heartbeat()),
        ('{"args":["1672916271846"],"op":"pong"}', Heartbeat()),
        ('{"op":"something"}', Unknown("something")),
        ("[1]", Unknown("list")),
    ],
)  # fmt: skip
def test_what_is_no_data(frame: str, said: Inbound) -> None:
    assert EXCHANGE.parse(frame.encode()) == said


def test_requests() -> None:
    streams = [EXCHANGE.stream(Trades(symbol)) for symbol in ("btcusdt", "ETHUSDT")]
    assert json.loads(EXCHANGE.subscribe(5, streams)) == {
        "req_id": "5", "op": "subscribe", "args": ["publicTrade.BTCUSDT", "publicTrade.ETHUSDT"],
    }  # fmt: skip
    assert json.loads(EXCHANGE.unsubscribe(6, streams[:1])) == {
        "req_id": "6", "op": "unsubscribe", "args": ["publicTrade.BTCUSDT"],
    }  # fmt: skip
