"""A table holds every event of a recording, in typed columns, or there is no table."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector import events
from connector.app.commands import group
from connector.app.recordings import parquet_tables
from connector.app.recordings.parquet_tables import columns_of, export
from connector.channels import Candles, Trades
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
            "partial_book/ETHUSDC/levels=5/interval_ms=100/2024-08-08.parquet": 1,
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
        "quantity": "double", "side": "string", "trade_id": "int64", "off_book": "bool",
        "backfilled": "bool",
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


KINDS = [
    kind
    for kind in vars(events).values()
    if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
]


def test_the_rows_of_every_event_fit_its_columns() -> None:
    for kind in KINDS:
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


def test_a_folder_without_a_recording_is_an_error(tmp_path: Path) -> None:
    done = CliRunner().invoke(group, ["export", str(tmp_path), "--out", str(tmp_path / "o")])

    assert done.exit_code == 1
    assert "no recording at" in done.output


def exported(recording: Path, out: Path, *options: str) -> tuple[int, str]:
    command = ["export", str(recording), "--out", str(out), *options]
    done = CliRunner().invoke(group, command)
    return done.exit_code, done.output


def contents(out: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_a_day_that_is_there_is_not_overwritten(recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "tables"
    assert exported(recording, out)[0] == 0
    before = contents(out)

    code, said = exported(recording, out)

    assert code == 1
    assert "2024-08-08.parquet already exists; choose another --out, or use --append" in said
    assert contents(out) == before


def test_append_writes_another_file_for_the_day(recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "tables"
    for _ in range(3):
        assert exported(recording, out, "--append")[0] == 0

    days = sorted(path.name for path in (out / "trades" / "ETHUSDC").iterdir())
    assert days == [
        f"2024-08-{day}{again}.parquet" for day in ("08", "09") for again in ("-2", "-3", "")
    ]
    assert parquet.read_table(out / "trades").num_rows == 18


def test_a_part_is_exported(recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "tables"

    assert exported(recording, out, "--from", "2024-08-09")[0] == 0

    assert sorted(path.name for path in out.rglob("*.parquet")) == ["2024-08-09.parquet"] * 2


CHANNELS = (
    "ethusdc@depth5@100ms",
    "ethusdc@depth20@100ms",
    "ethusdc@depth5@500ms",
    "btcusdc@depth5@100ms",
)


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """Partial books that differ by symbol, by levels, and by interval."""
    frames = [
        frame(name, FIRST_NS + n, book(name.partition("@")[0], n))
        for n, name in enumerate(CHANNELS, 1)
    ]
    path = write(tmp_path / "b.rec.zst", frames, subject=Subject("binance_usdm", (), CHANNELS))
    assert exported(path, tmp_path / "tables")[0] == 0
    return tmp_path / "tables" / "partial_book"


def test_channels_that_differ_by_a_parameter_do_not_fall_into_one_folder(books: Path) -> None:
    folders = sorted(path.parent.relative_to(books).as_posix() for path in books.rglob("*.parquet"))

    assert folders == [
        "BTCUSDC/levels=5/interval_ms=100",
        "ETHUSDC/levels=20/interval_ms=100",
        "ETHUSDC/levels=5/interval_ms=100",
        "ETHUSDC/levels=5/interval_ms=500",
    ]


def test_a_parameter_that_is_a_column_is_no_partition() -> None:
    folders = [
        parquet_tables._folder(Candles("ETHUSDC", interval), columns_of(events.Candle)).as_posix()
        for interval in ("1m", "5m")
    ]

    assert folders == ["candles/ETHUSDC/1m", "candles/ETHUSDC/5m"]


ROWS = [
    ("BTCUSDC", 5, 100, 4), ("ETHUSDC", 5, 100, 1), ("ETHUSDC", 5, 500, 3), ("ETHUSDC", 20, 100, 2),
]  # fmt: skip


def test_the_parameters_are_columns_for_pyarrow(books: Path) -> None:
    dataset = pytest.importorskip("pyarrow.dataset")

    table = dataset.dataset(books, partitioning="hive").to_table()

    rows = table.select(["symbol", "levels", "interval_ms", "update_id"]).to_pylist()
    assert sorted(tuple(row.values()) for row in rows) == ROWS


def test_the_parameters_are_columns_for_polars(books: Path) -> None:
    polars = pytest.importorskip("polars", reason="no dependency of ours")

    table = polars.scan_parquet(books, hive_partitioning=True).collect()

    rows = table.select(["symbol", "levels", "interval_ms", "update_id"]).rows()
    assert sorted(rows) == ROWS


def test_the_parameters_are_columns_for_duckdb(books: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="no dependency of ours")

    files = f"read_parquet('{books}/**/*.parquet', hive_partitioning = true)"
    rows = duckdb.sql(f"select symbol, levels, interval_ms, update_id from {files}").fetchall()

    assert sorted(rows) == ROWS


def test_recordings_of_several_adapters_are_tables_of_their_own(tmp_path: Path) -> None:
    for name in ("futures", "spot"):
        (tmp_path / "rec" / name).mkdir(parents=True)
        frames = [frame("ethusdc@trade", FIRST_NS, trade("ethusdc", 1, 5))]
        write(tmp_path / "rec" / name / "a.rec.zst", frames, subject=SUBJECT)

    code, said = exported(tmp_path / "rec", tmp_path / "tables", "--json")

    assert code == 0
    assert sorted(json.loads(said)["files"]) == [
        "futures/trades/ETHUSDC/2024-08-08.parquet", "spot/trades/ETHUSDC/2024-08-08.parquet",
    ]  # fmt: skip


VALUES: Any = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.decimals(), st.text(),
    st.text(st.characters(categories=["Cs"])), st.binary(),
    st.sampled_from([2**63, -(2**63) - 1, 2**200, 10**400, "../../etc/passwd", "\ud800", "1_000"]),
)  # fmt: skip


@given(data=st.data())
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
def test_an_export_survives_any_value_in_any_field(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("t")
    kind = data.draw(st.sampled_from(KINDS))
    stamped = [FIRST_NS, 0, -1, 2**62, -(2**62)]
    rows = data.draw(st.integers(1, 4))
    wild: list[Any] = []
    for _ in range(rows):
        event: Any = SimpleNamespace(fields=kind.fields)
        for name in kind.fields:
            value = data.draw(VALUES)
            if name in ("bids", "asks"):
                value = [SimpleNamespace(price=data.draw(VALUES), quantity=value)]
            setattr(event, name, value)
        event.received_ns = data.draw(st.sampled_from(stamped))
        wild.append(event)
    symbols = st.sampled_from(["ETHUSDC", "..", "../../x", "/etc", "a=b", "ä:,%", "x" * 60])
    stream = SimpleNamespace(channel=Trades(data.draw(symbols)))
    what = data.draw(st.dictionaries(st.sampled_from(["reason", "detail"]), VALUES))
    mark = Mark("Stale", data.draw(st.text()), 1, data.draw(st.integers()), what)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet_tables, "kind_of", lambda _: kind)
        given_: list[Any] = [*(parquet_tables.Decoded(stream, each) for each in wild), mark]  # type: ignore[arg-type]
        patch.setattr(parquet_tables, "events_of", lambda *_: iter(given_))
        summary = export(binance.UsdMFutures(), [], folder / "out")

    assert summary.rows == rows + 1 == sum(summary.files.values())
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {str(path.relative_to(folder / "out")) for path in files} == set(summary.files)
    assert sum(parquet.read_table(path).num_rows for path in files) == rows + 1


def test_a_value_that_a_column_cannot_hold_is_missing_and_counted(tmp_path: Path) -> None:
    wild = trade("ethusdc", 2**70, 5)
    frames = [frame("ethusdc@trade", FIRST_NS, trade("ethusdc", 1, 5)) for _ in range(2)]
    frames.insert(1, frame("ethusdc@trade", FIRST_NS, wild))
    path = write(tmp_path / "c.rec.zst", frames, subject=SUBJECT)

    _, said = exported(path, tmp_path / "tables")

    ids = parquet.read_table(tmp_path / "tables" / "trades").to_pydict()["trade_id"]
    assert ids in ([1, None, 1], [1, 1])  # where it does not even decode
    if None in ids:
        assert "trade_id: 1 value left out: too large for the column" in said
