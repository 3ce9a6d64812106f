"""The sink redis with frames: adapters elsewhere have the events of what ``connector run`` runs."""

from __future__ import annotations

import sys

import pytest
import trio

pytest.importorskip("coredis", reason="the extra [redis] is not installed")

from connector import ConfigError, Feed, open_adapter
from connector.app.redis import RedisSource
from connector.app.running.configuration import Misconfigured, read_configuration
from connector.app.running.service import open_service
from connector.app.running.sinks import RedisEvents, RedisFrames
from connector.app.running.venues import open_simulated_world
from connector.app.secret import Secret
from connector.channels import Trades
from connector.events import Gap, Trade
from connector.exchanges import binance
from tests.app.redis.conftest import Server

TEMPLATE = """
[adapters.futures]
exchange = "binance_usdm"

[groups.ticks]
adapter = "futures"
channels = ["trades:ETHUSDC", "order_book:ETHUSDC"]

[[sinks]]
kind = "redis"
what = "frames"
url = "{url}"
"""


async def take(feed: Feed[Trade | Gap], count: int) -> list[Trade | Gap]:
    return [await feed.receive() for _ in range(count)]


async def test_another_adapter_reads_what_a_run_publishes(server: Server) -> None:
    configuration = read_configuration(TEMPLATE.format(url=server.url))
    source = RedisSource(url=server.url, start="oldest")
    with trio.fail_after(30):
        async with (
            open_simulated_world(configuration) as world,
            open_service(configuration, world) as service,
            open_adapter(binance.UsdMFutures(), source=source) as reader,
            reader.subscribe(Trades("ETHUSDC"), gaps=True) as trades,
        ):
            before = await take(trades, 5)
            world.exchanges["binance_usdm"].break_connections("reset")
            after: list[Trade | Gap] = []
            while not (after and isinstance(after[-1], Gap)):
                after += await take(trades, 1)
            after += await take(trades, 3)
            frames = service.slots["redis"].events

    ids = [each.trade_id for each in before if isinstance(each, Trade)]
    assert ids == list(range(ids[0], ids[0] + 5))
    (gap,) = [each for each in after if isinstance(each, Gap)]
    assert gap.reason == "disconnected"
    assert frames >= len(before) + len(after) - 1


def test_what_says_which_of_the_two_it_is() -> None:
    frames = TEMPLATE.format(url="redis://127.0.0.1:1")
    events = frames.replace('what = "frames"', 'what = "events"')

    assert isinstance(read_configuration(frames).sinks["redis"].settings, RedisFrames)
    assert isinstance(read_configuration(events).sinks["redis"].settings, RedisEvents)

    with pytest.raises(Misconfigured) as raised:
        read_configuration(frames.replace('what = "frames"', 'what = "frame"'))
    assert str(raised.value) == (
        "line 11: sinks[0].what: unknown choice 'frame'; did you mean 'frames'?"
    )
    with pytest.raises(Misconfigured, match="unknown key 'encoding'") as raised:
        read_configuration(frames + 'encoding = "json"\n')
    assert len(raised.value.mistakes) == 1


async def test_a_secret_url_is_read_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    with pytest.raises(ConfigError, match="REDIS_URL"):
        async with RedisFrames(url=Secret(env="REDIS_URL")).open():
            pass


async def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "connector.app.redis", None)
    with pytest.raises(ConfigError, match=r"trio-connector\[redis\]"):
        async with RedisFrames().open():
            pass
