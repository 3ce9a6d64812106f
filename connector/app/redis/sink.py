"""`RedisSink`: write the raw frames of an adapter into Redis, with a mark for each loss.

While Redis is away, the batch waits and the feed of frames behind it fills. When it is full, its
overflow policy applies.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TypeAlias

import attrs

from connector.adapter.adapter import Adapter
from connector.app.redis.client import TIMEOUT_SECONDS, Client, open_redis
from connector.app.redis.entries import encode, key_of
from connector.app.redis.writer import Writer
from connector.app.redis_address import check_address
from connector.channels import AnyChannel
from connector.events import Gap
from connector.exchanges.protocol import AnyStream
from connector.feeds.buffer import Overflow
from connector.inputs.validation import check_count, check_seconds
from connector.lifecycle import Disconnected, Stale
from connector.link.raw_frames import FrameItem, RawFrame

Frames: TypeAlias = list[tuple[int, int, bytes]]


@attrs.frozen(kw_only=True)
class RedisSink:
    """The address to publish to, and the number of entries to keep."""

    url: str = attrs.field(default="redis://127.0.0.1:6379", repr=False)
    """The address of Redis."""
    prefix: str = "connector"
    """Begins every key; colons separate its parts."""
    maxlen: int = 100_000
    """Entries that Redis keeps per stream, about; each holds the frames of one batch."""
    tail: int = 10_000
    """Entries that are kept here, of all streams, to be sent again when Redis has lost them."""
    timeout: float = TIMEOUT_SECONDS
    """Seconds in which Redis connects and answers; one that does not is away."""
    away_limit: float | None = None
    """Seconds that Redis may be away, or have no memory or no replicas; None means forever."""

    def __attrs_post_init__(self) -> None:
        check_address(self.url)
        check_seconds("RedisSink: timeout", self.timeout)
        if self.away_limit is not None:
            check_seconds("RedisSink: away_limit", self.away_limit)
        check_count("RedisSink: maxlen", self.maxlen)
        check_count("RedisSink: tail", self.tail)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Publisher]:
        """Publish for as long as the block lasts. Redis need not be there yet."""
        async with open_redis(self.url, timeout=self.timeout) as client:
            yield Publisher(self, client)


@attrs.frozen
class PublisherStatistics:
    """The counts of a publisher."""

    entries: int
    """The number of written entries."""
    frames: int
    """The number of frames in them."""
    losses: int
    """The number of losses that were reported to readers, per stream."""
    resent: int
    """The number of entries that Redis had accepted and lost, or may have lost."""
    outages: int
    """The number of outages of Redis."""
    away: bool
    """Whether Redis is away now."""
    away_reason: str = ""
    """The cause of the current or the last outage."""


def statistics_of(writer: Writer, *, frames: int, losses: int) -> PublisherStatistics:
    """What `writer` has done for a publisher that has counted `frames` and `losses`."""
    patience = writer.patience
    return PublisherStatistics(
        entries=writer.entries,
        frames=frames,
        losses=losses,
        resent=writer.resent,
        outages=patience.outages,
        away=patience.away,
        away_reason=patience.reason,
    )


class Publisher:
    """Publishes what adapters receive. Made by `RedisSink.open`."""

    def __init__(self, settings: RedisSink, client: Client) -> None:
        self._prefix = settings.prefix
        self._writer = Writer(
            client,
            maxlen=settings.maxlen,
            tail=settings.tail,
            timeout=settings.timeout,
            limit=settings.away_limit,
        )
        self._frames = self._losses = 0

    async def publish(
        self,
        adapter: Adapter,
        *channels: AnyChannel,
        buffer: int = 8192,
        overflow: Overflow = Overflow.BLOCK,
    ) -> None:
        """Publish `channels` of `adapter` until its feed ends, or until cancelled.

        Args:
            channels: what is subscribed and passed on; of a local book its deltas.
            buffer: frames that wait while Redis is slow or away.
            overflow: what happens when it is full. `Overflow.BLOCK` holds the exchange back, which
                ends a connection that is not read for long; `Overflow.DROP_OLDEST` drops, and every
                reader has a `Gap` there; `Overflow.FAIL` raises `SlowConsumer`.

        Raises:
            ConfigError: the exchange does not offer a channel, or an argument cannot work.
            RedisRefused: Redis does not take it: no permission, a key of another kind.
            RedisAway: Redis was away for longer than `RedisSink.away_limit`.
            SubscriptionRejected, SlowConsumer: as of a feed.

        Cancellation: what was not yet taken by Redis is lost; the next run tells its readers.
        """
        with adapter.frames(buffer=buffer, overflow=overflow) as frames:
            async with adapter.subscribe(
                *channels, buffer=1, overflow=Overflow.DROP_OLDEST
            ) as unread:
                streams = unread.streams()
                exchange = adapter.statistics().links[0].name.partition("/")[0]
                async for batch in frames.batches():
                    await self.pass_on(exchange, streams, batch)

    async def pass_on(
        self, exchange: str, streams: Iterable[AnyStream], batch: Iterable[FrameItem]
    ) -> None:
        """Publish what `Adapter.frames` has yielded; returns when Redis has taken it.

        Args:
            exchange: its name, such as ``binance_usdm``.
            streams: of which, of a local book its deltas; other frames are left out.
            batch: in the order of receipt.

        Raises, Cancellation: as `publish`.
        """
        drafts = _sorted(self._prefix, exchange, _on_wire(streams), batch)
        await self._writer.write((draft.key, encode(draft.frames, draft.lost)) for draft in drafts)
        self._frames += sum(len(draft.frames) for draft in drafts)
        self._losses += sum(draft.lost is not None for draft in drafts)

    def statistics(self) -> PublisherStatistics:
        """A snapshot."""
        return statistics_of(self._writer, frames=self._frames, losses=self._losses)


@attrs.define
class _Draft:
    key: bytes
    frames: Frames
    lost: str | None = None
    """Why frames before these are missing; None: none are."""


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
