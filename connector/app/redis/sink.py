"""The sink: raw frames of an adapter into Redis, each batch in one round trip, nothing lost twice.

While Redis is away the batch waits, and the feed of frames behind it fills: its policy says what
becomes of that. What Redis had taken and has lost, as it does when it is killed, is sent again from
a tail that is kept, so that a reader misses nothing and, by the numbers, has nothing twice.
"""

from __future__ import annotations

import math
import secrets
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TypeAlias

import attrs
import trio
from coredis import PureToken

from connector.adapter import Adapter
from connector.app.redis.client import Client, Patience, open_redis
from connector.app.redis.entries import FIELD, Entry, decode, encode, key_of
from connector.buffer import Overflow
from connector.channels import AnyChannel
from connector.events import Gap
from connector.frames import FrameItem, RawFrame
from connector.lifecycle import Disconnected, Stale
from connector.protocol import AnyStream
from connector.validation import check_count

_QUIET_SECONDS = 0.02
"""No Redis restarts in less; within it, a connection that broke is an error that is seen."""

Frames: TypeAlias = list[tuple[int, int, bytes]]


@attrs.frozen(kw_only=True)
class RedisSink:
    """Where to publish, and how much is kept."""

    url: str = attrs.field(default="redis://127.0.0.1:6379", repr=False)
    prefix: str = "connector"
    """Begins every key; colons separate its parts."""
    maxlen: int = 100_000
    """Entries that Redis keeps per stream, about; each holds the frames of one batch."""
    tail: int = 10_000
    """Entries that are kept here, of all streams, to be sent again when Redis has lost them."""

    def __attrs_post_init__(self) -> None:
        check_count("RedisSink: maxlen", self.maxlen)
        check_count("RedisSink: tail", self.tail)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Publisher]:
        """Publish for as long as the block lasts. Redis need not be there yet."""
        async with open_redis(self.url) as client:
            yield Publisher(self, client)


@attrs.frozen
class PublisherStatistics:
    """What a publisher has done."""

    entries: int
    frames: int
    losses: int
    """Losses that were told to readers, counted per stream."""
    resent: int
    """Entries that Redis had taken and lost, or may have."""
    outages: int
    """How often Redis was away."""
    away: bool
    """Whether it is at this moment."""


@attrs.frozen
class _Sent:
    key: bytes
    number: int
    data: bytes


class Publisher:
    """Publishes what adapters receive. Made by `RedisSink.open`."""

    def __init__(self, settings: RedisSink, client: Client) -> None:
        self._settings = settings
        self._client = client
        self._run = secrets.token_hex(8)
        self._numbers: Counter[bytes] = Counter()
        self._tail: deque[_Sent] = deque(maxlen=settings.tail)
        self._patience = Patience()
        self._frames = self._losses = self._resent = 0
        self._unsure = False
        """Whether it is unknown what Redis has."""
        self._server: object = None
        self._written = -math.inf

    async def publish(
        self,
        adapter: Adapter,
        *channels: AnyChannel,
        buffer: int = 8192,
        overflow: Overflow = Overflow.BLOCK,
    ) -> None:
        """Publish `channels` of `adapter` until it has no more, or for ever.

        Args:
            channels: what is subscribed and passed on; of a local book its deltas.
            buffer: frames that wait while Redis is slow or away.
            overflow: what happens when it is full. `Overflow.BLOCK` holds the exchange back, which
                ends a connection that is not read for long; `Overflow.DROP_OLDEST` drops, and every
                reader has a `Gap` there; `Overflow.FAIL` raises `SlowConsumer`.

        Raises:
            ConfigError: the exchange does not offer a channel, or an argument cannot work.
            RedisRefused: Redis does not take it: no permission, no memory, a key of another kind.
            SubscriptionRejected, SlowConsumer: as of a feed.

        Cancellation: what was not yet taken by Redis is lost; the next run tells its readers.
        """
        with adapter.frames(buffer=buffer, overflow=overflow) as frames:
            async with adapter.subscribe(
                *channels, buffer=1, overflow=Overflow.DROP_OLDEST
            ) as unread:
                streams = _on_wire(unread.streams())
                exchange = adapter.statistics().links[0].name.partition("/")[0]
                async for batch in frames.batches():
                    await self.pass_on(exchange, streams, batch)

    async def pass_on(
        self, exchange: str, streams: Iterable[AnyStream], batch: Iterable[FrameItem]
    ) -> None:
        """Publish what `Adapter.frames` has yielded; returns when Redis has taken it.

        Args:
            exchange: its name, such as ``binance_usdm``.
            streams: of which; other frames are left out.
            batch: in the order of receipt.

        Raises, Cancellation: as `publish`.
        """
        await trio.lowlevel.checkpoint()
        await self._write(_sorted(self._settings.prefix, exchange, streams, batch))

    def statistics(self) -> PublisherStatistics:
        """A snapshot."""
        return PublisherStatistics(
            entries=self._numbers.total(),
            frames=self._frames,
            losses=self._losses,
            resent=self._resent,
            outages=self._patience.outages,
            away=self._patience.away,
        )

    async def _write(self, entries: Iterable[_Draft]) -> None:
        """Number `entries` and let Redis have them."""
        fresh: list[_Sent] = []
        frames = losses = 0
        for draft in entries:
            number = self._numbers[draft.key] = self._numbers[draft.key] + 1
            data = encode(Entry(self._run, number, draft.frames, draft.lost))
            fresh.append(_Sent(draft.key, number, data))
            frames += len(draft.frames)
            losses += draft.lost is not None
        if not fresh:
            return

        async def send() -> None:
            if trio.current_time() - self._written > _QUIET_SECONDS:
                await self._look_at_server()
            missing = await self._missing(fresh) if self._unsure else fresh
            self._unsure = True
            async with self._client.pipeline(transaction=False) as pipeline:
                for sent in missing:
                    pipeline.xadd(
                        sent.key,
                        {FIELD: sent.data},
                        trim_strategy=PureToken.MAXLEN,
                        trim_operator=PureToken.APPROXIMATELY,
                        threshold=self._settings.maxlen,
                    )
            self._unsure = False
            self._written = trio.current_time()

        await self._patience.until_done(send)
        self._tail.extend(fresh)
        self._frames += frames
        self._losses += losses

    async def _look_at_server(self) -> None:
        """Find out whether Redis has been restarted while nothing was sent that would have failed.

        Of another process, or a replica that took over, it is not known what it has.
        """
        server = (await self._client.info("server"))["run_id"]
        self._unsure = self._unsure or self._server not in (None, server)
        self._server = server

    async def _missing(self, fresh: list[_Sent]) -> list[_Sent]:
        """What Redis does not have, of the tail and of what is to be sent."""
        candidates = [*self._tail, *fresh]
        has: dict[bytes, int] = {}
        for key in dict.fromkeys(sent.key for sent in candidates):
            has[key] = await self._last_number(key)
        missing = [sent for sent in candidates if sent.number > has[sent.key]]
        self._resent += len(missing) - sum(sent.number > has[sent.key] for sent in fresh)
        return missing

    async def _last_number(self, key: bytes) -> int:
        """Number of the last entry of this run under `key`."""
        for found in await self._client.xrevrange(key, count=1):
            entry = decode(found.field_values)  # type: ignore[arg-type]
            if entry is not None and entry.run == self._run:
                return entry.number
        return 0


@attrs.define
class _Draft:
    key: bytes
    frames: Frames
    lost: str | None = None


def _sorted(
    prefix: str, exchange: str, streams: Iterable[AnyStream], batch: Iterable[FrameItem]
) -> list[_Draft]:
    """From frames and marks in the order of receipt to entries per stream."""
    wanted = {stream.name: stream for stream in streams}
    drafts: list[_Draft] = []
    latest: dict[str, _Draft] = {}

    def begin(stream: str, lost: str | None = None) -> _Draft:
        draft = _Draft(key_of(prefix, exchange, stream), [], lost)
        drafts.append(draft)
        latest[stream] = draft
        return draft

    for item in batch:
        if isinstance(item, RawFrame):
            if item.stream in wanted:
                draft = latest.get(item.stream) or begin(item.stream)
                draft.frames.append((item.received_ns, item.session, item.payload))
        elif isinstance(item, Disconnected) and item.connected:
            route = item.link.partition("/")[2].partition("#")[0]
            for name in [name for name, stream in wanted.items() if stream.route == route]:
                begin(name, "disconnected")
        elif isinstance(item, Stale) and item.resubscribing and item.stream in wanted:
            begin(item.stream, "resubscribed")
        elif isinstance(item, Gap):
            for name in wanted:
                begin(name, item.reason)
    return drafts


def _on_wire(streams: Iterable[AnyStream]) -> list[AnyStream]:
    """What travels: of a local book its deltas."""
    return [stream if stream.book is None else stream.book.deltas for stream in streams]
