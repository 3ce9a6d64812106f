"""Recorded events as Parquet: one file per channel and day, one typed column per field."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs

from connector import events
from connector.app.naming import write_channel
from connector.app.recordings.decoding import Decoded, events_of
from connector.channels import AnyChannel
from connector.errors import ConfigError
from connector.events import Event, Level
from connector.exchanges.protocol import Exchange
from connector.recording import Mark

NS_PER_SECOND = 1_000_000_000
ROWS_PER_GROUP = 65_536
"""Held in memory per file, and one row group of it."""
EVERY = 50_000
"""Rows between two words on the progress."""

_INTEGERS = frozenset(
    {"session", "trade_id", "trades", "update_id", "first_update_id", "last_update_id",
     "previous_update_id"}
)  # fmt: skip
_TEXTS = frozenset({"symbol", "side", "interval", "stream", "kind", "link", "reason", "detail"})
_LIFECYCLE = ("time_ns", "kind", "link", "session", "reason", "detail")
_KINDS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(_INTEGERS, "int64"),
        **dict.fromkeys(_TEXTS, "string"),
        "closed": "bool_",
        "data": "binary",
    }
)
"""Types of columns by name, as pyarrow calls them; times end in ``_ns``, all others are numbers."""


@attrs.define
class Summary:
    """What was exported."""

    rows: int = 0
    files: dict[str, int] = attrs.field(factory=dict)
    """Rows by file."""


def columns_of(kind: type[Event]) -> tuple[str, ...]:
    """Names of the columns of an event: its fields, and two for each side of a book."""
    names: list[str] = []
    for name in kind.fields:
        if name in ("bids", "asks"):
            side = name[:-1]
            names += [f"{side}_prices", f"{side}_quantities"]
        else:
            names.append(name)
    return tuple(names)


def row_of(event: Event) -> list[Any]:
    """The values of `columns_of` its class."""
    row: list[Any] = []
    for name in event.fields:
        value = getattr(event, name)
        if name in ("bids", "asks"):
            levels: list[Level] = value
            row.append([float(level.price) for level in levels])
            row.append([float(level.quantity) for level in levels])
        elif name in _KINDS or name.endswith("_ns") or value is None:
            row.append(value)
        else:
            row.append(float(value))
    return row


class _Table:
    """One Parquet file, which gets its name when it is complete."""

    def __init__(self, path: Path, names: tuple[str, ...]) -> None:
        self._arrow, parquet = _pyarrow()
        self._schema = self._arrow.schema([(name, self._type(name)) for name in names])
        self._path = path
        self._part = path.with_suffix(".part")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = parquet.ParquetWriter(self._part, self._schema, compression="zstd")
        self._rows: list[list[Any]] = []
        self.count = 0

    def add(self, row: list[Any]) -> None:
        self._rows.append(row)
        if len(self._rows) >= ROWS_PER_GROUP:
            self._flush()

    def finish(self) -> None:
        """Write the rest; now it is a file."""
        self._flush()
        self._writer.close()
        self._part.replace(self._path)

    def abandon(self) -> None:
        """Leave nothing, unless it is finished."""
        self._writer.close()
        self._part.unlink(missing_ok=True)

    def _flush(self) -> None:
        if self._rows:
            columns = [
                self._arrow.array(values, field.type)
                for values, field in zip(zip(*self._rows, strict=True), self._schema, strict=True)
            ]
            self._writer.write_table(self._arrow.table(columns, schema=self._schema))
            self.count += len(self._rows)
            self._rows.clear()

    def _type(self, name: str) -> Any:
        arrow = self._arrow
        if name.endswith(("_prices", "_quantities")):
            return arrow.list_(arrow.float64())
        if name.endswith("_ns"):
            return arrow.timestamp("ns", tz="UTC")
        return getattr(arrow, _KINDS.get(name, "float64"))()


def export(
    exchange: Exchange,
    paths: Iterable[Path],
    out: Path,
    progress: Callable[[int], None] = lambda _: None,
) -> Summary:
    """Write the events of a recording into the folder `out`.

    Args:
        exchange: whose.
        paths: the files of the recording.
        out: gets ``trades/ETHUSDC/2024-08-08.parquet`` and so on, by the day of receipt in UTC.
        progress: is told the number of rows now and then.

    Raises:
        ConfigError: pyarrow is not installed, or `paths` are no recording.
        OSError: a file cannot be read or written; of those begun none is left.
    """
    _pyarrow()
    summary = Summary()
    tables: dict[Path, _Table] = {}
    with ExitStack() as stack:

        def table(path: Path, names: tuple[str, ...]) -> _Table:
            if path not in tables:
                tables[path] = made = _Table(out / path, names)
                stack.callback(made.abandon)
            return tables[path]

        for item in events_of(exchange, paths):
            if isinstance(item, Decoded):
                event = item.event
                path = _folder(item.stream.channel) / f"{_day(event.received_ns)}.parquet"
                table(path, columns_of(_public(event))).add(row_of(event))
            else:
                path = Path("lifecycle") / f"{_day(item.time_ns)}.parquet"
                table(path, _LIFECYCLE).add(_lifecycle_row(item))
            summary.rows += 1
            if summary.rows % EVERY == 0:
                progress(summary.rows)
        for path, made in tables.items():
            made.finish()
            summary.files[path.as_posix()] = made.count
    return summary


def _lifecycle_row(mark: Mark) -> list[Any]:
    said = [mark.what.get(name) for name in ("reason", "detail")]
    return [mark.time_ns, mark.kind, mark.link, mark.session, *said]


def _folder(channel: AnyChannel) -> Path:
    """``partial_book/ETHUSDC/levels=20``: what comes after the symbol is a partition."""
    return Path(re.sub(r"[:,]", "/", write_channel(channel)))


def _day(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // NS_PER_SECOND, UTC).strftime("%Y-%m-%d")


def _public(event: Event) -> type[Event]:
    """The normalised event that an exchange's struct stands for."""
    return next(kind for kind in type(event).__mro__ if kind.__module__ == events.__name__)


def _pyarrow() -> tuple[Any, Any]:
    try:
        # It has no types of its own, and is an extra.
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as missing:
        raise ConfigError(
            "Parquet needs pyarrow; install it with python -m pip install 'trio-connector[parquet]'"
        ) from missing
