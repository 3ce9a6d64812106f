"""A Redis that is mute, full, lonely or no primary any more: told, waited for, and then used."""

from __future__ import annotations

import logging
import ssl
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

pytest.importorskip("coredis", reason="the extra [redis] is not installed")

from connector.app.redis import RedisSource
from connector.app.redis.client import Patience, RedisAway, RedisRefused, open_redis
from connector.app.running.sinks import RedisEvents
from tests.app.redis.conftest import Server, free_port
from tests.app.redis.test_sinks import batch, event_of, read_back
from tests.app.redis.test_source import open_world, reading, take

SECONDS = 0.3
"""What Redis has for an answer here."""


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await trio.sleep(0.01)


async def command(server: Server, *words: Any) -> None:
    """Say something to Redis, without a library that would wait."""
    stream = await trio.open_tcp_stream("127.0.0.1", server.port)
    async with stream:
        await stream.send_all((" ".join(map(str, words)) + "\r\n").encode())
        answer = await stream.receive_some()
        assert answer.startswith((b"+", b"*")), answer


async def test_a_redis_that_is_mute_is_away_and_comes_back(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "connector.redis")
    async with open_world(server, timeout=SECONDS) as world:
        async with reading(world.source(timeout=SECONDS)) as feed:
            world.publish(*range(1, 6))
            assert await take(feed, 5) == [1, 2, 3, 4, 5]
            server.freeze()
            world.publish(*range(6, 11))
            await until(lambda: world.publisher.statistics().away)
            statistics = world.publisher.statistics()
            world.publish(*range(11, 16))
            await trio.sleep(3 * SECONDS)
            server.thaw()
            assert await take(feed, 10) == [*range(6, 16)]
            await until(lambda: not world.publisher.statistics().away)

    assert statistics.outages == 1
    assert "no answer within 0.3 s" in statistics.away_reason
    told = [record.getMessage() for record in caplog.records if record.name == "connector.redis"]
    assert any(text.startswith("Redis is not reachable: ") for text in told)
    assert any(text.startswith("Redis is reachable again seconds=") for text in told)


async def test_a_redis_that_is_mute_from_the_beginning(server: Server) -> None:
    async with open_redis(server.url) as client:
        await Patience(client).until_done(client.ping)
    server.freeze()
    with trio.fail_after(30):
        async with RedisEvents(url=server.url, timeout=SECONDS).open() as sink:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(sink.write, batch(event_of(1)))
                await until(lambda: sink.statistics().away)
                server.thaw()
        assert len(await read_back(server)) == 1


@pytest.mark.parametrize(
    ("begin", "end", "code"),
    [
        ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0", "NOREPLICAS"),
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "OOM"),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "READONLY"),
    ],
)
async def test_what_passes_is_waited_for(server: Server, begin: str, end: str, code: str) -> None:
    async with open_world(server, timeout=5.0) as world, reading(world.source()) as feed:
        world.publish(1, 2)
        assert await take(feed, 2) == [1, 2]
        await command(server, begin)
        world.publish(3, 4)
        await until(lambda: world.publisher.statistics().away)
        assert world.publisher.statistics().away_reason.startswith(code)
        world.publish(5)
        await command(server, end)
        world.publish(6)
        assert await take(feed, 4) == [3, 4, 5, 6]


async def test_a_script_that_runs_is_waited_for(server: Server) -> None:
    async with open_world(server) as world, reading(world.source()) as feed:
        world.publish(1)
        assert await take(feed, 1) == [1]
        await command(server, "CONFIG SET lua-time-limit 10")
        async with trio.open_nursery() as nursery:
            stream = await trio.open_tcp_stream("127.0.0.1", server.port)
            nursery.start_soon(stream.send_all, b"EVAL 'while true do end' 0\r\n")
            await trio.sleep(0.1)
            world.publish(2)
            await until(lambda: world.publisher.statistics().away)
            assert world.publisher.statistics().away_reason.startswith("BUSY")
            await command(server, "SCRIPT KILL")
        assert await take(feed, 1) == [2]
        await stream.aclose()


async def test_readers_survive_a_failover(server: Server) -> None:
    """Who waits in a blocking read when the primary becomes a replica is told ``UNBLOCKED``."""
    async with open_world(server) as world:
        member = world.source(group="g", consumer="one")
        async with reading(world.source()) as feed, reading(member) as shared:
            for number in range(1, 6):
                world.publish(number)
                assert await take(feed, 1) == await take(shared, 1) == [number]
                await command(server, "REPLICAOF 127.0.0.1 1")
                await trio.sleep(0.05)
                await command(server, "REPLICAOF NO ONE")


async def test_a_group_that_redis_has_lost_is_made_anew(server: Server) -> None:
    async with open_world(server) as world:
        async with reading(world.source(group="g", consumer="one")) as feed:
            world.publish(1, 2)
            assert await take(feed, 2) == [1, 2]
            server.kill()
            server.forget()
            server.run()
            world.publish(3)
            assert await take(feed, 1) == [3]


async def test_how_long_to_wait_can_be_chosen(server: Server) -> None:
    server.kill()
    with trio.fail_after(30):
        with pytest.raises(RedisAway, match=r"^Redis has not been reachable for 0.2 s: .*refused"):
            async with RedisEvents(url=server.url, away_limit=0.2).open() as sink:
                await sink.write(batch(event_of(1)))
        with pytest.raises(RedisAway):
            async with reading(RedisSource(url=server.url, away_limit=0.2)) as feed:
                await feed.receive()


@pytest.fixture
def without_xadd(tmp_path: Path, server: Server) -> Server:
    server.kill()
    server.config = tmp_path / "redis.conf"
    server.config.write_text('rename-command XADD ""\n')
    server.run()
    return server


async def test_an_error_does_not_repeat_what_was_sent(without_xadd: Server) -> None:
    with trio.fail_after(30):
        with pytest.raises(RedisRefused, match="unknown command 'XADD'") as raised:
            async with RedisEvents(url=without_xadd.url).open() as sink:
                await sink.write(batch(event_of(1), event_of(2)))

    whole = "".join(traceback.format_exception(raised.value))
    assert "3000.1" not in whole and "ETHUSDC" not in whole


@asynccontextmanager
async def tls_server(authority: trustme.CA) -> AsyncIterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    async def greet(stream: trio.SSLStream[trio.SocketStream]) -> None:
        try:
            await stream.do_handshake()
        except trio.BrokenResourceError:
            await stream.aclose()

    port = free_port()
    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_ssl_over_tcp, greet, port, context, host="127.0.0.1")
        await nursery.start(serve)
        yield port
        nursery.cancel_scope.cancel()


async def test_the_cause_of_a_certificate_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with trio.fail_after(30):
        async with tls_server(trustme.CA()) as port:
            settings = RedisEvents(url=f"rediss://127.0.0.1:{port}", away_limit=0.1)
            with pytest.raises(RedisAway, match="CERTIFICATE_VERIFY_FAILED"):
                async with settings.open() as sink:
                    await sink.write(batch(event_of(1)))

    told = [record.getMessage() for record in caplog.records if record.name == "connector.redis"]
    assert "CERTIFICATE_VERIFY_FAILED" in told[0]
