"""The private side of Binance spot: events and orders over the WebSocket API, readings over REST.

There is no listen key: the private stream is subscribed to with a signature, and lives as long as
its connection. There is no dead man's switch.

Source: binance_trading §2.1, §3, §5.1, §5.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn

import attrs

from connector.errors import ConfigError
from connector.exchanges.binance import signing
from connector.exchanges.binance.private import (
    reading,
    refusals,
    replies,
    requests,
    shapes,
    spot_events,
)
from connector.exchanges.binance.signing import Parameter
from connector.keys import ApiKey
from connector.orders import Intent, Limit
from connector.trading.client_ids import Spelling
from connector.trading.reports import BalanceReport, FillReport, OrderReport
from connector.trading.venue import (
    AccountReading,
    Constants,
    Heard,
    HttpRequest,
    Promises,
    Refusal,
    Request,
    StreamAccess,
    Token,
    Verdict,
    Window,
    judge,
)

if TYPE_CHECKING:
    from connector.trading.venue import Trading

CONSTANTS = Constants(
    engine_seconds=10.0,
    settle_seconds=2.0,
    largest_window_seconds=60.0,
    source="binance_trading §7, §11.2: the API gives up after 10 s; that events and lists of "
    "trades settle within 2 s is assumed",
)
PROMISES = Promises(
    dead_man=None,
    amends=frozenset(),
    quote_quantity=True,
    reduce_only=False,
    margin=False,
)
ORDER_WINDOWS = (Window(50, 10.0), Window(160_000, 86_400.0))
"""Source: binance_trading §9; what replies say beyond them counts."""

_ACCOUNT = reading.decoder(shapes.SpotAccount)


def _read_account(payload: bytes) -> AccountReading:
    account = _ACCOUNT(payload)
    return AccountReading(
        balances=tuple(
            BalanceReport(
                asset=each.asset,
                total=each.free + each.locked,
                available=each.free,
                locked=each.locked,
                time_ns=reading.ns(account.update_time),
            )
            for each in account.balances
        )
    )


@attrs.frozen(kw_only=True)
class SpotTrading:
    """The private side of spot at these addresses: bases, without a path."""

    orders: str
    rest: str

    @property
    def name(self) -> str:
        """``binance_spot``."""
        return "binance_spot"

    @property
    def constants(self) -> Constants:
        """The venue's times."""
        return CONSTANTS

    @property
    def promises(self) -> Promises:
        """What it can and cannot."""
        return PROMISES

    @property
    def id_spelling(self) -> Spelling:
        """32 hexadecimal digits (binance_trading §5.4)."""
        return "hex"

    @property
    def order_windows(self) -> tuple[Window, ...]:
        """Limits of new orders."""
        return ORDER_WINDOWS

    @property
    def orders_url(self) -> str:
        """Where orders are entered."""
        return f"{self.orders}/ws-api/v3"

    @property
    def rest_url(self) -> str:
        """Where readings are fetched."""
        return self.rest

    @property
    def token(self) -> Token | None:
        """None: spot has had no listen key since 2026-02-20."""
        return None

    @property
    def fills_per_request(self) -> int:
        """A list of fewer is the last."""
        return requests.TRADES_PER_REQUEST

    def check_key(self, key: ApiKey) -> None:
        """Refuse a key that Binance does not have."""
        signing.check_key(key)

    def stream(self, token: str) -> StreamAccess:
        """A connection of the WebSocket API, subscribed with a signature: any kind of key."""
        del token
        return StreamAccess(
            url=self.orders_url,
            login=Request(
                what="subscribe",
                over="orders",
                method="userDataStream.subscribe.signature",
                parameters={},
                decode=requests.read_nothing,
                weight=2,
            ),
        )

    def symbol(self, symbol: str) -> str:
        """Upper case."""
        return symbol.upper()

    def place(self, intent: Intent, client_id: str) -> Request[OrderReport]:
        """``order.place``."""
        if intent.reduce_only:
            raise ConfigError("binance_spot has no reduce_only: there are no positions")
        if intent.leg is not None:
            raise ConfigError(f"binance_spot has no hedge mode: leg={intent.leg!r}")
        parameters: dict[str, Parameter] = {
            "symbol": self.symbol(intent.symbol),
            "side": requests.side(intent),
        }
        if not isinstance(intent, Limit):
            parameters["type"] = "MARKET"
            if intent.quote_quantity is not None:
                parameters["quoteOrderQty"] = requests.number(intent.quote_quantity)
        elif intent.post_only:
            # It takes no time in force.
            parameters["type"] = "LIMIT_MAKER"
        else:
            parameters |= {"type": "LIMIT", "timeInForce": intent.time_in_force}
        parameters |= requests.quantities(intent)
        parameters |= {"newClientOrderId": client_id, "newOrderRespType": "RESULT"}
        return Request(
            what="place",
            over="orders",
            method="order.place",
            parameters=parameters,
            decode=requests.read_order,
            weight=1,
            orders=1,
        )

    def cancel(self, symbol: str, client_id: str) -> Request[OrderReport]:
        """``order.cancel`` by client id."""
        return requests.cancel(self.symbol(symbol), client_id, weight=1)

    def cancel_listed(self, order: OrderReport) -> Request[OrderReport | None]:
        """``DELETE /api/v3/order``; of a leg of a list it cancels the list (binance_trading §5)."""
        return requests.cancel_listed("/api/v3/order", order)

    def amend(
        self, placed: Intent, client_id: str, quantity: Decimal, price: Decimal | None
    ) -> NoReturn:
        """Not offered: an amend gives the order another client id."""
        del placed, client_id, quantity, price
        raise ConfigError("binance_spot amends nothing in place under the same client id")

    def order(self, symbol: str, client_id: str) -> Request[OrderReport]:
        """Ask by client id."""
        which = {"origClientOrderId": client_id}
        return requests.order("/api/v3/order", 4, self.symbol(symbol), which)

    def order_by_exchange_id(self, symbol: str, exchange_id: str) -> Request[OrderReport]:
        """Ask by the exchange's id."""
        which = {"orderId": int(exchange_id)}
        return requests.order("/api/v3/order", 4, self.symbol(symbol), which)

    def open_orders(self) -> tuple[Request[tuple[OrderReport, ...]], ...]:
        """All of all symbols; those with a trigger are among them."""
        return (
            Request(
                what="open orders",
                over="rest",
                method="GET /api/v3/openOrders",
                parameters={},
                decode=requests.read_orders,
                weight=80,
            ),
        )

    def reading(self) -> tuple[Request[AccountReading], ...]:
        """The balances."""
        return (
            Request(
                what="account",
                over="rest",
                method="GET /api/v3/account",
                parameters={"omitZeroBalances": "true"},
                decode=_read_account,
                weight=20,
            ),
        )

    def fills(
        self, symbol: str, after: str | None, since_ns: int | None
    ) -> Request[tuple[FillReport, ...]]:
        """``myTrades``."""
        return requests.fills("/api/v3/myTrades", 20, self.symbol(symbol), after, since_ns)

    def clock(self) -> Request[int]:
        """The exchange's time."""
        return requests.clock("/api/v3/time")

    def dead_man(self, symbol: str | None, seconds: float) -> NoReturn:
        """There is none (binance_trading §10)."""
        del symbol, seconds
        raise ConfigError("binance_spot has no dead man's switch")

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
        """What a frame says."""
        return replies.read_frame(frame, spot_events.SPOT_EVENTS)

    def refusal(self, status: int, body: bytes, headers: Mapping[str, str]) -> Refusal | None:
        """What a response over REST refuses."""
        return replies.rest_refusal(status, body, headers)

    def verdict(self, refusal: Refusal) -> Verdict:
        """What a refusal means."""
        return judge(refusals.SPOT, refusal)


if TYPE_CHECKING:
    _: Trading = SpotTrading(orders="", rest="")
