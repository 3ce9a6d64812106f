"""Replies, pongs and requests of Hyperliquid."""

from __future__ import annotations

import json

import pytest

from connector.channels import BestQuote, Candles, MarkPrices, PartialBook, Trades
from connector.exchanges import hyperliquid
from connector.exchanges.protocol import UNDECODABLE, Heartbeat, Inbound, Reply

EXCHANGE = hyperliquid.Hyperliquid()


def accepted(subscription: str, method: str = "subscribe") -> str:
    data = f'{{"method":"{method}","subscription":{subscription}}}'
    return f'{{"channel":"subscriptionResponse","data":{data}}}'


def error(text: str) -> str:
    return json.dumps({"channel": "error", "data": text})


BOTH_BOOKS = ("l2Book.slow:BTC", "l2Book:BTC")


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        # hyperliquid §2
        (accepted('{"type":"trades","coin":"BTC"}'), Reply(None, streams=("trades:BTC",))),
        (accepted('{"type":"trades","coin":"BTC"}', "unsubscribe"),
         Reply(None, streams=("trades:BTC",))),
        (accepted('{"type":"candle","interval":"1d","coin":"HYPE"}'),
         Reply(None, streams=("candle:HYPE:1d",))),
        (accepted('{"type":"l2Book","coin":"BTC","nSigFigs":null,"mantissa":null,"fast":true}'),
         Reply(None, streams=("l2Book:BTC",))),
        (accepted('{"type":"l2Book","coin":"BTC","nSigFigs":null,"mantissa":null}'),
         Reply(None, streams=BOTH_BOOKS)),
        (accepted('{"type":"l2Book","coin":"BTC","fast":false}'),
         Reply(None, streams=("l2Book.slow:BTC",))),
        (accepted('{"type":"activeAssetCtx","coin":"@107"}'),
         Reply(None, streams=("activeSpotAssetCtx:@107",))),
        (error('Invalid subscription {"type":"bbo","coin":"NOPE"}'),
         Reply(None, None, 'Invalid subscription {"type":"bbo","coin":"NOPE"}',
               streams=("bbo:NOPE",))),
        (error('Already subscribed: {"method":"subscribe","subscription":{"type":"l2Book",'
               '"coin":"BTC","fast":true}}'),
         Reply(None, None, 'Already subscribed: {"method":"subscribe","subscription":{"type":'
               '"l2Book","coin":"BTC","fast":true}}', streams=("l2Book:BTC",), refusal="already")),
        (error("Too many subscriptions"), Reply(None, None, "Too many subscriptions")),
        (error("odd {text}"), Reply(None, None, "odd {text}")),
        (error(""), Reply(None, None, "(no reason given)")),
        # hyperliquid §3
        ('{"channel":"pong"}', Heartbeat()),
    ],
)  # fmt: skip
def test_what_is_no_data(frame: str, said: Inbound) -> None:
    assert EXCHANGE.parse(frame.encode()) == said


@pytest.mark.parametrize(
    "frame", ["{", "{}", '{"channel":1}', '{"channel":"error","data":{}}',
              '{"channel":"subscriptionResponse","data":{}}', '{"channel":"trades","data":{}}'],
)  # fmt: skip
def test_what_is_not_documented_does_not_parse(frame: str) -> None:
    with pytest.raises(UNDECODABLE):
        EXCHANGE.parse(frame.encode())


@pytest.mark.parametrize(
    ("channel", "subscription"),
    [
        (Trades("BTC"), {"type": "trades", "coin": "BTC"}),
        (BestQuote("BTC"), {"type": "bbo", "coin": "BTC"}),
        (PartialBook("BTC", 5), {"type": "l2Book", "coin": "BTC", "fast": True}),
        (PartialBook("BTC", 20), {"type": "l2Book", "coin": "BTC"}),
        (Candles("xyz:GOLD", "4h"), {"type": "candle", "coin": "xyz:GOLD", "interval": "4h"}),
        (MarkPrices("PURR/USDC"), {"type": "activeAssetCtx", "coin": "PURR/USDC"}),
    ],
)
def test_requests(channel: object, subscription: object) -> None:
    stream = EXCHANGE.stream(channel)  # type: ignore[arg-type,var-annotated]
    for write, method in ((EXCHANGE.subscribe, "subscribe"), (EXCHANGE.unsubscribe, "unsubscribe")):
        assert json.loads(write(7, [stream])) == {"method": method, "subscription": subscription}
    assert EXCHANGE.limits.streams_per_request == 1
