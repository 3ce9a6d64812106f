"""Orders of futures: place, modify, cancel, batches and the countdown, as requests ask for them.

Source: binance_trading §5.3, §5.4, §10.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, cast

import attrs
import msgspec

from connector.testing.exchange.trading.algo import ALGO_TYPES
from connector.testing.exchange.trading.conditions import TRAILING, is_reached
from connector.testing.exchange.trading.exchange_state import House
from connector.testing.exchange.trading.instruments import Instrument
from connector.testing.exchange.trading.methods import Call
from connector.testing.exchange.trading.orders import Draft, Order, PositionSide, Side, Trail
from connector.testing.exchange.trading.parameters import (
    decimal_of,
    flag_of,
    text_of,
    unwanted,
    whole_of,
)
from connector.testing.exchange.trading.refusals import Refused, refusal
from connector.testing.exchange.trading.usdm import filters, reports
from connector.testing.exchange.trading.usdm.conditional_parameters import (
    closes_position,
    raise_if_closed_twice,
    trail_of,
)

CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
CLIENT_ID_RANGE = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
PREVENTIONS = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH")
PREVENTED_TIFS = ("IOC", "GTC", "GTD")
"""Self-trade prevention acts on these only (§5.3)."""
TIFS = ("GTC", "IOC", "FOK", "GTX", "GTD")
SOONEST_GOOD_TILL_MS = 600_000
LAST_GOOD_TILL_MS = 253_402_300_799_000
MOST_MODIFICATIONS = 10_000
MOST_PLACED, MOST_CANCELLED = 5, 10
"""In a batch."""


@attrs.define(eq=False)
class UsdmOrders:
    """The requests of a USD-M account about orders."""

    house: House

    def place(self, call: Call) -> dict[str, Any]:
        """``order.place``."""
        order = self._place(call, call.params)
        instrument = self.house.instrument(order.symbol)
        if call.params.get("newOrderRespType", "ACK") == "ACK":
            # The acknowledgement shows the order as it was accepted, even if it has changed (§5.3).
            history = call.owner.history(order.order_id)
            order = history.all[0] if history is not None else order
        return reports.order_reply(order, instrument)

    def test(self, call: Call) -> dict[str, Any]:
        """``order.test``: checked as far as the engine, and no further."""
        self._checked(call, call.params)
        return {}

    def _checked(self, call: Call, params: Mapping[str, str]) -> Draft:
        house, draft = self.house, self.draft(call, params)
        instrument = house.instrument(draft.symbol)
        if call.owner.restricted and not draft.only_closes:
            raise refusal("only_reduce")
        side = house.floor.book(draft.symbol).side("ask" if draft.side == "BUY" else "bid")
        best = None if side.best is None else instrument.price(side.best)
        filters.check(draft, instrument, house.floor.mark(draft.symbol), call.owner, best)
        return draft

    def _place(self, call: Call, params: Mapping[str, str]) -> Order:
        house, account = self.house, call.owner
        draft = self._checked(call, params)
        house.raise_if_duplicate(account, draft.symbol, draft.client_id)
        if draft.waits:
            if draft.close_position:
                raise_if_closed_twice(draft, account.open_orders)
            if is_reached(draft, house.floor.last_price(draft.symbol)):
                raise refusal("would_trigger")
            return house.engine.wait(account, draft, house.clock_ms())
        return house.engine.place(account, draft, house.clock_ms())

    def draft(self, call: Call, params: Mapping[str, str]) -> Draft:
        """Read the parameters of a new order.

        Raises:
            Refused: a parameter is missing, wrong or not wanted.
        """
        symbol = text_of(params, "symbol")
        instrument = self.house.instrument(symbol)
        side, kind = cast("Side", text_of(params, "side")), text_of(params, "type")
        if side not in ("BUY", "SELL"):
            raise refusal("side")
        waits = self._waits(kind)
        if kind not in ("LIMIT", "MARKET") and not waits:
            raise refusal("type")
        trails = kind == TRAILING
        if not waits or trails:
            unwanted(params, "stopPrice")
        if not trails:
            unwanted(params, "activationPrice", "callbackRate")
        if kind.endswith("MARKET"):
            unwanted(params, "timeInForce", "price", "goodTillDate")
            tif, price = "GTC", Decimal(0)
        else:
            tif, price = text_of(params, "timeInForce"), decimal_of(params, "price")
        if tif not in TIFS:
            raise refusal("tif")
        prevention = params.get("selfTradePreventionMode", self.house.readings.default_prevention)
        if prevention not in PREVENTIONS:
            raise refusal("stp")
        if params.get("newOrderRespType", "ACK") not in ("ACK", "RESULT"):
            raise refusal("parameter", "newOrderRespType")
        position_side = self.position_side(call, params)
        closes = closes_position(params, kind, side, position_side)
        return Draft(
            symbol=symbol,
            side=side,
            type=kind,
            client_id=self.client_id(params, "newClientOrderId"),
            time_in_force=tif,
            quantity=decimal_of(params, "quantity", mandatory=not closes),
            price=price,
            stop_price=decimal_of(params, "stopPrice") if waits and not trails else Decimal(0),
            trail=self._trail(params, side, instrument) if trails else None,
            close_position=closes,
            prevention=prevention if tif in PREVENTED_TIFS else "NONE",
            reduce_only=self._reduce_only(call, params) or (closes and not call.owner.hedge),
            position_side=position_side,
            good_till_ms=self._good_till(params, tif),
        )

    def _waits(self, kind: str) -> bool:
        """Whether this type of order waits for a price; USD-M has a separate system for those.

        Raises:
            Refused: -4120 on USD-M.
        """
        if kind in ALGO_TYPES and self.house.venue == "usdm":
            raise refusal("use_algo")
        return kind in ALGO_TYPES

    def _trail(self, params: Mapping[str, str], side: Side, instrument: Instrument) -> Trail:
        price = self.house.floor.last_price(instrument.symbol)
        return trail_of(params, side, "activationPrice", instrument, price=price, venue="coinm")

    def _reduce_only(self, call: Call, params: Mapping[str, str]) -> bool:
        if call.owner.hedge and params.get("reduceOnly"):
            if self.house.readings.hedge_reduce_only == -1106:
                raise refusal("unwanted", "reduceonly")
            raise refusal("reduce_only_type")
        return flag_of(params, "reduceOnly")

    def position_side(self, call: Call, params: Mapping[str, str]) -> PositionSide:
        """BOTH in one-way mode, LONG or SHORT in hedge mode.

        Raises:
            Refused: -4060 if it is unknown, -4061 if it belongs to the other mode.
        """
        side = params.get("positionSide", "BOTH")
        if side not in ("BOTH", "LONG", "SHORT"):
            raise refusal("position_side_invalid")
        if call.owner.hedge == (side == "BOTH"):
            raise refusal("position_side")
        return cast("PositionSide", side)

    def _good_till(self, params: Mapping[str, str], tif: str) -> int:
        if tif != "GTD":
            unwanted(params, "goodTillDate")
            return 0
        good_till = whole_of(params, "goodTillDate")
        if good_till is None:
            raise refusal("missing", "goodTillDate")
        earliest = self.house.clock_ms() + SOONEST_GOOD_TILL_MS
        if not earliest < good_till < LAST_GOOD_TILL_MS:
            raise refusal("good_till")
        return good_till - good_till % 1000

    def client_id(self, params: Mapping[str, str], name: str) -> str:
        """The client id of a request; if it has none, the exchange makes one up.

        Raises:
            Refused: -4015 if it is too long, -1100 if it has forbidden characters.
        """
        given = params.get(name)
        if given is None:
            return self.house.made_up_id()
        if len(given) > 36:
            raise refusal("client_id_length")
        if not CLIENT_ID.fullmatch(given):
            raise refusal("illegal", name, CLIENT_ID_RANGE)
        return given

    # -- one that is open -----------------------------------------------------------------------

    def named(self, call: Call, params: Mapping[str, str]) -> Order:
        """The open order that a request names; the exchange's id wins (§5.3).

        Raises:
            Refused: -1102 no id, -2011 no such order.
        """
        symbol = text_of(params, "symbol")
        self.house.instrument(symbol)
        order_id, client_id = whole_of(params, "orderId"), params.get("origClientOrderId")
        if order_id is None and not client_id:
            raise refusal("missing", "origClientOrderId")
        return self.house.open_order(
            call.owner, symbol, order_id, client_id if order_id is None else None
        )

    def cancel(self, call: Call) -> dict[str, Any]:
        """``order.cancel``."""
        return self._cancel(call, self.named(call, call.params))

    def _cancel(self, call: Call, order: Order) -> dict[str, Any]:
        after = self.house.engine.cancel(call.owner, order, self.house.clock_ms())
        return reports.order_reply(after, self.house.instrument(order.symbol))

    def cancel_all(self, call: Call) -> dict[str, Any]:
        """``DELETE allOpenOrders``: says 200 as a text object, and excludes algo orders (§5.3)."""
        symbol = self.house.instrument(text_of(call.params, "symbol")).symbol
        self.house.cancel_all(call.owner, symbol, self.house.clock_ms())
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def modify(self, call: Call) -> dict[str, Any]:
        """``order.modify``: both quantity and price; the order loses its place, always (§5.3)."""
        return self._modify(call, call.params)

    def _modify(self, call: Call, params: Mapping[str, str]) -> dict[str, Any]:
        house, account = self.house, call.owner
        quantity, price = decimal_of(params, "quantity"), decimal_of(params, "price")
        if text_of(params, "side") not in ("BUY", "SELL"):
            raise refusal("side")
        order = self.named(call, params)
        instrument = house.instrument(order.symbol)
        if order.type != "LIMIT":
            raise refusal("modify_not_limit")
        if order.changes >= MOST_MODIFICATIONS:
            raise refusal("modify_too_often")
        if params["side"] != order.side:
            raise refusal("parameter", "side")
        if (quantity, price) == (order.quantity, order.price):
            raise refusal("modify_same")
        self._check_modified(call, order, quantity, price, instrument)
        after = house.engine.modify(
            account,
            order,
            quantity=quantity,
            price=price,
            modify_id=params.get("modifyId"),
            ms=house.clock_ms(),
        )
        return reports.order_reply(after, instrument)

    def _check_modified(
        self,
        call: Call,
        order: Order,
        quantity: Decimal,
        price: Decimal,
        instrument: Instrument,
    ) -> None:
        """Check filters and margin of the modified order; if refused, the order is unchanged."""
        reduce_only = flag_of(call.params, "reduceOnly")
        if reduce_only and not order.reduce_only:
            raise refusal("modify_reduce_only")
        draft = Draft(
            symbol=order.symbol,
            side=order.side,
            type=order.type,
            client_id=order.client_id,
            time_in_force=order.time_in_force,
            quantity=quantity,
            price=price,
            reduce_only=order.reduce_only,
            position_side=order.position_side,
        )
        filters.check_price(draft, instrument, self.house.floor.mark(order.symbol))
        filters.check_quantity(draft, instrument)
        if not reduce_only:
            filters.check_notional(instrument, quantity, price)
        worth = instrument.worth(price, quantity)
        more = worth - instrument.worth(order.price, order.quantity)
        if more > 0 and not order.reduce_only:
            part = quantity * more / worth
            added = attrs.evolve(draft, quantity=part)
            self.house.clearing.admit(call.owner, added, part, more)

    # -- batches --------------------------------------------------------------------------------

    def place_batch(self, call: Call) -> list[dict[str, Any]]:
        """``POST batchOrders``: up to five; 200 does not mean that any was accepted (§5.3)."""
        return self._batch(
            call,
            MOST_PLACED,
            lambda params: reports.order_reply(
                self._place(call, params), self.house.instrument(params["symbol"])
            ),
        )

    def modify_batch(self, call: Call) -> list[dict[str, Any]]:
        """``PUT batchOrders``."""
        return self._batch(call, MOST_PLACED, lambda params: self._modify(call, params))

    def _batch(
        self, call: Call, most: int, act: Callable[[Mapping[str, str]], dict[str, Any]]
    ) -> list[dict[str, Any]]:
        try:
            entries = msgspec.json.decode(
                text_of(call.params, "batchOrders"), type=list[dict[str, Any]]
            )
        except (msgspec.DecodeError, msgspec.ValidationError):
            raise refusal("parameter", "batchOrders") from None
        if not 0 < len(entries) <= most:
            raise refusal("parameter", "batchOrders")
        return [
            _attempt(act, {name: _text(value) for name, value in entry.items()})
            for entry in entries
        ]

    def cancel_batch(self, call: Call) -> list[dict[str, Any]]:
        """``DELETE batchOrders``: up to ten; replies and errors in one list."""
        symbol = text_of(call.params, "symbol")
        by_id = call.params.get("orderIdList")
        name = "orderId" if by_id else "origClientOrderId"
        text = by_id or text_of(call.params, "origClientOrderIdList")
        try:
            ids = msgspec.json.decode(text, type=list[int | str])
        except (msgspec.DecodeError, msgspec.ValidationError):
            raise refusal("parameter", f"{name}List") from None
        if not 0 < len(ids) <= MOST_CANCELLED:
            raise refusal("parameter", f"{name}List")
        return [
            _attempt(
                lambda params: self._cancel(call, self.named(call, params)),
                {"symbol": symbol, name: str(each)},
            )
            for each in ids
        ]

    def count_down(self, call: Call) -> dict[str, Any]:
        """``countdownCancelAll``: the dead man's switch of one symbol; 0 turns it off (§10)."""
        symbol = self.house.instrument(text_of(call.params, "symbol")).symbol
        length_ms = whole_of(call.params, "countdownTime")
        if length_ms is None:
            raise refusal("missing", "countdownTime")
        key = call.owner.name, symbol
        if length_ms:
            self.house.countdowns[key] = self.house.clock_ms() + length_ms
        else:
            self.house.countdowns.pop(key, None)
        return {"symbol": symbol, "countdownTime": str(length_ms)}


def _attempt(
    act: Callable[[Mapping[str, str]], dict[str, Any]], params: Mapping[str, str]
) -> dict[str, Any]:
    try:
        return act(params)
    except Refused as refused:
        return {"code": refused.code, "msg": refused.message}


def _text(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
