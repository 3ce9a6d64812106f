"""What a sink writes to, where another one that did so would make nonsense of it:

a file, a folder, standard output, a stream of Redis. The last two adapters of one exchange must not
share, either: their frames would be the same ones twice, or of two markets mixed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from connector.app.running.configuration.plans import AdapterPlan, GroupPlan, SinkPlan
from connector.app.running.sinks import (
    CsvTables,
    JsonLines,
    RecordedFrames,
    RedisEvents,
    RedisFrames,
)
from connector.errors import ConfigError


def targets_of(
    plan: SinkPlan, adapters: Mapping[str, AdapterPlan], groups: Mapping[str, GroupPlan]
) -> Iterator[tuple[str, object, str]]:
    """What only one may write to: the key that says it, the thing itself, and the adapter."""
    settings = plan.settings
    if isinstance(settings, CsvTables | JsonLines | RecordedFrames):
        yield "path", Path(settings.path).expanduser().resolve(), ""
    if not isinstance(settings, RedisEvents | RedisFrames):
        return
    for name, group in groups.items():
        if name not in plan.groups:
            continue
        place = settings.url, settings.prefix
        if isinstance(settings, RedisEvents):
            yield "prefix", (*place, name), group.adapter
            continue
        for channel in group.channels if group.adapter in adapters else ():
            with suppress(ConfigError):  # it is not offered, which is told
                exchange = adapters[group.adapter].exchange
                stream = exchange.stream(channel)
                wire = stream if stream.book is None else stream.book.deltas
                yield "prefix", (*place, exchange.name, wire.name), group.adapter
