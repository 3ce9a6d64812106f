"""The house: the state of one trading exchange, on which its methods and its script work.

The module is pure: `clock_ms` gives the time, and nothing here waits.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Iterable
from typing import Literal, TypeAlias

import attrs

from connector.testing.exchange.trading.accounts import (
    AccountView,
    SimulatedAccount,
    TradingAccount,
)
from connector.testing.exchange.trading.algo import AlgoOrders
from connector.testing.exchange.trading.clearing import Clearing
from connector.testing.exchange.trading.engine import Engine
from connector.testing.exchange.trading.instruments import Instrument
from connector.testing.exchange.trading.limits import OrderCounts, OrderLimit, Weights
from connector.testing.exchange.trading.market_access import Floor
from connector.testing.exchange.trading.orders import Order
from connector.testing.exchange.trading.readings import Readings
from connector.testing.exchange.trading.refusals import refusal
from connector.testing.exchange.trading.streams import Streams
from connector.testing.exchange.trading.tape import Reports, Tape

VenueName: TypeAlias = Literal["spot", "usdm", "binance_coinm"]
LETTERS = string.ascii_letters + string.digits
MADE_UP_ID_LENGTH = 22


@attrs.define(eq=False)
class House:
    """Accounts, books, limits and readings of one exchange."""

    venue: VenueName
    clock_ms: Callable[[], int]
    floor: Floor
    instruments: dict[str, Instrument]
    accounts: dict[str, SimulatedAccount]
    clearing: Clearing
    engine: Engine
    streams: Streams
    weights: Weights
    order_limits: tuple[OrderLimit, ...]
    readings: Readings
    algo: AlgoOrders = attrs.field(factory=AlgoOrders)
    query_lag_ms: int = 0
    """How far queries lag behind the engine (binance_trading §7 (4))."""
    drawn_lag_ms: int = 0
    """The additional random lag of the current request."""
    counts: dict[str, OrderCounts] = attrs.field(factory=dict)
    countdowns: dict[tuple[str, str], int] = attrs.field(factory=dict)
    """When the dead man's switch cancels, in the exchange's time, by account and symbol."""
    _rng: random.Random = attrs.field(factory=lambda: random.Random(0))

    def account_of_key(self, key: str) -> SimulatedAccount:
        """The account that an API key belongs to.

        Raises:
            Refused: -2014 if it has the wrong form, -2015 if it is unknown or revoked.
        """
        if not key:
            raise refusal("key_format")
        for account in self.accounts.values():
            if account.key == key:
                if account.revoked:
                    break
                return account
        raise refusal("key")

    def counts_of(self, account: SimulatedAccount) -> OrderCounts:
        """The order counts of an account in the venue's windows."""
        return self.counts.setdefault(account.name, OrderCounts(self.order_limits))

    def instrument(self, symbol: str) -> Instrument:
        """Find a symbol's rules.

        Raises:
            Refused: -1121 if there is no such symbol.
        """
        found = self.instruments.get(symbol)
        if found is None:
            raise refusal("symbol")
        return found

    def made_up_id(self) -> str:
        """Make up a client id as the exchange does: 22 letters and digits."""
        return "".join(self._rng.choices(LETTERS, k=MADE_UP_ID_LENGTH))

    # -- finding orders -------------------------------------------------------------------------

    def open_order(
        self, account: SimulatedAccount, symbol: str, order_id: int | None, client_id: str | None
    ) -> Order:
        """Find an open order, as the engine knows it.

        Raises:
            Refused: -2011 if it is over or unknown, -2039 if the ids belong to two orders.
        """
        ids = account.named(symbol, client_id or "") if order_id is None else (order_id,)
        for each in ids:
            history = account.history(each)
            if history is None or history.now.symbol != symbol or not history.now.is_open:
                continue
            if client_id not in (None, history.now.client_id):
                if order_id is None:
                    continue  # it had this id before it was amended
                raise refusal("ids_disagree")
            return history.now
        raise refusal("unknown_order")

    def seen_order(
        self, account: SimulatedAccount, symbol: str, order_id: int | None, client_id: str | None
    ) -> Order:
        """Find an order, open or over, as queries see it: late by `query_lag_ms`.

        Raises:
            Refused: -2013 if there is none, -2039 if the ids belong to two orders.
        """
        ids = account.named(symbol, client_id or "") if order_id is None else (order_id,)
        histories = (account.history(each) for each in ids)
        states = [each.at(self.seen_ms()) for each in histories if each is not None]
        found = [order for order in states if order is not None and order.symbol == symbol]
        if order_id is None:
            found = [order for order in found if order.client_id == client_id]
        elif found and client_id not in (None, found[0].client_id):
            raise refusal("ids_disagree")
        if not found:
            raise refusal("no_order")
        return found[-1 if self.readings.reused_id_finds == "newest" else 0]

    def view(self, account: SimulatedAccount) -> AccountView:
        """An account as queries see it."""
        return account.view(self.seen_ms(), self.clock_ms())

    def seen_orders(self, account: SimulatedAccount) -> list[Order]:
        """Every order as queries see it, oldest first."""
        ms = self.seen_ms()
        histories = (account.history(order.order_id) for order in account.orders)
        states = (history.at(ms) for history in histories if history is not None)
        return [order for order in states if order is not None]

    def seen_ms(self) -> int:
        """The time of the state that queries show."""
        return self.clock_ms() - self.query_lag_ms - self.drawn_lag_ms

    # -- what happens by itself -----------------------------------------------------------------

    def advance(self) -> None:
        """Process everything that is due by now: the market, expiries, countdowns."""
        self.floor.advance()
        now_ms = self.clock_ms()
        for account in self.accounts.values():
            for order in account.open_orders:
                if 0 < order.good_till_ms <= now_ms:
                    self.engine.expire(account, order, now_ms, "good_till")
        for (name, symbol), due_ms in tuple(self.countdowns.items()):
            if due_ms <= now_ms:
                del self.countdowns[name, symbol]
                self._count_down(self.accounts[name], symbol, now_ms)

    def _count_down(self, account: SimulatedAccount, symbol: str, now_ms: int) -> None:
        self.cancel_all(account, symbol, now_ms)
        if self.readings.countdown_cancels_algo:
            for order in self.algo.open_of(account.name, symbol):
                self.streams.tell_algo(account, self.algo.end(order, "CANCELED", now_ms), now_ms)

    def next_due_ms(self) -> int | None:
        """When the next timed action is due for `advance`."""
        due = [*self.countdowns.values()]
        for account in self.accounts.values():
            due += [order.good_till_ms for order in account.open_orders if order.good_till_ms]
        return min(due, default=None)

    def cancel_all(
        self, account: SimulatedAccount, symbol: str, ms: int, client_id: str = ""
    ) -> list[Order]:
        """Cancel every open order of a symbol."""
        return [
            self.engine.cancel(account, order, ms, client_id)
            for order in account.open_orders
            if order.symbol == symbol
        ]

    def raise_if_duplicate(self, account: SimulatedAccount, symbol: str, client_id: str) -> None:
        """Raise if an open order has this client id (binance_trading §5.4).

        Raises:
            Refused: -2010 on spot, -4116 on futures.
        """
        anywhere = self.venue != "spot" or self.readings.client_id_scope == "account"
        for order in account.open_orders:
            if order.client_id == client_id and (anywhere or order.symbol == symbol):
                raise refusal("duplicate_spot" if self.venue == "spot" else "duplicate_usdm")


def running_accounts(
    specs: Iterable[TradingAccount], opened_ms: int
) -> dict[str, SimulatedAccount]:
    """Accounts by name.

    Raises:
        ValueError: two of them have one name or one key.
    """
    accounts: dict[str, SimulatedAccount] = {}
    for spec in specs:
        if spec.name in accounts:
            raise ValueError(f"two accounts are named {spec.name!r}")
        if any(spec.key == other.key for other in accounts.values()):
            raise ValueError(f"the key of {spec.name!r} is that of another account")
        accounts[spec.name] = SimulatedAccount(spec, opened_ms)
    return accounts


def build(
    venue: VenueName,
    *,
    floor: Floor,
    accounts: dict[str, SimulatedAccount],
    instruments: dict[str, Instrument],
    clearing: Clearing,
    reports: Reports,
    streams: Streams,
    weights: Weights,
    order_limits: tuple[OrderLimit, ...],
    readings: Readings,
    clock_ms: Callable[[], int],
    counts: dict[str, OrderCounts],
) -> House:
    """Build the house of an exchange, with its engine on a floor."""
    tape = Tape(floor, reports, readings.trade_before_new)
    engine = Engine(
        floor,
        instruments,
        accounts,
        clearing,
        tape,
        post_only_expires=readings.post_only_refusal == "expires",
    )
    floor.attend(engine)
    return House(
        venue, clock_ms, floor, instruments, accounts, clearing, engine, streams, weights,
        order_limits, readings, counts=counts,
    )  # fmt: skip
