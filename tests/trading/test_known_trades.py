"""What the known trades explain of what has moved, and whose they are."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from connector.orders import Leg
from connector.trading.holdings import Holdings, Standing
from connector.trading.known_trades import KnownTrades
from connector.trading.reports import BalanceReport, FillReport, PositionReport
from connector.trading.venue import AccountReading
from tests.trading.markets import instrument

ETHUSDC = instrument()
SECOND = 10**9
START = 1_000 * SECOND


def a_trade(number: int, **changes: Any) -> FillReport:
    given: dict[str, Any] = {
        "symbol": "ETHUSDC",
        "trade_id": str(number),
        "exchange_id": "77",
        "side": "buy",
        "price": Decimal(3000),
        "quantity": Decimal("0.5"),
        "fee": Decimal("1.5"),
        "fee_asset": "USDC",
        "time_ns": START + number * SECOND,
    }
    return FillReport(**given | changes)


def position(quantity: str, leg: Leg | None = None, time_ns: int | None = START) -> Standing:
    holdings = Holdings({})
    report = PositionReport(symbol="ETHUSDC", leg=leg, quantity=Decimal(quantity), time_ns=time_ns)
    holdings.join(AccountReading(balances=(), positions=(report,), time_ns=START), 0)
    return holdings.standing(ETHUSDC, leg)


def wallet(eth: str, usdc: str) -> Standing:
    holdings = Holdings({"ETHUSDC": "ETH"})
    balances = tuple(
        BalanceReport(asset=asset, total=Decimal(amount), time_ns=START)
        for asset, amount in (("ETH", eth), ("USDC", usdc))
    )
    holdings.join(AccountReading(balances=balances, time_ns=START), 0)
    return holdings.standing(ETHUSDC, None)


def explain(trades: KnownTrades, before: Standing | None, now: Standing) -> bool | None:
    return trades.explain(before, now, {"ETHUSDC": ETHUSDC})


def known(*fills: FillReport) -> KnownTrades:
    trades = KnownTrades()
    for fill in fills:
        assert trades.remember(fill)
    return trades


def test_a_position_that_moved_by_known_trades_is_explained() -> None:
    trades = known(a_trade(1), a_trade(2, side="sell", quantity=Decimal("0.2")))

    assert explain(trades, position("1"), position("1.3"))
    assert explain(trades, position("1"), position("1")) is False
    assert explain(KnownTrades(), position("1"), position("1.5")) is False


def test_trades_before_it_and_of_other_instruments_explain_nothing() -> None:
    trades = known(a_trade(0), a_trade(1, symbol="BTCUSDC"), a_trade(2, leg="long"))

    assert explain(trades, position("1"), position("1"))


@pytest.mark.parametrize(("leg", "side"), [("long", "buy"), ("short", "sell")])
def test_a_leg_is_moved_by_its_own_trades(leg: Leg, side: str) -> None:
    trades = known(a_trade(1, leg=leg, side=side), a_trade(2))

    assert explain(trades, position("1", leg), position("1.5", leg))
    assert explain(trades, position("1", leg), position("1", leg)) is False


def test_on_spot_a_trade_moves_both_assets_and_its_fee() -> None:
    trades = known(a_trade(1), a_trade(2, fee=Decimal("0.001"), fee_asset="ETH"))
    before = wallet("10", "9000")

    assert explain(trades, before, wallet("10.999", "5998.5"))
    assert explain(trades, before, wallet("11.499", "4498.5")) is False


def test_a_deposit_is_no_trade() -> None:
    assert explain(KnownTrades(), wallet("10", "9000"), wallet("12", "9000"))
    assert explain(KnownTrades(), wallet("10", "9000"), wallet("10", "8000"))


def test_what_cannot_be_told_is_not_told() -> None:
    assert explain(KnownTrades(), None, position("1")) is None
    without_time = msgspec.structs.replace(position("1"), time_ns=None)
    assert explain(KnownTrades(), without_time, position("1")) is None
    many = known(*(a_trade(number) for number in range(1, 2_001)))
    assert explain(many, position("1"), position("1")) is None


def test_trades_at_the_time_of_what_was_held_before_are_not_told_apart() -> None:
    one, same = a_trade(0), a_trade(1, time_ns=START)
    behind = a_trade(2, time_ns=START + 5_000_000)

    assert explain(known(one), position("1"), position("1"))
    assert explain(known(one, same), position("1"), position("1")) is None
    assert explain(known(one, behind), position("1"), position("1.5")) is None


def test_a_trade_a_moment_later_counts() -> None:
    assert explain(known(a_trade(1, time_ns=START + 36_000_000)), position("1"), position("1.5"))


def test_a_trade_of_nobody_is_so_until_its_order_is_known() -> None:
    first, named, other = a_trade(1), a_trade(2, client_id="theirs"), a_trade(3, exchange_id="78")
    trades = known(first, named, other)
    for each in (first, named, other):
        trades.tell_as_others(each)

    assert trades.of_nobody("ETHUSDC", "buy", START) == [first, other]
    assert trades.of_nobody("ETHUSDC", "sell", START) == []
    assert trades.of_nobody("ETHUSDC", "buy", START + 2 * SECOND) == [other]

    trades.belongs_to_others("ETHUSDC", "78")
    assert trades.of_nobody("ETHUSDC", "buy", START) == [first]
    assert trades.belongs_to_ours("ETHUSDC", "77") == [first]
    assert trades.belongs_to_ours("ETHUSDC", "77") == []
    assert trades.of_nobody("ETHUSDC", "buy", START) == []
    assert trades.was_told_as_others("ETHUSDC", "1")


def test_trades_of_nobody_are_remembered_up_to_a_number() -> None:
    fills = [a_trade(number, exchange_id=str(number)) for number in range(2_001)]
    trades = known(*fills)
    for each in fills:
        trades.tell_as_others(each)

    assert trades.of_nobody("ETHUSDC", "buy", 0) == fills[1:]
