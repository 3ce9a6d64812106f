"""Fan-out over Redis Streams: one process connects, many read its feeds. It needs ``[redis]``.

`RedisSink` passes the raw frames of an adapter on; ``open_adapter(exchange, source=RedisSource())``
gives the same feeds in another process. `connector.app.redis.entries` says what is in Redis.
"""

from __future__ import annotations

from connector.app.redis.sink import Publisher, PublisherStatistics, RedisSink
from connector.app.redis.source import RedisSource

__all__ = ["Publisher", "PublisherStatistics", "RedisSink", "RedisSource"]
