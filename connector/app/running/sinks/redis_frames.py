"""The sink ``redis`` with ``what = "frames"``: what `RedisSink` publishes, for other adapters.

`open_adapter(…, source=RedisSource(…))` in another process has the same feeds. For programs that
are no adapters there is the sink of events (`connector.app.running.sinks.redis`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import msgspec
import trio
from msgspec import Meta

from connector.app.running.sinks.frames import FrameBatch, OverflowName
from connector.app.secret import Secret
from connector.errors import ConfigError

if TYPE_CHECKING:
    from connector.app.redis import Publisher, PublisherStatistics


class RedisFrames(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``kind = "redis"`` with ``what = "frames"``."""

    takes_frames: ClassVar[bool] = True

    what: Literal["frames"] = "frames"
    url: Annotated[str | Secret, Meta(examples=["redis://127.0.0.1:6379"])] = (
        "redis://127.0.0.1:6379"
    )
    """Or where it is, if a password is in it: ``{ env = "REDIS_URL" }``."""
    prefix: Annotated[str, Meta(min_length=1, examples=["connector"])] = "connector"
    maxlen: Annotated[int, Meta(ge=1, examples=[100_000])] = 100_000
    """Entries that Redis keeps per stream of the exchange, about."""
    tail: Annotated[int, Meta(ge=1, examples=[10_000])] = 10_000
    """Entries that are kept here, to be sent again when Redis has lost them."""
    timeout: Annotated[float, Meta(gt=0, examples=[5.0])] = 5.0
    """Seconds in which Redis connects and answers; one that does not is away."""
    away_limit: Annotated[float, Meta(gt=0, examples=[300.0])] | None = None
    """Seconds that Redis may be away, or have no memory or no replicas, before the sink fails."""
    buffer: Annotated[int, Meta(ge=1, examples=[8192])] = 8192
    """Frames that wait per adapter while Redis is slow or away."""
    overflow: Annotated[OverflowName, Meta(examples=["drop_oldest"])] = "block"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[RedisFramesSink]:
        """Publish for as long as the block lasts. Redis need not be there yet.

        Raises:
            ConfigError: the extra ``redis`` is not installed, or the secret is not where it is said
                to be, or no address.
        """
        try:
            from connector.app.redis import RedisSink  # noqa: PLC0415  # an extra
        except ImportError as error:
            raise ConfigError(
                'the sink "redis" needs an extra: python -m pip install "trio-connector[redis]"'
            ) from error
        url = self.url if isinstance(self.url, str) else self.url.reveal()
        sink = RedisSink(
            url=url,
            prefix=self.prefix,
            maxlen=self.maxlen,
            tail=self.tail,
            timeout=self.timeout,
            away_limit=self.away_limit,
        )
        async with sink.open() as publisher:
            yield RedisFramesSink(publisher)


class RedisFramesSink:
    """Passes batches on. While Redis is away the batch waits, and its feed of frames fills."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def write(self, batch: FrameBatch) -> None:
        """Let Redis have `batch`; returns when it has taken it.

        Raises:
            RedisRefused: it does not want it.
            RedisAway: it was away for longer than ``away_limit``.

        Cancellation: whether it has taken it is not known.
        """
        if not batch.items:
            await trio.lowlevel.checkpoint()
            return
        origin = batch.origin
        streams = [origin.exchange.stream(channel) for channel in origin.channels]
        await self._publisher.pass_on(origin.exchange.name, streams, batch.items)

    def statistics(self) -> PublisherStatistics:
        """What was published, and whether Redis is away."""
        return self._publisher.statistics()

    async def end(self, adapter: str) -> None:
        """Nothing: everything is with Redis. Executes a checkpoint."""
        del adapter
        await trio.lowlevel.checkpoint()
