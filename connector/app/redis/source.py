"""`RedisSource`: feed an adapter with frames that another process has written into Redis.

A session of such an adapter lasts as long as the adapter: while Redis is away it waits, and then
goes on behind what it has read. What the publisher has told to be lost, what was trimmed before it
was read, and that a publisher has begun anew is a `Gap` in feeds that ask.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal

import attrs
import trio
from coredis.exceptions import StreamConsumerGroupError, StreamDuplicateConsumerGroupError

from connector.app.redis.client import TIMEOUT_SECONDS, Client, Patience, open_redis
from connector.app.redis.entries import Entry, decode, key_of
from connector.app.redis_address import check_address
from connector.errors import ConfigError
from connector.exchanges.protocol import AnyExchange, Reply
from connector.inputs.validation import check_count, check_seconds
from connector.link.source import Ending, FrameSink, Rest, stream_names
from connector.link.wire_subscriptions import Request
from connector.transport import Ended, TcpDialer
from connector.transport.http import open_http

_BLOCK_MS = 200
"""A read waits so long for data; then it is asked whether other streams are wanted."""
_READ_COUNT = 256
"""Entries per stream and read."""
_CONNECT_SECONDS, _ANSWER_SECONDS = 10.0, 10.0


@attrs.frozen(kw_only=True)
class RedisSource:
    """Where to read, from where on, and whether with others."""

    url: str = attrs.field(default="redis://127.0.0.1:6379", repr=False)
    """The address of Redis."""
    prefix: str = "connector"
    """The first part of the keys."""
    start: Literal["new", "oldest"] = "new"
    """Where reading a stream begins: with new entries only, or with the oldest one."""
    group: str | None = None
    """Name of a consumer group: its members share the entries, and its position is kept in Redis,
    so that a member that was killed goes on where it was."""
    consumer: str | None = None
    """This member's name, the same after a restart."""
    unacknowledged: int = 1024
    """With a group: the newest frames per stream that are not acknowledged, as they may still be in
    a feed's buffer; not less than the largest of those. A restarted member has them once more."""
    timeout: float = TIMEOUT_SECONDS
    """Seconds in which Redis connects and answers; one that does not is away."""
    away_limit: float | None = None
    """Seconds that Redis may be away before `RedisAway` ends the adapter; None means forever."""

    def __attrs_post_init__(self) -> None:
        check_address(self.url)
        check_seconds("RedisSource: timeout", self.timeout)
        if self.away_limit is not None:
            check_seconds("RedisSource: away_limit", self.away_limit)
        check_count("RedisSource: unacknowledged", self.unacknowledged)
        if (self.group is None) != (self.consumer is None):
            raise ConfigError("RedisSource: give both a group and a consumer, or neither")
        if self.start not in ("new", "oldest"):
            raise ConfigError(f'RedisSource(start={self.start!r}): write "new" or "oldest"')

    @contextmanager
    def begin(self, exchange: AnyExchange) -> Iterator[_Supply]:
        """Serve one adapter (`connector.link.source.FrameSource`)."""
        yield _Supply(self, exchange)


@attrs.define
class _Place:
    """The position of the reader in one stream."""

    stream: str
    last_id: bytes
    run: str | None = None
    """The run of the publisher that wrote the last entry."""
    number: int = 0
    """The number of that entry in its run."""
    pending: deque[tuple[bytes, int]] = attrs.field(factory=deque)
    """Entries that are not acknowledged, and how many frames each has; with a group."""
    pending_frames: int = 0
    recovered: bool = False
    """Whether what this member had not acknowledged before has been read; with a group."""


class _Supply:
    """The source of one adapter (`connector.link.source.Supply`)."""

    def __init__(self, settings: RedisSource, exchange: AnyExchange) -> None:
        self._settings = settings
        self._exchange = exchange
        self._places: dict[str, dict[bytes, _Place]] = {}
        """How far the streams of each link have been read: the next session goes on there."""

    def now_ns(self) -> int:
        return time.time_ns()

    def expect(self, link: str) -> None:
        """Any number of links may come."""

    def dismiss(self, link: str) -> None:
        """And go."""

    async def next_session(self, link: str, session: int, delay: float) -> int:
        await trio.sleep(delay)
        return session + 1

    @asynccontextmanager
    async def open(self, link: str, session: int, sink: FrameSink) -> AsyncIterator[_Carrier]:
        async with open_redis(self._settings.url, timeout=self._settings.timeout) as client:
            places = self._places.setdefault(link, {})
            yield _Carrier(self._settings, self._exchange.name, client, places, sink)

    def pause(self, link: str, delay: float) -> float:
        return delay

    def asking(self) -> None:
        """Answers come when they come."""

    def open_rest(self) -> AbstractAsyncContextManager[Rest]:
        # Snapshots and instruments are the exchange's own: they are asked for seldom.
        return open_http(
            self._exchange.rest.url,
            dialer=TcpDialer(),
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_ANSWER_SECONDS,
            sockets=set(),
        )


class _Carrier:
    """One session: reads what is wanted, for as long as it is wanted."""

    watched = False

    def __init__(
        self,
        settings: RedisSource,
        exchange: str,
        client: Client,
        places: dict[bytes, _Place],
        sink: FrameSink,
    ) -> None:
        self.wire_bytes = 0
        self.payload_bytes = 0
        self.blocked = False
        self._settings = settings
        self._exchange = exchange
        self._client = client
        self._sink = sink
        self._patience = Patience(client, timeout=settings.timeout, limit=settings.away_limit)
        self._block_ms = max(1, min(_BLOCK_MS, round(settings.timeout * 500)))
        self._places = places
        self._wanted = trio.Event()
        self._closed = False

    async def run(self) -> Ending:
        while not self._closed:
            if not self._places:
                self._wanted = trio.Event()
                await self._wanted.wait()
                continue
            for key, entries in (await self._patience.until_done(self._read)).items():
                await self._take(key, entries)
        return Ended("closed")

    def deliver_to(self, sink: FrameSink) -> None:
        self._sink = sink

    async def ask(self, request: Request) -> Reply | None:
        for stream in stream_names(request):
            key = key_of(self._settings.prefix, self._exchange, stream)
            if not request.subscribes:
                self._places.pop(key, None)
            elif key not in self._places:
                self._places[key] = await self._place(key, stream)
        self._wanted.set()
        return Reply(request.request_id)

    async def send(self, text: str) -> None:
        await trio.lowlevel.checkpoint()  # who is connected has sent it

    async def ping(self) -> None:
        raise NotImplementedError("it is not watched")

    async def close(self, *, timeout: float) -> None:  # noqa: ASYNC109
        self._closed = True
        await trio.lowlevel.checkpoint()

    async def _place(self, key: bytes, stream: str) -> _Place:
        """The position from which to read a stream."""
        group, oldest = self._settings.group, self._settings.start == "oldest"

        async def find() -> bytes:
            if group is not None:
                start = "0" if oldest else "$"
                with suppress(StreamDuplicateConsumerGroupError):  # it goes on where it was
                    await self._client.xgroup_create(key, group, start, mkstream=True)
                return b"0"
            newest = () if oldest else await self._client.xrevrange(key, count=1)
            return _bytes(newest[0].identifier) if newest else b"0"

        return _Place(stream, await self._patience.until_done(find))

    async def _read(self) -> Mapping[bytes, Sequence[Any]]:
        """The entries that are there, or arrive within a moment."""
        group, consumer = self._settings.group, self._settings.consumer
        if group is None or consumer is None:
            places = {key: place.last_id for key, place in self._places.items()}
            return await self._client.xread(places, count=_READ_COUNT, block=self._block_ms) or {}
        places = {
            key: b">" if place.recovered else place.last_id for key, place in self._places.items()
        }
        try:
            answer = await self._client.xreadgroup(
                group, consumer, places, count=_READ_COUNT, block=self._block_ms
            )
        except StreamConsumerGroupError:
            # Redis has lost it, with all that was in it: what is sent again is read again.
            await self._create_groups(group)
            return {}
        found = dict(answer or {})
        for key, place in self._places.items():
            if not place.recovered and not found.get(key):
                place.recovered = True
        return found

    async def _create_groups(self, group: str) -> None:
        for key, place in self._places.items():
            with suppress(StreamDuplicateConsumerGroupError):
                await self._client.xgroup_create(key, group, "0", mkstream=True)
                place.last_id, place.recovered = b"0", True
                place.pending.clear()
                place.pending_frames = 0

    async def _take(self, key: bytes, entries: Sequence[Any]) -> None:
        """Deliver entries of one stream, and acknowledge what cannot wait in a buffer any more."""
        for found in entries:
            place = self._places.get(key)
            if place is None:
                return  # not wanted any more
            # None: somebody else's, or trimmed while it was not acknowledged.
            entry = decode(found.field_values or {})
            frames: list[tuple[int, int, bytes]] = []
            if entry is not None and self._is_new(place, entry):
                frames = entry.frames
                await self._deliver(frames)
                place.run, place.number = entry.run, entry.number
            # Only now: a session may end, and the next one goes on from here.
            place.last_id = found.identifier
            if self._settings.group is not None:
                await self._acknowledge(key, place, found.identifier, len(frames))

    def _is_new(self, place: _Place, entry: Entry) -> bool:
        """Whether `entry` was not read before; tells what is missing before it."""
        if entry.run != place.run:
            if place.run is not None:
                self._sink.lost(place.stream, "restarted")
        elif entry.number <= place.number:
            return False
        elif entry.number > place.number + 1 and self._settings.group is None:
            self._sink.lost(place.stream, "trimmed")
        if entry.lost is not None:
            self._sink.lost(place.stream, entry.lost)
        return True

    async def _deliver(self, frames: list[tuple[int, int, bytes]]) -> None:
        for (received_ns, session), run in groupby(frames, key=itemgetter(0, 1)):
            payloads = [payload for _, _, payload in run]
            self._sink.stamp(received_ns, session)
            taken = 0
            while (taken := self._sink.deliver(payloads, taken)) < len(payloads):
                self.blocked = True
                await self._sink.wait_for_room()
                self.blocked = False
            size = sum(map(len, payloads))
            self.wire_bytes += size
            self.payload_bytes += size

    async def _acknowledge(self, key: bytes, place: _Place, identifier: bytes, frames: int) -> None:
        place.pending.append((identifier, frames))
        place.pending_frames += frames
        done: list[bytes] = []
        while place.pending and (
            place.pending_frames - place.pending[0][1] >= self._settings.unacknowledged
        ):
            old, count = place.pending.popleft()
            place.pending_frames -= count
            done.append(old)
        if done:
            await self._patience.until_done(
                lambda: self._client.xack(key, str(self._settings.group), done)
            )


def _bytes(identifier: str | bytes) -> bytes:
    return identifier.encode() if isinstance(identifier, str) else identifier
