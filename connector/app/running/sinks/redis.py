"""The sink ``redis``: events as JSON or MessagePack into Redis Streams, for programs of any kind.

One stream per group, ``prefix:exchange:group``, with an entry per batch: ``events`` is a list of
objects as the sink ``jsonl`` writes them, in order, gaps in their places; ``run`` and ``number``
tell what was sent twice or lost (`connector.app.redis.entries`). For readers that are adapters
themselves there is ``what = "frames"`` (`connector.app.running.sinks.redis_frames`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import trio
from msgspec import Meta

from connector.app.event_json import describe, plain
from connector.app.running.sinks.sink import Batch
from connector.app.secret import Secret
from connector.errors import ConfigError
from connector.events import Event, RawMessage
from connector.lifecycle import Lifecycle

if TYPE_CHECKING:
    from connector.app.redis import PublisherStatistics
    from connector.app.redis.writer import Writer

EVENTS = b"events"


class RedisEvents(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``kind = "redis"``; with ``what = "frames"`` it is `RedisFrames`."""

    what: Annotated[Literal["events", "frames"], Meta(examples=["frames"])] = "events"
    url: Annotated[str | Secret, Meta(examples=["redis://127.0.0.1:6379"])] = (
        "redis://127.0.0.1:6379"
    )
    """Or where it is, if a password is in it: ``{ env = "REDIS_URL" }``."""
    encoding: Annotated[Literal["json", "msgpack"], Meta(examples=["msgpack"])] = "json"
    prefix: Annotated[str, Meta(min_length=1, examples=["connector"])] = "connector"
    maxlen: Annotated[int, Meta(ge=1, examples=[100_000])] = 100_000
    """Entries that Redis keeps per group, about."""
    tail: Annotated[int, Meta(ge=1, examples=[1_000])] = 1_000
    """Entries that are kept here, to be sent again when Redis has lost them."""
    timeout: Annotated[float, Meta(gt=0, examples=[5.0])] = 5.0
    """Seconds in which Redis connects and answers; one that does not is away."""
    away_limit: Annotated[float, Meta(gt=0, examples=[300.0])] | None = None
    """Seconds that Redis may be away, or have no memory or no replicas, before the sink fails."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[RedisEventsSink]:
        """Write for as long as the block lasts. Redis need not be there yet.

        Raises:
            ConfigError: the extra ``redis`` is not installed, or the secret is not where it is said
                to be, or no address.
            RedisRefused: it does not want what is written.
        """
        try:
            from connector.app.redis.client import open_redis  # noqa: PLC0415  # an extra
            from connector.app.redis.writer import Writer  # noqa: PLC0415
        except ImportError as error:
            raise ConfigError(
                'the sink "redis" needs an extra: python -m pip install "trio-connector[redis]"'
            ) from error
        url = self.url if isinstance(self.url, str) else self.url.reveal()
        async with open_redis(url, timeout=self.timeout) as client:
            writer = Writer(
                client,
                maxlen=self.maxlen,
                tail=self.tail,
                timeout=self.timeout,
                limit=self.away_limit,
            )
            yield RedisEventsSink(self, writer)


class RedisEventsSink:
    """Writes an entry per batch. While Redis is away the batch waits, and its feed fills."""

    def __init__(self, settings: RedisEvents, writer: Writer) -> None:
        self._prefix = settings.prefix
        self._encode = _ENCODERS[settings.encoding]
        self._json = settings.encoding == "json"
        self._writer = writer

    async def write(self, batch: Batch) -> None:
        """Let Redis have `batch`; returns when it has taken it.

        Raises:
            RedisRefused: it does not want it.
            RedisAway: it was away for longer than ``away_limit``.

        Cancellation: whether it has taken it is not known.
        """
        key = f"{self._prefix}:{batch.exchange}:{batch.group}".encode()
        # At once: a view of a book is another one after the first await.
        events = self._encode([self._describe(event) for event in batch.events], enc_hook=plain)
        await self._writer.write([(key, {EVENTS: events})])

    async def mark(self, adapter: str, event: Lifecycle) -> None:
        """Nothing: what is lost is a `Gap` among the events."""
        await trio.lowlevel.checkpoint()

    def statistics(self) -> PublisherStatistics:
        """What was written, and whether Redis is away."""
        from connector.app.redis.sink import statistics_of  # noqa: PLC0415  # an extra

        return statistics_of(self._writer, frames=0, losses=0)

    def _describe(self, event: Event) -> dict[str, Any]:
        fields = describe(event)
        if isinstance(event, RawMessage) and not self._json:
            fields["data"] = event.data
        return fields


_ENCODERS: dict[str, Any] = {"json": msgspec.json.encode, "msgpack": msgspec.msgpack.encode}
