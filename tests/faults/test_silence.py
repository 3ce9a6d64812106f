"""Rows 7–12, 42, 43 and 45 of the fault table: the connection is there, and nothing comes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector import Feed, Overflow, SlowConsumer, SubscriptionRejected
from connector.channels import (
    AggregateTrades,
    BestQuote,
    OrderBook,
    PartialBook,
    RawStream,
    Trades,
)
from connector.events import Gap
from connector.lifecycle import Disconnected, Lifecycle, NotTrading, Rejected, Stale
from connector.testing import Audience, Fault, FaultPlan, Silent, When
from tests.faults.world import (
    BOOK,
    BOOK_STREAM,
    QUICK,
    TRADES,
    book,
    open_world,
    take,
    take_until_gap,
    trade,
)

BOOK_LIMIT = 10.0
"""Seconds that a book of every 100 ms may be silent when the program says nothing else."""
OTHER = PartialBook("BTCUSDC", levels=5, interval_ms=100)
OTHER_STREAM = "btcusdc@depth5@100ms"


def of_kind(events: Sequence[Lifecycle], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


@attrs.frozen
class Forgetful:
    """Sends books to who subscribes, but after 3 s none of one stream, until it is asked anew."""

    forgets: str
    for_good: bool = False
    every: float = 0.05

    def begin(self, audience: Audience) -> ForgetfulPlayer:
        return ForgetfulPlayer(self, audience)


@attrs.frozen
class ForgetfulPlayer:
    source: Forgetful
    audience: Audience
    symbols: tuple[str, ...] = ()

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        return None

    async def play(self) -> None:
        source, audience = self.source, self.audience
        forgets: str | None = None
        for count in itertools.count(1):
            await trio.sleep(source.every)
            if count == 3 // source.every:
                forgets = source.forgets
            elif forgets not in audience.streams and not source.for_good:
                forgets = None
            for stream in audience.streams:
                if stream != forgets:
                    audience.publish(stream, book(stream.partition("@")[0], count))


# Rows 7 and 8: it was well, and falls silent.


@pytest.mark.parametrize("fault", ["half_open", "mute"])
@pytest.mark.parametrize("limit", [None, 2.0, 0.5])
async def test_silence_ends_the_session_within_the_limit(
    autojump_clock: MockClock, fault: Any, limit: float | None
) -> None:
    async with (
        # Pings every second, which a mute exchange goes on sending: they are not data.
        open_world(
            reconnect=QUICK, stale_after=limit, exchange_options={"ping_seconds": 1.0}
        ) as world,
        world.adapter.subscribe(BOOK, gaps=True) as feed,
    ):
        await take(feed, 5)
        world.happened()
        broken_at = trio.current_time()
        world.exchange.break_connections(fault)
        _, gap = await take_until_gap(feed)
        noticed_after = trio.current_time() - broken_at
        new = await take(feed, 3)

        allowed = BOOK_LIMIT if limit is None else limit
        assert allowed - 0.2 < noticed_after < allowed * 1.25 + 0.2
        assert gap.reason == "disconnected"
        assert {event.session for event in new} == {2}
        assert world.reasons() == {"stale": 1}
        stale, ended = [e for e in world.happened() if isinstance(e, Stale | Disconnected)]
        assert (stale.stream, stale.channel) == (BOOK_STREAM, BOOK)
        assert stale.silent_seconds >= allowed
        assert ended.reason == "stale" and BOOK_STREAM in ended.detail
        # A dead peer gets no closing handshake: the socket was gone at once.
        first, second = world.network.ledger
        assert first.ended is not None and first.ended - broken_at < allowed * 1.25 + 0.2
        assert first.ended + QUICK.initial <= second.began


async def test_half_open_leaves_one_connection_on_either_side(autojump_clock: MockClock) -> None:
    async with (
        open_world(reconnect=QUICK, stale_after=1) as world,
        world.adapter.subscribe(BOOK, gaps=True) as feed,
    ):
        for _ in range(20):
            await take(feed, 2)
            world.exchange.break_connections("half_open")
            await take_until_gap(feed)
        await take(feed, 2)

        assert world.reasons() == {"stale": 20}
        assert world.adapter.statistics().sockets_open == 1
        assert world.network.ledger.open_now() == len(world.exchange.connections) == 1


# Rows 9 and 10: it never says anything.


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param("mute", "no reply", id="9 mute from connect on"),
        pytest.param("no_ack", "no reply", id="10 no acknowledgement"),
        pytest.param("ack_silence", "stale", id="10 acknowledged, then nothing"),
    ],
)
@pytest.mark.parametrize("limit", [None, 3.0])
async def test_silence_from_the_beginning(
    autojump_clock: MockClock, fault: Any, reason: str, limit: float | None
) -> None:
    plan = FaultPlan((Fault(fault, When(last=2)),))
    async with open_world(
        faults=plan,
        reconnect=QUICK,
        stale_after=limit,
        exchange_options={"ping_seconds": 1.0},
    ) as world:
        began = trio.current_time()
        async with world.adapter.subscribe(BOOK, gaps=True) as feed:
            async for event in feed:
                if not isinstance(event, Gap):
                    break
            found_after = trio.current_time() - began

            assert event.session == 3
            assert world.reasons() == {reason: 2}
            allowed = BOOK_LIMIT if limit is None else limit
            patience = 1 if limit is not None or reason == "no reply" else 2
            assert (1 + patience) * allowed < found_after < (1 + patience) * allowed * 1.25 + 2


async def test_a_stream_that_exists_nowhere_is_found_out(autojump_clock: MockClock) -> None:
    # USD-M acknowledges what it does not carry on this path, and never says another word.
    async with (
        open_world(reconnect=QUICK, stale_after=5, links=1) as world,
        world.adapter.subscribe(RawStream("ethusdc@unheardOf"), gaps=True) as feed,
    ):
        with trio.move_on_after(60):
            async for event in feed:
                assert isinstance(event, Gap)

        (stale, *_) = of_kind(world.happened(), Stale)
        assert stale.stream == "ethusdc@unheardOf"
        assert set(world.reasons()) == {"stale"}
        assert 4 <= world.reasons()["stale"] <= 60 / 5


@pytest.mark.parametrize("channel", [TRADES, BOOK, BestQuote("ETHUSDC")])
async def test_no_stream_is_asked_for_on_a_path_that_does_not_carry_it(
    autojump_clock: MockClock, channel: Any
) -> None:
    async with open_world() as world, world.adapter.subscribe(channel):
        (connection,) = world.exchange.connections
        (name,) = connection.subscriptions

        assert world.exchange.publish(name, {}) == 1


# Row 11: one stream is mute, the others live.


async def test_a_mute_stream_is_resubscribed_and_then_its_connection_is_replaced(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_world(reconnect=QUICK) as world,
        world.adapter.subscribe(BOOK, OTHER, gaps=True) as feed,
    ):
        await take(feed, 400)  # for as long as it takes to know its pace
        world.happened()
        began = trio.current_time()
        world.exchange.break_connections(Fault("mute_stream", stream=BOOK_STREAM))
        live, first = await take_until_gap(feed)
        first_after = trio.current_time() - began
        still_live, second = await take_until_gap(feed)
        second_after = trio.current_time() - began
        new = await take(feed, 10)

        assert (first.reason, first.channels) == ("resubscribed", (BOOK,))
        assert (second.reason, set(second.channels)) == ("disconnected", {BOOK, OTHER})
        assert BOOK_LIMIT < first_after < 1.25 * BOOK_LIMIT
        assert 2 * BOOK_LIMIT < second_after < 2.5 * BOOK_LIMIT
        # The others were not disturbed: 10 a second throughout.
        assert len(live) + len(still_live) >= 10 * second_after - 5
        assert {event.symbol for event in still_live} == {"BTCUSDC"}
        assert {event.symbol for event in new} == {"ETHUSDC", "BTCUSDC"}
        asked = [entry.detail for entry in world.exchange.log.of("request", connection=1)]
        assert ["UNSUBSCRIBE" in each for each in asked] == [False, True, False]
        assert all(OTHER_STREAM not in each for each in asked[1:])
        events = world.happened()
        assert [stale.stream for stale in of_kind(events, Stale)] == [BOOK_STREAM] * 2
        assert world.reasons() == {"stale": 1}


async def test_no_reconnect_follows_if_resubscribing_helps(autojump_clock: MockClock) -> None:
    async with (
        open_world(reconnect=QUICK, source=Forgetful(BOOK_STREAM)) as world,
        world.adapter.subscribe(BOOK, OTHER, gaps=True) as feed,
    ):
        _, gap = await take_until_gap(feed)
        new = await take(feed, 20)
        with trio.move_on_after(60):
            async for _ in feed:
                pass

        assert (gap.reason, gap.channels) == ("resubscribed", (BOOK,))
        assert gap.since_ns is not None
        assert {event.symbol for event in new} == {"ETHUSDC", "BTCUSDC"}
        assert world.adapter.statistics().sessions_opened == 1
        assert world.adapter.statistics().gaps == 1
        assert len(of_kind(world.happened(), Stale)) == 1


async def test_a_stream_that_has_ended_for_good_is_asked_ever_more_rarely(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_world(
            reconnect=QUICK, source=Forgetful(BOOK_STREAM, for_good=True, every=1), links=2
        ) as world,
        world.adapter.subscribe(BOOK, OTHER) as feed,
    ):
        with trio.move_on_after(3600):
            async for _ in feed:
                pass

        # The others are not disturbed.
        assert world.reasons() == {}
        stale = of_kind(world.happened(), Stale)
        assert all(event.stream == BOOK_STREAM and event.resubscribing for event in stale)
        assert 7 <= len(stale) <= 10


async def test_data_gives_the_patience_back(autojump_clock: MockClock) -> None:
    # The symbol is looked up between the third and the fourth.
    plan = FaultPlan((Fault("ack_silence", When(last=5)),))
    async with (
        open_world(reconnect=QUICK, faults=plan, links=2) as world,
        world.adapter.subscribe(BOOK, gaps=True) as feed,
    ):
        gaps, event = 0, await feed.receive()
        while isinstance(event, Gap):
            gaps, event = gaps + 1, await feed.receive()
        assert (gaps, event.session) == (4, 5)
        await take(feed, 20)
        muted_at = trio.current_time()
        world.exchange.break_connections("mute")
        await take_until_gap(feed)

        assert trio.current_time() - muted_at < 1.25 * BOOK_LIMIT


# Row 12: nothing comes, and nothing is wrong.


@pytest.mark.parametrize(
    ("venue", "pings"),
    [("usdm", None), ("spot", None), ("usdm", 7200.0)],
    ids=["usdm", "spot", "no pings"],
)
async def test_a_quiet_market_is_left_alone(
    autojump_clock: MockClock, venue: str, pings: float | None
) -> None:
    async with (
        # After a minute the symbols are looked up, once.
        open_world(
            venue=venue, source=Silent(), links=2, exchange_options={"ping_seconds": pings}
        ) as world,
        world.adapter.subscribe(TRADES, AggregateTrades("ETHUSDC"), gaps=True) as feed,
    ):
        world.happened()
        with trio.move_on_after(3600):
            await feed.receive()
        world.exchange.publish("ethusdc@trade", trade("ethusdc", 1))
        (event,) = await take(feed, 1)

        assert event.session == 1
        assert world.happened() == []
        assert world.reasons() == {}
        assert not world.exchange.log.of("violation")


async def test_half_open_under_a_quiet_market_is_found_by_a_ping(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_world(reconnect=QUICK, source=Silent(), links=2) as world,
        world.adapter.subscribe(TRADES, gaps=True) as feed,
    ):
        await trio.sleep(600)
        world.happened()
        broken_at = trio.current_time()
        world.exchange.break_connections("half_open")
        _, gap = await take_until_gap(feed)

        assert trio.current_time() - broken_at < 60
        assert gap.reason == "disconnected"
        (ended,) = of_kind(world.happened(), Disconnected)
        assert (ended.reason, ended.detail) == ("stale", "no answer to a ping in 10 s")


async def test_half_open_is_seen_in_time_though_a_quiet_stream_spoke_last(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_world(venue="spot", reconnect=QUICK, source=Silent()) as world,
        world.adapter.subscribe(BOOK, TRADES, gaps=True) as feed,
    ):
        world.exchange.publish(
            BOOK_STREAM,
            {"lastUpdateId": 1, "bids": [["3000.10", "1.5"]], "asks": [["3000.20", "2.5"]]},
        )
        await take(feed, 1)
        book_at = trio.current_time()
        await trio.sleep(3)
        world.exchange.publish("ethusdc@trade", trade("ethusdc", 1))
        await take(feed, 1)
        world.exchange.break_connections("half_open")
        _, gap = await take_until_gap(feed)

        assert gap.reason == "disconnected"
        assert trio.current_time() - book_at < 1.25 * BOOK_LIMIT


async def test_an_exchange_that_answers_no_ping_costs_a_bounded_number_of_dials(
    autojump_clock: MockClock,
) -> None:
    plan = FaultPlan((Fault("no_pong"),))
    async with (
        open_world(reconnect=QUICK, source=Silent(), faults=plan, links=2) as world,
        world.adapter.subscribe(TRADES),
    ):
        await trio.sleep(1800)

        # Each life lasts until the ping after 30 s has not been answered for 10.
        assert set(world.reasons()) == {"stale"}
        assert world.reasons()["stale"] <= 1800 / 40


# Back-pressure is not silence.


async def test_a_consumer_that_rests_for_minutes_makes_nothing_stale(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_world(reconnect=QUICK, stale_after=1) as world,
        world.adapter.subscribe(BOOK, buffer=4, gaps=True) as feed,
    ):
        before = await take(feed, 3)
        world.happened()
        await trio.sleep(480)
        after = await take(feed, 3000)

        assert world.happened() == []
        assert world.reasons() == {}
        # And nothing was lost: what waited in the network comes in order.
        ids = [event.update_id for event in before + after]
        assert ids == list(range(ids[0], ids[0] + len(ids)))


async def test_what_falls_silent_behind_a_resting_consumer_is_seen_when_it_reads_on(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_world(reconnect=QUICK, stale_after=2) as world,
        world.adapter.subscribe(BOOK, buffer=4, gaps=True) as feed,
    ):
        await trio.sleep(5)
        world.exchange.break_connections("half_open")
        await trio.sleep(60)
        assert world.reasons() == {}
        read_on_at = trio.current_time()
        _, gap = await take_until_gap(feed)

        assert trio.current_time() - read_on_at < 3
        assert gap.reason == "disconnected"
        assert world.reasons() == {"stale": 1}


async def read_for(feed: Feed[Any], seconds: float) -> None:
    with trio.move_on_after(seconds):
        async for _ in feed:
            pass


async def test_a_rest_is_not_counted_as_silence(autojump_clock: MockClock) -> None:
    async with (
        open_world(reconnect=QUICK, stale_after=8) as world,
        world.adapter.subscribe(BOOK, buffer=4) as feed,
        world.adapter.subscribe(OTHER) as other,
    ):
        await read_for(feed, 3.5)
        await take(other, 10)
        world.exchange.break_connections(Fault("mute_stream", stream=OTHER_STREAM))
        await trio.sleep(60)
        world.happened()
        await read_for(feed, 6)
        assert world.happened() == []
        await read_for(feed, 4)
        (stale,) = of_kind(world.happened(), Stale)

        assert stale.stream == OTHER_STREAM


async def test_a_rest_is_not_counted_as_waiting_for_an_answer(autojump_clock: MockClock) -> None:
    async with (
        open_world(reconnect=QUICK) as world,
        world.adapter.subscribe(BOOK, buffer=4) as feed,
    ):
        await read_for(feed, 3.5)
        world.exchange.break_connections("no_ack")
        await trio.sleep(5)
        with trio.fail_after(20), pytest.raises(SlowConsumer):
            async with world.adapter.subscribe(OTHER):
                raise AssertionError("unreachable")
        await read_for(feed, 8)
        assert world.reasons() == {}
        await read_for(feed, 4)

        assert world.reasons() == {"no reply": 1}


async def test_a_request_is_answered_while_the_consumer_of_another_feed_rests(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_world(reconnect=QUICK) as world,
        world.adapter.subscribe(BOOK, buffer=4, gaps=True) as feed,
    ):
        await read_for(feed, 3.5)
        await trio.sleep(0.5)  # the feed is full, and the link at rest
        with trio.fail_after(2):
            async with world.adapter.subscribe(OTHER, gaps=True) as other:
                await read_for(feed, 1)
                await take(other, 1)

        assert world.reasons() == {}


async def test_one_link_at_rest_does_not_excuse_another(autojump_clock: MockClock) -> None:
    async with (
        open_world(reconnect=QUICK, stale_after=2, links=2) as world,
        world.adapter.subscribe(BOOK, buffer=4, gaps=True),
        world.adapter.subscribe(Trades("BTCUSDC"), gaps=True) as trades,
    ):
        await take(trades, 2)
        world.exchange.break_connections("mute", route="/market")
        _, gap = await take_until_gap(trades)

        assert gap.reason == "disconnected"
        links = {link.route: link for link in world.adapter.statistics().links}
        assert links["market"].reconnects == {"stale": 1}
        assert links["public"].reconnects == {}


# Row 45: the process did not run, and what came then waits to be read.


@pytest.mark.parametrize("seconds", [3.0, 15.0, 25.0])
async def test_what_waits_after_a_stall_is_read_before_anything_is_judged(
    autojump_clock: MockClock, seconds: float
) -> None:
    async with (
        open_world(reconnect=QUICK, stale_after=2) as world,
        world.adapter.subscribe(BOOK, gaps=True) as feed,
    ):
        before = await take(feed, 5)
        world.happened()
        (connection,) = world.network.connections
        for _ in range(5):
            connection.stall()
            await trio.sleep(0.5)
            # The process stops here; the exchange has sent all the time.
            autojump_clock.jump(seconds)
            await trio.lowlevel.checkpoint()
            connection.resume()
            before += await take(feed, 5)

        assert world.happened() == []
        assert world.reasons() == {}
        ids = [event.update_id for event in before]
        assert ids == list(range(ids[0], ids[0] + len(ids)))


# Rows 42 and 43: it does not exist, or it is not traded; Binance acknowledges it all the same.


@attrs.frozen
class Listing:
    """Sends books of one symbol, and lists what a test wants."""

    listed: tuple[str, ...] = ("ETHUSDC", "ETHUSDT", "BTCUSDC")
    halted: tuple[str, ...] = ()
    every: float = 0.1

    def begin(self, audience: Audience) -> ListingPlayer:
        return ListingPlayer(self, audience)


@attrs.frozen
class ListingPlayer:
    source: Listing
    audience: Audience

    @property
    def symbols(self) -> tuple[str, ...]:
        return self.source.listed

    @property
    def statuses(self) -> dict[str, str]:
        return dict.fromkeys(self.source.halted, "BREAK")

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        return None

    async def play(self) -> None:
        for count in itertools.count(1):
            await trio.sleep(self.source.every)
            self.audience.publish(BOOK_STREAM, book("ethusdc", count))


@pytest.mark.parametrize("venue", ["usdm", "spot"])
@pytest.mark.parametrize(
    "channel",
    [Trades("ETHUDSC"), PartialBook("ethudsc", levels=5, interval_ms=100), OrderBook("ETHUDSC")],
)
async def test_a_mistyped_symbol_is_rejected_with_similar_names(
    autojump_clock: MockClock, venue: str, channel: Any
) -> None:
    async with (
        open_world(venue=venue, source=Listing(), links=3) as world,
        world.adapter.subscribe(channel) as typo,
    ):
        with pytest.raises(SubscriptionRejected, match="ETHUDSC") as caught, trio.fail_after(120):
            await typo.receive()

        assert caught.value.channel == channel
        assert caught.value.code == "unknown symbol"
        assert "did you mean ETHUSDC or ETHUSDT" in caught.value.message
        (rejected,) = of_kind(world.happened(), Rejected)
        assert rejected.error.code == "unknown symbol"
        assert typo.channels == ()
        await trio.sleep(5)
        assert all(not connection.subscriptions for connection in world.exchange.connections)


async def test_a_mistyped_symbol_does_not_disturb_the_others(autojump_clock: MockClock) -> None:
    typos = [PartialBook(name, levels=5, interval_ms=100) for name in ("ETHUSDX", "EHTUSDC")]
    async with (
        open_world(source=Listing(), links=2) as world,
        world.adapter.subscribe(*typos) as feed,
        world.adapter.subscribe(BOOK, overflow=Overflow.DROP_OLDEST, gaps=True) as books,
    ):
        rejected = []
        for _ in typos:
            with pytest.raises(SubscriptionRejected) as caught, trio.fail_after(120):
                await feed.receive()
            rejected.append(caught.value.channel)
        assert set(rejected) == set(typos)
        await trio.sleep(600)

        assert world.reasons() == {}
        async for batch in books.batches():
            gaps = {event.reason for event in batch if isinstance(event, Gap)}
            assert gaps <= {"overflow"}  # nobody has read meanwhile
            break
        now = world.adapter.statistics()
        assert now.rest is not None
        assert now.rest.requests == 1
        assert list(now.streams) == [BOOK_STREAM]


async def test_a_symbol_that_is_not_traded_is_reported_and_ends_no_connection(
    autojump_clock: MockClock,
) -> None:
    source = Listing(halted=("BTCUSDC",), every=1.0)
    async with (
        open_world(source=source, links=3) as world,
        world.adapter.subscribe(OTHER, TRADES, gaps=True) as feed,
        world.adapter.subscribe(BOOK, overflow=Overflow.DROP_OLDEST),
    ):
        with trio.move_on_after(3600):
            async for event in feed:
                assert isinstance(event, Gap)

        events = world.happened()
        (told,) = of_kind(events, NotTrading)
        assert (told.stream, told.channel, told.status) == (OTHER_STREAM, OTHER, "BREAK")
        # Asked for anew a few times before that, and never again.
        assert 1 <= len(of_kind(events, Stale)) <= 4
        assert world.reasons() == {}
        assert world.adapter.statistics().streams_silent == ()

        # It goes on when the exchange does, and is watched again.
        world.exchange.publish(OTHER_STREAM, book("btcusdc", 7))
        with trio.fail_after(1):
            event = await feed.receive()
            while isinstance(event, Gap):
                event = await feed.receive()
        assert event.update_id == 7
        await trio.sleep(15)
        assert world.adapter.statistics().streams_silent == (OTHER_STREAM,)


async def test_a_symbol_that_exists_and_is_quiet_ends_nothing(autojump_clock: MockClock) -> None:
    async with (
        open_world(source=Listing(every=1.0), links=2) as world,
        world.adapter.subscribe(OTHER, gaps=True) as feed,
        world.adapter.subscribe(BOOK, overflow=Overflow.DROP_OLDEST),
    ):
        for number in range(1, 140):
            with trio.move_on_after(25):
                while True:
                    await feed.receive()
            world.exchange.publish(OTHER_STREAM, book("btcusdc", number))

        assert world.reasons() == {}
        assert len(of_kind(world.happened(), Stale)) <= 3
        assert world.adapter.statistics().sessions_opened == 1


async def test_no_symbol_is_rejected_while_instruments_cannot_be_fetched(
    autojump_clock: MockClock,
) -> None:
    fault = Fault("http_status", When(first=2, last=9), status=503)
    async with (
        open_world(source=Listing(), faults=FaultPlan((fault,)), links=2) as world,
        world.adapter.subscribe(Trades("ETHUDSC")) as typo,
    ):
        # The ninth attempt comes after 72 s at the earliest: the waits between are random.
        with trio.move_on_after(65):
            await typo.receive()
        assert of_kind(world.happened(), Rejected) == []
        with pytest.raises(SubscriptionRejected), trio.fail_after(120):
            await typo.receive()
