"""The words of an account."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from connector.accounts import Balance, DeadMan, Fill, Position, Synced, Timing, Unsynced
from connector.errors import ConfigError


def test_a_position_is_long_minus_short() -> None:
    assert Position(symbol="ETHUSDC", long=Decimal(2), short=Decimal("0.5")).quantity == Decimal(
        "1.5"
    )
    assert Position(symbol="ETHUSDC").quantity == 0


def test_what_is_not_told_is_none() -> None:
    assert Balance(asset="USDC", total=Decimal(1)).available is None


def test_events_are_values() -> None:
    fill = Fill(
        trade_id="1",
        client_id="c",
        symbol="ETHUSDC",
        side="buy",
        leg=None,
        price=Decimal(1),
        quantity=Decimal(2),
    )
    assert msgspec.structs.replace(fill, backfilled=True).backfilled
    assert Synced() == Synced()
    assert Unsynced(reason="disconnected") != Unsynced(reason="audit")
    with pytest.raises(AttributeError):
        fill.price = Decimal(3)  # type: ignore[misc]


def test_timing_is_checked() -> None:
    assert Timing().patience == 5.0
    for wrong in (0, -1, float("inf"), "2", True):
        with pytest.raises(ConfigError):
            Timing(window=wrong)  # type: ignore[arg-type]


def test_dead_man_is_checked() -> None:
    assert not DeadMan(30).others_too
    with pytest.raises(ConfigError):
        DeadMan(0)
    with pytest.raises(ConfigError):
        DeadMan(30, others_too=1)  # type: ignore[arg-type]
