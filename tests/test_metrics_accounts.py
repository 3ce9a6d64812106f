"""The metrics of accounts: they say what the statistics say, and what the exchange has."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from connector.errors import OrderNotPlaced
from connector.metrics import instrument
from connector.orders import Limits
from tests.account.trader import SYMBOL, bid, open_world

NAMES = {"adapter": "binance_usdm", "account": "binance_usdm/mm1"}


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"connector_account_{name}", {**NAMES, **labels})


async def test_what_an_account_does_is_shown(autojump_clock: Any) -> None:
    registry = CollectorRegistry()
    limits = Limits(open_notional=10_000)
    async with open_world("usdm") as world, world.account(limits=limits) as account:
        with instrument(world.adapter, registry):
            await account.cancel(await account.place(bid("2980")))
            order = await account.place(bid("2981"))
            world.exchange.trading.fill(world.truth.open_orders[0], "0.1")
            await order.wait_filled("0.1")
            world.exchange.trading.restrict("mm1")
            with suppress(OrderNotPlaced):
                await account.place(bid("2979"))
            async with account.quotes(SYMBOL, max_long=9, max_short=9, max_age=60) as quotes:
                quotes.want(bids=[("2970", "0.1")])
                assert value(registry, "synced") == 1
                assert value(registry, "orders", state="open") == 1
                assert value(registry, "orders", state="unknown") == 0
                assert value(registry, "orders_placed_total") == len(account.orders)
                assert value(registry, "orders_ended_total", state="cancelled") == 1
                assert value(registry, "orders_ended_total", state="refused") == 1
                assert value(registry, "fills_total") == len(world.truth.fills) == 1
                (reason,) = account.statistics().refusals
                assert value(registry, "refusals_total", reason=reason) == 1
                assert value(registry, "unknown_seconds") == 0
                assert value(registry, "quotes_behind", symbol=SYMBOL) is not None
                used = value(registry, "limit_used_ratio", limit="open_notional")
                assert used == pytest.approx(0.4 * 2981 / 10_000, rel=0.1)
                assert value(registry, "limit_used_ratio", limit="orders 10 s") == pytest.approx(
                    0.01
                )
            assert value(registry, "quotes_behind", symbol=SYMBOL) is None
        assert value(registry, "synced") is None
