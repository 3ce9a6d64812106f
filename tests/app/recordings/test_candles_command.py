"""``connector candles``: files that are whole or not there, and holes that are told."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result

from connector.app.commands import group
from connector.app.recordings import candle_files, candles_command
from connector.errors import ExchangeUnavailable

MINUTE_NS = 60 * 10**9


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, ["candles", "--simulate", *arguments])


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows of a file, as far as they are looked at."""
    if path.suffix == ".parquet":
        table = pyarrow.parquet.read_table(path).select(
            ["symbol", "open_time_ns", "low", "close", "high"]
        )
        place = table.column_names.index("open_time_ns")
        times = table.column("open_time_ns").cast("int64")
        rows: list[dict[str, Any]] = table.set_column(place, "open_time_ns", times).to_pylist()
        return rows
    if path.suffix == ".csv":
        with path.open(newline="") as lines:
            return [
                {**row, "open_time_ns": int(row["open_time_ns"])} for row in csv.DictReader(lines)
            ]
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("ending", candle_files.ENDINGS)
@pytest.mark.parametrize("exchange", ["binance_usdm", "okx"])
def test_every_format_has_the_same_candles(tmp_path: Path, ending: str, exchange: str) -> None:
    out = tmp_path / "new" / f"candles{ending}"
    symbol = "eth-usdt" if exchange == "okx" else "ethusdt"
    begin = datetime.now(UTC) - timedelta(minutes=90)

    ended = run(symbol, "--exchange", exchange, "--out", str(out), "--from", begin.isoformat())

    assert ended.exit_code == 0, ended.output
    rows = rows_of(out)
    times = [row["open_time_ns"] for row in rows]
    assert len(times) in (90, 91)
    assert times == list(range(times[0], times[0] + len(times) * MINUTE_NS, MINUTE_NS))
    assert {row["symbol"] for row in rows} == {symbol.upper()}
    assert all(float(row["low"]) <= float(row["close"]) <= float(row["high"]) for row in rows)
    assert f"{len(rows)} candles in 1 request\n" in ended.output
    assert [each.name for each in out.parent.iterdir()] == [out.name]


def test_missing_candles_are_reported(tmp_path: Path) -> None:
    out = tmp_path / "candles.csv"
    arguments = ["ETHUSDT", "--interval", "1h", "--out", str(out), "--from", "2020-01-01"]
    ended = run(*arguments, "--json")
    said = json.loads(ended.output)
    assert said["candles"] == len(rows_of(out)) > 40
    ((begin, end),) = said["missing"]
    assert begin == 1_577_836_800 * 10**9
    assert end == rows_of(out)[0]["open_time_ns"]
    out.unlink()
    assert "the exchange has none from 2020-01-01T00:00:00+00:00 to" in run(*arguments).output


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "candles.csv"
    out.write_text("mine")
    ended = run("ETHUSDT", "--out", str(out))
    assert ended.exit_code == 1
    assert "already exists and is not appended to" in ended.output
    assert out.read_text() == "mine"


@pytest.mark.parametrize("ending", candle_files.ENDINGS)
def test_nothing_is_left_of_a_file_that_was_not_completed(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = 0

    def show(self: object, count: int, ns: int) -> None:
        nonlocal seen
        seen = count
        if count == 10:
            raise ExchangeUnavailable("gone")

    monkeypatch.setattr(candles_command.HowFar, "show", show)
    ended = run("ETHUSDT", "--out", str(tmp_path / f"candles{ending}"))
    assert ended.exit_code == 1
    assert "gone" in ended.output
    assert seen == 10
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--out", "x.txt"], "write a name that ends with .parquet, .csv, .jsonl"),
        (["--out", "x.csv", "--interval", "7m"], "interval can be 1m"),
        (["--out", "x.csv", "--from", "2026-01-02", "--to", "2026-01-01"], "before --to"),
        (["--out", "x.csv", "--seed", "1", "--live"], "--seed is for a simulated exchange"),
    ],
)
def test_what_cannot_be_is_said(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = run("ETHUSDT", *arguments)
    assert ended.exit_code != 0
    assert says in ended.output
    assert list(tmp_path.iterdir()) == []
