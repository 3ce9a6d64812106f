"""A program that reads trades with backfill: trades missed in a disconnect are fetched."""

from __future__ import annotations

from typing import Any

import trio

from connector import Overflow
from connector.channels import Trades
from connector.testing.explore.numbered_trades import SYMBOL, BackfillReader
from connector.testing.explore.programs import Describe, adapter_on, spot
from connector.testing.explore.stage import Stage
from connector.testing.faults.faults import Fault

_BEFORE, _AFTER = 2, 3
_AWAY_SECONDS = 1.0


async def backfill(
    stage: Stage,
    describe: Describe = spot,
    *,
    channel: Any = None,
    faults: tuple[Fault, ...] = (),
    buffer: int = 64,
    slow_seconds: float = 0.0,
) -> None:
    """Read, lose the connection for a while, and read on until nothing is missing.

    Args:
        stage: the environment of the program.
        describe: makes the exchange.
        channel: a channel with ``backfill``; trades by default.
        faults: faults of the requests that fetch the missed trades; injected when the stream is
            back.
        buffer: size of the feed's buffer; the feed's policy is to block the link.
        slow_seconds: how long the consumer takes for each fetched trade.
    """
    channel = Trades(SYMBOL, backfill=True) if channel is None else channel
    reader = BackfillReader(stage)
    async with (
        adapter_on(stage, describe) as adapter,
        adapter.subscribe(channel, gaps=True, buffer=buffer, overflow=Overflow.BLOCK) as feed,
    ):
        while reader.events < _BEFORE:
            reader.saw(await feed.receive())
        tasks = adapter.statistics().tasks
        stage.exchange.inject("refuse")
        stage.exchange.break_connections("reset")
        await trio.sleep(_AWAY_SECONDS)
        stage.exchange.mend()
        while faults and not stage.exchange.connections:
            stage.turn()
            await trio.sleep(0.05)
        for fault in faults:
            stage.exchange.inject(fault)
        target = reader.events + _AFTER
        while reader.events < target or not stage.settled or not reader.complete:
            event: Any = await feed.receive()
            reader.saw(event)
            if slow_seconds and getattr(event, "backfilled", False):
                await trio.sleep(slow_seconds)
        with trio.move_on_after(1.0):
            while adapter.statistics().tasks > tasks:  # noqa: ASYNC110 - there is no event for it
                await trio.sleep(0.05)
        if adapter.statistics().tasks > tasks:
            stage.find("I3", f"{adapter.statistics().tasks} tasks after a fill, {tasks} before it")
