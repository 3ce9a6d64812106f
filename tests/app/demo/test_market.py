"""What the demo plays: a made-up market, or the channels that a recording has."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import trio

from connector.app.demo.demo import Options, run_demo
from connector.app.demo.market import market_of
from connector.app.demo.plain_output import Nowhere
from connector.channels import BestQuote, BookDeltas, PartialBook, Trades
from connector.errors import ConfigError

START_NS = 1_700_000_000_000_000_000
MS = 1_000_000


def record(path: Path, frames: list[tuple[int, str, dict[str, object]]]) -> Path:
    """A capture of combined frames at milliseconds after the start."""
    with gzip.open(path, "wt") as out:
        for after_ms, stream, data in frames:
            text = json.dumps({"stream": stream, "data": data}, separators=(",", ":"))
            line = {"t": START_NS + after_ms * MS, "k": "recv", "u": None, "m": text}
            out.write(json.dumps(line) + "\n")
    return path


def quote(number: int) -> dict[str, object]:
    return {
        "e": "bookTicker", "u": number, "s": "ETHUSDC", "b": "3000.1", "B": "1", "a": "3000.2",
        "A": "2", "T": 1, "E": 1,
    }  # fmt: skip


def trade(number: int) -> dict[str, object]:
    return {
        "e": "trade", "E": 1, "T": 1, "s": "ETHUSDC", "t": number, "p": "3000.1", "q": "1",
        "X": "MARKET", "m": True,
    }  # fmt: skip


def test_without_a_capture_it_is_ethusdc() -> None:
    market = market_of(None, seed=3, duration_seconds=20)

    assert market.venue == "binance_usdm"
    assert set(market.channels) == {
        PartialBook("ETHUSDC", levels=5, interval_ms=100), Trades("ETHUSDC"), BestQuote("ETHUSDC"),
    }  # fmt: skip


def test_a_capture_says_what_can_be_subscribed(tmp_path: Path) -> None:
    frames = [(ms, "ethusdc@bookTicker", quote(ms)) for ms in range(1, 5000, 100)]
    frames += [(ms, "ethusdc@trade", trade(ms)) for ms in range(50, 5000, 1000)]
    frames += [(60, "ethusdc@markPrice@1s", {}), (70, "btcusdc@trade", trade(1))]
    path = record(tmp_path / "capture.jsonl.gz", sorted(frames, key=lambda frame: frame[0]))

    market = market_of(path, seed=0, duration_seconds=20)

    assert market.venue == "binance_usdm"
    # One has no channel here, and one trade in five seconds is nothing to watch.
    assert set(market.channels) == {BestQuote("ethusdc"), Trades("ethusdc")}
    assert market.stale_after_seconds == pytest.approx(1.5)


def test_spot_is_recognised(tmp_path: Path) -> None:
    delta = {"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": 1, "u": 1, "b": [], "a": []}
    path = record(
        tmp_path / "capture.jsonl.gz",
        [(ms, "btcusdt@depth@100ms", delta) for ms in range(0, 1000, 100)],
    )

    market = market_of(path, seed=0, duration_seconds=20)

    assert market.venue == "binance_spot"
    assert market.channels == (BookDeltas("btcusdt", interval_ms=100),)


def test_what_is_no_capture_is_said_so(tmp_path: Path) -> None:
    text = tmp_path / "text.jsonl.gz"
    text.write_bytes(gzip.compress(b"hello\n"))
    nothing = record(tmp_path / "nothing.jsonl.gz", [])

    with pytest.raises(ConfigError, match="not a capture"):
        market_of(text, seed=0, duration_seconds=20)
    with pytest.raises(ConfigError, match="has no stream that can be shown"):
        market_of(nothing, seed=0, duration_seconds=20)
    with pytest.raises(OSError, match="gzip"):
        market_of(Path(__file__), seed=0, duration_seconds=20)


async def test_the_demo_plays_a_capture(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    frames = [(ms, "ethusdc@bookTicker", quote(ms)) for ms in range(1, 12_000, 50)]
    frames += [(ms, "ethusdc@trade", trade(ms)) for ms in range(25, 12_000, 200)]
    path = record(tmp_path / "capture.jsonl.gz", sorted(frames, key=lambda frame: frame[0]))

    options = Options(duration_seconds=11, capture=path)
    result = await run_demo(options, options.market(), Nowhere(), trio.Event(), in_memory=True)

    assert result.report.violations == []
    assert result.report.breaks == 5
    assert result.report.links == 2
    assert 150 < result.report.messages < 300
