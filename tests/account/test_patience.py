"""Whoever waits for an order's outcome waits as long as `Timing.patience`, and no longer."""

from __future__ import annotations

import trio
import trio.testing

from connector.account.order import Order
from connector.account.patience import Patience
from connector.orders import Limit
from connector.trading.order_record import OrderRecord


def order(name: str) -> Order:
    record = OrderRecord(Limit("ETHUSDC", "buy", quantity=1, price=1), name, "ETHUSDC")
    record.move("sent")
    return Order(record, None)


async def test_each_waits_as_long_and_one_that_is_known_holds_nobody_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    patience, waited = Patience(5.0), {}
    first, second, third = order("first"), order("second"), order("third")

    async def wait(each: Order) -> None:
        began = each._record.made_at = trio.current_time()
        patience.begin(each)
        known = await each._wait_patiently()
        waited[each.client_id] = known, trio.current_time() - began

    async with trio.open_nursery() as nursery:
        nursery.start_soon(patience.run)
        nursery.start_soon(wait, first)
        await trio.sleep(1)
        nursery.start_soon(wait, second)
        await trio.sleep(1)
        second._record.state = "open"
        second._wake()
        await trio.sleep(60)
        nursery.start_soon(wait, third)
        await trio.sleep(6)
        nursery.cancel_scope.cancel()

    assert waited == {"first": (False, 5.0), "second": (True, 1.0), "third": (False, 5.0)}


async def test_nobody_waits_for_an_account_that_is_over(
    autojump_clock: trio.testing.MockClock,
) -> None:
    patience, before, after = Patience(5.0), order("before"), order("after")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(patience.run)
        patience.begin(before)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    patience.begin(after)

    assert not await before._wait_patiently()
    assert not await after._wait_patiently()
    assert trio.current_time() == 1


async def test_who_finds_out_waits_on_when_patience_is_over(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Both wait for the same order; the end of patience is no outcome."""
    patience, unknown = Patience(5.0), order("unknown")
    waited: dict[str, float] = {}

    async def resolve() -> None:
        await unknown._wait_known()
        waited["resolved"] = trio.current_time()

    async def accept() -> None:
        await unknown.accepted()
        waited["accepted"] = trio.current_time()

    async def place() -> None:
        patience.begin(unknown)
        assert not await unknown._wait_patiently()
        waited["placed"] = trio.current_time()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(patience.run)
        for wait in (resolve, accept, place):
            nursery.start_soon(wait)
        await trio.sleep(8)
        unknown._record.move("lost")
        unknown._wake()
        await trio.sleep(1)
        assert waited == {"placed": 5.0}
        unknown._record.state = "open"
        unknown._wake()
        await trio.sleep(1)
        nursery.cancel_scope.cancel()

    assert waited == {"placed": 5.0, "resolved": 9.0, "accepted": 9.0}
