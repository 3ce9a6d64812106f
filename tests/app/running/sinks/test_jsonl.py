"""The sink jsonl: every event is one line that a JSON reader reads back, in a file or a pipe."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from connector.app.running.sinks import Batch, JsonLines
from connector.app.running.sinks.jsonl import JsonLinesSink
from connector.app.running.sinks.line_file import LineFile
from connector.channels import OrderBook, PartialBook, RawStream, Trades
from connector.errors import DecodeError, SubscriptionRejected
from connector.events import BookSnapshot, Event, Gap, Level, RawMessage
from connector.exchanges import binance
from connector.lifecycle import Connected, Rejected, Stale

TRADE = (
    b'{"e":"trade","E":1785000000001,"T":1785000000000,"s":"ETHUSDC","t":7,"p":"3000.10","q":"0.5",'
    b'"X":"MARKET","m":true}'
)


def trade(numbers: Any = float) -> Event:
    event = binance.UsdMFutures(numbers=numbers).stream(Trades("ETHUSDC")).decode(TRADE)
    assert isinstance(event, Event)
    event.received_ns, event.session = 5, 2
    return event


def batch(*events: Event) -> Batch:
    return Batch("futures", "binance_usdm", "ticks", events)


async def written(tmp_path: Path, *events: Event) -> list[dict[str, Any]]:
    path = tmp_path / "events.jsonl"
    async with JsonLines(path=str(path)).open() as sink:
        await sink.write(batch(*events))
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_an_event_is_a_line_with_its_public_fields(tmp_path: Path) -> None:
    (line,) = await written(tmp_path, trade())

    assert line == {
        "adapter": "futures", "group": "ticks", "type": "Trade", "symbol": "ETHUSDC",
        "exchange_time_ns": 1785000000000 * 10**6, "received_ns": 5, "session": 2,
        "price": 3000.1, "quantity": 0.5, "side": "sell", "trade_id": 7, "off_book": False,
        "backfilled": False,
    }  # fmt: skip


async def test_a_decimal_keeps_its_digits(tmp_path: Path) -> None:
    (line,) = await written(tmp_path, trade(Decimal))

    assert line["price"] == "3000.10"


async def test_levels_channels_and_raw_data_are_plain_json(tmp_path: Path) -> None:
    book = BookSnapshot(
        symbol="ETHUSDC", bids=[Level(2.0, 1.0)], asks=[Level(3.0, 4.0)], update_id=1
    )
    gap = Gap(symbol="", channels=(PartialBook("ETHUSDC"), Trades("X")), reason="disconnected")
    raw = RawMessage(symbol="", stream="!x", data=b'{"a":[1]}')

    lines = await written(tmp_path, book, gap, raw)

    assert lines[0]["bids"] == [[2.0, 1.0]]
    assert lines[1]["channels"] == ["partial_book:ETHUSDC", "trades:X"]
    assert lines[2]["data"] == {"a": [1]}


async def test_a_file_is_appended_to(tmp_path: Path) -> None:
    await written(tmp_path, trade())

    assert len(await written(tmp_path, trade(), trade())) == 3


async def test_marks_are_written_if_they_are_wanted(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    refusal = SubscriptionRejected(OrderBook("NOPE"), -1121, "Invalid symbol.")
    marks = [
        Connected(link="a/b", session=3),
        Rejected(link="a/b", session=3, error=refusal),
        Stale(link="a/b", session=3, stream="s", channel=RawStream("!x"), silent_seconds=1.5),
        DecodeError("s", "truncated", b"{"),
    ]

    for wanted in (False, True):
        async with JsonLines(path=str(path), marks=wanted).open() as sink:
            for mark in marks:
                await sink.mark("futures", mark)
    lines = [json.loads(line) for line in path.read_text().splitlines()]

    assert [line["type"] for line in lines] == ["Connected", "Rejected", "Stale", "DecodeError"]
    assert (lines[0]["link"], lines[0]["session"]) == ("a/b", 3)
    assert lines[1]["channel"] == "order_book:NOPE"
    assert "Invalid symbol." in lines[1]["error"]


async def test_a_slow_reader_of_a_pipe_holds_the_sink_back_and_not_the_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    near, far = os.pipe()
    with os.fdopen(far, "wb", buffering=0, closefd=False) as standard_output:  # noqa: ASYNC231 - a pipe
        monkeypatch.setattr("sys.stdout", standard_output)
        sink = JsonLinesSink(LineFile(None), marks=False)
    events = [trade() for _ in range(2_000)]
    done = trio.Event()

    async def write() -> None:
        await sink.write(batch(*events))
        done.set()

    read = b""
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            await trio.testing.wait_all_tasks_blocked()
            assert not done.is_set()
            while not done.is_set() or read.count(b"\n") < len(events):
                await trio.lowlevel.wait_readable(near)
                read += os.read(near, 1 << 16)
    finally:
        os.close(near)
        os.close(far)

    assert [json.loads(line)["trade_id"] for line in read.splitlines()] == [7] * len(events)


async def test_a_path_that_cannot_be_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        async with JsonLines(path=str(tmp_path / "no" / "events.jsonl")).open():
            pass
