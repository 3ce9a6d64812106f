"""The private side of Binance USDⓈ-M futures: a listen key, orders over the WebSocket API.

The listen key is fetched over REST and opens the private stream in its query form, which is the one
that works on production. It expires after an hour without a renewal, perhaps in silence.

Source: binance_trading §2.2, §4, §5.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import attrs

from connector.accounts import Summary
from connector.errors import ConfigError, OrderInvalid
from connector.exchanges.binance import signing
from connector.exchanges.binance.private import (
    reading,
    refusals,
    replies,
    requests,
    shapes,
    usdm_events,
)
from connector.exchanges.binance.signing import Parameter
from connector.keys import ApiKey
from connector.orders import Intent, Limit
from connector.trading.client_ids import Spelling
from connector.trading.reports import BalanceReport, FillReport, OrderReport, PositionReport
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
    engine_seconds=2.0,
    settle_seconds=2.0,
    largest_window_seconds=60.0,
    source="binance_trading §7: the engine checks the window, too (-5028); 2 s after its end, and "
    "2 s for events and lists of trades, are assumed",
)
PROMISES = Promises(
    dead_man="symbol",
    # Goes to the back of the queue, always, but under the same ids.
    amends=frozenset({"quantity", "price"}),
    quote_quantity=False,
)
ORDER_WINDOWS = (Window(300, 10.0), Window(1200, 60.0))
"""Source: binance_trading §9; what replies say beyond them counts."""

RENEW_SECONDS = 20 * 60.0
EXPIRE_SECONDS = 55 * 60.0
"""The key lives 60 min; source: binance_trading §2.2."""

_SELF_TRADE_PREVENTION = "EXPIRE_TAKER"
"""Sent, because what Binance takes without it is documented in two ways (binance_trading §5.3)."""

_ACCOUNT = reading.decoder(shapes.FuturesAccount)
_POSITIONS = reading.decoder(list[shapes.PositionRisk])
_MODE = reading.decoder(shapes.PositionMode)
_ALGO_ORDERS = reading.decoder(list[shapes.AlgoOrder])
_KEY = reading.decoder(shapes.ListenKey)


def _read_account(payload: bytes) -> AccountReading:
    account = _ACCOUNT(payload)
    return AccountReading(
        balances=tuple(
            BalanceReport(
                asset=each.asset,
                total=each.wallet_balance,
                available=each.available_balance,
                time_ns=reading.ns(each.update_time or None),
            )
            for each in account.assets
        ),
        summary=Summary(
            asset="USD",
            equity=account.total_margin_balance,
            available=account.available_balance,
            unrealised=account.total_unrealized_profit,
            initial_margin=account.total_initial_margin,
            maintenance_margin=account.total_maint_margin,
        ),
    )


def _read_positions(payload: bytes) -> AccountReading:
    return AccountReading(
        balances=(),
        positions=tuple(
            PositionReport(
                symbol=each.symbol,
                leg=reading.leg_of(each.position_side),
                quantity=each.position_amt
                if each.position_side == "BOTH"
                else abs(each.position_amt),
                entry_price=each.entry_price or None,
                unrealised=each.unrealized,
                mark_price=each.mark_price or None,
                time_ns=reading.ns(each.update_time or None),
            )
            for each in _POSITIONS(payload)
        ),
    )


def _read_mode(payload: bytes) -> AccountReading:
    return AccountReading(balances=(), hedge_mode=_MODE(payload).dual_side_position)


def _read_algo_orders(payload: bytes) -> tuple[OrderReport, ...]:
    return tuple(map(reading.algo_report, _ALGO_ORDERS(payload)))


def _read_key(payload: bytes) -> str:
    return _KEY(payload).listen_key


def _listen_key(method: str, decode: Any) -> Request[Any]:
    return Request(
        what="listen key",
        over="rest",
        method=method,
        parameters={},
        decode=decode,
        signing="key",
        weight=1,
    )


@attrs.frozen(kw_only=True)
class UsdMTrading:
    """The private side of USD-M futures at these addresses: bases, without a path."""

    stream_base: str
    orders: str
    rest: str

    @property
    def name(self) -> str:
        """``binance_usdm``."""
        return "binance_usdm"

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
        return f"{self.orders}/ws-fapi/v1"

    @property
    def rest_url(self) -> str:
        """Where readings and listen keys are fetched."""
        return self.rest

    @property
    def token(self) -> Token | None:
        """The listen key. It is never deleted: other programs on the account may use the same."""

        def renew(_: str) -> Request[None]:
            return _listen_key("PUT /fapi/v1/listenKey", requests.read_nothing)

        return Token(
            fetch=_listen_key("POST /fapi/v1/listenKey", _read_key),
            renew=renew,
            renew_seconds=RENEW_SECONDS,
            expire_seconds=EXPIRE_SECONDS,
        )

    @property
    def fills_per_request(self) -> int:
        """A list of fewer is the last."""
        return requests.TRADES_PER_REQUEST

    def check_key(self, key: ApiKey) -> None:
        """Refuse a key that Binance does not have."""
        signing.check_key(key)

    def stream(self, token: str) -> StreamAccess:
        """The private route, in the form that is not silent on production."""
        return StreamAccess(url=f"{self.stream_base}/private/ws?listenKey={quote(token, safe='')}")

    def symbol(self, symbol: str) -> str:
        """Upper case."""
        return symbol.upper()

    def place(self, intent: Intent, client_id: str) -> Request[OrderReport]:
        """``order.place``."""
        parameters: dict[str, Parameter] = {
            "symbol": self.symbol(intent.symbol),
            "side": requests.side(intent),
        }
        if intent.leg is not None:
            parameters["positionSide"] = intent.leg.upper()
            closes = intent.side == ("sell" if intent.leg == "long" else "buy")
            if intent.reduce_only and not closes:
                raise OrderInvalid(
                    f"reduce_only: a {intent.side} does not reduce the {intent.leg} leg"
                )
        elif intent.reduce_only:
            # In hedge mode it is not taken: the leg and the side say it.
            parameters["reduceOnly"] = "true"
        if isinstance(intent, Limit):
            parameters |= {
                "type": "LIMIT",
                "timeInForce": "GTX" if intent.post_only else intent.time_in_force,
            }
        elif intent.quote_quantity is not None:
            raise ConfigError("binance_usdm has no quote_quantity; write quantity")
        else:
            parameters["type"] = "MARKET"
        parameters |= requests.quantities(intent)
        parameters["newClientOrderId"] = client_id
        if isinstance(intent, Limit) and intent.time_in_force != "FOK" and not intent.post_only:
            parameters["selfTradePreventionMode"] = _SELF_TRADE_PREVENTION
        return Request(
            what="place",
            over="orders",
            method="order.place",
            parameters=parameters,
            decode=requests.read_order,
            weight=0,
            orders=1,
        )

    def cancel(self, symbol: str, client_id: str) -> Request[OrderReport]:
        """``order.cancel`` by client id."""
        return requests.cancel(self.symbol(symbol), client_id, weight=1)

    def cancel_listed(self, order: OrderReport) -> Request[OrderReport | None]:
        """``DELETE /fapi/v1/order``; conditional orders are cancelled in their own system."""
        system, _, number = (order.exchange_id or "").rpartition(":")
        if system != reading.ALGO:
            return requests.cancel_listed("/fapi/v1/order", order)
        return Request(
            what="cancel",
            over="rest",
            method="DELETE /fapi/v1/algoOrder",
            parameters={"algoId": int(number)},
            decode=requests.read_nothing,
            weight=1,
        )

    def amend(
        self, placed: Intent, client_id: str, quantity: Decimal, price: Decimal | None
    ) -> Request[OrderReport | None]:
        """``order.modify``: quantity in total and price, both required."""
        if price is None:
            raise ConfigError("binance_usdm amends orders with a price only")
        parameters: dict[str, Parameter] = {
            "symbol": self.symbol(placed.symbol),
            "side": requests.side(placed),
            "origClientOrderId": client_id,
            "quantity": requests.number(quantity),
            "price": requests.number(price),
        }
        return Request(
            what="amend",
            over="orders",
            method="order.modify",
            parameters=parameters,
            decode=requests.read_order,
            weight=0,
            orders=1,
        )

    def order(self, symbol: str, client_id: str) -> Request[OrderReport]:
        """Ask by client id."""
        which = {"origClientOrderId": client_id}
        return requests.order("/fapi/v1/order", 1, self.symbol(symbol), which)

    def order_by_exchange_id(self, symbol: str, exchange_id: str) -> Request[OrderReport]:
        """Ask by the exchange's id."""
        which = {"orderId": int(exchange_id)}
        return requests.order("/fapi/v1/order", 1, self.symbol(symbol), which)

    def open_orders(self) -> tuple[Request[tuple[OrderReport, ...]], ...]:
        """All of all symbols, and the conditional ones, which are a system of their own."""
        return (
            Request(
                what="open orders",
                over="rest",
                method="GET /fapi/v1/openOrders",
                parameters={},
                decode=requests.read_orders,
                weight=40,
            ),
            Request(
                what="open conditional orders",
                over="rest",
                method="GET /fapi/v1/openAlgoOrders",
                parameters={},
                decode=_read_algo_orders,
                weight=40,
            ),
        )

    def reading(self) -> tuple[Request[AccountReading], ...]:
        """Balances, positions and the position mode."""
        decoders = (
            ("account", "GET /fapi/v3/account", _read_account, 5),
            ("positions", "GET /fapi/v3/positionRisk", _read_positions, 5),
            ("position mode", "GET /fapi/v1/positionSide/dual", _read_mode, 30),
        )
        return tuple(
            Request(
                what=what, over="rest", method=method, parameters={}, decode=decode, weight=weight
            )
            for what, method, decode, weight in decoders
        )

    def fills(
        self, symbol: str, after: str | None, since_ns: int | None
    ) -> Request[tuple[FillReport, ...]]:
        """``userTrades``."""
        return requests.fills("/fapi/v1/userTrades", 5, self.symbol(symbol), after, since_ns)

    def clock(self) -> Request[int]:
        """The exchange's time."""
        return requests.clock("/fapi/v1/time")

    def dead_man(self, symbol: str | None, seconds: float) -> Request[None]:
        """``countdownCancelAll``: of one symbol, all orders on the account."""
        if symbol is None:
            raise ConfigError("the dead man's switch of binance_usdm is one of each symbol")
        return Request(
            what="dead man",
            over="rest",
            method="POST /fapi/v1/countdownCancelAll",
            parameters={"symbol": self.symbol(symbol), "countdownTime": round(seconds * 1000)},
            decode=requests.read_nothing,
            weight=10,
        )

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
        return replies.read_frame(frame, usdm_events.FUTURES_EVENTS)

    def refusal(self, status: int, body: bytes, headers: Mapping[str, str]) -> Refusal | None:
        """What a response over REST refuses."""
        return replies.rest_refusal(status, body, headers)

    def verdict(self, refusal: Refusal) -> Verdict:
        """What a refusal means."""
        return judge(refusals.USDM, refusal)


if TYPE_CHECKING:
    _: Trading = UsdMTrading(stream_base="", orders="", rest="")
