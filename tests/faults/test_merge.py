"""Row 35 with `merge`: what breaks on one side at a time is not seen by the consumer at all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector import Adapter, open_adapter
from connector.channels import BestQuote, BookDeltas, PartialBook
from connector.events import Gap
from connector.exchanges import binance
from connector.exchanges.protocol import Exchange
from connector.merging.merge import MergedFeed, merge
from connector.testing import (
    Audience,
    Fault,
    FaultKind,
    MemoryNetwork,
    SimulatedExchange,
    When,
    open_exchange,
)
from tests.faults.world import QUICK, TRADES, narrowed, trade

EVERY_SECONDS = 0.05


@attrs.frozen
class Market:
    """Now and then one more event of everything that is subscribed."""

    every: float = EVERY_SECONDS

    def begin(self, audience: Audience) -> MarketPlayer:
        return MarketPlayer(self.every, audience)


@attrs.frozen
class MarketPlayer:
    every: float
    audience: Audience
    symbols: tuple[str, ...] = ()

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        return None

    async def play(self) -> None:
        number = 100
        while True:
            await trio.sleep(self.every)
            number += 1
            for stream in self.audience.streams:
                self.audience.publish(stream, payload(stream, number, self.audience.now_ms()))


def payload(stream: str, number: int, now_ms: int) -> dict[str, object]:
    symbol, _, kind = stream.partition("@")
    if kind == "trade":
        return trade(symbol, number, now_ms)
    common: dict[str, object] = {"E": now_ms, "T": now_ms, "s": symbol.upper(), "u": number}
    if kind == "bookTicker":
        return {**common, "e": "bookTicker", "b": "1", "B": "1", "a": "2", "A": "1"}
    sides = {"b": [["3000.10", "1.5"]], "a": [["3000.20", "2.5"]]}
    return {**common, **sides, "e": "depthUpdate", "U": number, "pu": number - 1}


@attrs.frozen
class Pair:
    exchange: SimulatedExchange
    network: MemoryNetwork
    adapters: tuple[Adapter, Adapter]
    merged: MergedFeed[Any]

    def strike_the_older(self, fault: Fault | FaultKind) -> None:
        """Each in turn: the one that was struck has the newer connection."""
        self.exchange.connections[0].strike(Fault(fault) if isinstance(fault, str) else fault)

    async def take_for(self, seconds: float) -> list[Any]:
        items: list[Any] = []
        with trio.move_on_after(seconds):
            while True:
                items.append(await self.merged.receive())
        return items

    def reasons(self) -> list[dict[str, int]]:
        return [dict(adapter.statistics().reconnects) for adapter in self.adapters]


@asynccontextmanager
async def open_pair(
    *channels: Any,
    venue: str = "usdm",
    every: float = EVERY_SECONDS,
    describe: Callable[[Exchange], Exchange] = lambda exchange: exchange,
    exchange_options: dict[str, Any] | None = None,
    **adapter_options: Any,
) -> AsyncIterator[Pair]:
    network = MemoryNetwork()
    kind = {"usdm": binance.UsdMFutures, "spot": binance.Spot}[venue]
    options = {"reconnect": QUICK, "dialer": network, **adapter_options}
    channels = channels or (TRADES,)
    async with (
        open_exchange(
            venue,  # type: ignore[arg-type]
            network=network,
            source=Market(every),
            **(exchange_options or {}),
        ) as exchange,
        open_adapter(describe(kind(endpoints=exchange.endpoints)), **options) as one,
        open_adapter(describe(kind(endpoints=exchange.endpoints)), **options) as other,
        one.subscribe(*channels, gaps=True) as feed,
        other.subscribe(*channels, gaps=True) as copy,
    ):
        yield Pair(exchange, network, (one, other), merge(feed, copy))
    assert network.ledger.open_now() == 0


def check_complete(items: list[Any]) -> None:
    assert not [item for item in items if isinstance(item, Gap)]
    numbers = [item.trade_id for item in items]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


FAULTS: tuple[FaultKind, ...] = (
    "close",
    "close_and_hold",
    "fin",
    "reset",
    "half_open",
    "mute",
    "mute_stream",
    "bad_reserved_bits",
    "bad_opcode",
    "bad_utf8",
    "oversized",
    "truncated_json",
    "duplicate_frames",
)


@pytest.mark.parametrize("kind", FAULTS)
async def test_every_trade_once_whatever_breaks_each_side_in_turn(
    autojump_clock: MockClock, kind: FaultKind
) -> None:
    async with open_pair(stale_after=2) as pair:
        items = await pair.take_for(2)
        for _ in range(4):
            pair.strike_the_older(kind)
            items += await pair.take_for(8)

        check_complete(items)
        assert len(items) == pytest.approx(34 / EVERY_SECONDS, abs=3)
        if kind not in ("truncated_json", "duplicate_frames"):
            assert all(sum(reasons.values()) >= 2 for reasons in pair.reasons())
            assert all(side.lost > 0 and side.gaps >= 2 for side in sides(pair))


def sides(pair: Pair) -> Any:
    return pair.merged.statistics().sides


async def test_a_reconnect_on_purpose_is_not_seen(autojump_clock: MockClock) -> None:
    async with open_pair() as pair:
        items = []
        for turn in range(20):
            pair.adapters[turn % 2].reconnect()
            items += await pair.take_for(1.5)

        check_complete(items)
        assert pair.reasons() == [{"requested": 10}, {"requested": 10}]


async def test_all_channels_of_a_symbol_in_one_feed(autojump_clock: MockClock) -> None:
    channels = (
        TRADES,
        BestQuote("ETHUSDC"),
        PartialBook("ETHUSDC", levels=5),
        BookDeltas("ETHUSDC"),
    )
    async with open_pair(*channels) as pair:
        items = []
        for _ in range(4):
            pair.strike_the_older("reset")
            pair.exchange.connections[0].strike(Fault("close"))
            items += await pair.take_for(3)

        by_type: dict[type, list[int]] = {}
        for item in items:
            number = getattr(item, "trade_id", getattr(item, "update_id", None))
            by_type.setdefault(type(item), []).append(
                item.last_update_id if number is None else number
            )
        assert len(by_type) == 4
        for numbers in by_type.values():
            assert len(numbers) == pytest.approx(12 / EVERY_SECONDS, abs=3)
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


async def test_what_both_sides_lose_is_one_gap_with_its_size(autojump_clock: MockClock) -> None:
    async with open_pair() as pair:
        before = await pair.take_for(1)
        pair.exchange.break_connections("reset")
        after = await pair.take_for(5)

        (index,) = [n for n, item in enumerate(after) if isinstance(item, Gap)]
        gap = after[index]
        complete = before + after[:index]
        check_complete(complete)
        check_complete(after[index + 1 :])
        assert gap.dropped == after[index + 1].trade_id - complete[-1].trade_id - 1 > 0
        assert gap.channels == (TRADES,)
        assert pair.merged.statistics().gaps == 1


# --- planned ends


async def test_connections_that_reach_their_age_are_renewed_without_a_gap(
    autojump_clock: MockClock,
) -> None:
    lifetime = 920.0
    async with open_pair(
        every=0.4,
        describe=narrowed(lifetime_seconds=lifetime),
        exchange_options={"lifetime_seconds": lifetime},
    ) as pair:
        items = await pair.take_for(lifetime - 250)  # its margin is 300 s at least

        check_complete(items)
        assert all(reasons.keys() == {"age"} for reasons in pair.reasons())


async def test_a_planned_end_does_not_wait_for_ever_for_a_side_that_is_down(
    autojump_clock: MockClock,
) -> None:
    lifetime = 920.0
    async with open_pair(
        every=1.0,
        describe=narrowed(lifetime_seconds=lifetime),
        exchange_options={"lifetime_seconds": lifetime},
    ) as pair:
        await pair.take_for(1)
        pair.exchange.inject(Fault("http_status", When(first=3), status=503))
        pair.strike_the_older("reset")
        await pair.take_for(lifetime - 300 + 60 + 5)

        assert pair.reasons()[1]["age"] == 1


@pytest.mark.parametrize("notice", [5.0, 10.0, 600.0])
async def test_a_shutdown_announced_to_both_at_once_is_no_gap(
    autojump_clock: MockClock, notice: float
) -> None:
    async with open_pair(venue="spot") as pair:
        items = await pair.take_for(1)
        for _ in range(4):
            pair.exchange.break_connections(Fault("server_shutdown", after_seconds=notice))
            items += await pair.take_for(12)

        check_complete(items)
        assert pair.reasons() == [{"shutdown": 4}, {"shutdown": 4}]
