"""The sink ``csv``: a folder with one table per adapter and kind of event, for spreadsheets.

``futures-trade.csv`` has the trades of the adapter ``futures``, a row per event below a row of
names. A list, such as the levels of a book, is JSON in its cell; a missing value is an empty cell.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
import trio
from msgspec import Meta

from connector.app.event_json import describe, plain
from connector.app.running.sinks.line_file import LineFile
from connector.app.running.sinks.rotation import Rotation, rotation_of
from connector.app.running.sinks.sink import Batch
from connector.lifecycle import Lifecycle


class CsvTables(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``kind = "csv"``."""

    path: Annotated[str, Meta(min_length=1, examples=["tables"])]
    """The folder; created if it does not exist. Files that are there are appended to."""
    rotate_minutes: Annotated[float, Meta(gt=0, examples=[60.0])] | None = None
    """Age at which a file is renamed and the next begun; never, if left out."""
    rotate_mib: Annotated[float, Meta(gt=0, examples=[256.0])] | None = None
    """Size at which it is; no limit, if left out."""
    keep_files: Annotated[int, Meta(ge=1, examples=[24])] | None = None
    """Rotated files of each table that stay; all, if left out."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[CsvSink]:
        """Create the folder.

        Raises:
            OSError: it cannot be created.
        """
        await trio.lowlevel.checkpoint()
        folder = _created(self.path)
        rotation = rotation_of(self.rotate_minutes, self.rotate_mib, self.keep_files)
        sink = CsvSink(folder, rotation)
        try:
            yield sink
        finally:
            sink.close()


class CsvSink:
    """Writes each batch into its tables: all of it, or nothing."""

    def __init__(self, folder: Path, rotation: Rotation | None) -> None:
        self._folder = folder
        self._rotation = rotation
        self._files: dict[str, LineFile] = {}

    def reopen(self) -> None:
        """Write to what is at the paths now.

        Raises:
            OSError: one cannot be written.
        """
        for file in self._files.values():
            file.reopen()

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()

    async def write(self, batch: Batch) -> None:
        """Write one row per event.

        Raises:
            OSError: the disk is full, or a file cannot be written; nothing of the batch is there.

        Cancellation: rows of some tables may be missing.
        """
        tables: dict[str, tuple[tuple[str, ...], io.StringIO]] = {}
        about = {"group": batch.group}
        for event in batch.events:
            fields = about | describe(event)
            name = f"{quote(batch.adapter, safe='')}-{_snake_case(fields.pop('type'))}"
            if name not in tables:
                tables[name] = tuple(fields), io.StringIO()
            csv.writer(tables[name][1], lineterminator="\n").writerow(map(_cell, fields.values()))
        done: list[LineFile] = []
        for name, (columns, rows) in tables.items():
            file = self._file(name, columns)
            try:
                await file.append(rows.getvalue().encode())
            except OSError:
                for each in done:
                    each.take_back()
                raise
            done.append(file)

    async def mark(self, adapter: str, event: Lifecycle) -> None:
        """Nothing: a table has events only. Executes a checkpoint."""
        del adapter, event
        await trio.lowlevel.checkpoint()

    def _file(self, name: str, columns: tuple[str, ...]) -> LineFile:
        if name not in self._files:
            header = io.StringIO()
            csv.writer(header, lineterminator="\n").writerow(columns)
            self._files[name] = LineFile(
                self._folder / f"{name}.csv",
                header=header.getvalue().encode(),
                rotation=self._rotation,
            )
        return self._files[name]


def _created(path: str) -> Path:
    folder = Path(path).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _cell(value: Any) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float | Decimal) or value is None:
        return value
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        return " ".join(value)  # the channels of a gap
    return msgspec.json.encode(value, enc_hook=plain).decode()
