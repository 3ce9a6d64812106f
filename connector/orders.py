"""Intents to trade, your own limits, and the states of an order.

.. code-block:: python

    from connector.orders import Limit, Limits, Market

    Limit("ETHUSDC", "buy", quantity="0.035", price="2990.10", post_only=True)
    Market("ETHUSDC", "sell", quantity=Decimal("0.5"), reduce_only=True)

An intent is a frozen value, not an order. If you place the same intent twice, you get two orders.
Write numbers as `decimal.Decimal`, ``int`` or ``str``. A ``float`` raises ``TypeError``. When you
read them, they are `Decimal`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import attrs

from connector.errors import ConfigError
from connector.inputs.decimals import ZERO, Exact, exact, positive
from connector.inputs.validation import check_count

Side: TypeAlias = Literal["buy", "sell"]
Leg: TypeAlias = Literal["long", "short"]
"""A side of a position in hedge mode."""
TimeInForce: TypeAlias = Literal["GTC", "IOC", "FOK"]

OrderState: TypeAlias = Literal[
    "queued",
    "sent",
    "open",
    "filled",
    "cancelled",
    "expired",
    "refused",
    "absent",
    "unknown",
]
"""
=============  ==============================================================================
``queued``     created, not sent yet
``sent``       sent, not answered yet
``open``       in the order book, or about to be triggered into it
``filled``     ended: traded in full
``cancelled``  ended: cancelled, by this account or by somebody else
``expired``    ended by the exchange (remainder of IOC, self-trade prevention, delisting …)
``refused``    ended: the exchange did not accept it, or it was never sent
``absent``     ended: sent, never answered, and proved to be neither open nor filled
``unknown``    sent, and its outcome is not known yet
=============  ==============================================================================
"""

OVER: frozenset[OrderState] = frozenset({"filled", "cancelled", "expired", "refused", "absent"})
"""The states in which an order has ended."""

SIDES = ("buy", "sell")
LEGS = ("long", "short", None)
TIMES_IN_FORCE = ("GTC", "IOC", "FOK")


def opposite(side: Side) -> Side:
    """The other side."""
    return "sell" if side == "buy" else "buy"


def _quantity(value: object) -> Decimal:
    return positive("quantity", value)


def _price(value: object) -> Decimal:
    return positive("price", value)


def _optional_quantity(value: object) -> Decimal | None:
    return None if value is None else positive("quantity", value)


def _optional_quote_quantity(value: object) -> Decimal | None:
    return None if value is None else positive("quote_quantity", value)


def _symbol(value: object) -> str:
    if not isinstance(value, str) or not value or not value.isprintable() or " " in value:
        raise ConfigError(f"symbol={value!r}: write the exchange's name, such as 'ETHUSDC'")
    return value


def _check_words(
    symbol: object, side: object, reduce_only: object, leg: object, tag: object
) -> None:
    """Check what both kinds of intents have; in one call, as each is made before an order."""
    if (
        type(symbol) is str
        and symbol.isalnum()
        and side in SIDES
        and leg is None
        and type(reduce_only) is bool
        and type(tag) is str
    ):
        return
    if not isinstance(symbol, str) or not symbol.isalnum():
        _symbol(symbol)
    if side not in SIDES:
        raise _not_one_of("side", side, SIDES)
    if leg not in LEGS:
        raise _not_one_of("leg", leg, LEGS)
    if not isinstance(reduce_only, bool):
        raise ConfigError(f"reduce_only={reduce_only!r}: write True or False")
    if not isinstance(tag, str):
        raise ConfigError(f"tag={tag!r}: write a string")


def _not_one_of(name: str, value: object, choices: tuple[str | None, ...]) -> ConfigError:
    return ConfigError(f"{name}={value!r}: write {' or '.join(map(repr, choices))}")


@attrs.frozen
class Limit:
    """An order at a price.

    Args:
        symbol: what to trade, in any case.
        side: "buy" or "sell".
        quantity: how much to trade, in the base asset or in contracts.
        price: the limit price, in the quote asset.
        post_only: whether the order must not trade at once. The exchange rejects it if it would.
        time_in_force: "GTC" stays open until it is cancelled, "IOC" trades at once as much as
            possible, "FOK" trades everything at once or nothing.
        reduce_only: whether the order may only reduce the position.
        leg: "long" or "short". Required in hedge mode, not allowed otherwise.
        tag: a word of your choice, to find your orders again.

    Raises:
        TypeError: a number is a float.
        OrderInvalid: a number is not above 0.
        ConfigError: another argument is wrong.
    """

    symbol: str
    side: Side
    quantity: Decimal = attrs.field(converter=_quantity, kw_only=True)
    price: Decimal = attrs.field(converter=_price, kw_only=True)
    post_only: bool = attrs.field(default=False, kw_only=True)
    time_in_force: TimeInForce = attrs.field(default="GTC", kw_only=True)
    reduce_only: bool = attrs.field(default=False, kw_only=True)
    leg: Leg | None = attrs.field(default=None, kw_only=True)
    tag: str = attrs.field(default="", kw_only=True)

    def __attrs_post_init__(self) -> None:
        _check_words(self.symbol, self.side, self.reduce_only, self.leg, self.tag)
        post_only, time_in_force = self.post_only, self.time_in_force
        if not isinstance(post_only, bool):
            raise ConfigError(f"post_only={self.post_only!r}: write True or False")
        if time_in_force not in TIMES_IN_FORCE:
            raise _not_one_of("time_in_force", self.time_in_force, TIMES_IN_FORCE)
        if post_only and time_in_force != "GTC":
            raise ConfigError(
                f"post_only=True, time_in_force={self.time_in_force!r}: an order that must not "
                "take can only rest; write time_in_force='GTC'"
            )


@attrs.frozen
class Market:
    """An order at the prices of the book.

    Args:
        symbol: what to trade, in any case.
        side: "buy" or "sell".
        quantity: how much to trade, in the base asset or in contracts.
        quote_quantity: instead of `quantity`, how much of the quote asset to spend or to get, if
            the exchange offers it.
        reduce_only: whether the order may only reduce the position.
        leg: "long" or "short". Required in hedge mode, not allowed otherwise.
        tag: a word of your choice, to find your orders again.

    Raises:
        TypeError: a number is a float.
        OrderInvalid: a number is not above 0.
        ConfigError: not exactly one of the quantities is given, or another argument is wrong.
    """

    symbol: str
    side: Side
    quantity: Decimal | None = attrs.field(default=None, converter=_optional_quantity, kw_only=True)
    quote_quantity: Decimal | None = attrs.field(
        default=None, converter=_optional_quote_quantity, kw_only=True
    )
    reduce_only: bool = attrs.field(default=False, kw_only=True)
    leg: Leg | None = attrs.field(default=None, kw_only=True)
    tag: str = attrs.field(default="", kw_only=True)

    def __attrs_post_init__(self) -> None:
        _check_words(self.symbol, self.side, self.reduce_only, self.leg, self.tag)
        if (self.quantity is None) == (self.quote_quantity is None):
            raise ConfigError("Market: write either quantity or quote_quantity")


Intent: TypeAlias = Limit | Market


def _order_notional(value: object) -> Decimal | None:
    return None if value is None else positive("order_notional", value)


def _open_notional(value: object) -> Decimal | None:
    return None if value is None else positive("open_notional", value)


def _fraction(value: object) -> Decimal:
    return exact("fraction", value)


def _positions(value: object) -> Mapping[str, Decimal] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise ConfigError(f'position={value!r}: write a mapping such as {{"ETHUSDC": "0.5"}}')
    limits = {_symbol(symbol): exact("position", limit) for symbol, limit in value.items()}
    for symbol, limit in limits.items():
        if limit < ZERO:
            raise ConfigError(f"position of {symbol} is {limit}; it must be 0 or above")
    return MappingProxyType(limits)


def _optional_count(value: object) -> int | None:
    return None if value is None else check_count("orders_per_minute", value)


@attrs.frozen(kw_only=True)
class Limits:
    """Your own limits, checked before an order is sent.

    Open, sent and unknown orders count. An order with ``reduce_only=True`` counts only for
    `orders_per_minute`. A limit that you leave out is not checked. `Limits.none()` has no limits.

    Args:
        order_notional: the largest price times quantity of one order, in the quote asset.
        open_notional: the largest sum of price times quantity of all orders that have not ended,
            in the quote asset.
        position: by symbol, the largest position in either direction if every order were filled,
            in the base asset or in contracts. A symbol that is not listed has no such limit.
        orders_per_minute: the largest number of new orders within any 60 seconds.

    Raises:
        TypeError: a number is a float.
        OrderInvalid: a number is not above 0.
        ConfigError: no limit is given. Use `Limits.none()` if that is intended.
    """

    order_notional: Decimal | None = attrs.field(default=None, converter=_order_notional)
    open_notional: Decimal | None = attrs.field(default=None, converter=_open_notional)
    position: Mapping[str, Decimal] | None = attrs.field(default=None, converter=_positions)
    orders_per_minute: int | None = attrs.field(default=None, converter=_optional_count)
    _nothing: bool = attrs.field(default=False, repr=False, alias="_nothing")

    def __attrs_post_init__(self) -> None:
        if not self._nothing and all(
            each is None
            for each in (
                self.order_notional, self.open_notional, self.position, self.orders_per_minute
            )
        ):  # fmt: skip
            raise ConfigError(
                "Limits() has no limit; write one, such as Limits(order_notional='500'), or "
                "Limits.none() if you want none"
            )

    @classmethod
    def none(cls) -> Limits:
        """No own limits. The exchange's limits still apply."""
        return cls(_nothing=True)


def _ticks(_: object, __: attrs.Attribute[Any], ticks: object) -> None:
    if isinstance(ticks, bool) or not isinstance(ticks, int) or ticks < 0:
        raise ConfigError(f"Keep: ticks={ticks!r}; write a whole number >= 0")


@attrs.frozen(kw_only=True)
class Keep:
    """How much less aggressive than wanted a quote may be before it is replaced.

    Args:
        ticks: the number of ticks.
        fraction: a fraction of the price: "0.0001" is 0.01 %.
    """

    ticks: int = attrs.field(default=0, validator=_ticks)
    fraction: Decimal = attrs.field(default=ZERO, converter=_fraction)

    def __attrs_post_init__(self) -> None:
        if self.fraction < ZERO:
            raise ConfigError(f"Keep: fraction={self.fraction}; it must be 0 or above")


__all__ = [
    "OVER",
    "Exact",
    "Intent",
    "Keep",
    "Leg",
    "Limit",
    "Limits",
    "Market",
    "OrderState",
    "Side",
    "TimeInForce",
    "opposite",
]
