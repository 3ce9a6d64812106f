"""The sinks of ``connector run``: where events go; one module each, one entry each in `KINDS`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from connector.app.sinks.jsonl import JsonLines
from connector.app.sinks.log import LogLines
from connector.app.sinks.redis import RedisEvents
from connector.app.sinks.sink import Batch, Sink, SinkSettings

KINDS: Mapping[str, type[SinkSettings]] = MappingProxyType(
    {"jsonl": JsonLines, "log": LogLines, "redis": RedisEvents}
)
"""Settings by the ``kind`` that a configuration says."""

__all__ = ["KINDS", "Batch", "JsonLines", "LogLines", "RedisEvents", "Sink", "SinkSettings"]
