"""What one process publishes, another one has: the same frames, once, and a Gap where one was."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import attrs
import pytest
import trio

pytest.importorskip("coredis", reason="the extra [redis] is not installed")

from connector import Adapter, ConfigError, Overflow, Reconnect, open_adapter
from connector.app.redis import Publisher, RedisSink, RedisSource
from connector.channels import BestQuote, RawStream, Trades
from connector.events import Gap
from connector.exchanges import binance
from connector.testing import SimulatedExchange, open_exchange
from tests.app.redis.conftest import Server
from tests.faults.world import trade

TRADES = Trades("ETHUSDC")
STREAM = "ethusdc@trade"
PATIENCE_SECONDS = 30.0


@attrs.frozen
class World:
    """A publisher that is connected to an exchange, in one process; readers come beside it."""

    server: Server
    exchange: SimulatedExchange
    adapter: Adapter
    publisher: Publisher

    def source(self, **settings: Any) -> RedisSource:
        return RedisSource(url=self.server.url, **settings)

    def publish(self, *numbers: int) -> None:
        for number in numbers:
            self.exchange.publish(STREAM, trade("ethusdc", number))

    async def until_published(self, frames: int) -> None:
        while self.publisher.statistics().frames < frames:
            await trio.sleep(0.01)


@asynccontextmanager
async def open_world(server: Server, **sink: Any) -> AsyncIterator[World]:
    with trio.fail_after(PATIENCE_SECONDS):
        async with (
            open_exchange("usdm") as exchange,
            open_adapter(
                binance.UsdMFutures(endpoints=exchange.endpoints),
                reconnect=Reconnect(initial=0.02, jitter="none"),
            ) as adapter,
            RedisSink(url=server.url, **sink).open() as publisher,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(publisher.publish, adapter, TRADES)
            world = World(server, exchange, adapter, publisher)
            while not adapter.statistics().streams:
                await trio.sleep(0.01)
            await adapter.wait_connected()
            yield world
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def reading(source: RedisSource, **options: Any) -> AsyncIterator[Any]:
    async with (
        open_adapter(binance.UsdMFutures(), source=source) as adapter,
        adapter.subscribe(TRADES, gaps=True, **options) as feed,
    ):
        yield feed


async def take(feed: Any, count: int) -> list[Any]:
    return [shown(await feed.receive()) for _ in range(count)]


def shown(item: Any) -> Any:
    return item.reason if isinstance(item, Gap) else item.trade_id


async def test_another_adapter_has_the_same_events(server: Server) -> None:
    async with open_world(server) as world, world.adapter.subscribe(TRADES) as original:
        async with reading(world.source()) as feed:
            world.publish(*range(1, 501))
            copies = [await feed.receive() for _ in range(500)]
            originals = [await original.receive() for _ in range(500)]

    assert [repr(event) for event in copies] == [repr(event) for event in originals]
    assert {event.session for event in copies} == {1}


async def test_a_late_reader_begins_with_new_entries_or_with_the_oldest(server: Server) -> None:
    async with open_world(server) as world:
        world.publish(1, 2)
        await world.until_published(2)
        async with (
            reading(world.source()) as late,
            reading(world.source(start="oldest")) as curious,
        ):
            world.publish(3)
            assert await take(late, 1) == [3]
            assert await take(curious, 3) == [1, 2, 3]


async def test_a_gap_of_the_publisher_is_a_gap_of_every_reader(server: Server) -> None:
    async with open_world(server) as world, reading(world.source()) as feed:
        world.publish(1)
        assert await take(feed, 1) == [1]
        world.exchange.break_connections("reset")
        gap = await feed.receive()
        assert (gap.reason, gap.channels) == ("disconnected", (TRADES,))
        await world.adapter.wait_connected()
        world.publish(5)
        event = await feed.receive()
        assert (event.trade_id, event.session) == (5, 2)


async def test_redis_is_killed_and_comes_back_and_nothing_is_missed(server: Server) -> None:
    async with open_world(server) as world, reading(world.source()) as feed:
        number = 0
        for _ in range(3):
            world.publish(*range(number + 1, number + 51))
            number += 50
            await trio.sleep(0.05)
            server.kill()
            world.publish(*range(number + 1, number + 51))
            number += 50
            await trio.sleep(0.2)
            server.run()
            world.publish(number + 1)
            number += 1
            await world.until_published(number)

        assert await take(feed, number) == list(range(1, number + 1))
        assert world.publisher.statistics().outages >= 1


async def test_what_redis_has_lost_is_sent_again(server: Server) -> None:
    async with open_world(server) as world:
        world.publish(*range(1, 101))
        await world.until_published(100)
        async with reading(world.source()) as feed:
            world.publish(101)
            assert await take(feed, 1) == [101]
            server.kill()
            server.forget()
            server.run()
            world.publish(102)
            # Not what it had read before, although it is there once more.
            assert await take(feed, 1) == [102]
        async with reading(world.source(start="oldest")) as everything:
            assert await take(everything, 102) == list(range(1, 103))
        assert world.publisher.statistics().resent > 0


async def test_what_is_trimmed_before_it_was_read_is_a_gap(server: Server) -> None:
    async with open_world(server, maxlen=1) as world:
        async with reading(world.source(), buffer=1) as feed:
            world.publish(1)
            assert await take(feed, 1) == [1]
            # Redis trims whole nodes of 100 entries: each of these is an entry of its own.
            for number in range(2, 402):
                world.publish(number)
                await world.until_published(number)
            seen = [await take(feed, 1)]
            while seen[-1] != [401]:
                seen.append(await take(feed, 1))

    assert ["trimmed"] in seen
    assert len(seen) < 400


async def test_a_publisher_that_begins_anew_is_a_gap(server: Server) -> None:
    source = RedisSource(url=server.url)
    with trio.fail_after(PATIENCE_SECONDS):
        async with reading(source) as feed:
            for first in (1, 10):
                async with open_world(server) as world:
                    world.publish(first)
                    await world.until_published(1)
            assert await take(feed, 3) == [1, "restarted", 10]


async def test_a_slow_redis_holds_back_or_drops_and_tells(server: Server) -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        async with (
            open_exchange("usdm") as exchange,
            open_adapter(binance.UsdMFutures(endpoints=exchange.endpoints)) as adapter,
            RedisSink(url=server.url).open() as publisher,
            reading(RedisSource(url=server.url)) as feed,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(
                lambda: publisher.publish(adapter, TRADES, buffer=4, overflow=Overflow.DROP_OLDEST)
            )
            while not adapter.statistics().streams:
                await trio.sleep(0.01)
            await adapter.wait_connected()
            server.kill()
            for number in range(1, 31):
                exchange.publish(STREAM, trade("ethusdc", number))
                await trio.sleep(0.01)
            server.run()
            seen: list[Any] = []
            while not seen or seen[-1] != 30:
                seen += await take(feed, 1)
            nursery.cancel_scope.cancel()

    assert "overflow" in seen
    assert publisher.statistics().losses >= 1


# --- consumer groups


async def test_a_group_shares_the_work(server: Server) -> None:
    async with open_world(server) as world:
        members = [world.source(group="workers", consumer=name) for name in ("a", "b")]
        seen: list[list[int]] = [[], []]

        async def work(mine: list[int], member: RedisSource) -> None:
            async with reading(member) as feed:
                async for batch in feed.batches():
                    mine += [event.trade_id for event in batch if not isinstance(event, Gap)]

        async with trio.open_nursery() as nursery:
            for mine, member in zip(seen, members, strict=True):
                nursery.start_soon(work, mine, member)
            await trio.sleep(0.5)
            for number in range(1, 101):
                world.publish(number)
                await trio.sleep(0.005)
            while sum(map(len, seen)) < 100:
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()

        assert sorted(seen[0] + seen[1]) == list(range(1, 101))
        assert all(seen)


async def test_a_member_that_crashed_goes_on_where_it_was(server: Server) -> None:
    async with open_world(server) as world:
        member = world.source(group="g", consumer="c", unacknowledged=8)
        async with reading(member, buffer=8) as feed:
            for number in range(1, 51):
                world.publish(number)
                await world.until_published(number)
            assert await take(feed, 30) == list(range(1, 31))
        for number in range(51, 61):
            world.publish(number)
            await world.until_published(number)
        async with reading(member, buffer=8) as feed:
            again = [await take(feed, 1)]
            while again[-1] != [60]:
                again.append(await take(feed, 1))

        numbers = [number for (number,) in again]
        # At least once: nothing is missing, and some of what was read comes once more.
        assert numbers == list(range(numbers[0], 61))
        assert 20 <= numbers[0] <= 31


# --- another process


PROGRAM = """
import sys, trio
from connector import open_adapter
from connector.app.redis import RedisSource
from connector.channels import Trades
from connector.exchanges import binance

async def main():
    async with open_adapter(binance.UsdMFutures(), source=RedisSource(url=sys.argv[1])) as adapter:
        async with adapter.subscribe(Trades("ETHUSDC")) as trades:
            print("ready", flush=True)
            for _ in range(20):
                print((await trades.receive()).trade_id, flush=True)

trio.run(main)
"""


async def test_a_reader_in_another_process(server: Server) -> None:
    async with open_world(server) as world, trio.open_nursery() as nursery:
        command = [sys.executable, "-c", PROGRAM, server.url]
        start = await nursery.start(partial(trio.run_process, command, stdout=subprocess.PIPE))
        output = b""
        async for chunk in start.stdout:
            if not output.startswith(b"ready") and (output + chunk).startswith(b"ready"):
                world.publish(*range(1, 21))
            output += chunk

    assert output.split() == [b"ready", *(str(number).encode() for number in range(1, 21))]


# --- what cannot work


def test_settings_that_cannot_work_are_refused() -> None:
    for settings in ({"group": "g"}, {"consumer": "c"}, {"start": "now"}, {"unacknowledged": 0}):
        with pytest.raises(ConfigError):
            RedisSource(**settings)  # type: ignore[arg-type]
    for options in ({"maxlen": 0}, {"tail": 0}):
        with pytest.raises(ConfigError):
            RedisSink(**options)
    assert "secret" not in repr(RedisSource(url="redis://user:secret@host"))
    assert "secret" not in repr(RedisSink(url="redis://user:secret@host"))


async def test_a_key_of_another_kind_is_an_error_that_says_so(server: Server) -> None:
    from connector.app.redis.client import Patience, RedisRefused, open_redis

    with trio.fail_after(PATIENCE_SECONDS):
        async with open_redis(server.url) as client:
            key = f"connector:binance_usdm:{STREAM}"
            await Patience(client).until_done(lambda: client.set(key, "1"))
        with pytest.raises(RedisRefused, match="wrong kind"):
            async with reading(RedisSource(url=server.url)) as feed:
                await feed.receive()


async def test_other_channels_may_be_read_later_and_left(server: Server) -> None:
    quotes = BestQuote("ETHUSDC")
    async with open_world(server) as world, reading(world.source()) as feed:
        await feed.add(quotes)
        await feed.discard(quotes)
        world.publish(1)
        assert await take(feed, 1) == [1]


async def test_a_raw_stream_is_the_payload_as_it_came(server: Server) -> None:
    async with (
        open_world(server) as world,
        open_adapter(binance.UsdMFutures(), source=world.source()) as adapter,
        adapter.subscribe(RawStream(STREAM)) as raw,
    ):
        world.publish(1)
        assert b'"t":1,' in (await raw.receive()).data
