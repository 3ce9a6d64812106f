"""``connector check --online``: symbols are looked up at their exchange."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import trio
from trio.testing import MockClock

from connector.app.running.configuration import read_configuration
from connector.app.running.online_check import check_symbols
from connector.app.running.venues import SimulatedWorld
from connector.testing import Audience, Fault, FaultPlan, MemoryNetwork, open_exchange

CONFIG = """
[adapters.futures]
exchange = "binance_usdm"

[groups.ticks]
adapter = "futures"
channels = ["trades", "best_quote"]
symbols = ["ETHUSDC", "ETHUDSC", "BTCUSDC"]

[[sinks]]
kind = "log"
"""


@attrs.frozen
class Listed:
    symbols: tuple[str, ...] = ("ETHUSDC", "BTCUSDC")
    statuses: Mapping[str, str] = attrs.field(factory=lambda: {"BTCUSDC": "BREAK"})

    def begin(self, audience: Audience) -> Listed:
        return self

    async def play(self) -> None:
        await trio.sleep_forever()

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        return None


async def ask(*faults: Fault) -> tuple[list[str], list[str]]:
    network = MemoryNetwork()
    plan = FaultPlan(faults)
    async with open_exchange("usdm", source=Listed(), network=network, faults=plan) as exchange:
        world = SimulatedWorld(network, {"binance_usdm": exchange})
        return await check_symbols(read_configuration(CONFIG), world)


async def test_what_the_exchange_does_not_list_is_told_with_what_was_meant(
    autojump_clock: MockClock,
) -> None:
    wrong, notes = await ask()
    assert wrong == ["groups.ticks: binance_usdm lists no symbol 'ETHUDSC'; did you mean ETHUSDC?"]
    assert notes == ["groups.ticks: BTCUSDC is not traded now: BREAK"]


async def test_an_exchange_that_does_not_answer_is_told_with_the_cause(
    autojump_clock: MockClock,
) -> None:
    wrong, notes = await ask(Fault("http_status", status=503))
    assert notes == []
    (line,) = wrong
    assert line.startswith("adapters.futures: binance_usdm/rest: no answer within 30 s: HTTP st")
