"""What can be traded: an `Instrument`, the same for every exchange.

It rounds to the steps of the exchange, and converts a quantity to the base asset, so that the
quantities of different exchanges can be compared.

>>> instrument.tick(Decimal("3021.137"))
Decimal('3021.13')
>>> find(instruments, base="BTC", quote="USDT", kind="perpetual").symbol
'BTC-USDT-SWAP'
"""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Any, Literal, TypeAlias, TypeVar, cast

import attrs

from connector.decimals import ZERO, exact, floor_to, product, quotient
from connector.errors import ConfigError

Kind: TypeAlias = Literal["spot", "perpetual", "future", "option"]
QuantityUnit: TypeAlias = Literal["base", "quote", "contracts"]
OptionSide: TypeAlias = Literal["call", "put"]
Rounding: TypeAlias = Literal["down", "up", "nearest"]

_ROUNDINGS = {"down": ROUND_FLOOR, "up": ROUND_CEILING, "nearest": ROUND_HALF_EVEN}
N = TypeVar("N", float, Decimal)
_MOST_NAMED = 8
_DIGITS = 60
"""Enough for the exact quotient of any price by any tick."""


class Status(enum.Enum):
    """Whether an instrument can be traded now."""

    TRADING = "trading"
    PAUSED = "paused"
    """Not now; orders may still be cancelled."""
    PENDING = "pending"
    """Not yet."""
    ENDED = "ended"
    """Not any more: delivered, settled or delisted."""
    UNKNOWN = "unknown"
    """The exchange uses a word that this library does not know: `Instrument.exchange_status`."""


def _decimal(value: object) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))


def _positive(instance: Instrument, attribute: attrs.Attribute[Any], value: Decimal | None) -> None:
    if value is not None and not (value.is_finite() and value > 0):
        raise ConfigError(f"{instance.symbol}: {attribute.name} is {value}; it must be above 0")


def _not_negative(
    instance: Instrument, attribute: attrs.Attribute[Any], value: Decimal | None
) -> None:
    if value is not None and not (value.is_finite() and value >= 0):
        raise ConfigError(f"{instance.symbol}: {attribute.name} is {value}; it must not be below 0")


@attrs.frozen(kw_only=True)
class Instrument:
    """Something that is traded, in the exchange's own numbers to the last digit."""

    symbol: str
    base: str
    """What is bought and sold, such as ``BTC``."""
    quote: str
    """What it is paid with, such as ``USDT``."""
    kind: Kind
    status: Status
    exchange_status: str
    """The same in the exchange's word."""
    tick_size: Decimal | None = attrs.field(validator=_positive)
    """Prices are multiples of it; None where the exchange sets none."""
    step_size: Decimal | None = attrs.field(validator=_positive)
    """Quantities are multiples of it; None where the exchange sets none."""
    min_quantity: Decimal | None = attrs.field(default=None, validator=_not_negative)
    max_quantity: Decimal | None = attrs.field(default=None, validator=_not_negative)
    min_price: Decimal | None = attrs.field(default=None, validator=_not_negative)
    max_price: Decimal | None = attrs.field(default=None, validator=_not_negative)
    min_notional: Decimal | None = attrs.field(default=None, validator=_not_negative)
    """The least that price times quantity of an order may be; None where there is no limit."""
    max_notional: Decimal | None = attrs.field(default=None, validator=_not_negative)
    market_step_size: Decimal | None = attrs.field(default=None, validator=_positive)
    """Of an order without a price; None where `step_size` alone counts. So the next two."""
    market_min_quantity: Decimal | None = attrs.field(default=None, validator=_not_negative)
    market_max_quantity: Decimal | None = attrs.field(default=None, validator=_not_negative)
    max_orders: int | None = None
    """How many orders of an account may be open at once; None where there is no limit, or it is not
    told."""
    contract_size: Decimal = attrs.field(default=Decimal(1), validator=_positive)
    """How much of the base one contract is; of an inverse contract, how much of the quote."""
    quantity_unit: QuantityUnit = "base"
    """What the exchange counts in `quantity`: the base asset, the quote asset, or contracts of
    `contract_size`. `base_quantity` converts."""
    inverse: bool = False
    """Whether it is settled in the base; if not, it is linear."""
    settle: str | None = None
    """What it is settled in; None for spot."""
    expires_ns: int | None = None
    """When a future or option is delivered, nanoseconds since the epoch; None for what never
    is."""
    strike: Decimal | None = attrs.field(default=None, validator=_positive)
    """At which price an option may be exercised; None for everything else."""
    option_side: OptionSide | None = None
    """What an option gives the right to; None for everything else."""

    @property
    def trading(self) -> bool:
        """Whether orders are accepted now."""
        return self.status is Status.TRADING

    def tick(self, price: Decimal | float | str, rounding: Rounding = "down") -> Decimal:
        """`price` as a multiple of `tick_size`.

        A float counts as the shortest number that reads back as the same, so that 0.1 is 0.1.

        Args:
            rounding: "down" for a bid that must not pay more, "up" for an ask that must not get
                less, or "nearest", a tie to the even multiple.

        Raises:
            ConfigError: `price` is not a finite number, or `rounding` none of these.
        """
        return self._round("price", price, self.tick_size, rounding)

    def step(self, quantity: Decimal | float | str, rounding: Rounding = "down") -> Decimal:
        """`quantity` as a multiple of `step_size`; arguments and errors as those of `tick`."""
        return self._round("quantity", quantity, self.step_size, rounding)

    def notional(self, quantity: Decimal, price: Decimal) -> Decimal:
        """What `quantity` is worth at `price`: in the quote, exact."""
        # An inverse option is counted in the base, and its price is one of the base in itself.
        if self.inverse and self.quantity_unit != "base":
            return product(quantity, self.contract_size)
        return product(quantity, price, self.contract_size)

    def tradable(
        self,
        quantity: Decimal | int | str,
        price: Decimal | int | str,
        side: Literal["buy", "sell"],
    ) -> Decimal:
        """The largest quantity, not above `quantity`, of a limit order that passes; 0 if none.

        It considers the steps, the least and the most of quantity and notional, and the range of
        prices. A price between two ticks counts as the tick below for a buyer, above for a seller.

        Raises:
            TypeError: a number is a float.
            ConfigError: `side` is neither "buy" nor "sell".
            OrderInvalid: a number is not finite.
        """
        if side not in ("buy", "sell"):
            raise ConfigError(f"side={side!r}: write 'buy' or 'sell'")
        largest = exact("quantity", quantity)
        at = self.tick(exact("price", price), "down" if side == "buy" else "up")
        if at <= 0 or largest <= 0:
            return ZERO
        if (self.min_price is not None and at < self.min_price) or (
            self.max_price is not None and at > self.max_price
        ):
            return ZERO
        if self.max_quantity is not None:
            largest = min(largest, self.max_quantity)
        if self.max_notional is not None:
            largest = min(largest, quotient(self.max_notional, self.notional(Decimal(1), at)))
        largest = floor_to(largest, self.step_size)
        if largest < (self.min_quantity or ZERO):
            return ZERO
        if self.min_notional is not None and self.notional(largest, at) < self.min_notional:
            return ZERO
        return max(largest, ZERO)

    def base_quantity(self, quantity: N, price: N | None = None) -> N:
        """`quantity` of this exchange in the base asset.

        Args:
            quantity: in `quantity_unit`, as events have it.
            price: at which it is traded, or counted; only needed when the exchange counts in the
                quote asset or in inverse contracts.

        Raises:
            ConfigError: the price is needed and missing, or not above 0.
        """
        if self.quantity_unit == "base":
            return quantity
        size: Any = self.contract_size if self.quantity_unit == "contracts" else Decimal(1)
        amount: Any = quantity
        exactly = isinstance(amount, Decimal)
        amount = product(amount, size) if exactly else amount * float(size)
        if self.quantity_unit == "contracts" and not self.inverse:
            return cast("N", amount)
        divisor: Any = price
        if divisor is None or not divisor > 0:
            raise ConfigError(
                f"{self.symbol}: {price!r} is no price; its quantities are worth an amount of "
                f"{self.quote}, so write the price at which you want them in {self.base}"
            )
        return cast("N", quotient(amount, divisor) if exactly else amount / divisor)

    def _round(self, what: str, value: object, unit: Decimal | None, rounding: str) -> Decimal:
        if rounding not in _ROUNDINGS:
            raise ConfigError(f'rounding={rounding!r}: write "down", "up" or "nearest"')
        try:
            number = _decimal(value)
        except ArithmeticError:
            number = Decimal("nan")
        if not number.is_finite():
            raise ConfigError(f"{self.symbol}: {value!r} is not a {what}; write a finite number")
        if unit is None:
            return number
        # Not the program's context, which may trap what is not exact.
        with localcontext(Context(prec=_DIGITS)):
            count = (number / unit).to_integral_value(_ROUNDINGS[rounding])
            return Decimal(int(count)) * unit


def find(
    instruments: Iterable[Instrument],
    *,
    base: str,
    quote: str,
    kind: Kind = "spot",
    settle: str | None = None,
    inverse: bool | None = None,
    expires_ns: int | None = None,
    strike: Decimal | None = None,
    option_side: OptionSide | None = None,
) -> Instrument:
    """The one of `instruments` that is meant; one that is traded, if there are others.

    Args:
        instruments: of one exchange (`Adapter.instruments`).
        base, quote: such as ``"BTC"`` and ``"USDT"``, in any case.
        kind: "spot", "perpetual", "future" or "option".
        settle, inverse, expires_ns, strike, option_side: to choose among several.

    Raises:
        ConfigError: there is none, or several; the message names them.
    """
    wanted = {
        "kind": kind,
        "settle": settle and settle.upper(),
        "inverse": inverse,
        "expires_ns": expires_ns,
        "strike": strike,
        "option_side": option_side,
    }
    asked = {name: value for name, value in wanted.items() if value is not None}
    pair = base.upper(), quote.upper()
    of_pair = [each for each in instruments if (each.base.upper(), each.quote.upper()) == pair]
    found = [
        each
        for each in of_pair
        if all(getattr(each, name) == value for name, value in asked.items())
    ]
    found = [each for each in found if each.trading] or found
    if len(found) == 1:
        return found[0]
    what = f"{pair[0]}/{pair[1]} with {', '.join(f'{k}={v!r}' for k, v in asked.items())}"
    some = ", ".join(f"{each.symbol} ({each.kind})" for each in (found or of_pair)[:_MOST_NAMED])
    if found:
        raise ConfigError(f"there are {len(found)} instruments {what}: {some}; say which")
    raise ConfigError(f"there is no instrument {what}; of that pair there is: {some or 'none'}")


def say_unknown(symbol: str, known: Iterable[str], exchange: str) -> str:
    """That an exchange lists no such symbol, and which of `known` may have been meant."""
    near = difflib.get_close_matches(symbol.upper(), list(known), n=3, cutoff=0.6)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"{exchange} lists no symbol {symbol.upper()!r:.60}{hint}"


__all__ = ["Instrument", "Kind", "OptionSide", "QuantityUnit", "Rounding", "Status", "find"]
