"""Whatever each copy of a stream has lost: their ordered union, and a gap where it has a hole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.channels import (
    AggregateTrades,
    AnyChannel,
    BestQuote,
    BookDeltas,
    Candles,
    Liquidations,
    MarkPrices,
    OrderBook,
    PartialBook,
    RawStream,
    Tickers,
    Trades,
)
from connector.errors import ConfigError
from connector.events import Event, Gap
from connector.exchanges import binance
from connector.exchanges.protocol import AnyStream
from connector.merging.arbitration import Arbiter

SPOT = binance.Spot()
USDM = binance.UsdMFutures()
FOREVER = 1e9
HUGE = 1 << 20


# --- what an exchange sends


def trade(number: int) -> dict[str, Any]:
    return {"e": "trade", "s": "X", "t": number, "p": "1", "q": "1", "T": number, "m": True}


def spot_delta(first: int, last: int) -> dict[str, Any]:
    return {"e": "depthUpdate", "s": "X", "E": last, "U": first, "u": last, "b": [], "a": []}


def quote(number: int, symbol: str = "X") -> dict[str, Any]:
    return {"s": symbol, "u": number, "b": "1", "B": "1", "a": "2", "A": "1", "T": 1, "E": 1}


def book(number: int) -> dict[str, Any]:
    return {
        "e": "depthUpdate",
        "s": "X",
        "E": 1,
        "T": 1,
        "U": 1,
        "u": number,
        "pu": 1,
        "b": [],
        "a": [],
    }


def candle(open_ms: int, sent_ms: int, *, closed: bool) -> dict[str, Any]:
    body = {
        "i": "1m", "t": open_ms, "T": open_ms + 59_999, "o": "1", "h": "1", "l": "1", "c": "1",
        "v": "1", "q": "1", "n": 1, "x": closed,
    }  # fmt: skip
    return {"e": "kline", "s": "X", "E": sent_ms, "k": body}


def mark_price(symbol: str, time_ms: int) -> dict[str, Any]:
    return {"e": "markPriceUpdate", "s": symbol, "E": time_ms, "p": "1", "T": 0}


def event_of(stream: AnyStream, payload: dict[str, Any], received_ns: int = 0) -> Event:
    event = stream.decode(json.dumps(payload).encode())
    assert isinstance(event, Event)
    event.received_ns = received_ns
    return event


def lost(channel: AnyChannel, reason: str = "disconnected") -> Gap:
    return Gap(symbol="X", channels=(channel,), reason=reason)


def arbiter_of(
    *channels: AnyChannel,
    exchange: Any = USDM,
    sides: int = 2,
    patience: float = FOREVER,
    window: int = HUGE,
) -> Arbiter:
    streams = [exchange.stream(channel) for channel in channels]
    return Arbiter([streams] * sides, patience=patience, window=window)


def drain(arbiter: Arbiter) -> list[Any]:
    items = list(arbiter.ready)
    arbiter.ready.clear()
    return items


TRADES = Trades("X")
TRADE_STREAM: AnyStream = USDM.stream(TRADES)


def bring(arbiter: Arbiter, side: int, *numbers: int, now: float = 0.0) -> list[Any]:
    """Trades of one side; what is delivered, as numbers and gaps."""
    for number in numbers:
        arbiter.take(side, event_of(TRADE_STREAM, trade(number)), now)
    arbiter.expire(now)
    return shown(drain(arbiter))


def shown(items: Sequence[Any]) -> list[Any]:
    """Ids, and for a gap how many are missing."""
    return [
        ("gap", item.dropped) if isinstance(item, Gap) else getattr(item, "trade_id", item)
        for item in items
    ]


# --- streams whose ids tell what is lost


@attrs.frozen
class Chain:
    """A stream of numbered events: how long it is, and how it looks on the wire."""

    name: str
    channel: AnyChannel
    exchange: Any
    steps: tuple[int, ...]

    def events(self) -> list[Event]:
        stream = self.exchange.stream(self.channel)
        events, last = [], 1000
        for step in self.steps:
            first, last = last + 1, last + step
            payload = {
                "trades": trade(last),
                "spot deltas": spot_delta(first, last),
                "usdm deltas": {**spot_delta(first, last), "pu": first - 1},
            }[self.name]
            events.append(event_of(stream, payload))
        return events


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    name, channel, exchange, step = draw(
        st.sampled_from(
            [
                ("trades", TRADES, USDM, st.just(1)),
                ("spot deltas", BookDeltas("X"), SPOT, st.integers(1, 5)),
                ("usdm deltas", BookDeltas("X"), USDM, st.integers(1, 5)),
            ]
        )
    )
    return Chain(name, channel, exchange, tuple(draw(st.lists(step, min_size=1, max_size=25))))


@st.composite
def copies(draw: st.DrawFn, length: int) -> list[int | None]:
    """What one side brings of `length` events: in order, some lost, some repeated, with markers."""
    brought: list[int | None] = []
    for index in range(length):
        match draw(st.sampled_from(["take", "take", "take", "lose", "tell", "repeat"])):
            case "lose":
                continue
            case "tell":  # a loss that may have cost nothing
                brought += [None, index]
            case "repeat":  # a new connection may begin a little behind the old one's end
                seen = [each for each in brought[-5:] if each is not None]
                brought += [*seen, index]
            case _:
                brought.append(index)
    return brought


@given(chains(), st.integers(2, 3), st.data())
def test_the_ordered_union_and_a_gap_exactly_where_all_have_lost(
    chain: Chain, sides: int, data: st.DataObject
) -> None:
    events = chain.events()
    queues = [data.draw(copies(len(events)), label=f"side {side}") for side in range(sides)]
    union = sorted({index for queue in queues for index in queue if index is not None})
    arbiter = arbiter_of(chain.channel, exchange=chain.exchange, sides=sides)

    first: int | None = None
    while any(queues):
        side = data.draw(st.sampled_from([n for n, queue in enumerate(queues) if queue]))
        index = queues[side].pop(0)
        if index is None:
            arbiter.take(side, lost(chain.channel), 0.0)
        else:
            first = index if first is None else first
            arbiter.take(side, events[index], 0.0)
    for side in range(sides):
        arbiter.end(side, 0.0)

    # What was before the first that arrived is no part of the feed.
    expected: list[Any] = []
    for index in [each for each in union if first is not None and each >= first]:
        if expected and expected[-1] is not events[index - 1]:
            expected.append("gap")
        expected.append(events[index])
    delivered = drain(arbiter)
    while delivered and isinstance(delivered[0], Gap):  # nothing had come that could tell
        del delivered[0]
    assert ["gap" if isinstance(item, Gap) else item for item in delivered] == expected
    assert arbiter.held() == 0


@given(st.lists(st.integers(1, 60), unique=True), st.lists(st.integers(1, 60), unique=True))
def test_the_number_of_waiting_events_is_bounded_by_the_window(
    one: list[int], other: list[int]
) -> None:
    arbiter = arbiter_of(TRADES, window=4)

    for side, numbers in enumerate((sorted(one), sorted(other))):
        for number in numbers:
            bring(arbiter, side, 100 + number)
            assert arbiter.held() <= 4


@given(st.data())
def test_each_symbol_and_channel_is_merged_by_itself(data: st.DataObject) -> None:
    channels = (TRADES, BestQuote("X"), BestQuote("Y"), BookDeltas("X"), Candles("X"))
    payloads = {
        TRADES: trade,
        BestQuote("X"): quote,
        BestQuote("Y"): lambda number: quote(number, "Y"),
        BookDeltas("X"): lambda number: {**spot_delta(number, number), "pu": number - 1},
        Candles("X"): lambda number: candle(0, number, closed=False),
    }
    steps = data.draw(
        st.lists(
            st.tuples(st.integers(0, 1), st.sampled_from(channels), st.integers(10, 30)),
            max_size=60,
        )
    )
    together = arbiter_of(*channels)
    alone = {channel: arbiter_of(channel) for channel in channels}

    for side, channel, number in steps:
        event = event_of(USDM.stream(channel), payloads[channel](number))
        together.take(side, event, 0.0)
        alone[channel].take(side, event, 0.0)

    for channel in channels:
        kept = [item for item in together.ready if belongs(item, channel)]
        assert [repr(item) for item in kept] == [repr(item) for item in alone[channel].ready]


def belongs(item: Any, channel: AnyChannel) -> bool:
    if isinstance(item, Gap):
        return item.channels == (channel,)
    kinds = {Trades: "Trade", BestQuote: "Quote", BookDeltas: "BookDelta", Candles: "Candle"}
    return repr(item).startswith(f"{kinds[type(channel)]}(") and item.symbol == channel.symbol  # type: ignore[attr-defined]


def test_events_that_one_side_lost_come_later_from_the_other() -> None:
    arbiter = arbiter_of(TRADES)

    assert bring(arbiter, 0, 1, 2) == [1, 2]
    assert bring(arbiter, 0, 5, 6) == []
    assert bring(arbiter, 1, 1, 2, 3, 4) == [3, 4, 5, 6]
    assert bring(arbiter, 1, 5, 6, 7) == [7]


def test_events_that_both_sides_lost_are_one_gap_once_both_are_past_them() -> None:
    arbiter = arbiter_of(TRADES)
    bring(arbiter, 0, 1, 2)

    assert bring(arbiter, 0, 5) == []
    assert bring(arbiter, 1, 4) == [("gap", 1), 4, 5]


def test_a_gap_says_what_is_missing_and_since_when() -> None:
    arbiter = arbiter_of(TRADES)
    arbiter.take(0, event_of(TRADE_STREAM, trade(1), 100), 0.0)
    arbiter.take(0, event_of(TRADE_STREAM, trade(4), 900), 0.0)
    arbiter.take(1, event_of(TRADE_STREAM, trade(4), 950), 0.0)

    _, gap, _ = arbiter.ready
    assert isinstance(gap, Gap)
    assert (gap.symbol, gap.channels, gap.reason) == ("X", (TRADES,), "sequence")
    assert (gap.dropped, gap.since_ns, gap.received_ns) == (2, 100, 900)


def test_an_event_waits_at_most_patience_seconds() -> None:
    arbiter = arbiter_of(TRADES, patience=2.0)
    bring(arbiter, 0, 1, now=10.0)

    assert bring(arbiter, 0, 3, now=11.0) == []
    assert bring(arbiter, 0, 4, 6, now=12.5) == []
    assert arbiter.deadline() == 13.0
    arbiter.expire(12.9)
    assert not arbiter.ready
    arbiter.expire(13.0)
    assert shown(drain(arbiter)) == [("gap", 1), 3, 4]
    # Each hole has a time of its own; what comes too late is dropped.
    assert bring(arbiter, 1, 2, now=13.1) == []
    assert bring(arbiter, 1, 5, now=13.2) == [5, 6]
    assert arbiter.deadline() == float("inf")


def test_without_patience_nothing_waits() -> None:
    arbiter = arbiter_of(TRADES, patience=0.0)

    assert bring(arbiter, 0, 1, 3) == [1, ("gap", 1), 3]


def test_a_side_that_has_ended_is_not_waited_for() -> None:
    arbiter = arbiter_of(TRADES)
    bring(arbiter, 0, 1, 3)

    arbiter.end(1, 0.0)

    assert shown(drain(arbiter)) == [("gap", 1), 3]
    assert bring(arbiter, 0, 4, 6) == [4, ("gap", 1), 6]


def test_deltas_that_are_cut_otherwise_overlap_and_are_in_order() -> None:
    stream = SPOT.stream(BookDeltas("X"))
    arbiter = arbiter_of(BookDeltas("X"), exchange=SPOT)
    for side, first, last in ((0, 1, 5), (1, 1, 3), (1, 4, 8), (0, 6, 10), (1, 9, 10)):
        arbiter.take(side, event_of(stream, spot_delta(first, last)), 0.0)

    assert [item.last_update_id for item in drain(arbiter)] == [5, 8, 10]


# --- streams in which each event stands for itself


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(1, 40)), max_size=60),
    st.sampled_from(["quotes", "books", "mark prices"]),
)
def test_an_event_newer_than_all_others_is_delivered_at_once(
    arrivals: list[tuple[int, int]], kind: str
) -> None:
    channel, payload = {
        "quotes": (BestQuote("X"), quote),
        "books": (PartialBook("X"), book),
        "mark prices": (MarkPrices("X"), lambda number: mark_price("X", number)),
    }[kind]
    stream = USDM.stream(channel)  # type: ignore[arg-type]
    arbiter = arbiter_of(channel)
    newest = 0

    for side, number in arrivals:
        arbiter.take(side, event_of(stream, payload(number)), 0.0)
        assert len(drain(arbiter)) == (number > newest)
        newest = max(newest, number)


def test_all_interrupted_at_one_time_is_one_gap() -> None:
    quotes = BestQuote("X")
    stream = USDM.stream(quotes)
    arbiter = arbiter_of(quotes)

    def bring_quote(side: int, number: int) -> list[Any]:
        arbiter.take(side, event_of(stream, quote(number)), 0.0)
        return [item.update_id for item in drain(arbiter)]

    assert bring_quote(0, 5) == [5]
    arbiter.take(0, lost(quotes), 0.0)
    assert bring_quote(1, 6) == [6]
    assert drain(arbiter) == []
    arbiter.take(1, lost(quotes, "decode error"), 0.0)
    (gap,) = drain(arbiter)
    assert (gap.reason, gap.channels) == ("decode error", (quotes,))
    # Still interrupted: this is the same gap.
    arbiter.take(0, lost(quotes), 0.0)
    assert drain(arbiter) == []
    assert bring_quote(1, 9) == [9]
    arbiter.take(1, lost(quotes), 0.0)
    assert len(drain(arbiter)) == 1


def test_all_interrupted_before_anything_came_is_a_gap_even_if_ids_tell_losses() -> None:
    arbiter = arbiter_of(TRADES)
    for side in (0, 1):
        arbiter.take(side, lost(TRADES), 0.0)

    assert len(drain(arbiter)) == 1
    assert bring(arbiter, 0, 100) == [100]


def test_all_interrupted_costs_nothing_if_the_ids_go_on() -> None:
    arbiter = arbiter_of(TRADES)
    bring(arbiter, 0, 100)
    for side in (0, 1):
        arbiter.take(side, lost(TRADES), 0.0)

    assert bring(arbiter, 1, 101) == [101]


def test_a_side_that_ends_while_the_other_is_interrupted_is_a_gap() -> None:
    quotes = BestQuote("X")
    arbiter = arbiter_of(quotes)
    arbiter.take(0, lost(quotes), 0.0)

    arbiter.end(1, 0.0)

    assert len(drain(arbiter)) == 1


def test_a_closed_candle_is_final() -> None:
    stream = USDM.stream(Candles("X"))
    arbiter = arbiter_of(Candles("X"))
    minute = 60_000

    def bring_candle(side: int, open_ms: int, sent_ms: int, *, closed: bool = False) -> int:
        arbiter.take(side, event_of(stream, candle(open_ms, sent_ms, closed=closed)), 0.0)
        return len(drain(arbiter))

    assert bring_candle(0, minute, minute + 10) == 1
    assert bring_candle(1, minute, minute + 10) == 0
    assert bring_candle(1, minute, minute + 500) == 1
    # Closed a little after its end, by clocks that differ.
    assert bring_candle(0, minute, 2 * minute + 3, closed=True) == 1
    assert bring_candle(1, minute, 2 * minute + 8, closed=True) == 0
    assert bring_candle(1, minute, minute + 900) == 0
    assert bring_candle(0, 2 * minute, 2 * minute + 5) == 1


def test_candles_of_two_intervals_are_two_streams() -> None:
    arbiter = arbiter_of(Candles("X"), Candles("X", interval="5m"))
    for side in (0, 1):
        for interval in ("1m", "5m"):
            payload = candle(0, 10, closed=False)
            payload["k"]["i"] = interval
            arbiter.take(side, event_of(USDM.stream(Candles("X")), payload), 0.0)

    assert [item.interval for item in drain(arbiter)] == ["1m", "5m"]


def test_all_symbols_of_one_channel_are_each_in_order() -> None:
    stream = USDM.stream(MarkPrices())
    arbiter = arbiter_of(MarkPrices())
    for side, symbol, time_ms in ((0, "X", 5), (0, "Y", 3), (1, "X", 4), (1, "Y", 4)):
        events = stream.decode(json.dumps([mark_price(symbol, time_ms)]).encode())
        assert isinstance(events, list)
        arbiter.take(side, events[0], 0.0)

    assert [(item.symbol, item.exchange_time_ns) for item in drain(arbiter)] == [
        ("X", 5_000_000), ("Y", 3_000_000), ("Y", 4_000_000),
    ]  # fmt: skip


# --- who is first, who is late, who loses


def test_the_delays_of_each_side_are_measured() -> None:
    arbiter = arbiter_of(TRADES)
    ms = 1_000_000

    def receive(side: int, number: int, received_ns: int) -> None:
        arbiter.take(side, event_of(TRADE_STREAM, trade(number), received_ns), 0.0)

    receive(0, 1, 10 * ms)
    receive(1, 1, 14 * ms)
    receive(1, 2, 20 * ms)
    receive(0, 2, 22 * ms)
    arbiter.take(1, lost(TRADES), 0.0)
    receive(0, 3, 30 * ms)
    receive(0, 4, 40 * ms)
    receive(1, 5, 50 * ms)
    receive(0, 5, 50 * ms)

    one, other = arbiter.statistics()
    assert (one.events, one.first, one.duplicates, one.lost, one.gaps) == (5, 3, 2, 0, 0)
    assert (other.events, other.first, other.duplicates, other.lost, other.gaps) == (3, 2, 1, 2, 1)
    # Of three events that both brought, one was late by 2 ms here, one by 4 ms there.
    assert one.lag_seconds == pytest.approx(0.002 / 3)
    assert other.lag_seconds == pytest.approx(0.004 / 3)
    assert (one.most_lag_seconds, other.most_lag_seconds) == (0.002, 0.004)


def test_a_side_that_joins_late_is_not_compared_with_earlier_events() -> None:
    arbiter = arbiter_of(TRADES)
    bring(arbiter, 0, 1, 2, 3)

    one, other = arbiter.statistics()
    assert (one.lag_seconds, one.most_lag_seconds) == (None, None)
    # Not lost: it has not begun.
    assert (other.events, other.lost) == (0, 0)
    bring(arbiter, 1, 4)
    assert arbiter.statistics()[1].lost == 0


@given(st.sets(st.integers(1, 40)), st.sets(st.integers(1, 40)), st.integers(1, 200), st.randoms())
def test_a_side_lost_exactly_the_events_that_only_the_other_brought(
    one: set[int], other: set[int], window: int, random: Any
) -> None:
    ends = {0, 41}  # both begin and end together
    queues = [sorted(one | ends), sorted(other | ends)]
    arbiter = arbiter_of(TRADES, window=window, patience=0)
    bring(arbiter, 0, 100)
    bring(arbiter, 1, 100)
    rests = [[100 + number for number in queue[1:]] for queue in queues]
    # In step, so that nothing is dropped for having come too late.
    for number in range(101, 142):
        for side in random.sample((0, 1), 2):
            if number in rests[side]:
                bring(arbiter, side, number)

    assert [side.lost for side in arbiter.statistics()] == [len(other - one), len(one - other)]


def test_events_further_behind_than_the_window_count_as_lost() -> None:
    arbiter = arbiter_of(TRADES, window=10)
    bring(arbiter, 1, 1)
    bring(arbiter, 0, *range(1, 31))

    assert arbiter.statistics()[1].lost == 19


# --- an exchange that counts anew


def test_restarted_ids_cause_a_gap_and_no_stall() -> None:
    arbiter = arbiter_of(TRADES)
    bring(arbiter, 0, *range(9_000, 9_010))
    bring(arbiter, 1, *range(9_000, 9_010))

    delivered = bring(arbiter, 0, *range(1, 200))

    gap, *numbers = delivered
    assert gap == ("gap", None)
    assert numbers == list(range(numbers[0], 200))
    assert numbers[0] <= 66
    assert bring(arbiter, 1, *range(100, 203)) == [200, 201, 202]


def test_a_connection_that_begins_a_little_behind_is_no_new_count() -> None:
    arbiter = arbiter_of(TRADES)
    bring(arbiter, 0, *range(100, 200))

    assert bring(arbiter, 0, *range(150, 203)) == [200, 201, 202]


def test_a_side_that_is_far_behind_is_no_new_count() -> None:
    arbiter = arbiter_of(TRADES)
    bring(arbiter, 0, *range(1, 1_000))

    assert bring(arbiter, 1, *range(1, 1_001)) == [1_000]


# --- what can be merged


@pytest.mark.parametrize(
    "channel", [Liquidations("X"), OrderBook("X"), RawStream("x@trade"), Liquidations()]
)
def test_events_without_ids_cannot_be_merged(channel: AnyChannel) -> None:
    with pytest.raises(ConfigError, match=r"cannot be merged.*Trades, AggregateTrades, BestQuote"):
        arbiter_of(channel)


@pytest.mark.parametrize(
    "channels",
    [
        (PartialBook("X", levels=5), PartialBook("x", levels=20)),
        (BookDeltas("X"), BookDeltas("X", interval_ms=500)),
        (TRADES, AggregateTrades("X")),
        (Tickers("X"), Tickers()),
        (Tickers(), Tickers("X")),
    ],
)
def test_events_that_cannot_be_distinguished_are_not_merged(
    channels: tuple[AnyChannel, ...],
) -> None:
    with pytest.raises(ConfigError, match="told apart"):
        arbiter_of(*channels)


@pytest.mark.parametrize("spelled", ["x", "X"])
def test_a_symbol_may_be_spelled_otherwise_on_each_side(spelled: str) -> None:
    arbiter = Arbiter([[TRADE_STREAM], [USDM.stream(Trades(spelled))]], patience=9, window=9)

    assert bring(arbiter, 0, 1) == [1]
    assert bring(arbiter, 1, 1, 2) == [2]


def test_a_channel_that_only_one_side_has_is_not_waited_for() -> None:
    arbiter = Arbiter([[TRADE_STREAM], [USDM.stream(BestQuote("X"))]], patience=9, window=9)

    assert bring(arbiter, 0, 1, 3) == [1, ("gap", 1), 3]


def test_a_merge_yields_events_of_added_channels_and_none_of_discarded_ones() -> None:
    quotes = USDM.stream(BestQuote("X"))
    arbiter = arbiter_of(TRADES)
    bring(arbiter, 0, 1, 2)

    arbiter.carry([[TRADE_STREAM, quotes], [TRADE_STREAM]])
    assert bring(arbiter, 1, 2, 3) == [3]
    arbiter.take(0, event_of(quotes, quote(7)), 0.0)
    assert [item.update_id for item in drain(arbiter)] == [7]

    # What is still buffered of a discarded channel is no longer wanted.
    arbiter.carry([[quotes], [quotes]])
    assert bring(arbiter, 0, 4) == []
    # And when it is wanted again, it begins anew.
    arbiter.carry([[TRADE_STREAM], [TRADE_STREAM]])
    assert bring(arbiter, 0, 50, 51) == [50, 51]
