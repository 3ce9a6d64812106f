"""The sink csv: what a spreadsheet reads is what the exchange sent, all of a batch or nothing."""

from __future__ import annotations

import csv
import errno
from decimal import Decimal
from pathlib import Path

import pytest

from connector.app.running.configuration import read_configuration
from connector.app.running.configuration.targets import targets_of
from connector.app.running.sinks import CsvTables
from connector.app.running.sinks.line_file import LineFile
from connector.app.running.sinks.rotation import rotated
from connector.channels import Trades
from connector.events import BookSnapshot, Gap, Level
from connector.lifecycle import Connected
from tests.app.running.sinks.test_jsonl import batch, trade

GAP = Gap(symbol="ETHUSDC", received_ns=9, channels=(Trades("ETHUSDC"), Trades("BTCUSDC")),
          reason="reset")  # fmt: skip
BOOK = BookSnapshot(
    symbol="ETHUSDC", bids=[Level(Decimal("3000.10"), Decimal("0.5"))], asks=[], update_id=1
)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


async def test_a_table_per_kind_of_event(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "tables"
    async with CsvTables(path=str(folder)).open() as sink:
        await sink.write(batch(trade(Decimal), BOOK, GAP, trade()))
        await sink.mark("futures", Connected(link="a", session=1, time_ns=1))

    assert {each.name for each in folder.iterdir()} == {
        "futures-trade.csv", "futures-book_snapshot.csv", "futures-gap.csv"
    }  # fmt: skip
    first, second = rows(folder / "futures-trade.csv")
    assert first["price"] == "3000.10"
    assert (second["price"], second["quantity"], second["side"]) == ("3000.1", "0.5", "sell")
    assert (first["group"], first["symbol"], first["trade_id"]) == ("ticks", "ETHUSDC", "7")
    (book,) = rows(folder / "futures-book_snapshot.csv")
    assert (book["bids"], book["asks"]) == ('[["3000.10","0.5"]]', "[]")
    (gap,) = rows(folder / "futures-gap.csv")
    assert gap["channels"] == "trades:ETHUSDC trades:BTCUSDC"
    assert gap["dropped"] == ""


async def test_a_restart_appends_below_the_same_header_and_cuts_off_a_torn_row(
    tmp_path: Path,
) -> None:
    path = tmp_path / "futures-trade.csv"
    for _ in range(2):
        async with CsvTables(path=str(tmp_path)).open() as sink:
            await sink.write(batch(trade()))
        with path.open("a") as file:
            file.write("ticks,ETH")
    async with CsvTables(path=str(tmp_path)).open() as sink:
        await sink.write(batch(trade()))

    assert [each["trade_id"] for each in rows(path)] == ["7", "7", "7"]
    assert path.read_text().count("trade_id") == 1


async def test_a_batch_is_there_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = LineFile.append

    async def full(self: LineFile, lines: bytes) -> None:
        if b"reset" in lines:
            raise OSError(errno.ENOSPC, "no space left on device")
        await append(self, lines)

    async with CsvTables(path=str(tmp_path)).open() as sink:
        await sink.write(batch(trade()))
        with monkeypatch.context() as patch:
            patch.setattr(LineFile, "append", full)
            with pytest.raises(OSError, match="no space left"):
                await sink.write(batch(trade(), trade(), GAP))
        await sink.write(batch(trade(), trade(), GAP))

    assert len(rows(tmp_path / "futures-trade.csv")) == 3
    assert len(rows(tmp_path / "futures-gap.csv")) == 1


async def test_tables_are_rotated(tmp_path: Path) -> None:
    async with CsvTables(path=str(tmp_path), rotate_mib=0.0001, keep_files=1).open() as sink:
        for _ in range(4):
            await sink.write(batch(trade()))
        sink.reopen()

    path = tmp_path / "futures-trade.csv"
    (old,) = rotated(path)
    assert len(rows(old)) == len(rows(path)) == 1


def test_two_sinks_cannot_share_a_folder() -> None:
    text = """
[adapters.a]
exchange = "binance_usdm"
[groups.trades]
adapter = "a"
channels = ["trades:ETHUSDC"]
[[sinks]]
kind = "csv"
path = "tables"
keep_files = 3
"""
    configuration = read_configuration(text)
    (plan,) = configuration.sinks.values()

    ((key, place, _),) = targets_of(plan, configuration.adapters, configuration.groups)
    assert (key, place) == ("path", Path("tables").resolve())
