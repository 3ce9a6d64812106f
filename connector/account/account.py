"""`Account`: the balances, positions and orders of an open account, as a program sees them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

import trio

from connector.account.amending import amend, wait_for_earlier, wanted_shape
from connector.account.leaving import is_cancellation, orders_left, wait_until_over
from connector.account.order import Order, check_known
from connector.account.quotes import Quotes, QuoteSettings
from connector.account.running import RunningAccount
from connector.account.statistics import AccountStatistics
from connector.account.views import Balances, LastKnown, Positions
from connector.accounts import AnyAccountEvent, Balance, Position, Summary
from connector.errors import NotSynced, OrderInvalid, OrderUnknown
from connector.feeds.feed import Feed
from connector.inputs.blocks import block
from connector.inputs.decimals import Exact, not_negative, positive
from connector.inputs.validation import check_seconds
from connector.orders import Intent, Keep, Leg, OrderState
from connector.trading.account_like import AccountLike
from connector.trading.order_record import OrderRecord
from connector.trading.quoting import Bounds
from connector.trading.reports import OrderReport

_KEEP = Keep()


class Account:
    """An open account. `Adapter.open_account` creates it.

    `balances`, `positions` and `summary` raise `NotSynced` while their values may be wrong.
    """

    def __init__(self, running: RunningAccount) -> None:
        self._running = running
        self._office = running.office
        self._closed = False
        self.left: tuple[Order, ...] = ()
        """Orders that may still be open after the block was left."""

    def __repr__(self) -> str:
        synced = "synced" if self.synced else "not synced"
        return f"<Account {self.name} at {self._office.trading.name}, {synced}>"

    @property
    def name(self) -> str:
        """The name of the account. It is part of its orders' client ids."""
        return self._office.name

    # --- what it has

    @property
    def synced(self) -> bool:
        """Whether balances, positions and orders equal those of the exchange."""
        return self._office.book.synced and not self._closed

    async def wait_synced(self) -> None:
        """Wait until the account is synced. Executes a checkpoint.

        Raises:
            ConnectorError: the account has ended.
        """
        await trio.lowlevel.checkpoint()
        while not self._office.book.synced:
            if self._running.error is not None:
                raise self._running.error
            self._check_open()
            await self._running.wait_change()

    @property
    def balances(self) -> Mapping[str, Balance]:
        """The balances by asset. An asset that the account does not have is 0.

        Raises:
            NotSynced: the balances may be wrong.
        """
        self._check_synced()
        return Balances(self._office.book.holdings.balances(), self._office.instruments)

    @property
    def positions(self) -> Mapping[str, Position]:
        """The positions by symbol, for every instrument. On spot: the balance of the base asset.

        Raises:
            NotSynced: the positions may be wrong.
        """
        self._check_synced()
        return self._positions()

    @property
    def summary(self) -> Summary | None:
        """The totals of a margin account when it was last read; None for other accounts.

        Raises:
            NotSynced: the totals may be wrong.
        """
        self._check_synced()
        return self._office.book.holdings.summary

    @property
    def last_known(self) -> LastKnown:
        """The last known values, even if they may be wrong. Use them for display only."""
        book = self._office.book
        return LastKnown(
            book.as_of_ns, book.holdings.balances(), self._positions(), book.holdings.summary
        )

    @property
    def orders(self) -> Mapping[str, Order]:
        """The orders of this account by client id. Ended orders stay for ten minutes."""
        return dict(self._office.orders)

    @property
    def other_orders(self) -> tuple[OrderReport, ...]:
        """Open orders of other programs, with conditional ones. The account never changes them."""
        ours = self._office.book.records
        others = self._office.book.others.values()
        return tuple(each for each in others if each.client_id not in ours)

    @property
    def bookmark(self) -> str:
        """Pass it to the next run as ``bookmark=``. That run reports the fills since now."""
        office = self._office
        return str(office.book.bookmark(office.since_ns, office.symbols()))

    def statistics(self) -> AccountStatistics:
        """Current values and totals of the account. Also available after its block."""
        return self._running.statistics()

    def _positions(self) -> Mapping[str, Position]:
        holdings = self._office.book.holdings
        return Positions((each, holdings.position(each)) for each in self._office.instruments)

    # --- orders

    def submit(self, intent: Intent) -> Order:
        """Check an order and send it, without waiting for the exchange.

        Raises:
            OrderInvalid: the order breaks a rule of its instrument.
            NotSynced: the account is not synced; only `reduce_only` orders are possible.
            LimitExceeded: the order would exceed your own limits.
            LimitReached: the exchange's limit of orders is used up.
            ConfigError: the exchange does not offer such an order.
            trio.ClosedResourceError: the account's block has been left.
        """
        self._check_open()
        return self._office.submit(intent)

    async def place(self, intent: Intent) -> Order:
        """Place an order. Returns when it is open or has ended.

        Raises:
            OrderNotPlaced: the order is certainly not at the exchange; the subclass says why.
            OrderUnknown: the outcome is not known after `Timing.patience`; it stays tracked.
            ConfigError, trio.ClosedResourceError: as with `submit`.

        Cancellation: the account cancels the order and keeps tracking it.
        """
        return await self._known(self.submit(intent))

    async def _known(self, order: Order) -> Order:
        self._running.patience.begin(order)
        try:
            if await order._wait_patiently():
                return order
        except trio.Cancelled:
            self._running.cancel(order._record)
            raise
        raise OrderUnknown(
            f"the outcome of {order!r} is unknown; do not place it again, await its accepted()",
            order,
        )

    async def cancel(self, order: Order) -> OrderState:
        """Cancel an order. Returns how it ended, when that is certain.

        The request is repeated until then. Use ``trio.move_on_after`` if you cannot wait.

        Raises:
            ConfigError: the order does not belong to this account.
            trio.ClosedResourceError: the account's block has been left.

        Cancellation: the account continues to cancel the order.
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
        """Change an order in place. Returns it when the exchange has confirmed the change.

        Until then, the larger quantity and the worse price count for your limits.

        Args:
            order: an order of this account.
            price: the new price.
            quantity: the new total quantity, including the filled part.

        Raises:
            ConfigError: the exchange cannot change this in place; the message has what it can.
            OrderInvalid, LimitExceeded, NotSent, AmendRefused: the order is certainly unchanged.
            OrderEnded: the order has ended. Some exchanges end an order by an amend.
            OrderUnknown: the outcome is not known after `Timing.patience`.
            trio.ClosedResourceError: the account's block has been left.

        Cancellation: the order may or may not be changed; the account finds out.
        """
        self._check_open()
        self._check_ours(order)
        await wait_for_earlier(self._office, order)
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
        """Cancel the orders of this account, each by its id. Returns them when all have ended.

        Args:
            symbol: only orders of this instrument.
            tag: only orders whose intent has this tag.

        Cancellation: the account continues to cancel the orders.
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

    @block("account.working(…) as order")
    @asynccontextmanager
    async def working(self, intent: Intent) -> AsyncIterator[Order]:
        """Place an order for the length of a block. Use it with ``async with``.

        When you leave the block, the account cancels the order and confirms its end.

        Raises:
            OrdersLeft: the end could not be confirmed within `Timing.leave_timeout`. Otherwise as
                with `place`.

        Cancellation: the order is still cancelled, shielded.
        """
        order = self.submit(intent)
        body_error: BaseException | None = None
        try:
            yield await self._known(order)
        except BaseException as error:
            body_error = error
            raise
        finally:
            if not self._closed:
                self._running.cancel(order._record)
            await self._confirm([order._record], body_error)  # noqa: ASYNC102 - bounded: it shields itself

    @block("account.quotes(…) as quotes")
    @asynccontextmanager
    async def quotes(
        self,
        symbol: str,
        *,
        max_long: Exact,
        max_short: Exact,
        max_age: float,
        overlap: Exact = 0,
        keep: Keep = _KEEP,
        leg: Leg | None = None,
        tag: str = "",
    ) -> AsyncIterator[Quotes]:
        """Keep quotes of one instrument for the length of a block. Use it with ``async with``.

        When you leave the block, the account cancels the quotes and confirms their end.

        Args:
            symbol: the instrument, in any case.
            max_long: the largest long position, whichever orders are filled, in the base asset or
                in contracts.
            max_short: the largest short position, as a positive number.
            max_age: seconds after the last `Quotes.want` after which all quotes are withdrawn.
            overlap: the quantity that may be placed before a replaced order is gone.
            keep: how much less aggressive than wanted an order may be before it is replaced.
            leg: "long" or "short". Required in hedge mode, not allowed otherwise.
            tag: the tag of the orders.

        Raises:
            OrderInvalid: the exchange has no such instrument, or a number is negative.
            ConfigError: an argument is wrong.
            OrdersLeft: some orders may be open after `Timing.leave_timeout`.
            trio.ClosedResourceError: the account's block has been left.

        Cancellation: the quotes are still cancelled, shielded.
        """
        self._check_open()
        instrument = self._office.instruments.get(self._office.trading.symbol(symbol))
        if instrument is None:
            raise OrderInvalid(
                f"{self._office.trading.name} has no instrument {symbol!r}; see Adapter.instruments"
            )
        bounds = Bounds(
            max_long=not_negative("max_long", max_long),
            max_short=not_negative("max_short", max_short),
            overlap=not_negative("overlap", overlap),
            keep=keep,
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
        self, *, tag: str | None = None, buffer: int = 65_536
    ) -> AbstractAsyncContextManager[Feed[AnyAccountEvent]]:
        """Subscribe to the account's events for the length of a block. Use it with ``async with``.

        The first feed begins with the fills, funding payments and orphans that the account found
        when it was opened, such as those since the bookmark.

        If you do not read the feed in time, it raises `SlowConsumer`. It never delays the account.

        Args:
            tag: only events of orders with this tag.
            buffer: the number of events that the feed can hold.
        """
        self._check_open()
        return self._office.publishing.open(buffer, tag)

    async def _confirm(self, records: list[OrderRecord], body_error: BaseException | None) -> None:
        """Wait until these orders are over, or name them."""
        deadline = self._running.deadline.begin(body_error)
        with trio.CancelScope(shield=True, deadline=deadline):
            await wait_until_over(self._running, records)
        left = tuple(self._office.orders[each.client_id] for each in records if not each.over)
        if not left:
            return
        named = orders_left(self.name, self._office.trading.name, left)
        if body_error is None or is_cancellation(body_error):
            self._running.deadline.raised(named)
            raise named from body_error
        body_error.add_note(str(named))

    def _check_ours(self, order: object) -> None:
        check_known(order, self._office.orders, self.name)

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError(
                "the account's block has been left; use an account only inside its `async with`"
            )

    def _check_synced(self) -> None:
        if not self.synced:
            raise NotSynced("the account is not synced; await wait_synced(), or read last_known")


if TYPE_CHECKING:

    def _is_like(account: Account) -> AccountLike[Order]:
        return account
