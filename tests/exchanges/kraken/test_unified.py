"""Kraken's unified WebSocket: what it says beside spot's v2, and how a hostile server is met."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from zlib import crc32

import pytest
import trio
from trio.testing import MockClock

from connector import Reconnect, open_adapter
from connector.channels import (
    BestQuote,
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
from connector.errors import ConfigError, ExchangeUnavailable, SubscriptionRejected
from connector.events import BookView, Gap
from connector.exchanges import kraken
from connector.exchanges.protocol import Data, Heartbeat, Reply
from connector.testing import MemoryNetwork, OrderFlow, Silent, open_exchange
from connector.testing.kits.kraken import v2_dialect
from connector.testing.kits.kraken.kit import SpotKit, UnifiedKit
from connector.testing.network.server_websocket import Request, response
from connector.testing.venues.rules import AttemptBudget
from tests.testing.kits.ears import ears_of

SYMBOL, LONG = "PF_XBTUSD", 120
UNIFIED = kraken.Unified(numbers=Decimal)
TRADE = (
    b'{"channel":"trade","asset_class":"derivatives","type":"update","data":[{"asset_class":'
    b'"derivatives","symbol":"PF_XBTUSD","price":87000.5,"qty":0.0040,"side":"sell","ord_type":'
    b'"limit","trade_id":9,"uid":"x","timestamp":"2026-11-25T09:04:31.742599Z","new":[true]}]}'
)
TIMES = '"time_in":"2026-11-25T09:04:31.742599Z","time_out":"2026-11-25T09:04:31.742648Z"'


def asked(*channels: Channel[Any], method: str = "subscribe") -> dict[str, Any]:
    streams = [UNIFIED.stream(channel) for channel in channels]
    request: dict[str, Any] = json.loads(getattr(UNIFIED, method)(5, streams))
    return request


def test_each_request_names_the_class_of_the_assets() -> None:
    assert asked(Trades("pf_xbtusd"), Trades("FI_XBTUSD_261225"))["params"] == {
        "channel": "trade", "asset_class": "derivatives",
        "symbol": ["PF_XBTUSD", "FI_XBTUSD_261225"], "snapshot": False,
    }  # fmt: skip
    assert asked(BookDeltas(SYMBOL))["params"] == {
        "channel": "book", "asset_class": "derivatives", "symbol": [SYMBOL], "depth": 100
    }  # fmt: skip
    # Its tickers have no trigger to choose.
    assert asked(Tickers(SYMBOL))["params"] == {
        "channel": "ticker", "asset_class": "derivatives", "symbol": [SYMBOL]
    }  # fmt: skip
    assert asked(Candles(SYMBOL, "4h"), method="unsubscribe")["params"] == {
        "channel": "ohlc", "asset_class": "derivatives", "symbol": [SYMBOL], "interval": 240
    }  # fmt: skip
    assert asked(RawStream("instrument"))["params"] == {
        "channel": "instrument", "asset_class": "derivatives"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            (
                '"result":{"asset_class":"derivatives","channel":"ohlc","interval":5,"new":[{}],'
                f'"symbol":"{SYMBOL}","tick_type":"trade","warnings":["w"]}},"success":true'
            ),
            Reply(5, streams=("ohlc-5:PF_XBTUSD",)),
        ),
        (
            f'"error":"no such product {SYMBOL}","success":false',
            Reply(5, None, f"no such product {SYMBOL}", streams=("ohlc-5:PF_XBTUSD",)),
        ),
        (
            '"error":"no such product (FI_XBTUSD_261225).","success":false',
            Reply(
                5, None, "no such product (FI_XBTUSD_261225).", streams=("ohlc-5:FI_XBTUSD_261225",)
            ),
        ),
        ('"error":"PF_nope","success":false', Reply(5, None, "PF_nope")),
        ('"error":"IP_BANNED","success":false', Reply(5, None, "IP_BANNED")),
    ],
)
def test_replies(answer: str, said: Reply) -> None:
    number = asked(Candles(SYMBOL, "5m"))["req_id"]
    frame = f'{{"method":"subscribe","req_id":{number},{answer},"extra":{{"a":1}},{TIMES}}}'
    assert UNIFIED.parse(frame.encode()) == said


def test_a_frame_may_say_more_than_is_known() -> None:
    assert UNIFIED.parse(TRADE) == Data("trade:PF_XBTUSD", TRADE)
    event: Any = UNIFIED.stream(Trades(SYMBOL)).decode(TRADE)
    (event,) = event if isinstance(event, list) else [event]
    assert (event.price, event.quantity, event.side, event.trade_id) == (
        Decimal("87000.5"), Decimal("0.0040"), "sell", 9
    )  # fmt: skip


def test_a_ticker_that_says_little_is_one_without_a_change() -> None:
    frame = b'{"channel":"ticker","type":"update","data":[%s]}'
    read = UNIFIED.stream(Tickers(SYMBOL)).decode
    (little,) = read(frame % b'{"symbol":"PF_XBTUSD","last":2.50,"volume":10.0,"low":null}')  # type: ignore[misc]
    assert (little.last, little.open, little.low, little.high) == (Decimal("2.50"),) * 4
    assert (little.price_change, little.price_change_percent, little.quote_volume) == (0, 0, 0)
    assert little.exchange_time_ns is None
    (much,) = read(  # type: ignore[misc]
        frame % b'{"symbol":"PF_XBTUSD","last":2.5,"volume":10,"low":1.5,"high":3.5,"change":0.5,'
        b'"change_pct":25.0,"vwap":2.0,"mark_price":2.6,"timestamp":"2026-11-25T00:00:01Z"}'
    )
    assert (much.open, much.low, much.high, much.quote_volume) == (
        Decimal("2.0"), Decimal("1.5"), Decimal("3.5"), 20
    )  # fmt: skip


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        (
            BestQuote(SYMBOL),
            r"BestQuote.*it offers BookDeltas.*Trades\. .*use OrderBook\(symbol, 1\)",
        ),
        (
            MarkPrices(SYMBOL),
            r"MarkPrices.*it offers BookDeltas.*Futures has them until 2027-03-01",
        ),
        (Liquidations(SYMBOL), "Liquidations.*until 2027-03-01"),
        (PartialBook(SYMBOL), "it offers BookDeltas, Candles, OrderBook, RawStream, Tickers, Tr"),
    ],
)
def test_what_is_not_documented_is_not_offered(channel: Channel[Any], words: str) -> None:
    with pytest.raises(ConfigError, match=f"^kraken_unified does not offer.*{words}"):
        UNIFIED.stream(channel)


# --- the end of the interface before it


async def test_the_end_of_v1_is_said_when_it_is_opened(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    own = kraken.Endpoints.at(stream="ws://127.0.0.1:1", rest="http://127.0.0.1:1")
    with caplog.at_level(logging.WARNING, "connector"):
        for made in (kraken.Futures(endpoints=own), kraken.Unified(), kraken.Spot()):
            async with open_adapter(made, dialer=MemoryNetwork()):
                await trio.lowlevel.checkpoint()
        assert not caplog.records
        async with open_adapter(kraken.Futures(), dialer=MemoryNetwork()) as adapter:
            await trio.sleep(1)
            assert adapter.exchange.name == "kraken_futures"
    (said,) = caplog.records
    assert (said.name, said.levelno) == ("connector.adapter", logging.WARNING)
    assert "2027-03-01" in said.getMessage()
    assert "kraken.Unified" in said.getMessage()


# --- a hostile server


@asynccontextmanager
async def world(source: Any = None, **options: Any) -> AsyncIterator[Any]:
    network = MemoryNetwork()
    source = OrderFlow(symbols=(SYMBOL,)) if source is None else source
    async with open_exchange("kraken_unified", source=source, network=network) as exchange:
        made = kraken.Unified(endpoints=exchange.endpoints, numbers=Decimal, **options)
        reconnect = Reconnect(initial=0.1, jitter="none")
        async with open_adapter(made, dialer=network, reconnect=reconnect) as adapter:
            yield exchange, adapter


def book(kind: str, checksum: int, bids: str, asks: str) -> bytes:
    sides = ",".join(f'"{name}":[{side}]' for name, side in (("bids", bids), ("asks", asks)))
    return (
        f'{{"channel":"book","type":"{kind}","new":1,"data":[{{"asset_class":"derivatives",'
        f'"symbol":"{SYMBOL}",{sides},"checksum":{checksum},"other":[]}}]}}'
    ).encode()


def level(price: str, quantity: str) -> str:
    return f'{{"price":{price},"qty":{quantity}}}'


async def until(feed: Any, wanted: Callable[[Any], bool]) -> Any:
    with trio.fail_after(LONG):
        while not wanted(event := await anext(feed)):
            pass
        return event


def synced(event: Any) -> bool:
    return isinstance(event, BookView) and event.synced


async def test_a_wrong_checksum_is_a_gap_and_the_book_is_asked_for_again(
    autojump_clock: MockClock,
) -> None:
    async with world() as (exchange, adapter):
        async with adapter.subscribe(OrderBook(SYMBOL), gaps=True) as feed:
            await until(feed, synced)
            asked_before = len(list(exchange.log.of("request")))
            exchange.publish(f"book-100:{SYMBOL}", book("update", 12345, level("1.00", "1.0"), ""))
            gap = await until(feed, lambda event: isinstance(event, Gap))
            assert gap.reason == "checksum"
            await until(feed, synced)
        asks = [json.loads(each.detail) for each in exchange.log.of("request")][asked_before:]
        asks = [each for each in asks if each["method"] in ("subscribe", "unsubscribe")]
        assert [each["method"] for each in asks][:2] == ["unsubscribe", "subscribe"]
        assert {each["params"]["asset_class"] for each in asks} == {"derivatives"}
        assert exchange.accepted == 1
        assert not list(exchange.log.of("violation"))


async def test_a_second_snapshot_replaces_the_book(autojump_clock: MockClock) -> None:
    first = (level("10.50", "1.000"), level("11.00", "2.000"))
    second = (level("10.00", "3.000"), level("12.00", "4.000"))
    async with world(Silent(), book_levels=10) as (exchange, adapter):
        async with adapter.subscribe(OrderBook(SYMBOL), gaps=True) as feed:
            await trio.sleep(1)
            for bids, asks, digits in (
                (*first, b"1100200010501000"),
                (*second, b"1200400010003000"),
                (*second, b"1200400010003000"),
            ):
                frame = book("snapshot", crc32(digits), bids, asks)
                assert exchange.publish(f"book-10:{SYMBOL}", frame) == 1
                view = await until(feed, synced)
            change = book("update", crc32(b"1200400010001000"), level("10.00", "1.000"), "")
            exchange.publish(f"book-10:{SYMBOL}", change)
            view = await until(feed, synced)
            assert [tuple(each) for each in view.bids] == [(Decimal("10.00"), Decimal("1.000"))]
            assert [tuple(each) for each in view.asks] == [(Decimal("12.00"), Decimal("4.000"))]
        assert adapter.statistics().decode_errors == 0


async def test_a_book_whose_numbers_are_written_short_is_verified_as_well(
    autojump_clock: MockClock,
) -> None:
    async with world(Silent(), book_levels=10) as (exchange, adapter):
        async with adapter.subscribe(OrderBook(SYMBOL), gaps=True) as feed:
            await trio.sleep(1)
            for kind, digits, bids, asks in (
                ("snapshot", b"1100200010505000", level("10.5", "5.0"), level("11.0", "2")),
                ("update", b"110020001080100010505000", level("10.8", "1.0"), ""),
                ("update", b"1100200010801000", level("10.5", "0.0"), ""),
            ):
                made = crc32(digits)
                exchange.publish(f"book-10:{SYMBOL}", book(kind, made, bids, asks))
                view = await anext(feed)
                assert synced(view), view
            assert [tuple(each) for each in view.bids] == [(Decimal("10.8"), Decimal("1.0"))]
            # It is verified, not believed.
            exchange.publish(f"book-10:{SYMBOL}", book("update", 1, level("10.7", "1.0"), ""))
            assert (await until(feed, lambda event: isinstance(event, Gap))).reason == "checksum"


async def test_a_server_without_heartbeats_is_kept_by_pings(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(v2_dialect, "HEARTBEAT_SECONDS", 10**9)
    async with world(Silent()) as (exchange, adapter):
        async with adapter.subscribe(Trades(SYMBOL)):
            await trio.sleep(200)
            assert exchange.accepted == 1
            (connection,) = exchange.connections
            assert connection.messages_received >= 40


async def test_a_refused_channel_is_an_error_of_its_feed_alone(autojump_clock: MockClock) -> None:
    async with world() as (exchange, adapter):
        async with adapter.subscribe(Trades(SYMBOL)) as feed:
            with trio.fail_after(LONG), pytest.raises(SubscriptionRejected, match="Unsupported"):
                async with adapter.subscribe(RawStream(f"level3:{SYMBOL}")) as refused:
                    await anext(refused)
            with trio.fail_after(LONG):
                assert (await anext(feed)).symbol == SYMBOL
        assert exchange.accepted == 1


async def test_streams_outlive_the_rest_interface(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from 2027-03-01: requests fail, streams do not, nor those that wait for a first event."""
    asked: list[str] = []

    def answer(_: UnifiedKit, request: Request, *__: Any) -> bytes:
        asked.append(request.target)
        return response(410, {}, b"gone", keep_alive=True)

    monkeypatch.setattr(UnifiedKit, "answer", answer)
    async with world(Silent()) as (exchange, adapter):
        async with adapter.subscribe(Trades(SYMBOL), gaps=True) as feed:
            with trio.move_on_after(2 * LONG):
                await anext(feed)
            exchange.publish(f"trade:{SYMBOL}", TRADE)
            assert (await anext(feed)).trade_id == 9
        with pytest.raises(ExchangeUnavailable, match="gone"):
            await adapter.instruments(timeout=60)
    assert len(asked) >= 2


@pytest.mark.parametrize("bad", [(0,), (2,), (0, 3)])
async def test_a_refusal_that_names_no_symbol_does_not_reach_its_neighbours(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, bad: tuple[int, ...]
) -> None:
    """A refusal has a symbol only sometimes. Source: kraken §2."""
    speak = v2_dialect.V2Dialect._error

    def unnamed(self: Any, words: str, said: Any, symbol: str | None = None) -> bytes:
        return speak(self, words.removesuffix(f" {symbol}"), said)

    monkeypatch.setattr(v2_dialect.V2Dialect, "_error", unnamed)
    symbols = good = (SYMBOL, "PF_ETHUSD")
    for place in bad:
        symbols = (*symbols[:place], f"PF_NOPE{place}USD", *symbols[place:])
    refused, seen = set(), set()
    async with world(OrderFlow(symbols=good)) as (exchange, adapter):

        async def follow(symbol: str) -> None:
            try:
                async with adapter.subscribe(Trades(symbol)) as feed:
                    seen.add((await anext(feed)).symbol)
            except SubscriptionRejected:
                refused.add(symbol)

        with trio.fail_after(LONG):
            async with trio.open_nursery() as nursery:
                for symbol in symbols:
                    nursery.start_soon(follow, symbol)
        assert (refused, seen) == (set(symbols) - set(good), set(good))
        assert exchange.accepted == 1


async def test_a_change_of_the_state_of_the_system_may_announce_maintenance(
    autojump_clock: MockClock,
) -> None:
    """Source: kraken §2."""
    dialect = UnifiedKit().converse(ears_of(UnifiedKit()))
    (greeting,) = dialect.greet()
    (state,) = json.loads(greeting)["data"]
    assert state.keys() >= {"upcoming_maintenance", "emergency"}
    assert UNIFIED.parse(greeting) == UNIFIED.parse(dialect.announce_shutdown()) == Heartbeat()


def test_a_ticker_of_a_delisted_product_has_no_time() -> None:
    """It says 1970, and zeros. Source: kraken §3."""
    (row,) = UNIFIED.stream(Tickers(SYMBOL)).decode(  # type: ignore[misc]
        b'{"channel":"ticker","type":"snapshot","data":[{"symbol":"PF_XBTUSD","last":0.0,'
        b'"volume":0.0,"vwap":0.0,"low":0.0,"high":0.0,"change":0.0,"change_pct":0.0,'
        b'"timestamp":"1970-01-01T00:00:00.000000Z"}]}'
    )
    assert (row.last, row.exchange_time_ns) == (0, None)


def test_one_attempt_too_many_is_a_ban() -> None:
    """Cloudflare bans for ten minutes after about 150 in ten minutes. Source: kraken §2."""
    for kit in (SpotKit(), UnifiedKit()):
        attempts = AttemptBudget(kit.rules)
        assert {attempts.refuse(0.0) for _ in range(150)} == {None}
        assert attempts.refuse(1.0) == (418, 600.0)
