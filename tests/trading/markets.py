"""An instrument for tests of orders."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from connector.instruments import Instrument, Status


def instrument(**changes: Any) -> Instrument:
    return Instrument(
        **{
            "symbol": "ETHUSDC",
            "base": "ETH",
            "quote": "USDC",
            "kind": "perpetual",
            "status": Status.TRADING,
            "exchange_status": "TRADING",
            "tick_size": Decimal("0.1"),
            "step_size": Decimal("0.01"),
            "min_quantity": Decimal("0.01"),
            "max_quantity": Decimal(100),
            "min_price": Decimal("0.1"),
            "max_price": Decimal(100_000),
            "min_notional": Decimal(5),
            "max_notional": None,
            "market_step_size": Decimal("0.1"),
            "market_min_quantity": Decimal("0.1"),
            "market_max_quantity": Decimal(10),
        }
        | changes
    )
