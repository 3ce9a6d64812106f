"""COIN-M as it is simulated: the fields of the notes and of real frames, contracts and coins.

Source: binance_coinm §2–§5; data: binance_coinm/btcusd_perp_20240808.
"""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from connector import open_adapter
from connector.channels import RawStream
from connector.exchanges import binance
from connector.testing import MemoryNetwork, OrderFlow, open_exchange

SYMBOLS = "BTCUSD_PERP", "BTCUSD_261225", "ETHUSD_PERP"
STREAMS = {
    "btcusd_perp@aggTrade": "eEaspqflTm st",
    "btcusd_perp@depth@100ms": "eETsUubapu st ps",
    "btcusd_perp@depth5@100ms": "eETsUubapu st ps",
    "btcusd_perp@bookTicker": "eusbBaATE st ps",
    "!bookTicker": "eusbBaATE st ps",
    "btcusd_perp@markPrice@1s": "eEspPirT st",
    "btcusd@indexPrice@1s": "eEip st",
    "btcusd_perp@kline_1m": "eEsk",
    "btcusd_perp@forceOrder": "eEo",
}
"""The keys of each stream, one letter each; then the longer ones."""


def keys(text: str) -> set[str]:
    short, *longer = text.split(" ")
    found = {*short.replace("pu", ""), *longer}
    return found | {"pu"} if "pu" in short else found


async def payloads(*streams: str) -> dict[str, Any]:
    """The first payload of each stream."""
    network, found = MemoryNetwork(), {}
    flow = OrderFlow(symbols=SYMBOLS, rate_per_second=100)
    async with open_exchange("binance_coinm", source=flow, network=network) as exchange:
        coinm = binance.CoinMFutures(endpoints=exchange.endpoints)
        async with open_adapter(coinm, dialer=network) as adapter:
            async with adapter.subscribe(*map(RawStream, streams)) as feed:
                with trio.fail_after(60):
                    while len(found) < len(streams):
                        event = await anext(feed)
                        found.setdefault(event.stream, json.loads(event.data))
    return found


async def test_each_stream_has_the_fields_of_the_notes(autojump_clock: MockClock) -> None:
    said = await payloads(*STREAMS)

    assert {name: set(each) for name, each in said.items()} == {
        name: keys(text) for name, text in STREAMS.items()
    }
    assert said["btcusd_perp@depth@100ms"]["ps"] == "BTCUSD"
    assert said["btcusd_perp@forceOrder"]["o"]["ps"] == "BTCUSD"
    assert said["btcusd_perp@aggTrade"]["st"] == 2


async def test_arrays_have_all_of_a_pair_and_deliveries_no_funding(
    autojump_clock: MockClock,
) -> None:
    said = await payloads("btcusd@markPrice@1s", "!ticker@arr", "btcusd_261225@markPrice@1s")

    assert [each["s"] for each in said["btcusd@markPrice@1s"]] == list(SYMBOLS[:2])
    assert {each["ps"] for each in said["!ticker@arr"]} <= {"BTCUSD", "ETHUSD"}
    delivery = said["btcusd_261225@markPrice@1s"]
    assert (delivery["r"], delivery["T"]) == ("", 0)


async def test_quantities_are_contracts_and_turnover_is_coins(autojump_clock: MockClock) -> None:
    said = await payloads("btcusd_perp@ticker")
    ticker = said["btcusd_perp@ticker"]

    contracts, coins = Decimal(ticker["v"]), Decimal(ticker["q"])
    assert contracts == int(contracts)
    assert coins == pytest.approx(100 * contracts / Decimal(ticker["w"]), rel=Decimal("1e-4"))


async def test_frames_have_the_fields_of_real_ones(
    autojump_clock: MockClock, data_folder: Path
) -> None:
    """What was captured in 2024, before `st` came."""
    real: dict[str, set[str]] = {}
    capture = data_folder / "binance_coinm" / "btcusd_perp_20240808.jsonl.gz"
    with gzip.open(capture, "rt", encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            if record["k"] == "recv" and record["m"].startswith('{"stream"'):
                said = json.loads(record["m"])
                real.setdefault(said["stream"].replace("@0ms", "@100ms"), set(said["data"]))
            if len(real) == 3:
                break
    simulated = await payloads(*real)

    assert real
    for stream, fields in real.items():
        assert set(simulated[stream]) - {"st"} == fields, stream
