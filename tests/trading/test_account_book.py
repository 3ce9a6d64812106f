"""An account: joined without a hole or a double, whatever comes when."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.accounts import BalanceUpdate, Fill, PositionUpdate, Synced, Unsynced
from connector.errors import InvariantViolated
from connector.orders import Limit
from connector.trading import account_states
from connector.trading.account_book import AccountBook, OrphanFound, ReadAnew
from connector.trading.client_ids import ClientIds
from connector.trading.order_record import Stranger
from connector.trading.reports import (
    BalanceReport,
    FillReport,
    ModeChanged,
    OrderReport,
    PositionReport,
    StreamEnded,
)
from connector.trading.venue import AccountReading


def book() -> AccountBook:
    return AccountBook(ClientIds("mm1", 5))


def subscribed() -> AccountBook:
    made = book()
    made.happen("connecting", "", 0)
    made.happen("subscribed", "", 0)
    return made


def position(
    quantity: int, time_ns: int, symbol: str = "ETHUSDC", **changes: Any
) -> PositionReport:
    return PositionReport(symbol=symbol, quantity=Decimal(quantity), time_ns=time_ns, **changes)


def balance(amount: int, time_ns: int, asset: str = "USDC") -> BalanceReport:
    return BalanceReport(asset=asset, total=Decimal(amount), time_ns=time_ns)


def order(client_id: str, exchange_id: str = "1", **changes: Any) -> OrderReport:
    return OrderReport(
        **{
            "symbol": "ETHUSDC",
            "client_id": client_id,
            "exchange_id": exchange_id,
            "side": "buy",
            "state": "open",
            "price": Decimal(3000),
            "quantity": Decimal(1),
        }
        | changes
    )


def ids(account: AccountBook) -> set[str | None]:
    """Of the exchange, of the orders of others."""
    return {each.exchange_id for each in account.others.values()}


def fill(trade_id: str, exchange_id: str = "1", client_id: str = "") -> FillReport:
    return FillReport(
        symbol="ETHUSDC",
        trade_id=trade_id,
        exchange_id=exchange_id,
        client_id=client_id,
        side="buy",
        price=Decimal(3000),
        quantity=Decimal("0.1"),
        fee=Decimal(0),
        fee_asset="USDC",
    )


def of(told: list[Any], kind: type) -> list[Any]:
    return [each for each in told if isinstance(each, kind)]


# --- states


@pytest.mark.parametrize(
    ("state", "happening"), [*product(account_states.STATES, account_states.HAPPENINGS)]
)
def test_a_loss_always_leads_to_off_and_only_a_join_to_live(state: Any, happening: Any) -> None:
    if happening == "lost":
        assert account_states.follow(state, happening) == "off"
        return
    try:
        after = account_states.follow(state, happening)
    except InvariantViolated:
        return
    assert (after == "live") == (happening == "joined")


def test_a_loss_is_told_once_and_counts_as_a_hole() -> None:
    account = subscribed()
    account.join(AccountReading(balances=()), 1)

    (told,) = account.happen("lost", "disconnected", 2)

    assert told == Unsynced(reason="disconnected", received_ns=2)
    assert account.happen("lost", "again", 3) == []
    assert account.holes == 2
    assert not account.synced


# --- the join


@attrs.frozen
class Change:
    """Something that happens to the account, told by an event later."""

    kind: str
    amount: int
    told_after: int


CHANGES = st.lists(
    st.builds(
        Change,
        kind=st.sampled_from(["USDC", "ETH", "ETHUSDC", "BTCUSDC"]),
        amount=st.sampled_from([-1, 1]),
        told_after=st.integers(0, 3),
    ),
    max_size=20,
)


@settings(max_examples=400, deadline=None)
@given(CHANGES, st.integers(0, 20), st.integers(0, 8), st.data())
def test_it_shows_what_the_exchange_has(
    changes: list[Change], read_at: int, join_after: int, data: st.DataObject
) -> None:
    """The reading is of one moment, comes later, and events of before and after are on their way.

    Of one thing events come in order; of different things in any.
    """
    account = subscribed()
    truth: dict[str, int] = {}
    truth_time: dict[str, int] = {}
    queues: dict[str, list[Any]] = {}
    history: dict[str, list[int]] = {}
    oldest: dict[str, int] = {}
    reading: AccountReading | None = None
    joined = False

    def deliver() -> None:
        waiting = [kind for kind, queue in queues.items() if queue]
        if waiting:
            account.read(queues[data.draw(st.sampled_from(waiting))].pop(0), 0)
        for kind, amounts in history.items():
            if joined:
                assert shown(kind) in amounts[oldest.get(kind, 1) - 1 :]

    def shown(kind: str) -> Decimal:
        if kind in ("USDC", "ETH"):
            found = account.holdings.balances().get(kind)
            return (found and found.total) or Decimal(0)
        return account.holdings.position(kind).quantity

    def take_reading(moment: int) -> AccountReading:
        oldest.update({kind: len(amounts) for kind, amounts in history.items()})
        return AccountReading(
            time_ns=moment,
            balances=tuple(
                balance(amount, truth_time[kind], kind)
                for kind, amount in truth.items()
                if kind in ("USDC", "ETH")
            ),
            positions=tuple(
                position(amount, truth_time[kind], kind)
                for kind, amount in truth.items()
                if kind not in ("USDC", "ETH") and amount
            ),
        )

    for moment, change in enumerate(changes):
        if moment == read_at:
            reading = take_reading(moment + 1)
        if reading is not None and not joined and moment >= read_at + join_after:
            account.join(reading, 0)
            joined = True
        truth[change.kind] = truth.get(change.kind, 0) + change.amount
        history.setdefault(change.kind, [0]).append(truth[change.kind])
        truth_time[change.kind] = moment + 1
        report: Any = balance if change.kind in ("USDC", "ETH") else position
        queues.setdefault(change.kind, []).append(
            report(truth[change.kind], moment + 1, change.kind)
        )
        for _ in range(change.told_after):
            deliver()
    if not joined:
        account.join(reading or take_reading(len(changes) + 1), 0)
        joined = True
    while any(queues.values()):
        deliver()

    for kind, amount in truth.items():
        assert shown(kind) == amount
    assert account.differences(take_reading(len(changes) + 2)) == []


def test_a_join_tells_what_is_new() -> None:
    account = subscribed()
    account.join(AccountReading(balances=(balance(5, 1),), positions=(position(2, 1),)), 1)
    account.happen("reread", "audit", 2)

    told = account.join(
        AccountReading(balances=(balance(5, 1), balance(1, 3, "ETH")), positions=()), 3
    )

    assert [each.asset for each in of(told, BalanceUpdate)] == ["ETH"]
    assert [(each.symbol, each.quantity) for each in of(told, PositionUpdate)] == [("ETHUSDC", 0)]
    assert isinstance(told[-1], Synced)


def test_events_of_before_the_connection_do_not_count() -> None:
    account = book()
    account.read(position(5, 9), 0)
    account.happen("connecting", "", 0)
    account.happen("subscribed", "", 0)

    account.join(AccountReading(balances=(), positions=()), 1)

    assert account.holdings.position("ETHUSDC").quantity == 0


def test_legs() -> None:
    account = subscribed()
    account.join(
        AccountReading(
            balances=(),
            positions=(
                position(3, 1, leg="long", unrealised=Decimal(1)),
                position(2, 1, leg="short", unrealised=Decimal(-4)),
            ),
            hedge_mode=True,
        ),
        1,
    )

    shown = account.holdings.position("ETHUSDC")

    assert (shown.long, shown.short, shown.quantity, shown.unrealised) == (3, 2, 1, -3)
    assert shown.entry_price is None
    assert account.holdings.hedge_mode


def test_a_position_of_spot_is_what_is_held_of_the_base() -> None:
    account = AccountBook(ClientIds("mm1", 5), {"ETHUSDC": "ETH"})
    account.happen("connecting", "", 0)
    account.happen("subscribed", "", 0)
    account.join(AccountReading(balances=(balance(7, 1, "ETH"),)), 1)

    assert account.holdings.position("ETHUSDC").quantity == 7


def test_a_total_alone_makes_what_is_available_unknown() -> None:
    account = subscribed()
    told = BalanceReport(
        asset="USDC", total=Decimal(5), available=Decimal(3), locked=Decimal(2), time_ns=1
    )
    account.join(AccountReading(balances=(told,)), 1)

    account.read(balance(6, 2), 1)

    shown = account.holdings.balances()["USDC"]
    assert (shown.total, shown.available, shown.locked) == (6, None, None)


# --- orders and fills


def test_a_fill_is_told_once_whether_from_the_stream_or_the_history() -> None:
    account = subscribed()
    ids = ClientIds("mm1", 5)
    client_id = ids.make()
    record = account.remember(
        Limit("ETHUSDC", "buy", quantity=1, price=3000), client_id, "ETHUSDC", 0.0
    )
    record.move("sent")
    account.read(order(client_id), 1)

    first = account.read_fill(fill("8"), 1, backfilled=True)
    second = account.read(
        order(client_id, filled=Decimal("0.1"), fill=fill("8", client_id=client_id)), 2
    )

    assert [each.client_id for each in of(first, Fill)] == [client_id]
    assert of(second, Fill) == []
    assert account.last_trades == {"ETHUSDC": "8"}


def test_fills_of_others_are_told_once_too() -> None:
    account = subscribed()
    liquidation = order("autoclose-1", "9", state="filled", fill=fill("7", "9", "autoclose-1"))

    told = account.read(liquidation, 1) + account.read(liquidation, 2)
    told += account.join(AccountReading(balances=()), 3) + account.read(liquidation, 4)

    assert [each.client_id for each in of(told, Fill)] == ["autoclose-1"]


def test_a_trade_of_an_unknown_order_waits_until_the_account_is_read() -> None:
    """One that came before it may be in the history: it is told first."""
    account = subscribed()

    assert not account.read_fill(fill("2"), 1)
    before = account.read_fill(fill("1"), 2, backfilled=True)
    joined = account.join(AccountReading(balances=()), 3)

    assert [each.trade_id for each in of([*before, *joined], Fill)] == ["1", "2"]


def test_an_order_of_our_name_and_another_run_is_an_orphan_once() -> None:
    account = subscribed()
    orphan = ClientIds("mm1", 4).make()
    other = ClientIds("mm2", 4).make()

    told = account.join(
        AccountReading(balances=(), orders=(order(orphan), order(other, "2"), order("app", "3"))), 1
    )

    assert [each.report.client_id for each in of(told, OrphanFound)] == [orphan]
    assert ids(account) == {"1", "2", "3"}
    assert account.read(order(orphan), 2) == []
    account.read(order(orphan, state="cancelled"), 3)
    assert ids(account) == {"2", "3"}


def test_what_others_do_while_the_account_is_read_is_newer_than_the_list() -> None:
    account = subscribed()
    account.read(order("gone", "1", state="cancelled", time_ns=12), 1)
    account.read(order("new", "2", time_ns=13), 1)
    account.read(order("missed", "3", time_ns=5), 1)

    account.join(
        AccountReading(balances=(), orders=(order("gone", "1", time_ns=5),), time_ns=10), 2
    )

    assert ids(account) == {"2"}
    # A conditional order of futures ends, and is an ordinary one from then on.
    account.read(order("gone", "1", time_ns=12), 3)
    assert ids(account) == {"1", "2"}


def test_our_order_that_is_not_among_the_open_ones_is_missing() -> None:
    account = subscribed()
    client_id = ClientIds("mm1", 5).make()
    record = account.remember(
        Limit("ETHUSDC", "buy", quantity=1, price=3000), client_id, "ETHUSDC", 0.0
    )
    record.move("sent")
    assert account.missing(()) == []
    account.read(order(client_id), 1)

    assert account.missing(()) == [record]
    assert account.missing((order(client_id),)) == []
    assert account.differences(AccountReading(balances=())) == [
        f"order {client_id} is shown open, and was not read"
    ]


def test_orders_of_two_instruments_may_have_the_same_number() -> None:
    account = subscribed()
    client_id = ClientIds("mm1", 5).make()
    record = account.remember(
        Limit("ETHUSDC", "buy", quantity=1, price=3000), client_id, "ETHUSDC", 0.0
    )
    record.move("sent")
    account.read(order(client_id), 1)
    other = order("app", symbol="BTCUSDC")

    account.read(other, 1)
    account.read(order("app", symbol="BNBUSDC"), 1)

    assert len(account.others) == 2
    assert account.missing((other,)) == [record]
    assert account.record_of(fill("1")) is record
    assert account.record_of(msgspec.structs.replace(fill("1"), symbol="BTCUSDC")) is None
    account.read(order("app", symbol="BNBUSDC", state="cancelled", time_ns=1), 1)
    assert list(account.others.values()) == [other]


def test_another_order_under_our_id_is_a_stranger() -> None:
    account = subscribed()
    client_id = ClientIds("mm1", 5).make()
    account.remember(Limit("ETHUSDC", "buy", quantity=1, price=3000), client_id, "ETHUSDC", 0.0)

    assert of(account.read(order(client_id, side="sell"), 1), Stranger)


def test_an_audit_names_what_differs() -> None:
    account = subscribed()
    account.join(AccountReading(balances=(balance(5, 1),), positions=(position(1, 1),)), 1)

    found = account.differences(
        AccountReading(balances=(balance(6, 1),), positions=(), orders=(order("x"),))
    )

    assert len(found) == 3
    assert "USDC: 5 is shown, 6 was read" in found
    assert "ETHUSDC: 1 is shown, 0 was read" in found


def test_an_audit_sees_a_balance_that_is_gone() -> None:
    """Spot does not list what is nothing."""
    account = subscribed()
    account.join(AccountReading(balances=(balance(5, 1, "ETH"), balance(0, 1, "BNB"))), 1)

    found = account.differences(AccountReading(balances=(balance(7, 2),)))

    assert found == ["USDC: 0 is shown, 7 was read", "ETH: 5 is shown, 0 was read"]


def test_an_audit_sees_another_position_mode() -> None:
    account = subscribed()
    account.join(AccountReading(balances=()), 1)

    found = account.differences(AccountReading(balances=(), hedge_mode=True))

    assert found == ["the position mode has changed"]


@pytest.mark.parametrize(
    ("report", "stream_over"),
    [
        (StreamEnded(reason="listen key expired"), True),
        (ModeChanged(what="position mode"), False),
    ],
)
def test_what_must_be_read_anew(report: Any, stream_over: bool) -> None:
    (told,) = subscribed().read(report, 1)

    assert isinstance(told, ReadAnew)
    assert told.stream_over is stream_over


@given(first=st.integers(0, 10**12), second=st.integers(0, 10**12))
def test_the_latest_trade_is_the_one_of_the_larger_number(first: int, second: int) -> None:
    made = AccountBook(ClientIds("mm1", 1))
    for number in (first, second):
        made.read_fill(trade_of_nobody(number), 1, backfilled=True)

    assert made.last_trades == {"ETHUSDC": str(max(first, second))}


def trade_of_nobody(number: int) -> FillReport:
    return FillReport(
        symbol="ETHUSDC",
        trade_id=str(number),
        exchange_id="9",
        side="buy",
        price=Decimal(1),
        quantity=Decimal(1),
    )
