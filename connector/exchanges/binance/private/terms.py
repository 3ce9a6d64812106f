"""The private side of Binance's exchanges: the terms in which they differ, and the shared part.

`Terms` holds the differences between spot and futures: paths, weights, tables, and the request that
places an order. `BinanceTrading` is a `connector.trading.venue.Trading` made of terms and
addresses.

Source: binance_trading §1, §5, §8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs

from connector.errors import ConfigError
from connector.exchanges.binance import signing
from connector.exchanges.binance.private import reading, replies, requests
from connector.keys import ApiKey
from connector.orders import Intent
from connector.trading.client_ids import Spelling
from connector.trading.reports import FillReport, OrderReport
from connector.trading.venue import (
    AccountReading,
    Constants,
    Heard,
    HttpRequest,
    LimitUse,
    Promises,
    Refusal,
    Request,
    Rule,
    StreamAccess,
    Token,
    Verdict,
    Window,
    judge,
)

if TYPE_CHECKING:
    from connector.trading.venue import Trading


@attrs.frozen(kw_only=True)
class Terms:
    """The terms of one exchange."""

    name: str
    constants: Constants
    promises: Promises
    order_windows: tuple[Window, ...]
    """Order limits that apply until `order_limits` is answered."""
    prefix: str
    """Prefix of the REST paths, such as ``/api/v3``."""
    orders_path: str
    """Path of the connection for orders."""
    order_weight: int
    """Weight of a request for one order."""
    orders_weight: int
    """Weight of a request for a list of orders, open or not."""
    lists_all_orders: bool = False
    """Whether one such list can have all symbols."""
    trades: str
    """The path of the account's trades, after the prefix."""
    trades_weight: int
    order_limits: Request[tuple[LimitUse, ...]]
    open_orders: tuple[Request[tuple[OrderReport, ...]], ...]
    reading: tuple[Request[AccountReading], ...]
    events: replies.Events = attrs.field(repr=False)
    refusals: Mapping[int | str | None, tuple[Rule, ...]] = attrs.field(repr=False)
    place: Callable[[Intent, str, str], Request[OrderReport]]
    """Writes the request for an intent, a symbol and a client id."""
    amend: Callable[[Intent, str, str, Decimal, Decimal], Request[OrderReport | None]] | None = None
    """Writes the request for an order, a symbol, a client id, the total quantity and the price."""
    cancel_conditional: Callable[[int], Request[None]] | None = None
    """Writes the cancel of a conditional order; None if they are ordinary orders."""
    dead_man: Callable[[str, float], Request[None]] | None = None
    token: Token | None = None
    stream: Callable[[str, str], StreamAccess]
    """Describes the private stream, from the address of streams and the token."""


@attrs.frozen(kw_only=True)
class BinanceTrading:
    """The private side of an exchange at these addresses: bases, without a path."""

    terms: Terms
    orders: str
    rest: str
    stream_base: str = ""
    """Address of a private stream that is separate from the connection for orders."""

    @property
    def name(self) -> str:
        """The name, such as ``binance_spot``."""
        return self.terms.name

    @property
    def constants(self) -> Constants:
        """The venue's time limits."""
        return self.terms.constants

    @property
    def promises(self) -> Promises:
        """The capabilities of the venue."""
        return self.terms.promises

    @property
    def id_spelling(self) -> Spelling:
        """32 hexadecimal digits (binance_trading §5.4)."""
        return "hex"

    @property
    def order_windows(self) -> tuple[Window, ...]:
        """Limits of new orders."""
        return self.terms.order_windows

    @property
    def orders_url(self) -> str:
        """The address at which orders are entered."""
        return self.orders + self.terms.orders_path

    @property
    def rest_url(self) -> str:
        """The address of readings and listen keys."""
        return self.rest

    @property
    def token(self) -> Token | None:
        """The listen key. It is never deleted, because other programs may use the same key."""
        return self.terms.token

    @property
    def fills_per_request(self) -> int:
        """Size of a full list of fills; a shorter list is the last one."""
        return requests.TRADES_PER_REQUEST

    def check_key(self, key: ApiKey) -> None:
        """Refuse a kind of key that Binance does not have."""
        signing.check_key(key)

    def stream(self, token: str) -> StreamAccess:
        """The stream of private events."""
        return self.terms.stream(self.stream_base or self.orders_url, token)

    def symbol(self, symbol: str) -> str:
        """Spell a symbol in upper case."""
        return symbol.upper()

    # Requests.

    def place(self, intent: Intent, client_id: str) -> Request[OrderReport]:
        """``order.place``."""
        return self.terms.place(intent, self.symbol(intent.symbol), client_id)

    def cancel(self, symbol: str, client_id: str) -> Request[OrderReport]:
        """``order.cancel`` by client id."""
        return requests.cancel(self.symbol(symbol), client_id, weight=1)

    def amend(
        self, placed: Intent, client_id: str, quantity: Decimal, price: Decimal | None
    ) -> Request[OrderReport | None]:
        """``order.modify``, if it changes an order in place."""
        if self.terms.amend is None:
            raise ConfigError(f"{self.name} amends nothing in place under the same client id")
        if price is None:
            raise ConfigError(f"{self.name} amends orders with a price only")
        return self.terms.amend(placed, self.symbol(placed.symbol), client_id, quantity, price)

    def cancel_listed(self, order: OrderReport) -> Request[OrderReport | None]:
        """``DELETE order``; on spot, one leg's cancel ends its list (binance_trading §5).

        Conditional orders of futures are cancelled in their separate system.
        """
        system, _, number = (order.exchange_id or "").rpartition(":")
        if system == reading.ALGO and self.terms.cancel_conditional is not None:
            return self.terms.cancel_conditional(int(number))
        return requests.cancel_listed(f"{self.terms.prefix}/order", order)

    def order(self, symbol: str, client_id: str) -> Request[OrderReport]:
        """Ask by client id."""
        return self._order(symbol, {"origClientOrderId": client_id})

    def order_by_exchange_id(self, symbol: str, exchange_id: str) -> Request[OrderReport]:
        """Ask by the exchange's id."""
        return self._order(symbol, {"orderId": int(exchange_id)})

    def _order(self, symbol: str, which: Mapping[str, signing.Parameter]) -> Request[OrderReport]:
        path = f"{self.terms.prefix}/order"
        return requests.order(path, self.terms.order_weight, self.symbol(symbol), which)

    def orders_from(self, symbol: str, exchange_id: str) -> Request[tuple[OrderReport, ...]]:
        """``allOrders`` from an id on."""
        return Request(
            what="orders",
            over="rest",
            method=f"GET {self.terms.prefix}/allOrders",
            parameters={
                "symbol": self.symbol(symbol),
                "orderId": int(exchange_id),
                "limit": requests.TRADES_PER_REQUEST,
            },
            decode=requests.read_orders,
            weight=self.terms.orders_weight,
        )

    def orders_since(self, since_ns: int) -> Request[tuple[OrderReport, ...]] | None:
        """``allOrders`` since a time; of all symbols on USD-M since 2026-08-25."""
        if not self.terms.lists_all_orders:
            return None
        return Request(
            what="orders",
            over="rest",
            method=f"GET {self.terms.prefix}/allOrders",
            parameters={
                "startTime": since_ns // reading.NS_PER_MS,
                "limit": requests.TRADES_PER_REQUEST,
            },
            decode=requests.read_orders,
            weight=self.terms.orders_weight,
        )

    def order_limits(self) -> Request[tuple[LimitUse, ...]]:
        """The order limits, and the used part if the exchange tells it."""
        return self.terms.order_limits

    def open_orders(self) -> tuple[Request[tuple[OrderReport, ...]], ...]:
        """All open orders of all symbols, conditional ones included."""
        return self.terms.open_orders

    def reading(self) -> tuple[Request[AccountReading], ...]:
        """Balances, positions and mode."""
        return self.terms.reading

    def fills(
        self, symbol: str, after: str | None, since_ns: int | None
    ) -> Request[tuple[FillReport, ...]]:
        """The account's trades."""
        terms = self.terms
        path = terms.prefix + terms.trades
        return requests.fills(path, terms.trades_weight, self.symbol(symbol), after, since_ns)

    def clock(self) -> Request[int]:
        """The exchange's time."""
        return requests.clock(f"{self.terms.prefix}/time")

    def dead_man(self, symbol: str | None, seconds: float) -> Request[None]:
        """``countdownCancelAll`` for all of the account's orders of one symbol."""
        if self.terms.dead_man is None:
            raise ConfigError(f"{self.name} has no dead man's switch")
        if symbol is None:
            raise ConfigError(f"the dead man's switch of {self.name} is one of each symbol")
        return self.terms.dead_man(self.symbol(symbol), seconds)

    # On the wire.

    def write(
        self, request: Request[Any], request_id: int, key: ApiKey, now_ns: int, window: float
    ) -> str:
        """A request over the WebSocket API, signed now."""
        return requests.write(request, request_id, key, now_ns, window)

    def write_rest(
        self, request: Request[Any], key: ApiKey, now_ns: int, window: float
    ) -> HttpRequest:
        """A request over REST, signed now."""
        return requests.write_rest(request, key, now_ns, window)

    def read(self, frame: bytes) -> tuple[Heard, ...]:
        """Read a frame."""
        return replies.read_frame(frame, self.terms.events)

    def refusal(self, status: int, body: bytes, headers: Mapping[str, str]) -> Refusal | None:
        """The refusal in a REST response."""
        return replies.rest_refusal(status, body, headers)

    def verdict(self, refusal: Refusal) -> Verdict:
        """The meaning of a refusal."""
        return judge(self.terms.refusals, refusal)


if TYPE_CHECKING:

    def _is_trading(trading: BinanceTrading) -> Trading:
        return trading
