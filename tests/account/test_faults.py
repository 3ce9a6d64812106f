"""What goes wrong between an account and its exchange (INVARIANTS, faults 48 to 66).

The judge asks the exchange: at most one order per intent, nothing that is given up lives, each
fill told once, what is shown is what there is, and nothing is open after the block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
import trio

from connector import open_adapter
from connector.account import Account, Order
from connector.account.reconnecting import Frames
from connector.accounts import Fill, OrderUpdate, PositionUpdate, Timing, Unsynced
from connector.errors import (
    LimitReached,
    NameInUse,
    OrderNotPlaced,
    OrdersLeft,
    OrderUnknown,
    RequestRejected,
)
from connector.keys import ApiKey
from connector.orders import Limits
from connector.testing.exchange.trading.accounts import TradingAccount
from connector.testing.exchange.trading.control import Trading
from connector.testing.exchange.trading.exchange_state import House
from connector.testing.exchange.trading.readings import Readings
from connector.testing.faults.trading import TradingFault
from connector.trading.client_ids import ClientIds
from connector.trading.known_trades import KnownTrades
from tests.account.trader import (
    RICH,
    SYMBOL,
    VENUES,
    World,
    bid,
    exchange_of,
    listening,
    open_world,
)

venues = pytest.mark.parametrize("venue", VENUES)

PLACES: dict[str, Callable[[Trading], None]] = {
    "reply lost": lambda it: it.lose_reply(),
    "request lost": lambda it: it.lose_request(),
    "reply late": lambda it: it.late_reply(7.0),
    "reply very late": lambda it: it.late_reply(30.0),
    "reply doubled": lambda it: it.double_reply(),
    "cut before": lambda it: it.cut_request(),
    "cut after": lambda it: it.cut_reply(),
    "cut within the reply": lambda it: it.cut_reply(after_bytes=40),
    "503 unknown, placed": lambda it: it.unknown_503(effect=True),
    "503 unknown, not placed": lambda it: it.unknown_503(effect=False),
    "503 unavailable": lambda it: it.unavailable_503(),
    "-1006, placed": lambda it: it.bus_error(effect=True),
    "-1006, not placed": lambda it: it.bus_error(effect=False),
    "-1007, placed": lambda it: it.time_out(effect=True),
    "-1007, not placed": lambda it: it.time_out(effect=False),
    "-1008": lambda it: it.overload(),
    "gateway slow": lambda it: it.delay_gateway(1.5),
    "gateway too slow": lambda it: it.delay_gateway(2.5),
    "engine slow": lambda it: it.delay_engine(1.5),
    "reply lost, queries lag": lambda it: (it.lag_queries(8.0), it.lose_reply())[1],
    "reply and events lost": lambda it: (it.lose_event(times=2), it.lose_reply())[1],
}


async def try_to_place(account: Any, intent: Any) -> str:
    """How a place ends: with an order, with certainty that there is none, or in doubt."""
    try:
        await account.place(intent)
    except OrderNotPlaced:
        return "not placed"
    except OrderUnknown:
        return "unknown"
    return "placed"


async def settle_and_judge(world: World, account: Any, told: Any) -> None:
    world.exchange.trading.mend()
    await world.settled(account, 120.0)
    world.judge(account, told)
    told.judge_complete(world.truth)


@venues
@pytest.mark.parametrize("fault", PLACES)
async def test_a_place_that_goes_wrong(venue: str, fault: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world:
        async with world.account() as account:
            async with listening(account) as told:
                PLACES[fault](world.exchange.trading)
                outcome = await try_to_place(account, bid())
                world.judge(account, told)
                if outcome == "not placed":
                    assert world.truth.open_orders == ()
                await settle_and_judge(world, account, told)
                (order,) = account.orders.values()
                assert (order.state == "open") == bool(world.truth.open_orders)
                assert not order._record.late
        assert world.truth.open_orders == ()


READ_TRADES = ("carry myTrades", "carry userTrades")


@venues
async def test_a_place_that_arrives_at_the_end_of_its_window_is_not_given_up(
    venue: str, autojump_clock: Any
) -> None:
    """Nobody finds it before, and nothing tells of it: only the window says that it may come."""
    async with open_world(venue) as world, world.account(timing=Timing(window=5.0)) as account:
        exchange = world.exchange.trading
        exchange.inject(TradingFault("late_request", "order.place", seconds=4.9))
        exchange.lose_event(times=None)
        order = account.submit(bid())
        await trio.sleep(0.01)
        world.cut_streams()
        while order.state in ("sent", "unknown"):
            await trio.sleep(0.1)

        assert order.state == "open"
        assert [each.client_id for each in world.truth.open_orders] == [order.client_id]
        exchange.mend()


async def give_up_a_lost_place(world: World, account: Account, noted: list[str]) -> float:
    """How many seconds it takes, and in `noted` what the exchange has done meanwhile."""
    world.exchange.trading.note(noted)
    world.exchange.trading.lose_request("order.place")
    order = account.submit(bid())
    await trio.sleep(0.01)
    world.cut_streams()
    began = trio.current_time()
    while order.state in ("sent", "unknown"):
        await trio.sleep(0.1)
    assert order.state == "absent"
    return trio.current_time() - began


@venues
async def test_after_a_hole_the_fence_is_followed_by_two_readings(
    venue: str, autojump_clock: Any
) -> None:
    noted: list[str] = []
    async with open_world(venue) as world, world.account() as account:
        await give_up_a_lost_place(world, account, noted)

    behind_the_fence = noted[noted.index("carry order.cancel") :]
    assert len([each for each in behind_the_fence if each in READ_TRADES]) == 2


async def lose_a_filled_place(world: World, account: Account) -> Order:
    """A place of which nothing is heard: neither its answer, nor its events."""
    exchange = world.exchange.trading
    await trio.sleep(1.0)
    exchange.lose_event(times=None)
    exchange.lose_reply()
    order = account.submit(bid())
    await trio.sleep(0.1)
    (true,) = world.truth.open_orders
    exchange.fill(true)
    return order


async def stays_unknown(world: World, order: Order) -> None:
    world.cut_streams()
    for _ in range(100):
        await trio.sleep(0.5)
        assert order.state in ("sent", "unknown")


async def end_well(world: World, account: Account, order: Order, told: Any) -> None:
    world.exchange.trading.mend()
    await world.settled(account, 200.0)
    await trio.sleep(10.0)

    assert order.state == "filled"
    assert order.fills_complete
    told.judge_complete(world.truth)


@venues
async def test_a_fill_that_no_list_shows_yet_is_no_proof_of_absence(
    venue: str, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Position and balances show it; orders and trades do not, for longer than is assumed."""
    monkeypatch.setattr(House, "view", lambda it, who: who.view(it.clock_ms(), it.clock_ms()))
    async with open_world(venue) as world, world.account() as account, listening(account) as told:
        order = await lose_a_filled_place(world, account)
        world.exchange.trading.lag_queries(60.0)
        await stays_unknown(world, order)
        await end_well(world, account, order, told)


@venues
async def test_a_trade_of_nobody_is_no_proof_of_absence(
    venue: str, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of trades shows it, and neither a question nor a list of orders tells whose it is.

    What was held before is not looked at here.
    """
    async with open_world(venue) as world, world.account() as account, listening(account) as told:
        monkeypatch.setattr(House, "seen_orders", lambda it, who: [])
        monkeypatch.setattr(KnownTrades, "explain", lambda *_: None)
        order = await lose_a_filled_place(world, account)
        refused: dict[str, Any] = {"status": 400, "code": -2013, "text": "Order does not exist."}
        world.exchange.trading.inject(TradingFault("answer", "order.status", times=None, **refused))
        await stays_unknown(world, order)
        monkeypatch.undo()
        await end_well(world, account, order, told)


@venues
async def test_a_fence_and_readings_that_fail_come_ever_later_again(
    venue: str, autojump_clock: Any
) -> None:
    noted: list[str] = []
    async with open_world(venue) as world, world.account() as account:
        usual = await give_up_a_lost_place(world, account, [])
        world.exchange.trading.unknown_503("order.cancel", effect=False)
        world.exchange.trading.inject(
            TradingFault("answer", "*Trades", skip=1, times=4, text="Service Unavailable.")
        )
        seconds = await give_up_a_lost_place(world, account, noted)

    assert noted.count("request order.cancel") == 2
    # After the fence 0.2 s, after the readings 0.2, 0.5, 1 and 2.
    assert seconds - usual == pytest.approx(3.9, abs=0.15)


@venues
@pytest.mark.parametrize("fault", PLACES)
async def test_leaving_at_once_after_a_place_that_goes_wrong(
    venue: str, fault: str, autojump_clock: Any
) -> None:
    """The order may not have arrived when it is cancelled first: it is cancelled again."""
    async with open_world(venue) as world:
        timing = Timing(leave_timeout=60.0)
        async with world.account(timing=timing) as account:
            PLACES[fault](world.exchange.trading)
            account.submit(bid())
            await trio.lowlevel.checkpoint()
        assert account.left == ()
        assert world.truth.open_orders == ()
        assert all(each.ended for each in account.orders.values())


CANCELS: dict[str, Callable[[Trading], None]] = {
    "reply lost": lambda it: it.lose_reply("order.cancel"),
    "request lost": lambda it: it.lose_request("order.cancel"),
    "cut before": lambda it: it.cut_request("order.cancel"),
    "cut after": lambda it: it.cut_reply("order.cancel"),
    "503, cancelled": lambda it: it.unknown_503("order.cancel", effect=True),
    "503, not cancelled": lambda it: it.unknown_503("order.cancel", effect=False),
    "unavailable": lambda it: it.unavailable_503("order.cancel"),
    "-1007, cancelled": lambda it: it.time_out("order.cancel", effect=True),
    "-1008": lambda it: it.overload("order.cancel"),
    "event lost": lambda it: (it.lose_event("*:CANCELED"), it.lose_reply("order.cancel"))[1],
    "queries lag": lambda it: (it.lag_queries(5.0), it.lose_reply("order.cancel"))[1],
}


@venues
@pytest.mark.parametrize("fault", CANCELS)
async def test_a_cancel_is_repeated_until_it_is_certain(
    venue: str, fault: str, autojump_clock: Any
) -> None:
    async with open_world(venue) as world, world.account() as account:
        async with listening(account) as told:
            order = await account.place(bid())
            CANCELS[fault](world.exchange.trading)
            with trio.fail_after(60):
                assert await account.cancel(order) == "cancelled"
            assert world.truth.open_orders == ()
            await settle_and_judge(world, account, told)


@venues
async def test_a_cancel_crosses_a_fill(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world, world.account() as account:
        async with listening(account) as told:
            order = await account.place(bid())
            (truth,) = world.truth.open_orders
            world.exchange.trading.lose_event(times=3)
            world.exchange.trading.fill(truth)
            assert await account.cancel(order) == "filled"
            await trio.sleep(5)
            await settle_and_judge(world, account, told)


EVENTS: dict[str, Callable[[Trading], None]] = {
    "one lost": lambda it: it.lose_event(),
    "three lost": lambda it: it.lose_event(skip=1, times=3),
    "all doubled": lambda it: it.double_event(times=None),
    "some late": lambda it: it.late_event(1.0, times=3),
    "swapped": lambda it: it.swap_events(times=2),
    "a trade lost": lambda it: it.lose_event("*:TRADE"),
    "trades late": lambda it: it.late_event(1.5, "*:TRADE"),
    "balances lost": lambda it: it.lose_event("outboundAccountPosition"),
    "positions lost": lambda it: it.lose_event("ACCOUNT_UPDATE"),
}


@venues
@pytest.mark.parametrize("fault", EVENTS)
async def test_events_that_go_wrong(venue: str, fault: str, autojump_clock: Any) -> None:
    """Lost ones are noticed: by what is missing, or by the audit."""
    async with open_world(venue) as world, world.account() as account:
        async with listening(account) as told:
            order = await account.place(bid())
            EVENTS[fault](world.exchange.trading)
            for quantity in ("0.1", "0.1"):
                (truth,) = world.truth.open_orders
                world.exchange.trading.fill(truth, quantity)
                await trio.sleep(0.2)
            await trio.sleep(100)
            await settle_and_judge(world, account, told)
            assert order.filled == Decimal("0.2")
            assert order.fills_complete


@pytest.mark.parametrize(
    "readings",
    [
        Readings(balances_first=True, trade_before_new=True),
        Readings(reply_first=True, lite_last=True),
        Readings(trade_before_new=True, lite_last=True, reply_first=True),
        Readings(closes_after_error=True),
    ],
)
@venues
async def test_whatever_the_documentation_leaves_open(
    venue: str, readings: Readings, autojump_clock: Any
) -> None:
    async with open_world(venue, readings=readings) as world, world.account() as account:
        async with listening(account) as told:
            taking = await account.place(bid("3100"))
            resting = await account.place(bid())
            await try_to_place(account, bid("3100", post_only=True))
            await account.cancel(resting)
            await taking.wait_done()
            await settle_and_judge(world, account, told)


# --- the private stream


@pytest.mark.parametrize("announce", [True, False])
async def test_an_expired_listen_key(announce: bool, autojump_clock: Any) -> None:
    async with open_world("usdm") as world, world.account() as account:
        async with listening(account) as told:
            await account.place(bid())
            (truth,) = world.truth.open_orders
            world.exchange.trading.expire_listen_key("mm1", announce=announce)
            world.exchange.trading.fill(truth, "0.1")
            await trio.sleep(1 if announce else 70)
            await settle_and_judge(world, account, told)
            assert told.of(Unsynced)


@venues
async def test_a_revoked_key_ends_the_account_and_nothing_else(
    venue: str, autojump_clock: Any
) -> None:
    other = TradingAccount("mm2", RICH)
    async with open_world(venue, TradingAccount("mm1", RICH), other) as world:
        key = ApiKey(other.key, other.secret)
        async with world.adapter.open_account(key, name="mm2", limits=Limits.none()) as second:
            with pytest.raises(RequestRejected):
                async with world.account() as account:
                    world.exchange.trading.revoke_key("mm1")
                    world.cut_streams()
                    await trio.sleep(300)
                    account.submit(bid())
            assert trio.current_time() < 30
            await second.wait_synced()
            order = await second.place(bid())
            assert order.state == "open"
            assert await world.adapter.instruments()


@venues
async def test_an_account_that_only_watches_is_told_of_a_revoked_key(
    venue: str, autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Its connections stay up, and silent: only the audit asks for anything."""
    async with open_world(venue) as world:
        with pytest.raises(RequestRejected, match="-2015"):
            async with world.account(timing=Timing(audit_seconds=10.0)):
                await trio.sleep(25)
                world.exchange.trading.revoke_key("mm1")
                begun = trio.current_time()
                await trio.sleep(300)
        assert trio.current_time() - begun <= 11
    assert "has ended" in caplog.text
    assert "-2015" in caplog.text


@venues
async def test_a_mute_stream_is_noticed_by_the_audit(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world, world.account() as account:
        async with listening(account) as told:
            await account.place(bid())
            (truth,) = world.truth.open_orders
            world.exchange.trading.lose_event(times=None)
            world.exchange.trading.fill(truth, "0.1")
            await trio.sleep(36)
            assert told.of(Unsynced)
            await settle_and_judge(world, account, told)


@venues
async def test_a_fill_whose_event_cannot_be_read_is_asked_for_at_once(
    venue: str, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is shown may be wrong from then on, long before an audit."""
    deliver, broken = Frames.deliver, list[bytes]()

    def deliver_broken(self: Frames, payloads: Sequence[bytes], first: int) -> int:
        read = [each[:-9] if b'"TRADE"' in each else each for each in payloads]
        broken.extend(each for each in payloads if each not in read)
        return deliver(self, read, first)

    async with open_world(venue) as world, world.account() as account:
        async with listening(account) as told:
            order = await account.place(bid())
            monkeypatch.setattr(Frames, "deliver", deliver_broken)
            (truth,) = world.truth.open_orders
            world.exchange.trading.fill(truth, "0.1")
            await trio.sleep(5)
            assert len(broken) == 1
            monkeypatch.undo()
            (unsynced,) = told.of(Unsynced)
            assert "could not be read" in unsynced.reason
            await settle_and_judge(world, account, told)
            assert order.filled == Decimal("0.1")
            assert account.statistics().private.decode_errors == 1


@venues
async def test_an_event_that_cannot_be_read_may_have_been_a_fill_of_an_unknown_order(
    venue: str, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither orders nor trades are listed for long: only what is held shows that it was filled."""
    deliver = Frames.deliver
    of_orders = (b'"executionReport"', b'"ORDER_TRADE_UPDATE"', b'"TRADE_LITE"')

    def deliver_broken(self: Frames, payloads: Sequence[bytes], first: int) -> int:
        read = [each[:-9] if any(map(each.__contains__, of_orders)) else each for each in payloads]
        return deliver(self, read, first)

    monkeypatch.setattr(House, "view", lambda it, who: who.view(it.clock_ms(), it.clock_ms()))
    async with open_world(venue) as world, world.account() as account, listening(account) as told:
        await trio.sleep(1.0)
        monkeypatch.setattr(Frames, "deliver", deliver_broken)
        world.exchange.trading.lag_queries(60.0)
        world.exchange.trading.lose_reply()
        world.exchange.trading.lose_event("executionReport:NEW")
        world.exchange.trading.lose_event("ORDER_TRADE_UPDATE:NEW")
        order = account.submit(bid())
        await trio.sleep(0.1)
        (true,) = world.truth.open_orders
        world.exchange.trading.fill(true)
        for _ in range(100):
            await trio.sleep(0.5)
            assert order.state in ("sent", "unknown")
        monkeypatch.setattr(Frames, "deliver", deliver)
        await end_well(world, account, order, told)


@venues
async def test_a_reply_that_cannot_be_read_leaves_an_order_that_is_found(
    venue: str,
    autojump_clock: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    deliver, broken = Frames.deliver, list[bytes]()

    def deliver_broken(self: Frames, payloads: Sequence[bytes], first: int) -> int:
        read = [each[:-9] if b'"status":200' in each else each for each in payloads]
        broken.extend(each for each in payloads if each not in read)
        return deliver(self, read, first)

    async with open_world(venue) as world, world.account() as account:
        async with listening(account) as told:
            monkeypatch.setattr(Frames, "deliver", deliver_broken)
            with suppress(OrderUnknown):
                await account.place(bid())
            monkeypatch.undo()
            warned = [each for each in caplog.messages if "a message could not be read" in each]
            assert len(warned) == len(broken) > 0
            assert all("/orders" in each for each in warned)
            await trio.sleep(30)
            await settle_and_judge(world, account, told)
            (order,) = account.orders.values()
            assert order.state == "open"


@venues
async def test_a_fill_whose_event_is_lost_is_noticed_by_the_audit(
    venue: str, autojump_clock: Any
) -> None:
    """Found by the explorer: balances come by an event of their own, and agree."""
    async with open_world(venue) as world, world.account() as account:
        async with listening(account) as told:
            order = await account.place(bid())
            (truth,) = world.truth.open_orders
            world.exchange.trading.lose_event("*:TRADE", times=None)
            world.exchange.trading.fill(truth, "0.1")
            await trio.sleep(40)
            await settle_and_judge(world, account, told)
            assert order.filled == Decimal("0.1")


@venues
async def test_a_mute_stream_is_noticed_by_the_next_order(venue: str, autojump_clock: Any) -> None:
    """It is accepted, and the stream does not tell of it: no audit is needed."""
    async with open_world(venue) as world, world.account() as account:
        async with listening(account) as told:
            await account.place(bid())
            (truth,) = world.truth.open_orders
            world.exchange.trading.lose_event(times=None)
            world.exchange.trading.fill(truth, "0.1")
            began = trio.current_time()
            await account.place(bid("2980"))
            while not told.of(Unsynced):
                await trio.sleep(0.1)
            assert trio.current_time() - began < 4.5
            world.exchange.trading.mend()
            await settle_and_judge(world, account, told)
            (private,) = world.adapter.statistics().accounts
            assert private.private.reconnects == {"audit": 1}


@venues
async def test_many_disconnects(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world:
        async with world.account(limits=Limits(orders_per_minute=1000)) as account:
            async with listening(account) as told:
                for number in range(20):
                    await account.wait_synced()
                    order = account.submit(bid(str(2900 + number), quantity="0.01"))
                    if number % 3 == 0:
                        await trio.lowlevel.checkpoint()
                    world.cut_streams()
                    await trio.sleep(0.3)
                    for each in world.truth.open_orders:
                        if each.client_id == order.client_id and number % 2:
                            world.exchange.trading.fill(each)
                await settle_and_judge(world, account, told)
        assert world.truth.open_orders == ()


# --- limits


@venues
async def test_under_a_ban_a_cancel_waits(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world, world.account() as account:
        order = await account.place(bid())
        world.exchange.trading.ban(20.0)
        began = trio.current_time()
        assert await account.cancel(order) == "cancelled"
        assert trio.current_time() - began >= 15
        requests = world.exchange.trading.struck
        assert len(requests) < 50


@venues
@pytest.mark.parametrize("seconds", [3.0, -3.0])
async def test_after_a_jump_of_the_clock_a_cancel_is_signed_anew(
    venue: str, seconds: float, autojump_clock: Any
) -> None:
    async with open_world(venue) as world, world.account() as account:
        order = await account.place(bid())
        world.exchange.trading.shift_clock(seconds)
        with trio.fail_after(5):
            assert await account.cancel(order) == "cancelled"
        again = await account.place(bid())
        assert again.state == "open"
        world.judge(account)


async def test_the_exchange_s_limit_of_orders_is_not_passed(autojump_clock: Any) -> None:
    async with open_world("spot") as world, world.account() as account:
        reached = None
        for number in range(60):
            try:
                account.submit(bid(str(2900 - number), quantity="0.01"))
            except LimitReached as error:
                reached = error
                break
        assert reached is not None
        assert 0 < reached.retry_after <= 10.5
        await account.cancel_all()
        await world.settled(account)
        assert all(each.ended for each in account.orders.values())
        assert world.truth.open_orders == ()


# --- the exchange acts by itself


async def test_a_liquidation_is_shown(autojump_clock: Any) -> None:
    async with open_world("usdm") as world, world.account() as account:
        async with listening(account) as told:
            taking = await account.place(bid("3100"))
            await taking.wait_done()
            resting = await account.place(bid())
            world.exchange.trading.liquidate("mm1", SYMBOL)
            await resting.wait_done()
            await settle_and_judge(world, account, told)
            assert account.positions[SYMBOL].quantity == 0
            assert told.of(PositionUpdate)[-1].quantity == 0
            assert [each for each in told.of(Fill) if each.client_id.startswith("autoclose-")]


async def test_funding_is_told(autojump_clock: Any) -> None:
    from connector.accounts import FundingPayment

    async with open_world("usdm") as world, world.account() as account:
        async with listening(account) as told:
            taking = await account.place(bid("3100"))
            await taking.wait_done()
            world.exchange.trading.fund(SYMBOL, "0.0001")
            await settle_and_judge(world, account, told)
            (payment,) = told.of(FundingPayment)
            assert payment.symbol == SYMBOL
            assert payment.amount < 0


@venues
async def test_an_order_that_the_exchange_ends(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world, world.account() as account:
        order = await account.place(bid())
        (truth,) = world.truth.open_orders
        world.exchange.trading.expire(truth)
        assert await order.wait_done() == "expired"
        world.judge(account)


# --- two programs


@venues
async def test_a_second_program_of_the_same_name_is_noticed(
    venue: str, autojump_clock: Any
) -> None:
    other = ClientIds("mm1", 5)
    async with open_world(venue) as world:
        with pytest.raises(NameInUse):
            async with world.account() as account:
                await trio.sleep(100)
                mine = await account.place(bid())
                world.exchange.trading.place(
                    "mm1", symbol=SYMBOL, side="BUY", type="LIMIT", timeInForce="GTC",
                    quantity="0.5", price="2900", newClientOrderId=other.make(),
                )  # fmt: skip
                await trio.sleep(5)
        assert trio.current_time() < 103
        assert await mine.wait_done() == "cancelled"
        (theirs,) = world.truth.open_orders
        assert theirs.client_id != mine.client_id
        assert world.adapter.statistics().accounts == ()
        async with world.account(orphans="leave") as account:
            assert account.synced


@venues
async def test_a_killed_program_s_last_order_is_an_orphan(venue: str, autojump_clock: Any) -> None:
    other = ClientIds("mm1", 5)
    async with open_world(venue) as world, world.account() as account:
        await trio.sleep(1)
        world.exchange.trading.place(
            "mm1", symbol=SYMBOL, side="BUY", type="LIMIT", timeInForce="GTC",
            quantity="0.5", price="2900", newClientOrderId=other.make(),
        )  # fmt: skip
        await trio.sleep(2)
        assert world.truth.open_orders == ()
        world.judge(account)


# --- leaving


@venues
async def test_what_cannot_be_confirmed_is_named(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world:
        began = 0.0
        with pytest.raises(OrdersLeft) as caught:
            async with world.account() as account:
                order = await account.place(bid())
                world.exchange.inject("refuse")
                world.cut_streams()
                began = trio.current_time()
        assert 20 <= trio.current_time() - began <= 23
        assert caught.value.orders == (order,) == account.left
        assert order.client_id in str(caught.value)


@venues
async def test_nested_blocks_share_one_deadline(venue: str, autojump_clock: Any) -> None:
    """Of an error, of a cancellation, and of a block that is left in the ordinary way."""
    for way in ("error", "cancel", "return"):
        async with open_world(venue) as world:
            wanted = ZeroDivisionError if way == "error" else OrdersLeft
            with pytest.raises(wanted), trio.CancelScope() as scope:
                async with world.account() as account:
                    async with (
                        account.quotes(SYMBOL, max_long=52, max_short=1, max_age=9) as quotes,
                        account.working(bid()) as order,
                    ):
                        quotes.want(bids=[("2980", "0.1")])
                        await quotes.settled()
                        world.exchange.inject("refuse")
                        world.cut_streams()
                        began = trio.current_time()
                        if way == "error":
                            raise ZeroDivisionError
                        if way == "cancel":
                            scope.cancel()
                            await trio.sleep_forever()
            assert 20 <= trio.current_time() - began <= 26
            assert order in account.left
            assert len(account.left) == 2


@venues
async def test_a_block_that_is_left_by_itself_has_all_the_time(
    venue: str, autojump_clock: Any
) -> None:
    async with open_world(venue) as world, world.account() as account:
        with pytest.raises(OrdersLeft) as caught:
            async with account.working(bid()):
                world.exchange.trading.lose_request("order.cancel", times=1000)
        assert "`connector stop mm1 --exchange binance_" in str(caught.value)
        world.exchange.trading.mend()
        async with account.working(bid("2980")) as order:
            world.exchange.trading.delay_gateway(1.5)
        assert order.state == "cancelled"
        world.exchange.trading.delay_gateway(0.0)


@venues
async def test_an_account_of_another_task_ends_with_the_adapter(
    venue: str, autojump_clock: Any
) -> None:
    async with open_world(venue) as world:
        outcomes = []

        async def trade(adapter: Any, opened: trio.Event) -> None:
            with pytest.raises(trio.ClosedResourceError):
                async with adapter.open_account(
                    world.key, name="mm1", limits=Limits.none()
                ) as account:
                    await account.place(bid())
                    opened.set()
                    await trio.sleep_forever()
            outcomes.append(account.left)

        opened = trio.Event()
        async with trio.open_nursery() as nursery:
            async with open_adapter(
                exchange_of(venue, world.exchange), dialer=world.network
            ) as adapter:
                nursery.start_soon(trade, adapter, opened)
                await opened.wait()
                statistics = adapter.statistics()
                assert statistics.sockets_open == world.network.ledger.open_now() > 0
                assert statistics.accounts[0].tasks > 5
                began = trio.current_time()
            assert trio.current_time() - began < 5
            assert world.network.ledger.open_now() == 0
            assert world.truth.open_orders == ()
        assert outcomes == [()]


@venues
async def test_the_lifecycle_tells_of_private_connections(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world:
        with world.adapter.lifecycle() as lifecycle:
            async with world.account() as account:
                world.cut_streams()
                await trio.sleep(10)
                await account.wait_synced()
                (of_account,) = world.adapter.statistics().accounts
                assert of_account.name == f"binance_{venue}/mm1"
                assert of_account.synced
                assert of_account.private.sessions_opened == 2
                assert of_account.private.reconnects == {"reset": 1}
                assert of_account.private.messages > 0 or venue == "usdm"
            told = []
            with suppress(trio.WouldBlock):
                while True:
                    told.append(lifecycle.receive_nowait())
            private = [each for each in told if getattr(each, "link", "").endswith("/private")]
            assert [type(each).__name__ for each in private] == [
                "Connecting", "Connected", "Disconnected", "Connecting", "Connected", "Disconnected"
            ]  # fmt: skip
            assert [each.reason for each in private if hasattr(each, "reason")] == ["reset", "left"]


@venues
async def test_an_error_of_the_body_gets_a_note(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world:
        with pytest.raises(ZeroDivisionError) as caught:
            async with world.account() as account:
                order = await account.place(bid())
                world.exchange.inject("refuse")
                world.cut_streams()
                raise ZeroDivisionError
        assert order.client_id in caught.value.__notes__[0]


@venues
async def test_a_cancelled_place_cancels_its_order(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world, world.account() as account:
        world.exchange.trading.delay_engine(1.0)
        with trio.move_on_after(0.5) as scope:
            await account.place(bid())
        assert scope.cancelled_caught
        (order,) = account.orders.values()
        assert await order.wait_done() == "cancelled"
        assert world.truth.open_orders == ()


@venues
async def test_a_cancelled_wait_does_nothing_to_the_order(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world, world.account() as account:
        world.exchange.trading.delay_engine(1.0)
        order = account.submit(bid())
        with trio.move_on_after(0.5):
            await order.accepted()
        await order.accepted()
        assert order.state == "open"
        world.judge(account)


@venues
async def test_order_updates_are_told_in_order(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world, world.account() as account:
        async with listening(account) as told:
            world.exchange.trading.lose_reply()
            await try_to_place(account, bid())
            await world.settled(account)
            states = [each.state for each in told.of(OrderUpdate)]
            assert states[0] == "sent"
            assert states[-1] == "open"
