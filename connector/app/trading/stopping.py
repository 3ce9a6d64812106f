"""Cancel all open orders of an account until the exchange confirms it.

It needs no connection but REST: neither a private stream nor order entry have to work.

.. code-block:: text

    look at the open orders ─▶ cancel each that is meant ─▶ look again …
        └── none is left, twice, a settle time apart ─▶ confirmed

An order is over when the matching engine has said so: by its answer to the cancel, or, if it knows
no such open order, by the order's own state. What a list still shows then is the list's lag.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Literal, TypeAlias

import attrs
import trio

from connector.account.asking import Asking, Conversation, Refused
from connector.account.exchange_clock import ExchangeClock
from connector.app.trading.access import Access
from connector.errors import ExchangeUnavailable, RequestRejected
from connector.trading.client_ids import identify
from connector.trading.reports import OrderReport
from connector.trading.venue import Trading
from connector.transport.error_groups import leaves

End: TypeAlias = Literal["cancelled", "filled", "expired", "over"]
"""``over``: the engine has no such open order any more, and nothing says how it ended."""

_LANES = 4
"""Connections over which orders are cancelled at the same time."""
_PAUSE = 0.25
_ENDS: Mapping[str, End] = MappingProxyType(
    {"cancelled": "cancelled", "filled": "filled", "expired": "expired"}
)


@attrs.frozen
class Ended:
    """An order that the exchange says is over."""

    order: OrderReport
    """The order as it was when it was found."""
    end: End
    filled: Decimal


@attrs.frozen(kw_only=True)
class Stopped:
    """The result of a stop."""

    ended: tuple[Ended, ...]
    left: tuple[OrderReport, ...]
    """Orders whose end is not confirmed."""
    untouched: tuple[OrderReport, ...]
    """Open orders that were not meant: of other names, of the exchange's app."""
    confirmed: bool
    """Whether the exchange has no order any more that was meant."""
    newly_placed: int = 0
    """Orders that were made after the stop began: a program goes on placing."""
    trouble: str = ""
    """The last error."""


Told: TypeAlias = Callable[[Ended], None]


async def stop_orders(
    access: Access, name: str | None, *, seconds: float, told: Told | None = None
) -> Stopped:
    """Cancel every open order of this account name, or of the whole account.

    Args:
        access: the account.
        name: only orders of accounts of this name, in whatever run; None: all there are, those of
            other programs and conditional ones too.
        seconds: how long to try.
        told: receives each order when it is over.

    Raises:
        RequestRejected: the key may not do this.

    Cancellation: orders may be cancelled or not.
    """
    work = _Work(access, name, told)
    with trio.move_on_after(seconds):
        await work.run()
    return work.result()


@attrs.define(eq=False)
class _Work:
    """The state of one stop."""

    access: Access
    name: str | None
    told: Told | None
    trading: Trading = attrs.field(init=False)
    asking: Asking = attrs.field(init=False)
    began_ns: int | None = None
    confirmed: bool = False
    trouble: str = ""
    found: dict[tuple[str, str], OrderReport] = attrs.field(factory=dict)
    ended: dict[tuple[str, str], Ended] = attrs.field(factory=dict)
    untouched: tuple[OrderReport, ...] = ()

    def __attrs_post_init__(self) -> None:
        exchange = self.access.exchange
        self.trading = exchange.trading  # type: ignore[attr-defined]  # one that has accounts
        self.asking = Asking(
            self.trading, exchange.rest, self.access.key, ExchangeClock(), self.access.dialer
        )

    async def run(self) -> None:
        """Return when the exchange has confirmed that nothing is left."""
        empty_since: float | None = None
        while True:
            orders = await self._look()
            if orders is None:
                empty_since = None
            elif orders:
                empty_since = None
                await self._cancel(orders)
            else:
                # Lists lag: the second look sees what was on its way at the first.
                empty_since = empty_since or trio.current_time()
                settled = empty_since + self.trading.constants.settle_seconds
                if trio.current_time() >= settled and await self._explain():
                    self.confirmed = True
                    return
            await trio.sleep(_PAUSE)

    def result(self) -> Stopped:
        """The result so far."""
        left = tuple(order for key, order in self.found.items() if key not in self.ended)
        since = self.began_ns
        return Stopped(
            ended=tuple(self.ended.values()),
            left=left,
            untouched=self.untouched,
            confirmed=self.confirmed,
            newly_placed=sum(
                since is not None and each.created_ns is not None and each.created_ns > since
                for each in self.found.values()
            ),
            trouble="" if self.confirmed else self.trouble,
        )

    async def _look(self) -> Sequence[OrderReport] | None:
        """Those that are meant, open, and not known to be over; None: they could not be read."""
        try:
            async with self.asking.open() as conversation:
                return await self._read(conversation)
        except (ExchangeUnavailable, Refused) as error:
            self._note(error)
            return None

    async def _read(self, conversation: Conversation) -> Sequence[OrderReport]:
        if not self.asking.clock.known:
            server_ns = await conversation.sample_clock()
            self.began_ns = self.began_ns or server_ns
        listed: list[OrderReport] = []
        for request in self.trading.open_orders():
            listed += await conversation.ask(request)
        meant = [each for each in listed if self._is_meant(each)]
        self.untouched = tuple(each for each in listed if not self._is_meant(each))
        for each in meant:
            self.found.setdefault(_key(each), each)
        return [each for each in meant if _key(each) not in self.ended]

    def _is_meant(self, order: OrderReport) -> bool:
        if self.name is None:
            return True
        identity = identify(order.client_id)
        return identity is not None and identity.belongs_to(self.name)

    async def _cancel(self, orders: Sequence[OrderReport]) -> None:
        """Each once, over some connections at the same time."""
        waiting = iter(orders)
        try:
            async with trio.open_nursery() as nursery:
                for _ in range(min(_LANES, len(orders))):
                    nursery.start_soon(self._lane, waiting)
        except* RequestRejected as group:
            raise next(leaves(group)) from None

    async def _lane(self, waiting: Iterator[OrderReport]) -> None:
        try:
            async with self.asking.open() as conversation:
                for order in waiting:
                    await self._cancel_one(conversation, order)
        except (ExchangeUnavailable, Refused) as error:
            self._note(error)

    async def _explain(self) -> bool:
        """Find out how orders ended that no list shows any more; whether that is known of all."""
        unexplained = [order for key, order in self.found.items() if key not in self.ended]
        if not unexplained:
            return True
        try:
            async with self.asking.open() as conversation:
                for order in unexplained:
                    self._take(order, await self._state_of(conversation, order), "over")
        except (ExchangeUnavailable, Refused) as error:
            self._note(error)
        return self.found.keys() <= self.ended.keys()

    async def _cancel_one(self, conversation: Conversation, order: OrderReport) -> None:
        try:
            report = await conversation.ask(self.trading.cancel_listed(order))
            end: End = "cancelled"
        except Refused as refused:
            if refused.verdict.meaning != "absent":
                self._note(refused)
                return
            report = await self._state_of(conversation, order)
            end = "over"
        self._take(order, report, end)

    def _take(self, order: OrderReport, report: OrderReport | None, end: End) -> None:
        """What was said of an order; `end` if that is nothing."""
        if report is not None:
            if report.state not in _ENDS:
                # It lags behind the engine: the next look shows more.
                return
            end = _ENDS[report.state]
        ended = Ended(order, end, order.filled if report is None else report.filled)
        self.ended[_key(order)] = ended
        if self.told is not None:
            self.told(ended)

    async def _state_of(self, conversation: Conversation, order: OrderReport) -> OrderReport | None:
        """How an order ended that the engine has not among its open ones; None: nothing says."""
        if order.exchange_id is None or order.conditional:
            return None
        try:
            request = self.trading.order_by_exchange_id(order.symbol, order.exchange_id)
            return await conversation.ask(request)
        except Refused as refused:
            self._note(refused)
            return None

    def _note(self, error: Exception) -> None:
        """Remember what went wrong; raise if it always will."""
        self.trouble = str(error)
        if isinstance(error, Refused) and error.verdict.meaning == "permission":
            refusal = error.refusal
            raise RequestRejected(refusal.status, refusal.code, refusal.text) from None


def _key(order: OrderReport) -> tuple[str, str]:
    return order.symbol, order.exchange_id or order.client_id
