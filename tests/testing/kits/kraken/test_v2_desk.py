"""How the simulated channels of WebSocket v2 begin: kraken §3, §8b."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from connector.testing import MemoryNetwork, OrderFlow, open_exchange


@attrs.define(eq=False)
class Listener:
    """Keeps what it is sent."""

    frames: list[Any] = attrs.Factory(list)
    combined: bool = False

    def deliver(self, stream: str, data: bytes, frame: bytes | None = None) -> bool:
        self.frames.append(json.loads(data))
        return True

    async def wait_room(self, most_bytes: int) -> None:
        raise AssertionError


async def frames_of(
    mock_clock: MockClock, venue: Any, symbol: str, *streams: str
) -> list[list[Any]]:
    """What each stream brings from its first moment on, an hour after the exchange has opened."""
    flow = OrderFlow(symbols=(symbol,), rate_per_second=2)
    async with open_exchange(venue, source=flow, network=MemoryNetwork()) as exchange:
        market: Any = exchange._player
        await wait_all_tasks_blocked()
        mock_clock.jump(3600)
        market.advance()
        listeners = []
        for stream in streams:
            name = f"{stream}:{symbol}" if stream.partition("-")[0] != "instrument" else stream
            listeners.append(Listener([json.loads(each) for each in market.first(name)]))
            exchange._audience.add(name, listeners[-1])
        mock_clock.jump(30)
        await wait_all_tasks_blocked()
        return [listener.frames for listener in listeners]


@pytest.mark.parametrize(
    ("venue", "symbol"), [("kraken", "BTC/USD"), ("kraken_unified", "PF_XBTUSD")]
)
async def test_a_channel_begins_as_it_was_asked_to(
    mock_clock: MockClock, venue: str, symbol: str
) -> None:
    pairs = {
        "book-10": "book-10-changes",
        "ticker-trades": "ticker-trades-changes",
        "trade-history": "trade",
        "ohlc-1-history": "ohlc-1",
    }
    frames = await frames_of(mock_clock, venue, symbol, *pairs, *pairs.values())
    for whole, changes in zip(frames[: len(pairs)], frames[len(pairs) :], strict=True):
        assert whole[0]["type"] == "snapshot"
        assert whole[1:] == changes
        assert changes
        assert {each["type"] for each in changes} == {"update"}


async def test_instruments_without_a_snapshot_say_nothing(mock_clock: MockClock) -> None:
    whole, changes = await frames_of(
        mock_clock, "kraken_unified", "PF_XBTUSD", "instrument", "instrument-changes"
    )
    assert [each["type"] for each in whole] == ["snapshot"]
    assert changes == []


async def test_the_snapshot_of_candles_has_the_closed_ones_and_the_open_one(
    mock_clock: MockClock,
) -> None:
    ((snapshot, *updates),) = await frames_of(mock_clock, "kraken", "BTC/USD", "ohlc-5-history")
    begins = [row["interval_begin"] for row in snapshot["data"]]
    assert len(begins) > 10
    assert begins == sorted(set(begins))
    assert updates[0]["data"][0]["interval_begin"] >= begins[-1]
    assert all(row["trades"] for row in snapshot["data"])
