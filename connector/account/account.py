"""An account as a program sees it: what it has, and orders that do not outlive their block."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

import trio

from connector.account.amending import amend, wanted_shape
from connector.account.leaving import is_cancellation, orders_left, wait_until_over
from connector.account.order import Order
from connector.account.quotes import Quotes, QuoteSettings
from connector.account.running import RunningAccount
from connector.account.statistics import AccountStatistics
from connector.account.views import Balances, LastKnown
from connector.accounts import AnyAccountEvent, Balance, Position, Summary
from connector.decimals import Exact, not_negative, positive
from connector.errors import ConfigError, NotSynced, OrderInvalid, OrderUnknown
from connector.feeds.feed import Feed
from connector.orders import Intent, Keep, Leg, OrderState
from connector.trading.account_like import AccountLike
from connector.trading.order_record import OrderRecord
from connector.trading.quoting import Bounds
from connector.trading.reports import OrderReport
from connector.validation import check_seconds

EVENTS = 65_536


class Account:
    """A running account. Made by `Adapter.open_account` only.

    Balances, positions and summary raise `NotSynced` while what they would show may be wrong.
    """

    def __init__(self, running: RunningAccount) -> None:
        self._running = running
        self._office = running.office
        self._closed = False
        self.left: tuple[Order, ...] = ()
        """Orders that may still be open although the block was left."""

    def __repr__(self) -> str:
        synced = "synced" if self.synced else "not synced"
        return f"<Account {self.name} at {self._office.trading.name}, {synced}>"

    @property
    def name(self) -> str:
        """By which its orders are found again."""
        return self._office.name

    # --- what it has

    @property
    def synced(self) -> bool:
        """Whether what it shows is what the exchange has."""
        return self._office.book.synced and not self._closed

    async def wait_synced(self) -> None:
        """Wait until it is synced. Executes a checkpoint.

        Raises:
            ConnectorError: it never will be: the account has ended.
        """
        await trio.lowlevel.checkpoint()
        while not self._office.book.synced:
            if self._running.error is not None:
                raise self._running.error
            self._check_open()
            await self._running.wait_change()

    @property
    def balances(self) -> Mapping[str, Balance]:
        """By asset; 0 of one that the exchange does not mention.

        Raises:
            NotSynced: it may be wrong.
        """
        self._check_synced()
        return Balances(self._office.book.holdings.balances(), self._office.instruments)

    @property
    def positions(self) -> Mapping[str, Position]:
        """By symbol, of every instrument; all 0 if it is flat. Of spot, what is held of the base.

        Raises:
            NotSynced: it may be wrong.
        """
        self._check_synced()
        return self._positions()

    @property
    def summary(self) -> Summary | None:
        """The account as a whole at its last reading, where the exchange tells it.

        Raises:
            NotSynced: it may be wrong.
        """
        self._check_synced()
        return self._office.book.holdings.summary

    @property
    def last_known(self) -> LastKnown:
        """What it has last shown: for screens, not for decisions."""
        book = self._office.book
        return LastKnown(
            book.as_of_ns, book.holdings.balances(), self._positions(), book.holdings.summary
        )

    @property
    def orders(self) -> Mapping[str, Order]:
        """Our own, by client id, in whatever state; those that ended, for ten minutes."""
        return dict(self._office.orders)

    @property
    def other_orders(self) -> tuple[OrderReport, ...]:
        """Open orders of others: shown, never touched. Conditional ones are among them."""
        ours = self._office.book.records
        others = self._office.book.others.values()
        return tuple(each for each in others if each.client_id not in ours)

    @property
    def bookmark(self) -> str:
        """Give it to the next run as ``bookmark=``: it then tells the fills since now."""
        office = self._office
        return str(office.book.bookmark(office.since_ns, office.symbols()))

    def statistics(self) -> AccountStatistics:
        """What it does and has done, at this moment; also after its block."""
        return self._running.statistics()

    def _positions(self) -> Mapping[str, Position]:
        holdings = self._office.book.holdings
        return {symbol: holdings.position(symbol) for symbol in self._office.instruments}

    # --- orders

    def submit(self, intent: Intent) -> Order:
        """Check an order and send it, without waiting.

        Raises:
            OrderInvalid: it breaks a rule of its instrument.
            NotSynced: the account does not know what it has; only `reduce_only` may go.
            LimitExceeded: it would exceed the program's own limits.
            LimitReached: the exchange's limit of orders is used up.
            ConfigError: the exchange does not offer such an order.
            trio.ClosedResourceError: the account's block has been left.
        """
        self._check_open()
        return self._office.submit(intent)

    async def place(self, intent: Intent) -> Order:
        """Place an order, and return when it is open or over.

        Raises:
            OrderNotPlaced: it is not at the exchange, for certain; its kind says why.
            OrderUnknown: nothing is known of it after `Timing.patience`; it stays tracked.
            ConfigError, trio.ClosedResourceError: as `submit`.

        Cancellation: the account cancels the order, and remains its owner.
        """
        order = self.submit(intent)
        self._running.patience.begin(order)
        try:
            if await order._wait_patiently():
                return order
        except trio.Cancelled:
            self._running.cancel(order._record)
            raise
        raise OrderUnknown(f"nothing is known of the order yet: {order!r}", order)

    async def cancel(self, order: Order) -> OrderState:
        """Cancel an order, and return how it ended when that is certain.

        It is repeated until then: wait for it in a scope with a deadline if you cannot wait.

        Raises:
            ConfigError: it is no order of this account.
            trio.ClosedResourceError: the account's block has been left.

        Cancellation: the account goes on cancelling.
        """
        self._check_open()
        self._check_ours(order)
        self._running.cancel(order._record)
        return await order.wait_done()

    async def amend(
        self,
        order: Order,
        *,
        price: Exact | None = None,
        quantity: Exact | None = None,
    ) -> Order:
        """Change an order in place, and return it when it is so.

        Until it is known, the larger quantity and the worse price count.

        Args:
            order: one of this account's.
            price: the new one.
            quantity: the new one in total, what is filled of it included.

        Raises:
            ConfigError: the exchange does not amend that in place; it says what it does.
            OrderInvalid, LimitExceeded, NotSent, AmendRefused: it is unchanged, for certain.
            OrderEnded: it is over; some exchanges end an order by an amend.
            OrderUnknown: whether it was changed is not known after `Timing.patience`.
            trio.ClosedResourceError: the account's block has been left.

        Cancellation: it may be changed or not; the account finds out.
        """
        self._check_open()
        self._check_ours(order)
        changed = wanted_shape(
            self._office,
            order,
            None if price is None else positive("price", price),
            None if quantity is None else positive("quantity", quantity),
        )
        await amend(self._office, order, changed)
        return order

    async def cancel_all(
        self, *, symbol: str | None = None, tag: str | None = None
    ) -> tuple[Order, ...]:
        """Cancel our own orders, each by its id, and return them when all are over.

        Args:
            symbol: only those of this instrument.
            tag: only those whose intent has this tag.

        Cancellation: the account goes on cancelling.
        """
        self._check_open()
        wanted = None if symbol is None else self._office.trading.symbol(symbol)
        chosen = [
            each
            for each in self._office.orders.values()
            if not each.ended and wanted in (None, each.symbol) and tag in (None, each.intent.tag)
        ]
        for each in chosen:
            self._running.cancel(each._record)
        await wait_until_over(self._running, [each._record for each in chosen])
        return tuple(chosen)

    @asynccontextmanager
    async def working(self, intent: Intent) -> AsyncIterator[Order]:
        """An order for the length of a block: cancelled, and confirmed, when it is left.

        Raises:
            OrdersLeft: that could not be confirmed within `Timing.leave_timeout`; otherwise as
                `place`.

        Cancellation: the order is cancelled all the same, shielded.
        """
        order = await self.place(intent)
        body_error: BaseException | None = None
        try:
            yield order
        except BaseException as error:
            body_error = error
            raise
        finally:
            if not self._closed:
                self._running.cancel(order._record)
            await self._confirm([order._record], body_error)  # noqa: ASYNC102 - bounded: it shields itself

    @asynccontextmanager
    async def quotes(
        self,
        symbol: str,
        *,
        max_long: Exact,
        max_short: Exact,
        max_age: float,
        overlap: Exact = 0,
        keep: Keep | None = None,
        leg: Leg | None = None,
        tag: str = "",
    ) -> AsyncIterator[Quotes]:
        """Quotes of one instrument, for the length of a block: cancelled when it is left.

        Args:
            symbol: the instrument.
            max_long, max_short: how far the position may go, whichever orders are filled.
            max_age: seconds after which a `Quotes.want` withdraws everything.
            overlap: how much may be placed before the cancel of what it replaces is confirmed.
            keep: how much less aggressive than wanted an order may be and stay.
            leg: "long" or "short": required in hedge mode, refused elsewhere.
            tag: of the orders.

        Raises:
            OrderInvalid: there is no such instrument, or a number is negative.
            ConfigError: an argument cannot work.
            OrdersLeft: some orders could not be confirmed to be over within
                `Timing.leave_timeout`.
            trio.ClosedResourceError: the account's block has been left.

        Cancellation: the orders are cancelled all the same, shielded.
        """
        self._check_open()
        instrument = self._office.instruments.get(self._office.trading.symbol(symbol))
        if instrument is None:
            raise OrderInvalid(f"{self._office.trading.name} has no instrument {symbol!r}")
        bounds = Bounds(
            max_long=not_negative("max_long", max_long),
            max_short=not_negative("max_short", max_short),
            overlap=not_negative("overlap", overlap),
            keep=Keep() if keep is None else keep,
        )
        settings = QuoteSettings(
            instrument=instrument,
            bounds=bounds,
            max_age=check_seconds("max_age", max_age),
            leg=leg,
            tag=tag,
        )
        quotes = Quotes(self._running, settings)
        self._running.begin(quotes.run)
        self._running.quotes.append(quotes)
        body_error: BaseException | None = None
        try:
            yield quotes
        except BaseException as error:
            body_error = error
            raise
        finally:
            self._running.quotes.remove(quotes)
            await self._confirm(quotes.close(), body_error)  # noqa: ASYNC102 - bounded: it shields itself

    # --- events

    def events(
        self, *, tag: str | None = None, buffer: int = EVENTS
    ) -> AbstractAsyncContextManager[Feed[AnyAccountEvent]]:
        """A feed of what happens to the account from now on, for the length of a block.

        The first feed begins with the fills, funding and orphans that were found while the account
        was opened, such as those since the bookmark.

        A feed that is not read in time raises `SlowConsumer`; it never holds the account back.

        Args:
            tag: only what is about orders with this tag.
            buffer: how many events may wait.
        """
        self._check_open()
        return self._office.publishing.open(buffer, tag)

    # --- inside

    async def _confirm(self, records: list[OrderRecord], body_error: BaseException | None) -> None:
        """Wait until these orders are over, or name them."""
        deadline = self._running.deadline.begin(body_error)
        with trio.CancelScope(shield=True, deadline=deadline):
            await wait_until_over(self._running, records)
        left = tuple(self._office.orders[each.client_id] for each in records if not each.over)
        if not left:
            return
        named = orders_left(self.name, left)
        if body_error is None or is_cancellation(body_error):
            self._running.deadline.raised(named)
            raise named from body_error
        body_error.add_note(str(named))

    def _check_ours(self, order: Order) -> None:
        if self._office.orders.get(order.client_id) is not order and not order.ended:
            raise ConfigError(f"{order!r} is no order of the account {self.name!r}")

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError(
                "the account's block has been left; use an account only inside its `async with`"
            )

    def _check_synced(self) -> None:
        if not self.synced:
            raise NotSynced("the account is not synced: what it would show may be wrong")


if TYPE_CHECKING:

    def _is_like(account: Account) -> AccountLike[Order]:
        return account
