"""The sinks of ``connector run``: where events and frames go; one module each, one entry each here.

`KINDS` are sinks of events (`connector.app.running.sinks.sink`), `FRAME_KINDS` sinks of frames
(`connector.app.running.sinks.frames`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from connector.app.running.sinks.csv import CsvTables
from connector.app.running.sinks.frames import (
    FrameBatch,
    FrameSettings,
    FrameSink,
    Origin,
    takes_frames,
)
from connector.app.running.sinks.jsonl import JsonLines
from connector.app.running.sinks.log import LogLines
from connector.app.running.sinks.recording import RecordedFrames
from connector.app.running.sinks.redis import RedisEvents
from connector.app.running.sinks.redis_frames import RedisFrames
from connector.app.running.sinks.sink import Batch, Reopens, Sink, SinkBroken, SinkSettings

AnySettings: TypeAlias = SinkSettings | FrameSettings

KINDS: Mapping[str, type[SinkSettings]] = MappingProxyType(
    {"csv": CsvTables, "jsonl": JsonLines, "log": LogLines, "redis": RedisEvents}
)
"""Settings by the ``kind`` that a configuration says."""
FRAME_KINDS: Mapping[str, type[FrameSettings]] = MappingProxyType(
    {"recording": RecordedFrames, "redis": RedisFrames}
)
"""The same of sinks of frames. A kind that both have says ``what = "frames"`` for this one."""
ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "parquet": 'there is no sink of kind "parquet"; write "recording", and make tables of the '
        "recording with: connector export"
    }
)
"""What to say of a kind that somebody may expect here."""


def settings_of(kind: str, what: object) -> type[AnySettings] | None:
    """The settings of `kind`; None if there is no such kind.

    Args:
        kind: as it is written.
        what: what is written beside it as ``what``, if anything.
    """
    if kind in FRAME_KINDS and (what == "frames" or kind not in KINDS):
        return FRAME_KINDS[kind]
    return KINDS.get(kind)


__all__ = [
    "ELSEWHERE",
    "FRAME_KINDS",
    "KINDS",
    "AnySettings",
    "Batch",
    "CsvTables",
    "FrameBatch",
    "FrameSettings",
    "FrameSink",
    "JsonLines",
    "LogLines",
    "Origin",
    "RecordedFrames",
    "RedisEvents",
    "RedisFrames",
    "Reopens",
    "Sink",
    "SinkBroken",
    "SinkSettings",
    "settings_of",
    "takes_frames",
]
