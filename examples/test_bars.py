"""The bars and the spreads: by hand, over a disconnect, and whatever goes wrong."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from connector import open_adapter
from connector.channels import BestQuote, Trades
from connector.events import Gap, Quote, Trade
from connector.exchanges import binance
from connector.testing import Fault, FaultPlan, MemoryNetwork, OrderFlow, When, open_exchange
from examples.bars import SECOND_NS, BarBuilder, build_bars
from examples.spreads import Spreads


def trade(seconds: float, price: float, quantity: float = 1.0) -> Trade:
    return Trade(
        symbol="ETHUSDC",
        exchange_time_ns=int(seconds * SECOND_NS),
        price=price,
        quantity=quantity,
        side="buy",
        trade_id=1,
    )


GAP = Gap(symbol="ETHUSDC", channels=(Trades("ETHUSDC"),), reason="disconnected")


def test_a_bar_has_the_trades_of_its_second() -> None:
    builder = BarBuilder()
    assert builder.take(trade(1.0, 10.0)) is None
    assert builder.take(trade(1.9, 12.0, quantity=0.5)) is None

    bar = builder.take(trade(2.0, 11.0))

    assert bar is not None
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (10.0, 12.0, 10.0, 12.0, 1.5)
    assert bar.complete


def test_the_bars_before_and_after_a_gap_are_incomplete() -> None:
    builder = BarBuilder()
    events: list[Trade | Gap] = [
        trade(1.0, 10.0),
        GAP,
        trade(2.0, 11.0),
        trade(3.0, 11.0),
        trade(4.0, 11.0),
    ]

    bars = [bar for bar in map(builder.take, events) if bar is not None]

    assert [bar.complete for bar in bars] == [False, False, True]


async def test_bars_over_a_disconnect(autojump_clock: MockClock) -> None:
    network = MemoryNetwork()
    plan = FaultPlan((Fault("reset", When(seconds=3.5)),))
    async with (
        open_exchange("binance_usdm", source=OrderFlow(), network=network, faults=plan) as exchange,
        open_adapter(binance.UsdMFutures(endpoints=exchange.endpoints), dialer=network) as adapter,
    ):
        bars = await build_bars(adapter, "ETHUSDC", 8)

    starts = [bar.start_ns for bar in bars]
    assert starts == sorted(set(starts))
    assert bars[0].complete
    assert not all(bar.complete for bar in bars)


def test_a_gap_forgets_the_quotes_of_its_symbols() -> None:
    spreads = Spreads()
    for symbol, ask in (("ETHUSDC", 100.1), ("BTCUSDC", 100.2)):
        spreads.take(
            Quote(
                symbol=symbol,
                bid_price=100.0,
                bid_quantity=1.0,
                ask_price=ask,
                ask_quantity=1.0,
                update_id=1,
            )
        )
    assert [symbol for symbol, _ in spreads.widest(5)] == ["BTCUSDC", "ETHUSDC"]
    assert spreads.widest(1)[0][1] == pytest.approx(20.0)

    spreads.take(Gap(symbol="BTCUSDC", channels=(BestQuote("BTCUSDC"),), reason="disconnected"))

    assert [symbol for symbol, _ in spreads.widest(5)] == ["ETHUSDC"]
