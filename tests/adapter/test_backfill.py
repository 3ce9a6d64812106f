"""What a stream missed is fetched: each trade once, in order, and a gap for nothing else.

Against simulated exchanges, whose market is the truth, in virtual time.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from connector import Adapter, Feed, Overflow, Reconnect, open_adapter
from connector.adapter import backfill
from connector.channels import AggregateTrades, Candles, Trades
from connector.errors import ConfigError, SlowConsumer, SubscriptionRejected
from connector.events import Gap, Trade
from connector.exchanges import binance, bitget, bybit, deribit, kraken, okx
from connector.testing import Fault, MemoryNetwork, OrderFlow, SimulatedExchange, open_exchange

EXCHANGES: dict[str, Any] = {
    "spot": binance.Spot,
    "usdm": binance.UsdMFutures,
    "bybit_spot": bybit.Spot,
    "bybit_linear": bybit.Linear,
    "okx": okx.Okx,
    "deribit": deribit.Deribit,
    "bitget_spot": bitget.Spot,
    "kraken": kraken.Spot,
}
SYMBOLS = dict.fromkeys(EXCHANGES, "ETHUSDT") | {
    "okx": "ETH-USDT-SWAP", "deribit": "ETH-PERPETUAL", "kraken": "ETH/USD",
}  # fmt: skip
LOTS = {"spot": 10_000, "deribit": 0.1}
"""In a unit, where it is not 1,000."""
CASES = [(venue, Trades) for venue in EXCHANGES] + [
    ("spot", AggregateTrades),
    ("usdm", AggregateTrades),
]


@attrs.frozen
class World:
    exchange: SimulatedExchange
    adapter: Adapter[float]
    symbol: str

    def truth(self, kind: type[Any]) -> list[tuple[Any, ...]]:
        """All that was traded: time, price and quantity, in order."""
        market: Any = self.exchange._player
        history = market.history(self.symbol)
        facts = history._trades if kind is Trades else history._aggregates
        scale = LOTS.get(self.exchange._venue.rules.name, 1000)
        return [(each.ms, each.price / 100, each.quantity / scale) for each in facts]

    async def lose_connection(self, seconds: float) -> None:
        self.exchange.inject("refuse")
        self.exchange.break_connections("reset")
        await trio.sleep(seconds)
        self.exchange.mend()


@asynccontextmanager
async def world(
    venue: Any, *, rate: float = 40, rest: bool = True, seed: int = 0
) -> AsyncIterator[World]:
    network = MemoryNetwork()
    symbol = SYMBOLS[venue]
    flow = OrderFlow(symbols=(symbol,), rate_per_second=rate, seed=seed)
    async with open_exchange(venue, source=flow, network=network) as exchange:
        made = EXCHANGES[venue](endpoints=exchange.endpoints)
        reconnect = Reconnect(initial=0.1, cap=0.5, jitter="none")
        async with open_adapter(made, dialer=network, reconnect=reconnect) as adapter:
            with trio.fail_after(3600):
                await trio.lowlevel.checkpoint()
                yield World(exchange, adapter, symbol)


def told(trades: list[Trade]) -> list[tuple[Any, ...]]:
    return [((each.exchange_time_ns or 0) // 10**6, each.price, each.quantity) for each in trades]


async def read_for(feed: Feed[Any], seconds: float) -> list[Any]:
    found: list[Any] = []
    with trio.move_on_after(seconds):
        while True:
            found.append(await anext(feed))
    return found


def slice_of(whole: list[Any], first: Any, last: Any) -> list[Any]:
    return whole[whole.index(first) : len(whole) - whole[::-1].index(last)]


@pytest.mark.parametrize(("venue", "kind"), CASES)
async def test_a_disconnect_leaves_no_hole(
    autojump_clock: MockClock, venue: str, kind: type[Any]
) -> None:
    async with world(venue) as there:
        async with there.adapter.subscribe(kind(there.symbol, backfill=True), gaps=True) as feed:
            events = await read_for(feed, 5)
            for _ in range(2):
                await there.lose_connection(3)
                events += await read_for(feed, 5)
        assert not [each for each in events if isinstance(each, Gap)]
        trades = told(events)
        assert trades == slice_of(there.truth(kind), trades[0], trades[-1])
        marked = [each for each in events if each.backfilled]
        assert len(marked) >= 4
        assert all(each.symbol == there.symbol for each in events)
        assert all(each.received_ns > 0 for each in marked)
        assert events[0].backfilled is False
        assert there.adapter.statistics().tasks <= 4, "nothing is left of it"


async def test_a_quiet_stream_need_not_wait_for_its_next_trade(autojump_clock: MockClock) -> None:
    async with world("spot", rate=2) as there:
        channel = Trades(there.symbol, backfill=True)
        async with there.adapter.subscribe(channel, gaps=True) as feed:
            before = await read_for(feed, 60)
            await there.lose_connection(20)
            fetched = await read_for(feed, 3.0)
            assert fetched
            assert fetched[0].backfilled
            after = await read_for(feed, 60)
        trades = told(before + fetched + after)
        assert trades == slice_of(there.truth(Trades), trades[0], trades[-1])


async def test_nothing_is_fetched_if_nothing_was_missed(autojump_clock: MockClock) -> None:
    async with world("usdm") as there:
        channel = AggregateTrades(there.symbol, backfill=True)
        async with there.adapter.subscribe(channel, gaps=True) as feed:
            await read_for(feed, 30)
            assert there.adapter.statistics().rest is None
        async with there.adapter.subscribe(AggregateTrades(there.symbol), gaps=True) as plain:
            await read_for(plain, 5)
            await there.lose_connection(2)
            events = await read_for(plain, 5)
        assert [each.reason for each in events if isinstance(each, Gap)] == ["disconnected"]
        assert there.adapter.statistics().rest is None


async def test_a_hole_in_the_numbers_is_filled(autojump_clock: MockClock) -> None:
    async with world("spot") as there:
        async with there.adapter.subscribe(Trades(there.symbol, backfill=True), gaps=True) as feed:
            events = await read_for(feed, 5)
            there.exchange.break_connections(Fault("truncated_json", times=1, count=2))
            events += await read_for(feed, 10)
        trades = told([each for each in events if not isinstance(each, Gap)])
        assert trades == slice_of(there.truth(Trades), trades[0], trades[-1])
        assert [each for each in events if isinstance(each, Gap)] == []
        assert [each for each in events if each.backfilled]


async def test_trades_older_than_the_exchange_keeps_are_a_gap_with_its_range(
    autojump_clock: MockClock,
) -> None:
    """Of spot at Bybit 60 trades can be had, and none by its number."""
    async with world("bybit_spot", rate=200) as there:
        async with there.adapter.subscribe(
            Trades(there.symbol, backfill=True), gaps=True, buffer=100_000
        ) as feed:
            before = await read_for(feed, 5)
            await there.lose_connection(30)
            after = await read_for(feed, 5)
        (gap,) = [each for each in after if isinstance(each, Gap)]
        assert gap.reason == "disconnected"
        assert gap.channels == (Trades(there.symbol, backfill=True),)
        place = after.index(gap)
        assert after[:place] == [] or not after[place - 1].backfilled
        first = after[place + 1]
        assert first.backfilled
        last = after[place - 1] if place else before[-1]
        assert (gap.begin_ns, gap.end_ns) == (last.exchange_time_ns, first.exchange_time_ns)
        rest = told(after[place + 1 :])
        assert rest == slice_of(there.truth(Trades), rest[0], rest[-1])


async def test_of_futures_the_newest_thousand_can_be_had(autojump_clock: MockClock) -> None:
    async with world("usdm", rate=800) as there:
        async with there.adapter.subscribe(
            Trades(there.symbol, backfill=True), gaps=True, buffer=100_000
        ) as feed:
            before = await read_for(feed, 3)
            await there.lose_connection(12)
            after = await read_for(feed, 2)
        (gap,) = [each for each in after if isinstance(each, Gap)]
        place = after.index(gap)
        earlier = [*before, *after[:place]]
        assert gap.first_id == earlier[-1].trade_id + 1
        assert gap.last_id == after[place + 1].trade_id - 1
        marked = [each for each in after if not isinstance(each, Gap) and each.backfilled]
        assert len(marked) > 900
        rest = told(after[place + 1 :])
        assert rest == slice_of(there.truth(Trades), rest[0], rest[-1])


async def test_without_rest_the_loss_is_told_and_live_goes_on(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "PATIENCE_SECONDS", 5.0)
    async with world("spot") as there:
        async with there.adapter.subscribe(
            Trades(there.symbol, backfill=True), gaps=True, buffer=10_000
        ) as feed:
            before = await read_for(feed, 5)
            rest = there.adapter._loops.rest()
            rest._service = attrs.evolve(rest._service, url="http://nowhere.invalid:1")
            await there.lose_connection(2)
            after = await read_for(feed, 20)
        trades = [each for each in after if not isinstance(each, Gap)]
        assert not any(each.backfilled for each in trades)
        (gap,) = [each for each in after if isinstance(each, Gap)]
        place = after.index(gap)
        earlier = [*before, *after[:place]]
        assert gap.first_id == earlier[-1].trade_id + 1
        assert gap.last_id == after[place + 1].trade_id - 1
        assert gap.dropped == gap.last_id - gap.first_id + 1
        live = told(trades[place:])
        assert live == slice_of(there.truth(Trades), live[0], live[-1]), "what came was held"


async def test_a_refused_way_is_left_for_the_next(autojump_clock: MockClock) -> None:
    """Should Binance ask a key for old trades of spot, too, the newest will do."""
    async with world("spot") as there:
        async with there.adapter.subscribe(Trades(there.symbol, backfill=True), gaps=True) as feed:
            events = await read_for(feed, 5)
            fill = next(iter(there.adapter._desired._backfilled.values()))
            (held,) = fill._fills.values()
            by_number, newest = held._offer.ways
            refused = attrs.evolve(by_number, request=_unknown_path(by_number.request))
            held._offer = attrs.evolve(held._offer, ways=(refused, newest))
            await there.lose_connection(2)
            events += await read_for(feed, 5)
        assert not [each for each in events if isinstance(each, Gap)]
        trades = told(events)
        assert trades == slice_of(there.truth(Trades), trades[0], trades[-1])


def _unknown_path(request: Any) -> Any:
    def refused(symbol: str, number: int | None, limit: int) -> Any:
        asked = request("NOSUCHTHING", number, limit)
        return attrs.evolve(asked)

    return refused


# --- the feed's own policy


async def test_a_feed_that_blocks_gets_everything_however_slow_it_is(
    autojump_clock: MockClock,
) -> None:
    async with world("spot", rate=100) as there:
        channel = Trades(there.symbol, backfill=True)
        async with there.adapter.subscribe(channel, gaps=True, buffer=8) as feed:
            events = await read_for(feed, 3)
            await there.lose_connection(10)
            for _ in range(400):
                events.append(await anext(feed))
                await trio.sleep(0.02)
        assert not [each for each in events if isinstance(each, Gap)]
        trades = told(events)
        assert trades == slice_of(there.truth(Trades), trades[0], trades[-1])


async def test_a_feed_that_fails_does_not_fail_for_what_is_fetched(
    autojump_clock: MockClock,
) -> None:
    async with world("spot", rate=100) as there:
        channel = Trades(there.symbol, backfill=True)
        async with there.adapter.subscribe(
            channel, gaps=True, buffer=40, overflow=Overflow.FAIL
        ) as feed:
            events = await read_for(feed, 3)
            await there.lose_connection(30)
            events += await read_for(feed, 10)
            trades = told(events)
            assert sum(each.backfilled for each in events) > 200
            assert trades == slice_of(there.truth(Trades), trades[0], trades[-1])
            with pytest.raises(SlowConsumer):
                await trio.sleep(60)
                await read_for(feed, 1)


async def test_a_feed_that_drops_or_conflates_goes_on(autojump_clock: MockClock) -> None:
    for overflow in (Overflow.DROP_OLDEST, Overflow.CONFLATE):
        async with world("spot", rate=100) as there:
            channel = Trades(there.symbol, backfill=True)
            async with there.adapter.subscribe(
                channel, gaps=True, buffer=16, overflow=overflow
            ) as feed:
                events = await read_for(feed, 3)
                await there.lose_connection(10)
                events += await read_for(feed, 3)
                await trio.sleep(5)
                await there.lose_connection(5)
                events += await read_for(feed, 5)
            trades = [each for each in events if not isinstance(each, Gap)]
            numbers = [each.trade_id for each in trades]
            assert numbers == sorted(set(numbers)), "each once, in order"
            assert trades[-1].backfilled is False


# --- leaving


async def test_leaving_in_the_middle_leaves_nothing(autojump_clock: MockClock) -> None:
    """The feed, the channel, the adapter: at every moment of a fill."""
    for leave in ("feed", "channel", "cancel"):
        for moment in range(0, 40, 8):
            async with world("okx", rate=100) as there:
                channel = Trades(there.symbol, backfill=True)
                async with there.adapter.subscribe(
                    Candles(there.symbol), channel, gaps=True, buffer=20
                ) as feed:
                    await read_for(feed, 1)
                    await there.lose_connection(2)
                    with trio.move_on_after(moment * 0.01):
                        await read_for(feed, 10)
                    if leave == "channel":
                        await feed.discard(channel)
                        await read_for(feed, 1)
                        (name,) = (each.name for each in feed.streams())
                        assert "candle" in name
                    elif leave == "cancel":
                        with trio.CancelScope() as scope:
                            scope.cancel()
                            await anext(feed)
                await trio.sleep(0.5)
                assert there.adapter._desired._backfilled == {}
                assert there.adapter.statistics().tasks <= 4


@attrs.define(eq=False)
class Strike(trio.abc.Instrument):
    """Counts steps of tasks, and strikes after one of them."""

    at: int
    action: Any = None
    steps: int = 0

    def after_task_step(self, _: trio.lowlevel.Task) -> None:
        if self.action is not None:
            self.steps += 1
            if self.steps == self.at:
                self.action()


STRIDE = int(os.environ.get("CONNECTOR_STEP_STRIDE", "37"))
"""Every so many steps; 1 for all, which takes some minutes."""


@pytest.mark.parametrize("fault", ["cancel", "reset"])
def test_a_backfill_survives_a_fault_at_every_step(fault: str) -> None:
    """Whatever the step, leaving leaves nothing, and a new disconnect makes no hole."""

    async def run(strike: Strike) -> None:
        async with world("spot", rate=60) as there:
            scope = trio.CancelScope()
            channel = Trades(there.symbol, backfill=True)
            with scope:
                async with there.adapter.subscribe(channel, gaps=True, buffer=16) as feed:
                    events = await read_for(feed, 1)
                    exchange, usual = there.exchange, there.adapter.statistics().tasks
                    strike.action = (
                        scope.cancel
                        if fault == "cancel"
                        else lambda: exchange.break_connections("reset")
                    )
                    await there.lose_connection(2)
                    events += await read_for(feed, 2)
                    strike.action = None
                    events += await read_for(feed, 3)
            strike.action = None
            if not scope.cancelled_caught:
                trades = told([each for each in events if not isinstance(each, Gap)])
                assert len(trades) == len(events)
                assert trades == slice_of(there.truth(Trades), trades[0], trades[-1])
            await trio.sleep(1)
            assert there.adapter._desired._backfilled == {}
            assert there.adapter.statistics().tasks <= usual

    counting = Strike(at=0)
    trio.run(run, counting, clock=MockClock(autojump_threshold=0), instruments=[counting])
    assert counting.steps > 300
    for at in range(1, counting.steps, STRIDE * (1 if fault == "cancel" else 2)):
        strike = Strike(at)
        trio.run(run, strike, clock=MockClock(autojump_threshold=0), instruments=[strike])


async def test_two_feeds_and_a_plain_one_share_the_wire(autojump_clock: MockClock) -> None:
    async with world("spot") as there:
        channel = Trades(there.symbol, backfill=True)
        async with (
            there.adapter.subscribe(channel, gaps=True) as one,
            there.adapter.subscribe(Trades(there.symbol), gaps=True) as plain,
            there.adapter.subscribe(Trades(there.symbol.lower(), backfill=True), channel) as two,
        ):
            await trio.sleep(3)
            await there.lose_connection(2)
            await trio.sleep(3)
            events, others = await read_for(one, 0.1), await read_for(two, 0.1)
            with_gap = await read_for(plain, 0.1)
            (connection,) = there.exchange.connections
            assert connection.subscriptions == (f"{there.symbol.lower()}@trade",)
            truth = there.truth(Trades)
        for each in (told(events), told(others)):
            assert each == slice_of(truth, each[0], each[-1])
            assert len(each) > 20
        (gap,) = [each for each in with_gap if isinstance(each, Gap)]
        assert gap.channels == (Trades(there.symbol),)
        assert len(events) > len(with_gap)


# --- what cannot be


async def test_an_exchange_without_backfill_raises_a_config_error_with_the_reason(
    autojump_clock: MockClock,
) -> None:
    async with world("okx") as there:
        why = r"okx cannot send AggregateTrades.*not which of them were one order.*for Trades$"
        with pytest.raises(ConfigError, match=why):
            async with there.adapter.subscribe(AggregateTrades(there.symbol, backfill=True)):
                raise AssertionError("unreachable")
        with pytest.raises(SubscriptionRejected) as refused:
            async with there.adapter.subscribe(Trades("NO-SUCH", backfill=True)):
                raise AssertionError("unreachable")
        assert refused.value.channel == Trades("NO-SUCH", backfill=True)
    with pytest.raises(ConfigError, match="backfill is 1"):
        Trades("X", backfill=1)  # type: ignore[arg-type]


# --- whatever happens

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""Without shrinking, which would take minutes."""
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["reset", "outage", "truncated_json", "fin", "nothing"]),
        st.floats(0.05, 4.0),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=10, deadline=None, phases=PHASES)
@given(
    steps=STEPS,
    case=st.sampled_from([*CASES]),
    seed=st.integers(0, 1000),
    buffer=st.sampled_from([3, 64, 1024]),
)
def test_the_feed_is_what_was_traded_less_the_gaps_that_are_told(
    steps: list[tuple[str, float]], case: tuple[str, type[Any]], seed: int, buffer: int
) -> None:
    venue, kind = case

    async def run() -> None:
        async with world(venue, seed=seed) as there:
            events: list[Any] = []
            async with there.adapter.subscribe(
                kind(there.symbol, backfill=True), gaps=True, buffer=buffer
            ) as feed:
                events += await read_for(feed, 2)
                for what, seconds in steps:
                    if what == "outage":
                        await there.lose_connection(seconds)
                    elif what == "truncated_json":
                        there.exchange.break_connections(Fault("truncated_json", times=1, count=1))
                    elif what != "nothing":
                        there.exchange.break_connections(what)  # type: ignore[arg-type]
                    events += await read_for(feed, seconds)
                events += await read_for(feed, 8)
            truth = there.truth(kind)
        found = told([each for each in events if not isinstance(each, Gap)])
        whole = slice_of(truth, found[0], found[-1])
        place = 0
        gap: Gap | None = None
        for event in events:
            if isinstance(event, Gap):
                gap = event
                continue
            (one,) = told([event])
            if one != whole[place]:
                assert gap is not None, f"{one} is not {whole[place]}, and no gap was told"
                missing = whole[place : whole.index(one, place)]
                assert gap.begin_ns is not None
                begin_ms, end_ms = gap.begin_ns // 10**6, (gap.end_ns or 0) // 10**6
                assert all(begin_ms <= ms <= end_ms for ms, *_ in missing)
                place += len(missing)
            place, gap = place + 1, None
        assert place == len(whole)

    trio.run(run, clock=MockClock(autojump_threshold=0))
