"""The matching engine: what becomes of orders, and that nothing is made or lost on the way."""

from __future__ import annotations

from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.testing.exchange.trading.accounts import SimulatedAccount, TradingAccount
from connector.testing.exchange.trading.engine import Engine
from connector.testing.exchange.trading.orders import Draft, Order
from connector.testing.exchange.trading.refusals import Refused
from connector.testing.exchange.trading.spot.clearing import SpotClearing
from connector.testing.exchange.trading.usdm.clearing import UsdmClearing
from connector.testing.market.payloads import USDM_SCALE
from tests.testing.exchange.trading.pit import NOW_MS, SYMBOL, Exchange, exchange, limit

RICH = {"USDC": "1000000", "ETH": "1000", "BNB": "1"}


def one(venue: str = "spot", **options: bool) -> tuple[Exchange, SimulatedAccount]:
    scale = {} if venue == "spot" else {"scale": USDM_SCALE}
    made = exchange(venue, TradingAccount("a", RICH), **scale, **options)  # type: ignore[arg-type]
    return made, made.accounts["a"]


def place(made: Exchange, draft: Draft, account: str = "a") -> Order:
    return made.engine.place(made.accounts[account], draft, NOW_MS)


def now(account: SimulatedAccount, order: Order) -> Order:
    history = account.history(order.order_id)
    assert history is not None
    return history.now


# --- what becomes of an order


def test_an_order_rests_and_is_taken_in_parts() -> None:
    made, account = one()
    order = place(made, limit("buy", "0.5", "2999.99"))

    made.pit.take("bid", 2000)
    made.pit.take("bid", 9000)

    assert made.told.kinds == ["NEW NEW", "TRADE PARTIALLY_FILLED", "TRADE FILLED"]
    assert now(account, order).filled == Decimal("0.5")
    assert [fill.maker for fill in account.fills] == [True, True]
    assert made.pit.book(SYMBOL).bids.best is None


def test_earlier_orders_at_a_price_go_first_whoever_they_are_of() -> None:
    made, account = one()
    made.pit.quote("bid", 299_999, 3000)
    order = place(made, limit("buy", "0.5", "2999.99"))
    made.pit.quote("bid", 299_999, 3000)

    made.pit.take("bid", 3000)
    assert now(account, order).filled == 0
    made.pit.take("bid", 6000)

    assert now(account, order).status == "FILLED"
    assert made.pit.book(SYMBOL).bids.quantities == {299_999: 2000}


def test_a_taker_gets_the_better_prices_of_the_book() -> None:
    made, account = one()
    made.pit.quote("ask", 300_001, 1000)
    made.pit.quote("ask", 300_005, 1000)

    order = place(made, limit("buy", "0.25", "3000.10"))

    assert [(fill.price, fill.quantity) for fill in account.fills] == [
        (Decimal("3000.01"), Decimal("0.1")),
        (Decimal("3000.05"), Decimal("0.1")),
    ]
    assert order.status == "PARTIALLY_FILLED"
    assert made.pit.book(SYMBOL).bids.quantities == {300_010: 500}


def test_what_an_order_does_to_the_book_is_shown_once() -> None:
    made, _ = one()
    made.pit.quote("ask", 300_001, 1000)

    place(made, limit("buy", "0.25", "3000.10"))

    assert made.pit.shown == [("ask", 300_001), ("bid", 300_010)]


@pytest.mark.parametrize("tif", ["IOC", "FOK"])
def test_what_cannot_be_filled_at_once_expires_on_spot(tif: str) -> None:
    made, account = one()
    made.pit.quote("ask", 300_001, 1000)

    order = place(made, limit("buy", "0.25", "3000.10", time_in_force=tif))

    assert order.status == "EXPIRED"
    assert order.filled == (Decimal("0.1") if tif == "IOC" else 0)
    assert order.expiry_reason.startswith(f"UNFILLED_{tif}")
    assert account.open_orders == ()


def test_fill_or_kill_is_refused_on_usdm_and_leaves_no_trace() -> None:
    made, account = one("usdm")
    made.pit.quote("ask", 300_001, 100)

    with pytest.raises(Refused, match="-5021"):
        place(made, limit("buy", "0.250", "3000.10", time_in_force="FOK"))

    assert account.orders == ()


def test_fill_or_kill_is_filled_whole_or_not_at_all() -> None:
    made, _ = one("usdm")
    made.pit.quote("ask", 300_001, 100)
    made.pit.quote("ask", 300_010, 150)

    order = place(made, limit("buy", "0.250", "3000.10", time_in_force="FOK"))

    assert order.status == "FILLED"


@pytest.mark.parametrize(("venue", "code"), [("spot", "-2010"), ("usdm", "-5022")])
def test_a_post_only_order_that_would_take_is_refused(venue: str, code: str) -> None:
    made, account = one(venue)
    made.pit.quote("ask", 300_001, 1000)
    draft = limit("buy", "0.1", "3000.01", time_in_force="GTX")

    with pytest.raises(Refused, match=code):
        place(made, draft)

    assert account.orders == ()
    assert place(made, attrs.evolve(draft, price=Decimal("3000.00"))).status == "NEW"


def test_a_post_only_order_may_expire_in_the_other_reading() -> None:
    made, _ = one("usdm", post_only_expires=True)
    made.pit.quote("ask", 300_001, 1000)

    place(made, limit("buy", "0.1", "3000.01", time_in_force="GTX"))

    assert made.told.kinds == ["NEW NEW", "EXPIRED EXPIRED"]


def test_the_first_trade_may_be_told_before_the_order_is() -> None:
    made, _ = one(trade_before_new=True)
    made.pit.quote("ask", 300_001, 1000)
    made.pit.quote("ask", 300_002, 1000)

    place(made, limit("buy", "0.3", "3000.02"))
    place(made, limit("buy", "0.3", "2990.02"))

    assert made.told.kinds == [
        "TRADE PARTIALLY_FILLED", "NEW NEW", "TRADE PARTIALLY_FILLED", "NEW NEW",
    ]  # fmt: skip


def test_a_market_order_takes_what_there_is() -> None:
    made, account = one()
    made.pit.quote("ask", 300_000, 1000)
    draft = attrs.evolve(limit("buy", "0.5", "0"), type="MARKET")

    order = place(made, draft)

    assert order.status == "EXPIRED"
    assert order.expiry_reason == "INSUFFICIENT_LIQUIDITY"
    assert account.balances["USDC"] == Decimal(1_000_000) - 300


def test_a_market_order_of_a_quote_quantity_buys_the_lots_it_pays_for() -> None:
    made, _ = one()
    made.pit.quote("ask", 300_000, 1000)
    made.pit.quote("ask", 310_000, 1000)

    order = place(
        made,
        attrs.evolve(limit("buy", "0", "0"), type="MARKET", quote_quantity=Decimal(400)),
    )

    assert order.status == "FILLED"
    assert order.filled == Decimal("0.1322")
    assert 400 - order.quote_filled < 310 * Decimal("0.001")


def test_a_cancelled_order_is_off_the_book() -> None:
    made, account = one()
    order = place(made, limit("buy", "0.5", "2999.99"))

    made.engine.cancel(account, order, NOW_MS, "another")

    (execution,) = made.told.executions[1:]
    assert (execution.reported_client_id, execution.previous_client_id) == ("another", "a")
    assert made.pit.book(SYMBOL).bids.best is None
    assert account.open_orders == ()


def test_an_amended_order_keeps_its_place_and_a_modified_one_loses_it() -> None:
    made, account = one()
    first = place(made, limit("buy", "0.5", "2999.99"))
    second = place(made, limit("buy", "0.5", "2999.99"))

    first = made.engine.reduce(account, first, Decimal("0.4"), "b", NOW_MS)
    made.pit.take("bid", 1000)
    assert (now(account, first).filled, now(account, second).filled) == (Decimal("0.1"), 0)
    assert now(account, first).client_id == "b"

    made.engine.modify(
        account, now(account, first),
        quantity=Decimal("0.3"), price=first.price, modify_id="7", ms=NOW_MS,
    )  # fmt: skip
    made.pit.take("bid", 1000)
    assert (now(account, first).filled, now(account, second).filled) == (
        Decimal("0.1"), Decimal("0.1"),
    )  # fmt: skip


def test_a_modification_to_what_is_filled_or_of_a_post_only_order_that_takes_cancels() -> None:
    made, account = one("usdm")
    filled = place(made, limit("buy", "0.5", "2999.99"))
    made.engine.fill(filled, Decimal("0.2"), NOW_MS)
    post = place(made, limit("buy", "0.5", "2999.00", time_in_force="GTX"))
    made.pit.quote("ask", 300_001, 1000)

    one_after = made.engine.modify(
        account, now(account, filled),
        quantity=Decimal("0.2"), price=Decimal(2990), modify_id=None, ms=NOW_MS,
    )  # fmt: skip
    other = made.engine.modify(
        account, post, quantity=Decimal("0.5"), price=Decimal("3000.01"), modify_id=None, ms=NOW_MS
    )

    assert (one_after.status, other.status) == ("CANCELED", "CANCELED")
    assert account.open_orders == ()


# --- self-trade prevention


@pytest.mark.parametrize(
    ("mode", "taker", "maker"),
    [
        ("EXPIRE_TAKER", "EXPIRED_IN_MATCH", "NEW"),
        ("EXPIRE_MAKER", "NEW", "EXPIRED_IN_MATCH"),
        ("EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH"),
        ("NONE", "PARTIALLY_FILLED", "FILLED"),
        ("DECREMENT", "NEW", "EXPIRED_IN_MATCH"),
    ],
)
def test_own_orders_do_not_trade_with_each_other(mode: str, taker: str, maker: str) -> None:
    made, account = one()
    resting = place(made, limit("sell", "0.1", "3000.00"))

    order = place(made, limit("buy", "0.25", "3000.00", prevention=mode))

    assert (order.status, now(account, resting).status) == (taker, maker)
    assert bool(account.fills) == (mode == "NONE")


def test_accounts_of_a_group_count_as_one() -> None:
    specs = (TradingAccount(name, RICH, trade_group="desk") for name in "ab")
    made = exchange("spot", *specs)
    place(made, limit("sell", "0.1", "3000.00"), "a")

    order = place(made, limit("buy", "0.1", "3000.00", prevention="EXPIRE_TAKER"), "b")

    assert order.status == "EXPIRED_IN_MATCH"


# --- reduce-only


def test_a_reduce_only_order_is_cut_to_the_position_and_refused_without_one() -> None:
    made, account = one("usdm")
    with pytest.raises(Refused, match="-2022"):
        place(made, limit("sell", "0.1", "3000", reduce_only=True))
    made.pit.quote("ask", 300_000, 100)
    place(made, limit("buy", "0.1", "3000"))

    order = place(made, limit("sell", "0.5", "3001", reduce_only=True))

    assert order.quantity == Decimal("0.1")
    assert account.position(SYMBOL).quantity == Decimal("0.1")


def test_reduce_only_orders_are_cut_and_expire_as_the_position_shrinks() -> None:
    made, account = one("usdm")
    made.pit.quote("ask", 300_000, 100)
    place(made, limit("buy", "0.1", "3000"))
    near = place(made, limit("sell", "0.06", "3001", reduce_only=True))
    far = place(made, limit("sell", "0.04", "3002", reduce_only=True))
    made.pit.quote("bid", 299_900, 50)

    place(made, limit("sell", "0.05", "2999"))

    assert now(account, near).quantity == Decimal("0.05")
    assert now(account, near).status == "NEW"
    assert (now(account, far).status, now(account, far).expiry_reason) == ("EXPIRED", "4")


# --- nothing is made or lost

quantities = st.integers(1, 3000).map(lambda lots: Decimal(lots) / 1000)
prices = st.integers(-20, 20).map(lambda ticks: Decimal(3000) + Decimal(ticks) / 100)
actions = st.one_of(
    st.tuples(
        st.just("place"), st.sampled_from("ab"), st.sampled_from(["buy", "sell"]), quantities,
        prices, st.sampled_from(["GTC", "IOC", "FOK"]),
        st.sampled_from(["NONE", "EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH", "DECREMENT"]),
    ),
    st.tuples(st.just("cancel"), st.sampled_from("ab"), st.integers(0, 9)),
    st.tuples(st.just("reduce"), st.sampled_from("ab"), st.integers(0, 9), quantities),
    st.tuples(st.just("modify"), st.sampled_from("ab"), st.integers(0, 9), quantities, prices),
)  # fmt: skip


def act(made: Exchange, action: tuple[object, ...]) -> None:
    kind, name, *rest = action
    account, engine = made.accounts[str(name)], made.engine
    if kind == "place":
        side, quantity, price, tif, mode = rest
        draft = limit(str(side), quantity, price, time_in_force=tif, prevention=mode)  # type: ignore[arg-type]
        try:
            engine.place(account, draft, NOW_MS)
        except Refused:
            return
    elif account.open_orders:
        order = account.open_orders[rest[0] % len(account.open_orders)]  # type: ignore[operator]
        if kind == "cancel":
            engine.cancel(account, order, NOW_MS)
        elif kind == "reduce" and order.filled + order.prevented < rest[1] < order.quantity:  # type: ignore[operator]
            engine.reduce(account, order, rest[1], "r", NOW_MS)  # type: ignore[arg-type]
        elif kind == "modify" and not order.prevented:
            engine.modify(
                account, order, quantity=rest[1], price=rest[2], modify_id=None, ms=NOW_MS  # type: ignore[arg-type]
            )  # fmt: skip


def assert_the_book_is_the_open_orders(made: Exchange, engine: Engine) -> None:
    book, instrument = made.pit.book(SYMBOL), engine.instruments[SYMBOL]
    wanted: dict[tuple[str, int], int] = {}
    for account in made.accounts.values():
        for order in account.open_orders:
            level = ("bid" if order.side == "BUY" else "ask", instrument.ticks(order.price))
            wanted[level] = wanted.get(level, 0) + instrument.lots(order.remaining)
    shown = {
        (side.side, price): lots
        for side in (book.bids, book.asks)
        for price, lots in side.quantities.items()
    }
    assert shown == wanted
    assert book.bids.best is None or book.asks.best is None or book.bids.best < book.asks.best


@given(st.lists(actions, max_size=40))
def test_on_spot_assets_only_change_hands(script: list[tuple[object, ...]]) -> None:
    specs = (
        TradingAccount("a", RICH, fee_asset="BNB"),
        TradingAccount("b", RICH, maker_fee="-0.0001"),
    )
    made = exchange("spot", *specs)
    clearing = made.engine.clearing
    assert isinstance(clearing, SpotClearing)
    for action in script:
        act(made, action)

        assert_the_book_is_the_open_orders(made, made.engine)
        for asset, each in RICH.items():
            owned = sum((a.balances[asset] for a in made.accounts.values()), Decimal(0))
            assert owned + clearing.fees_collected.get(asset, 0) == 2 * Decimal(each)
            assert all(clearing.free(a, asset) >= 0 for a in made.accounts.values())
    for account in made.accounts.values():
        assert_fills_explain_the_wallet(account)


def assert_fills_explain_the_wallet(account: SimulatedAccount) -> None:
    """The reference account: the wallet is what it was plus every fill, less every fee."""
    wallet = dict(account.spec.balances)
    for fill in account.fills:
        sign = 1 if fill.side == "BUY" else -1
        wallet["ETH"] += sign * fill.quantity
        wallet["USDC"] -= sign * fill.quote
        wallet[fill.fee_asset] -= fill.fee
    assert wallet == account.balances
    for order in account.orders:
        fills = [fill for fill in account.fills if fill.order_id == order.order_id]
        assert order.filled == sum((fill.quantity for fill in fills), Decimal(0))
        assert order.quote_filled == sum((fill.quote for fill in fills), Decimal(0))
        assert order.filled + order.prevented <= order.quantity or order.status == "CANCELED"


@given(st.lists(actions, max_size=40))
def test_on_usdm_profits_are_what_was_paid_and_received(
    script: list[tuple[object, ...]],
) -> None:
    specs = (TradingAccount("a", RICH, fee_asset="BNB"), TradingAccount("b", RICH))
    made = exchange("usdm", *specs, scale=USDM_SCALE)
    clearing = made.engine.clearing
    assert isinstance(clearing, UsdmClearing)
    for action in script:
        act(made, action)

        assert_the_book_is_the_open_orders(made, made.engine)
        net = [account.position(SYMBOL).quantity for account in made.accounts.values()]
        assert sum(net) == 0
    for account in made.accounts.values():
        assert_position_is_that_of_the_fills(account)
    owned = sum((account.balances["USDC"] for account in made.accounts.values()), Decimal(0))
    unrealised = sum(
        (account.position(SYMBOL).profit(Decimal(3000)) for account in made.accounts.values()),
        Decimal(0),
    )
    assert owned + unrealised + clearing.fees_collected.get("USDC", 0) == 2 * 1_000_000


def assert_position_is_that_of_the_fills(account: SimulatedAccount) -> None:
    """The reference account: cash flows, which know nothing of entry prices."""
    quantity, cash, fees = Decimal(0), Decimal(0), Decimal(0)
    for fill in account.fills:
        sign = 1 if fill.side == "BUY" else -1
        quantity += sign * fill.quantity
        cash -= sign * fill.quote
        fees += fill.fee if fill.fee_asset == "USDC" else 0
    position = account.position(SYMBOL)
    held = position.cost if position.quantity > 0 else -position.cost
    assert position.quantity == quantity
    assert position.realised == cash + held
    assert account.balances["USDC"] == 1_000_000 + position.realised - fees
