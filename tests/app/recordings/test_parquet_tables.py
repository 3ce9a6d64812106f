"""A table holds every event of a recording, in typed columns, or there is no table."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from connector import events
from connector.app.commands import group
from connector.app.recordings.parquet_tables import columns_of, export
from connector.events import Event
from connector.exchanges import binance
from connector.link.raw_frames import RawFrame
from connector.recording import Mark, RecordingDamaged, Subject
from tests.faults.world import book, trade
from tests.recording.parts import write

parquet = pytest.importorskip("pyarrow.parquet", reason="the extra parquet is not installed")

SUBJECT = Subject("binance_usdm", (), ("ethusdc@trade", "ethusdc@depth5@100ms"))
DAY_NS = 86_400_000_000_000
FIRST_NS = 1_723_161_599_000_000_000  # a second before midnight


def frame(stream: str, ns: int, data: dict[str, Any]) -> RawFrame:
    text = json.dumps({"stream": stream, "data": data}, separators=(",", ":"))
    return RawFrame("binance_usdm/market", 3, ns, stream, text.encode())


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    seconds = [FIRST_NS + n * 400_000_000 for n in range(6)]
    trades = [
        frame("ethusdc@trade", ns, trade("ethusdc", n, ns // 1_000_000))
        for n, ns in enumerate(seconds, 1)
    ]
    end = Mark("Disconnected", "binance_usdm/market", 3, seconds[-1], {"reason": "reset"})
    books = [frame("ethusdc@depth5@100ms", seconds[0], book("ethusdc", 9))]
    broken = RawFrame("binance_usdm/market", 3, seconds[0], "ethusdc@trade", b"{")
    return write(tmp_path / "a.rec.zst", [*books, broken, *trades, end], subject=SUBJECT)


def test_every_event_is_a_row_of_its_day(recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "tables"
    done = CliRunner().invoke(group, ["export", str(recording), "--out", str(out), "--json"])

    assert done.exit_code == 0, done.output
    assert json.loads(done.output) == {
        "rows": 8,
        "files": {
            "partial_book/ETHUSDC/2024-08-08.parquet": 1,
            "trades/ETHUSDC/2024-08-08.parquet": 3,
            "trades/ETHUSDC/2024-08-09.parquet": 3,
            "lifecycle/2024-08-09.parquet": 1,
        },
    }
    assert not list(out.rglob("*.part"))

    table = parquet.read_table(out / "trades" / "ETHUSDC" / "2024-08-08.parquet")
    assert {field.name: str(field.type) for field in table.schema} == {
        "symbol": "string", "exchange_time_ns": "timestamp[ns, tz=UTC]",
        "received_ns": "timestamp[ns, tz=UTC]", "session": "int64", "price": "double",
        "quantity": "double", "side": "string", "trade_id": "int64",
    }  # fmt: skip
    rows = table.to_pydict()
    assert rows["trade_id"] == [1, 2, 3]
    assert rows["price"] == [3000.1] * 3
    assert rows["side"] == ["buy"] * 3
    assert rows["session"] == [3] * 3
    first = table.column("received_ns").cast("int64").to_pylist()[0]
    assert first == FIRST_NS

    (row,) = parquet.read_table(out / "partial_book" / "ETHUSDC").to_pylist()
    assert (row["bid_prices"], row["ask_quantities"]) == ([3000.1], [2.5])

    (mark,) = parquet.read_table(out / "lifecycle").to_pylist()
    assert (mark["kind"], mark["reason"], mark["time_ns"].date()) == (
        "Disconnected", "reset", datetime(2024, 8, 9, tzinfo=UTC).date(),
    )  # fmt: skip


def test_the_rows_of_every_event_fit_its_columns() -> None:
    kinds = [
        kind
        for kind in vars(events).values()
        if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
    ]

    for kind in kinds:
        names = columns_of(kind)
        assert len(names) == len(set(names))
        assert names[:2] == ("symbol", "exchange_time_ns")


def test_an_export_that_fails_leaves_no_file(recording: Path, tmp_path: Path) -> None:
    damaged = bytearray(recording.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    recording.write_bytes(damaged)
    out = tmp_path / "tables"

    with pytest.raises(RecordingDamaged):
        export(binance.UsdMFutures(), [recording], out)

    assert [path for path in out.rglob("*") if path.is_file()] == []


def test_what_is_no_recording_is_told(tmp_path: Path) -> None:
    done = CliRunner().invoke(group, ["export", str(tmp_path), "--out", str(tmp_path / "o")])

    assert done.exit_code == 1
    assert "no recording at" in done.output
