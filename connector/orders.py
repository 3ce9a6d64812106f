"""What a program wants to trade: intents, its own limits, and the states of an order.

.. code-block:: python

    from connector.orders import Limit, Limits, Market

    Limit("ETHUSDC", "buy", quantity="0.035", price="2990.10", post_only=True)
    Market("ETHUSDC", "sell", quantity=Decimal("0.5"), reduce_only=True)

An intent is a frozen value: it is not an order, and the same intent placed twice is two orders.
Numbers are written as `decimal.Decimal`, ``int`` or ``str``. A ``float`` is a ``TypeError``. They
are always `Decimal` when read.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import attrs

from connector.decimals import ZERO, Exact, exact, positive
from connector.errors import ConfigError
from connector.validation import check_count

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
``queued``     made, and not sent yet
``sent``       on its way to the exchange, which has not answered
``open``       in the order book, or being triggered into it
``filled``     over: all of it is traded
``cancelled``  over: cancelled by us, or by anybody
``expired``    over: ended by the exchange (a rest of IOC, self-trade prevention, delisting …)
``refused``    over: the exchange did not accept it, or it was never sent
``absent``     over: sent, never answered, and proved to be neither open nor filled
``unknown``    sent, and nothing tells yet what became of it
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


def _one_of(*choices: str | None) -> Any:
    def check(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if value not in choices:
            possible = " or ".join(repr(each) for each in choices)
            raise ConfigError(f"{attribute.name}={value!r}: write {possible}")

    return check


def _boolean(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigError(f"{attribute.name}={value!r}: write True or False")


def _text(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str):
        raise ConfigError(f"{attribute.name}={value!r}: write a string")


@attrs.frozen
class Limit:
    """An order at a price.

    Args:
        symbol: what to trade, in any case.
        side: "buy" or "sell".
        quantity: in the base, or in contracts.
        price: the worst price.
        post_only: whether it must not take: the exchange refuses it instead.
        time_in_force: "GTC" rests until it is cancelled, "IOC" trades what it can at once, "FOK"
            trades all at once or nothing.
        reduce_only: whether it may only reduce the position.
        leg: "long" or "short": required in hedge mode, refused elsewhere.
        tag: a word of the program's, by which it finds its orders again.

    Raises:
        TypeError: a number is a float.
        OrderInvalid: a number is not above 0.
        ConfigError: another argument cannot work.
    """

    symbol: str = attrs.field(converter=_symbol)
    side: Side = attrs.field(validator=_one_of(*SIDES))
    quantity: Decimal = attrs.field(converter=_quantity, kw_only=True)
    price: Decimal = attrs.field(converter=_price, kw_only=True)
    post_only: bool = attrs.field(default=False, validator=_boolean, kw_only=True)
    time_in_force: TimeInForce = attrs.field(
        default="GTC", validator=_one_of(*TIMES_IN_FORCE), kw_only=True
    )
    reduce_only: bool = attrs.field(default=False, validator=_boolean, kw_only=True)
    leg: Leg | None = attrs.field(default=None, validator=_one_of(*LEGS), kw_only=True)
    tag: str = attrs.field(default="", validator=_text, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.post_only and self.time_in_force != "GTC":
            raise ConfigError(
                f"post_only=True, time_in_force={self.time_in_force!r}: an order that must not "
                "take can only rest; write time_in_force='GTC'"
            )


@attrs.frozen
class Market:
    """An order at whatever price the book offers.

    Args:
        symbol: what to trade, in any case.
        side: "buy" or "sell".
        quantity: in the base, or in contracts.
        quote_quantity: instead of `quantity`, how much of the quote to spend or to get, where the
            exchange offers it.
        reduce_only: whether it may only reduce the position.
        leg: "long" or "short": required in hedge mode, refused elsewhere.
        tag: a word of the program's, by which it finds its orders again.

    Raises:
        TypeError: a number is a float.
        OrderInvalid: a number is not above 0.
        ConfigError: not exactly one of the quantities is given, or another argument cannot work.
    """

    symbol: str = attrs.field(converter=_symbol)
    side: Side = attrs.field(validator=_one_of(*SIDES))
    quantity: Decimal | None = attrs.field(default=None, converter=_optional_quantity, kw_only=True)
    quote_quantity: Decimal | None = attrs.field(
        default=None, converter=_optional_quote_quantity, kw_only=True
    )
    reduce_only: bool = attrs.field(default=False, validator=_boolean, kw_only=True)
    leg: Leg | None = attrs.field(default=None, validator=_one_of(*LEGS), kw_only=True)
    tag: str = attrs.field(default="", validator=_text, kw_only=True)

    def __attrs_post_init__(self) -> None:
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
    """What a program allows itself, checked before an order is sent.

    Orders that are open, on their way or unknown count. An order with ``reduce_only=True`` counts
    in `orders_per_minute` only. What is not written is not limited; `Limits.none` limits nothing.

    Args:
        order_notional: the most that price times quantity of one order may be, in the quote.
        open_notional: the most of all orders together that are not over.
        position: by symbol, the largest position in either direction that may come about if
            everything is filled. A symbol that is not named has no such limit.
        orders_per_minute: new orders within any 60 seconds.

    Raises:
        TypeError: a number is a float.
        OrderInvalid: a number is not above 0.
        ConfigError: nothing is limited, and `Limits.none` was not written.
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
            raise ConfigError("Limits() limits nothing; if that is meant, write Limits.none()")

    @classmethod
    def none(cls) -> Limits:
        """No limits of one's own."""
        return cls(_nothing=True)


def _ticks(_: object, __: attrs.Attribute[Any], ticks: object) -> None:
    if isinstance(ticks, bool) or not isinstance(ticks, int) or ticks < 0:
        raise ConfigError(f"Keep: ticks={ticks!r}; write a whole number >= 0")


@attrs.frozen(kw_only=True)
class Keep:
    """How much less aggressive than wanted a quote may be and still stay.

    Args:
        ticks: how many ticks.
        fraction: how large a part of the price.
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
