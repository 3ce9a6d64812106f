"""The sink redis: batches of events under the group's key, once, also over a restart of Redis."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import trio

pytest.importorskip("coredis", reason="the extra [redis] is not installed")

from connector import ConfigError
from connector.app.redis import RedisSink, RedisSource
from connector.app.redis.client import Patience, RedisRefused, open_redis
from connector.app.running.sinks import KINDS, Batch, RedisEvents
from connector.app.secret import Secret
from connector.channels import Trades
from connector.events import BookView, Event, Gap, Level, RawMessage
from connector.exchanges import binance
from connector.lifecycle import Connected
from tests.app.redis.conftest import Server
from tests.faults.world import trade

KEY = "connector:binance_usdm:ticks"


def event_of(number: int, numbers: Any = float) -> Event:
    payload = json.dumps(trade("ethusdc", number)).encode()
    event = binance.UsdMFutures(numbers=numbers).stream(Trades("ETHUSDC")).decode(payload)
    assert isinstance(event, Event)
    return event


def batch(*events: Event) -> Batch:
    return Batch("futures", "binance_usdm", "ticks", events)


async def read_back(server: Server, key: str = KEY) -> list[dict[bytes, bytes]]:
    async with open_redis(server.url) as client:
        return [dict(found.field_values) for found in await client.xrange(key)]  # type: ignore[arg-type]


async def test_a_batch_is_an_entry_with_its_events_in_order(server: Server) -> None:
    gap = Gap(symbol="", channels=(Trades("ETHUSDC"),), reason="disconnected")
    async with RedisEvents(url=server.url).open() as sink:
        await sink.write(batch(event_of(1), gap, event_of(3)))
        await sink.mark("futures", Connected(link="binance_usdm/market", session=1))
        await sink.write(batch(event_of(4)))

    first, second = await read_back(server)
    events = json.loads(first[b"events"])
    assert [each["type"] for each in events] == ["Trade", "Gap", "Trade"]
    assert [each.get("trade_id") for each in events] == [1, None, 3]
    assert events[1]["channels"] == ["trades:ETHUSDC"]
    assert [entry[b"number"] for entry in (first, second)] == [b"1", b"2"]
    assert first[b"run"] == second[b"run"]


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
async def test_both_encodings_say_the_same(server: Server, encoding: Any) -> None:
    view = BookView(symbol="ETHUSDC", bids=(Level(1.0, 2.0),), asks=(), synced=True)
    raw = RawMessage(symbol="", stream="!x", data=b'{"a":[1]}')
    async with RedisEvents(url=server.url, encoding=encoding).open() as sink:
        await sink.write(batch(event_of(1, Decimal), view, raw))

    (entry,) = await read_back(server)
    decode = {"json": json.loads, "msgpack": msgspec.msgpack.decode}[encoding]
    one, book, message = decode(entry[b"events"])
    assert one["price"] == "3000.10"
    assert book["bids"] == [[1.0, 2.0]]
    assert message["data"] == ({"a": [1]} if encoding == "json" else raw.data)


async def test_what_redis_has_lost_meanwhile_is_written_again(server: Server) -> None:
    with trio.fail_after(30):
        async with RedisEvents(url=server.url).open() as sink:
            for number in range(1, 6):
                await sink.write(batch(event_of(number)))
            server.kill()
            server.forget()
            server.run()
            await sink.write(batch(event_of(6)))

        numbers = [json.loads(entry[b"events"])[0]["trade_id"] for entry in await read_back(server)]
    assert numbers == [1, 2, 3, 4, 5, 6]


async def test_a_redis_that_does_not_want_it_is_an_error(server: Server) -> None:
    with trio.fail_after(30):
        async with open_redis(server.url) as client:
            await Patience(client).until_done(lambda: client.set(KEY, "1"))
        with pytest.raises(RedisRefused, match="wrong kind"):
            async with RedisEvents(url=server.url).open() as sink:
                await sink.write(batch(event_of(1)))


async def test_a_secret_url_is_read_where_it_is(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", server.url)
    with trio.fail_after(30):
        async with RedisEvents(url=Secret(env="REDIS_URL")).open() as sink:
            await sink.write(batch(event_of(1)))
        assert len(await read_back(server)) == 1
    with pytest.raises(ConfigError, match="NO_SUCH"):
        async with RedisEvents(url=Secret(env="NO_SUCH")).open():
            pass


async def test_a_secret_that_is_no_address_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "hunter2:6379")

    with pytest.raises(ConfigError, match="not a Redis URL") as raised:
        async with RedisEvents(url=Secret(env="REDIS_URL")).open():
            pass

    assert "hunter2" not in str(raised.value)
    for kind in (RedisSink, RedisSource):
        with pytest.raises(ConfigError, match="not a Redis URL"):
            kind(url="127.0.0.1:6379")


async def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "connector.app.redis.client", None)

    with pytest.raises(ConfigError, match=r"trio-connector\[redis\]"):
        async with RedisEvents().open():
            pass


def test_a_configuration_says_kind_redis() -> None:
    settings = msgspec.convert({"url": {"env": "REDIS_URL"}, "maxlen": 5}, KINDS["redis"])

    assert settings == RedisEvents(url=Secret(env="REDIS_URL"), maxlen=5)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"encoding": "xml"}, KINDS["redis"])
