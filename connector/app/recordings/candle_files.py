"""Candles in a file: Parquet, CSV or JSON lines, by the ending of its name.

A file gets its name when it is complete. One that is there already is left alone.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TextIO

import msgspec

from connector.app.recordings.parquet_tables import ParquetFile, columns_of, row_of
from connector.errors import ConfigError
from connector.events import Candle, asdict

ENDINGS = (".parquet", ".csv", ".jsonl")


class CandleFile(Protocol):
    """Takes candles."""

    def add(self, candle: Candle) -> None:
        """Append a candle."""
        ...


class _Parquet:
    def __init__(self, table: ParquetFile) -> None:
        self._table = table

    def add(self, candle: Candle) -> None:
        self._table.add(row_of(candle))


class _Csv:
    def __init__(self, out: TextIO) -> None:
        self._rows = csv.writer(out, lineterminator="\n")
        self._rows.writerow(Candle.fields)

    def add(self, candle: Candle) -> None:
        self._rows.writerow(asdict(candle).values())


class _JsonLines:
    def __init__(self, out: TextIO) -> None:
        self._out = out

    def add(self, candle: Candle) -> None:
        self._out.write(msgspec.json.encode(asdict(candle)).decode() + "\n")


def check_place(path: Path) -> None:
    """Refuse a file that cannot be written.

    Raises:
        ConfigError: it is there already, or its ending is none of `ENDINGS`.
    """
    if path.suffix not in ENDINGS:
        raise ConfigError(f"{path}: write a name that ends with {', '.join(ENDINGS)}")
    if path.exists():
        raise ConfigError(f"{path} already exists and is not appended to: choose another --out")


@contextmanager
def open_file(path: Path) -> Iterator[CandleFile]:
    """A file that is there when the block has ended without an error, and not before.

    Raises:
        ConfigError: as `check_place`, or pyarrow is not installed.
        OSError: it cannot be written.
    """
    check_place(path)
    if path.suffix == ".parquet":
        table = ParquetFile(path, columns_of(Candle))
        try:
            yield _Parquet(table)
            table.finish()
        except BaseException:
            table.abandon()
            raise
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(path.suffix + ".part")
    try:
        with part.open("w", encoding="utf-8", newline="") as out:
            yield _Csv(out) if path.suffix == ".csv" else _JsonLines(out)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
