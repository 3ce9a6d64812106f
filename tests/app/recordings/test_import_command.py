"""Captures become recordings that hold the same frames, and say so when verified."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from connector.app.commands import group
from connector.app.naming import EXCHANGES
from connector.app.recordings.decoding import Decoded, channel_of, events_of
from connector.channels import (
    AggregateTrades,
    BestQuote,
    BookDeltas,
    Candles,
    Liquidations,
    MarkPrices,
    PartialBook,
    RawStream,
    Tickers,
    Trades,
)
from connector.errors import ConfigError
from connector.exchanges import binance
from connector.link.raw_frames import RawFrame
from connector.recording import Answer, Mark, RecordingFailed, Subject, Writer, read_frames
from tests.faults.world import book, trade
from tests.recording.parts import write


def capture(path: Path, *rows: tuple[int | None, str, str | None, str | None]) -> Path:
    with gzip.open(path, "wb") as file:
        for ns, kind, url, text in rows:
            file.write(msgspec.json.encode({"t": ns, "k": kind, "u": url, "m": text}) + b"\n")
    return path


def wrapped(stream: str, data: Any) -> str:
    return json.dumps({"stream": stream, "data": data}, separators=(",", ":"))


ROWS = [
    (10, "open", "wss://x/stream", None),
    (20, "recv", None, wrapped("ethusdc@trade", trade("ethusdc", 5))),
    (30, "http", "https://x/fapi/v1/depth?symbol=ETHUSDC&limit=1000", '{"lastUpdateId":1}'),
    (None, "recv", None, wrapped("ethusdc@depth5@100ms", book("ethusdc", 7))),
    (40, "recv", None, wrapped("ethusdc@trade", trade("ethusdc", 6))),
    (50, "recv", None, wrapped("ethusdc@trade", trade("ethusdc", 9))),
]


def test_an_id_of_nothing_is_not_missing(tmp_path: Path) -> None:
    nothing = {"p": "0", "q": "0", "X": "NA"}
    rows = [
        (10 + n, "recv", None, wrapped("ethusdc@trade", {**trade("ethusdc", n), **change}))
        for n, change in enumerate([nothing, {}, nothing, nothing, {}, {}], 1)
    ]
    source = capture(tmp_path / "some.jsonl.gz", *rows)
    made = ["import", str(source), "--exchange", "binance_usdm", "--out", str(tmp_path)]
    assert CliRunner().invoke(group, made).exit_code == 0

    verified = CliRunner().invoke(group, ["verify", str(tmp_path / "some.rec.zst")])

    assert "ethusdc@trade: 6 frames, 6 ids checked, 0 gaps, 0 repeated" in verified.output


def test_a_disk_that_is_full_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = capture(tmp_path / "some.jsonl.gz", *ROWS)
    arguments = ["import", str(source), "--exchange", "binance_usdm", "--out", str(tmp_path / "r")]

    def end(*_: object) -> None:
        raise RecordingFailed("no space left on device")

    with monkeypatch.context() as full:
        full.setattr(Writer, "end", end)
        failed = CliRunner().invoke(group, arguments)
    assert (failed.exit_code, list((tmp_path / "r").iterdir())) == (1, [])
    assert "no space left on device" in failed.output

    again = CliRunner().invoke(group, arguments)
    assert again.exit_code == 0, again.output


def test_a_capture_is_imported_frame_by_frame(tmp_path: Path) -> None:
    source = capture(tmp_path / "some.jsonl.gz", *ROWS)

    done = CliRunner().invoke(
        group, ["import", str(source), "--exchange", "binance_usdm", "--out", str(tmp_path / "r")]
    )

    assert done.exit_code == 0, done.output
    path = tmp_path / "r" / "some.rec.zst"
    items = list(read_frames(path))
    frames = [each for each in items if isinstance(each, RawFrame)]
    assert [each.payload.decode() for each in frames] == [
        row[3] for row in ROWS if row[1] == "recv"
    ]
    assert [each.received_ns for each in frames] == [20, 30, 40, 50]
    assert [each.link for each in frames] == [
        "binance_usdm/public", "binance_usdm/public", "binance_usdm/public", "binance_usdm/public",
    ]  # fmt: skip
    (answer,) = [each for each in items if isinstance(each, Answer)]
    assert answer.target == "/fapi/v1/depth?symbol=ETHUSDC&limit=1000"

    again = CliRunner().invoke(
        group, ["import", str(source), "--exchange", "binance_usdm", "--out", str(tmp_path / "r")]
    )
    assert again.exit_code == 1
    assert "already exists" in again.output

    verified = CliRunner().invoke(group, ["verify", str(path)])
    assert verified.exit_code == 0
    assert "ethusdc@trade: 3 frames, 3 ids checked, 1 gap, 0 repeated" in verified.output

    events = [each.event for each in events_of(binance.UsdMFutures(), [path])
              if isinstance(each, Decoded)]  # fmt: skip
    assert [getattr(each, "trade_id", None) for each in events] == [5, None, 6, 9]
    assert [each.received_ns for each in events] == [20, 30, 40, 50]


def test_json_prints_one_object(tmp_path: Path) -> None:
    source = str(capture(tmp_path / "a.jsonl.gz", *ROWS))

    done = CliRunner().invoke(
        group, ["import", source, "--exchange", "binance_usdm", "--out", str(tmp_path), "--json"]
    )

    path = tmp_path / "a.rec.zst"
    assert json.loads(done.stdout) == {
        "files": [{"path": str(path), "frames": 4, "bytes": path.stat().st_size}]
    }


def test_a_folder_that_names_no_exchange_is_told(tmp_path: Path) -> None:
    done = CliRunner().invoke(group, ["import", str(capture(tmp_path / "a.jsonl.gz", *ROWS))])

    assert done.exit_code == 1
    assert "is not the name of an exchange; name the exchange with --exchange" in done.output


@pytest.mark.parametrize("damage", ["text", "cut", "bits"])
def test_what_is_no_capture_is_told(tmp_path: Path, damage: str) -> None:
    path = capture(tmp_path / "a.jsonl.gz", *ROWS)
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(
        {
            "text": gzip.compress(b"hello\n"),
            "cut": whole[:middle],
            "bits": whole[:middle] + bytes(20) + whole[middle + 20 :],
        }[damage]
    )

    done = CliRunner().invoke(
        group, ["import", str(path), "--exchange", "binance_usdm", "--out", str(tmp_path / "r")]
    )

    assert done.exit_code == 1
    assert "a.jsonl.gz: not a capture with one JSON object per line" in done.output
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    "channel",
    [
        Trades("ETHUSDC"), AggregateTrades("ETHUSDC"), BestQuote("ETHUSDC"),
        PartialBook("ETHUSDC", 20, 500), BookDeltas("ETHUSDC", 0), Candles("ETHUSDC", "4h"),
        Tickers("ETHUSDC"), Tickers(), MarkPrices("ETHUSDC", 3000), MarkPrices(), Liquidations(),
        Liquidations("ETHUSDC"), RawStream("ethusdc@compositeIndex"),
    ],
    ids=repr,
)  # fmt: skip
def test_a_stream_leads_back_to_its_channel(channel: Any) -> None:
    exchange = binance.UsdMFutures()

    assert channel_of(exchange, exchange.stream(channel).name) == channel


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("bybit_linear", "BTCUSDT"), ("okx", "BTC-USDT"), ("kraken", "BTC/USD"),
        ("kraken", "AAPLx/USD"), ("kraken_futures", "PI_XBTUSD"), ("kraken_unified", "PF_XBTUSD"),
        ("deribit", "BTC-PERPETUAL"), ("bitget_spot", "BTCUSDT"), ("coinbase", "BTC-USD"),
    ],
)  # fmt: skip
def test_streams_of_every_exchange_lead_back_to_a_channel_of_their_kind(
    name: str, symbol: str
) -> None:
    exchange = EXCHANGES[name]()

    for channel in (Trades(symbol), Tickers(symbol), Candles(symbol), MarkPrices(symbol)):
        with suppress(ConfigError):
            stream = exchange.stream(channel).name
            found = exchange.stream(channel_of(exchange, stream))

            assert not isinstance(found.channel, RawStream), stream
            assert (found.name, found.channel.symbol) == (stream, symbol)


def test_what_only_says_what_has_changed_is_completed(tmp_path: Path) -> None:
    def candle(minute: int, close: int) -> str:
        return (
            '{"channel":"ohlc","type":"update","data":[{"symbol":"A/B","open":1,"high":9,"low":1,'
            f'"close":{close},"trades":1,"volume":1,"vwap":1,"interval_begin":'
            f'"2024-07-01T00:0{minute}:00Z","interval":1}}]}}'
        )

    def depth(kind: str, bid: str, number: int) -> str:
        return (
            f'{{"topic":"orderbook.1.AUSDT","type":"{kind}","ts":5,"data":{{"s":"AUSDT",'
            f'"b":[["{bid}","1"]],"a":[["9","1"]],"u":{number},"seq":1}},"cts":5}}'
        )

    texts = {
        "kraken": [candle(0, 1), candle(0, 2), candle(1, 3)],
        "bybit_spot": [depth("snapshot", "1", 7), depth("delta", "2", 8)],
    }
    found: dict[str, list[Any]] = {}
    for name, said in texts.items():
        exchange = EXCHANGES[name]()
        stream = "ohlc-1:A/B" if name == "kraken" else "orderbook.1.AUSDT"
        link = f"{name}/public"
        items: list[Any] = [Mark("Connected", link, 1, 1), Mark("Subscribed", link, 1, 1)]
        items += [RawFrame(link, 1, n, stream, each.encode()) for n, each in enumerate(said, 1)]
        subject = Subject(name, (), (stream,), {stream: "public"})
        path = write(tmp_path / f"{name}.rec.zst", items, subject=subject)
        verified = CliRunner().invoke(group, ["verify", str(path)])
        assert (verified.exit_code, "sound" in verified.output) == (0, True), verified.output
        found[name] = [
            each.event for each in events_of(exchange, [path]) if isinstance(each, Decoded)
        ]

    assert [(each.close, each.closed) for each in found["kraken"]] == [
        (1, False), (2, False), (2, True), (3, False)
    ]  # fmt: skip
    assert [each.bid_price for each in found["bybit_spot"]] == [1, 2]
