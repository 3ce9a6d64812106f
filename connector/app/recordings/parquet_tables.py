"""Recorded events as Parquet: one file per channel and day, one typed column per field."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import attrs

from connector.app.naming import write_channel
from connector.app.recordings.decoding import Decoded, events_of
from connector.channels import AnyChannel
from connector.errors import ConfigError
from connector.events import Event, Level, kind_of
from connector.exchanges.protocol import Exchange
from connector.recording import Mark, Span
from connector.recording.reader import ALWAYS

NS_PER_SECOND = 1_000_000_000
ROWS_PER_GROUP = 65_536
"""Held in memory per file, and one row group of it."""
EVERY = 50_000
"""Rows between two words on the progress."""
_SAFE = "!@_"
"""Beside letters, digits and ``-.~``: what else stands in the name of a folder."""

_INTEGERS = frozenset(
    {"session", "trade_id", "trades", "update_id", "first_update_id", "last_update_id",
     "previous_update_id", "checksum"}
)  # fmt: skip
_TEXTS = frozenset({"symbol", "side", "interval", "stream", "kind", "link", "reason", "detail"})
_LIFECYCLE = ("time_ns", "kind", "link", "session", "reason", "detail")
_KINDS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(_INTEGERS, "int64"),
        **dict.fromkeys(_TEXTS, "string"),
        "closed": "bool_",
        "off_book": "bool_",
        "backfilled": "bool_",
        "data": "binary",
    }
)
"""Types of columns by name, as pyarrow calls them; times end in ``_ns``, all others are numbers."""


@attrs.define
class Summary:
    """The result of an export."""

    rows: int = 0
    files: dict[str, int] = attrs.field(factory=dict)
    """Rows by file."""
    unfit: dict[str, int] = attrs.field(factory=dict)
    """Values that a column cannot hold and that are missing in it, by file and column."""


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
            row.append([_number(level.price) for level in levels])
            row.append([_number(level.quantity) for level in levels])
        elif name in _KINDS or name.endswith("_ns") or value is None:
            row.append(value)
        else:
            row.append(_number(value))
    return row


def _number(value: Any) -> Any:
    """`value` as a float, or as it is: then its column does not take it."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return value


class ParquetFile:
    """One Parquet file, which gets its name when it is complete."""

    def __init__(self, path: Path, names: tuple[str, ...]) -> None:
        self._arrow, parquet = _pyarrow()
        self._schema = self._arrow.schema([(name, self._type(name)) for name in names])
        self.path = path
        self._part = path.with_suffix(".part")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = parquet.ParquetWriter(self._part, self._schema, compression="zstd")
        self._rows: list[list[Any]] = []
        self.count = 0
        self.unfit: dict[str, int] = {}

    def add(self, row: list[Any]) -> None:
        """Append a row."""
        self._rows.append(row)
        if len(self._rows) >= ROWS_PER_GROUP:
            self._flush()

    def finish(self) -> None:
        """Write the rest; now it is a file."""
        self._flush()
        self._writer.close()
        self._part.replace(self.path)

    def abandon(self) -> None:
        """Leave nothing, unless it is finished."""
        self._writer.close()
        self._part.unlink(missing_ok=True)

    def _flush(self) -> None:
        if self._rows:
            columns = [
                self._column(list(values), field)
                for values, field in zip(zip(*self._rows, strict=True), self._schema, strict=True)
            ]
            self._writer.write_table(self._arrow.table(columns, schema=self._schema))
            self.count += len(self._rows)
            self._rows.clear()

    def _column(self, values: list[Any], field: Any) -> Any:
        """A column of `values`; those that do not fit are missing, and counted."""
        unfit = (self._arrow.ArrowException, TypeError, ValueError, OverflowError)
        with suppress(*unfit):
            return self._arrow.array(values, field.type)
        fitting: list[Any] = []
        for value in values:
            each = _readable(value) if field.type == self._arrow.string() else value
            try:
                self._arrow.array([each], field.type)
            except unfit:
                self.unfit[field.name] = self.unfit.get(field.name, 0) + 1
                each = None
            fitting.append(each)
        return self._arrow.array(fitting, field.type)

    def _type(self, name: str) -> Any:
        arrow = self._arrow
        if name.endswith(("_prices", "_quantities")):
            return arrow.list_(arrow.float64())
        if name.endswith("_ns"):
            return arrow.timestamp("ns", tz="UTC")
        return getattr(arrow, _KINDS.get(name, "float64"))()


def _readable(value: Any) -> str | None:
    """A text that can be written, whatever is in it."""
    if value is None:
        return None
    return str(value).encode("utf-8", "backslashreplace").decode()


def export(
    exchange: Exchange,
    paths: Iterable[Path],
    out: Path,
    progress: Callable[[int], None] = lambda _: None,
    *,
    span: Span = ALWAYS,
    append: bool = False,
) -> Summary:
    """Write the events of a recording into the folder `out`.

    Args:
        exchange: whose.
        paths: the files of the recording.
        out: gets ``trades/ETHUSDC/2024-08-08.parquet`` and so on, by the day of receipt in UTC.
        progress: receives the number of rows now and then.
        span: what of the recording.
        append: whether a day that is there gets another file; if not, it is an error.

    Raises:
        ConfigError: pyarrow is not installed, or `paths` are no recording, or a day is there.
        OSError: a file cannot be read or written; of those begun none is left.
    """
    _pyarrow()
    summary = Summary()
    tables: dict[tuple[Path, str], ParquetFile] = {}
    with ExitStack() as stack:

        def table(folder: Path, time_ns: int, names: tuple[str, ...]) -> ParquetFile:
            day = _day(time_ns)
            if (folder, day) not in tables:
                path = _free(out / folder, day, append=append)
                tables[folder, day] = made = ParquetFile(path, names)
                stack.callback(made.abandon)
            return tables[folder, day]

        for item in events_of(exchange, paths, span):
            if isinstance(item, Decoded):
                event, columns = item.event, columns_of(kind_of(item.event))
                folder = _folder(item.stream.channel, columns)
                table(folder, event.received_ns, columns).add(row_of(event))
            else:
                table(Path("lifecycle"), item.time_ns, _LIFECYCLE).add(_lifecycle_row(item))
            summary.rows += 1
            if summary.rows % EVERY == 0:
                progress(summary.rows)
        for made in tables.values():
            made.finish()
            name = made.path.relative_to(out).as_posix()
            summary.files[name] = made.count
            summary.unfit.update({f"{name}: {column}": n for column, n in made.unfit.items()})
    return summary


def _free(folder: Path, day: str, *, append: bool) -> Path:
    """The file of a day, or one beside those that are there.

    Raises:
        ConfigError: it is there.
    """
    path, number = folder / f"{day}.parquet", 1
    if path.exists() and not append:
        raise ConfigError(
            f"{path} already exists; choose another --out, or use --append, which writes a file "
            "beside it"
        )
    while path.exists():
        number += 1
        path = folder / f"{day}-{number}.parquet"
    return path


def _lifecycle_row(mark: Mark) -> list[Any]:
    said = [mark.what.get(name) for name in ("reason", "detail")]
    return [mark.time_ns, mark.kind, mark.link, mark.session, *said]


def _folder(channel: AnyChannel, columns: tuple[str, ...]) -> Path:
    """``partial_book/ETHUSDC/levels=20/interval_ms=100``: what follows the symbol are partitions.

    All parameters are there, so that every file below ``partial_book`` has the same partitions. One
    that is a column already, as of candles, is none: ``candles/ETHUSDC/1m``.
    """
    kind = write_channel(channel).partition(":")[0]
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(type(channel))  # type: ignore[arg-type]
    symbol, *others = fields
    value = getattr(channel, symbol.name)
    names = [] if value is None else [_segment(value)]
    for field in others:
        if field.name == "backfill":
            continue  # it is the same data
        key = "" if field.name in columns else f"{field.name}="
        names.append(key + _segment(getattr(channel, field.name)))
    return Path(kind, *names)


def _segment(value: object) -> str:
    """The name of a folder: one, whatever an exchange calls its symbols."""
    name = quote(str(value), safe=_SAFE)
    return name.replace(".", "%2E") if not name.strip(".") else name


def _day(time_ns: int) -> str:
    try:
        return datetime.fromtimestamp(time_ns // NS_PER_SECOND, UTC).strftime("%Y-%m-%d")
    except (OverflowError, ValueError, OSError):
        return "unknown"


def _pyarrow() -> tuple[Any, Any]:
    try:
        # It has no types of its own, and is an extra.
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as missing:
        raise ConfigError(
            "Parquet needs pyarrow; install it with python -m pip install 'trio-connector[parquet]'"
        ) from missing
