"""Channels whose events arrive in one stream: the wire has it once, and each feed has its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from connector import Adapter, Feed, open_adapter
from connector.channels import MarkPrices, RawStream, Tickers
from connector.errors import ConfigError, SubscriptionRejected
from connector.events import Event, Gap, MarkPrice, Ticker
from connector.exchanges import bybit
from connector.testing import Fault, MemoryNetwork, OrderFlow, SimulatedExchange, open_exchange

TICKERS, MARKS = Tickers("BTCUSDT"), MarkPrices("BTCUSDT")
TOPIC = "tickers.BTCUSDT"


@attrs.frozen
class World:
    exchange: SimulatedExchange
    adapter: Adapter

    def asked(self) -> list[str]:
        """What was asked of the exchange, in order: + and - of the topic."""
        requests = (
            entry.detail for entry in self.exchange.log.of("request") if TOPIC in entry.detail
        )
        return ["-" if "unsubscribe" in each else "+" for each in requests]


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    network = MemoryNetwork()
    source = OrderFlow(symbols=("BTCUSDT", "ETHUSDT"))
    async with (
        open_exchange("bybit_linear", network=network, source=source) as exchange,
        open_adapter(bybit.Linear(endpoints=exchange.endpoints), dialer=network) as adapter,
    ):
        yield World(exchange, adapter)


async def take(feed: Feed[Any], count: int) -> list[Event]:
    events: list[Event] = []
    with trio.fail_after(60):
        while len(events) < count:
            events.append(await anext(feed))
    return events


@pytest.mark.parametrize("channels", [(TICKERS, MARKS), (MARKS, TICKERS)])
async def test_one_feed_has_the_events_of_both(autojump_clock: MockClock, channels: Any) -> None:
    async with world() as there, there.adapter.subscribe(*channels) as feed:
        events = await take(feed, 40)

        assert {type(each) for each in events} == {Ticker, MarkPrice}
        assert {each.symbol for each in events} == {"BTCUSDT"}
        assert there.asked() == ["+"]
        statistics = there.adapter.statistics()
        assert list(statistics.streams) == [TOPIC]
        # A message counts once, however many channels read it.
        assert statistics.messages == statistics.streams[TOPIC].messages < len(events)


async def test_each_feed_has_what_it_would_have_alone(autojump_clock: MockClock) -> None:
    alone: dict[Any, list[Event]] = {}
    for channel in (TICKERS, MARKS):
        async with world() as there, there.adapter.subscribe(channel) as feed:
            alone[channel] = await take(feed, 30)
    async with (
        world() as there,
        there.adapter.subscribe(TICKERS) as tickers,
        there.adapter.subscribe(MARKS) as marks,
    ):
        both = {TICKERS: await take(tickers, 30), MARKS: await take(marks, 30)}

    for channel in (TICKERS, MARKS):
        times = {each.exchange_time_ns for each in both[channel]}
        known = {each.exchange_time_ns: each for each in alone[channel]}
        common = [each for each in both[channel] if each.exchange_time_ns in known]
        assert len(common) > 10 and len(times) > 10
        for each in common:
            same = known[each.exchange_time_ns]
            each.received_ns = same.received_ns = 0
            assert each == same


async def test_the_first_feed_may_leave_and_the_second_goes_on(autojump_clock: MockClock) -> None:
    async with world() as there, there.adapter.subscribe(TICKERS) as tickers:
        await take(tickers, 1)
        async with there.adapter.subscribe(MARKS) as marks:
            tickers.close()
            assert {type(each) for each in await take(marks, 20)} == {MarkPrice}
            async with there.adapter.subscribe(TICKERS) as again:
                assert {type(each) for each in await take(again, 5)} == {Ticker}
            assert {type(each) for each in await take(marks, 5)} == {MarkPrice}
            # Messages say what has changed: who comes later needs a snapshot, and the exchange
            # sends one when it is asked anew.
            assert there.asked() == ["+", "-", "+", "-", "+"]
        await trio.sleep(1)
        assert there.asked()[5:] == ["-"]
        assert there.adapter.statistics().streams == {}


async def test_a_break_is_one_gap_in_each_feed(autojump_clock: MockClock) -> None:
    async with (
        world() as there,
        there.adapter.subscribe(TICKERS, MARKS, gaps=True) as both,
        there.adapter.subscribe(MARKS, gaps=True) as marks,
    ):
        await take(both, 10)
        await take(marks, 3)
        there.exchange.break_connections("reset")
        await trio.sleep(5)
        gaps = {}
        for feed in (both, marks):
            (gaps[feed],) = [each for each in await take(feed, 40) if isinstance(each, Gap)]

        assert set(gaps[both].channels) == {TICKERS, MARKS}
        assert gaps[marks].channels == (MARKS,)
        assert {each.reason for each in gaps.values()} == {"disconnected"}
        assert there.adapter.statistics().gaps == 1
        assert there.asked() == ["+", "+"]


async def test_a_frame_that_does_not_decode_is_lost_to_both(autojump_clock: MockClock) -> None:
    async with (
        world() as there,
        there.adapter.subscribe(TICKERS, gaps=True) as tickers,
        there.adapter.subscribe(MARKS, gaps=True) as marks,
    ):
        for feed in (tickers, marks):
            await take(feed, 3)
        there.exchange.break_connections(Fault("truncated_json", stream=TOPIC))
        for feed in (tickers, marks):
            gaps = [each for each in await take(feed, 40) if isinstance(each, Gap)]
            assert [each.reason for each in gaps][-1] == "decode error"


async def test_a_refusal_reaches_both(autojump_clock: MockClock) -> None:
    async with world() as there:
        refused = []
        for channel in (Tickers("NOSUCHUSDT"), MarkPrices("NOSUCHUSDT")):
            with pytest.raises(SubscriptionRejected) as caught:
                async with there.adapter.subscribe(channel):
                    raise AssertionError("unreachable")
            refused.append(caught.value.channel)
        assert refused == [Tickers("NOSUCHUSDT"), MarkPrices("NOSUCHUSDT")]

        async def ask(channel: Any) -> None:
            with pytest.raises(SubscriptionRejected) as caught:
                async with there.adapter.subscribe(channel):
                    raise AssertionError("unreachable")
            refused.append(caught.value.channel)

        refused.clear()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, Tickers("NEITHERUSDT"))
            nursery.start_soon(ask, MarkPrices("NEITHERUSDT"))
        assert set(refused) == {Tickers("NEITHERUSDT"), MarkPrices("NEITHERUSDT")}
        assert there.adapter.statistics().streams == {}


async def test_a_raw_stream_shares_with_nothing(autojump_clock: MockClock) -> None:
    async with world() as there, there.adapter.subscribe(TICKERS, MARKS):
        with pytest.raises(ConfigError, match="are the same stream, which is decoded once"):
            async with there.adapter.subscribe(RawStream(TOPIC)):
                raise AssertionError("unreachable")


@settings(max_examples=8)
@given(
    script=st.lists(
        st.tuples(st.sampled_from([TICKERS, MARKS]), st.booleans(), st.booleans()), max_size=6
    )
)
def test_the_wire_has_the_wanted_streams_after_any_changes(
    script: list[tuple[Any, bool, bool]],
) -> None:
    async def run() -> None:
        async with world() as there, there.adapter.subscribe(MarkPrices("ETHUSDT")) as feed:
            wanted: set[Any] = set()
            for channel, adds, breaks in script:
                if breaks:
                    there.exchange.break_connections("reset")
                if adds:
                    await feed.add(channel)
                    wanted.add(channel)
                else:
                    await feed.discard(channel)
                    wanted.discard(channel)
                await trio.sleep(3)
                (connection,) = there.exchange.connections
                assert (TOPIC in connection.subscriptions) == bool(wanted)
                feed_has = {each for each in feed.channels if each.symbol == "BTCUSDT"}
                assert feed_has == wanted
                while feed.statistics().buffered:
                    feed.receive_nowait()
                await trio.sleep(3)
                events = [feed.receive_nowait() for _ in range(feed.statistics().buffered)]
                kinds = {type(each) for each in events if each.symbol == "BTCUSDT"}
                has = {TICKERS: Ticker in kinds, MARKS: MarkPrice in kinds}
                assert has == {each: each in wanted for each in has}

    trio.run(run, clock=MockClock(autojump_threshold=0))
