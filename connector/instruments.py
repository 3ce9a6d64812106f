"""Instruments: an `Instrument` is what you can trade, described in the same way for every exchange.

Use it to round prices and quantities to the exchange's steps, and to convert quantities to the base
asset, so that you can compare different exchanges.

>>> instrument.tick(Decimal("3021.137"))
Decimal('3021.13')
>>> find(instruments, base="BTC", quote="USDT", kind="perpetual").symbol
'BTC-USDT-SWAP'

To look one up by its symbol, make a dict:

>>> by_symbol = {each.symbol: each for each in instruments}
>>> by_symbol["BTC-USDT-SWAP"].tick_size
Decimal('0.1')
"""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Any, Literal, TypeAlias, TypeVar, cast

import attrs

from connector.errors import ConfigError
from connector.inputs.decimals import ZERO, exact, floor_to, product, quotient, times

Kind: TypeAlias = Literal["spot", "perpetual", "future", "option"]
QuantityUnit: TypeAlias = Literal["base", "quote", "contracts"]
OptionSide: TypeAlias = Literal["call", "put"]
Rounding: TypeAlias = Literal["down", "up", "nearest"]

_ROUNDINGS = {"down": ROUND_FLOOR, "up": ROUND_CEILING, "nearest": ROUND_HALF_EVEN}
N = TypeVar("N", float, Decimal)
_ONE = Decimal(1)
_MOST_SUGGESTED = 3
_MOST_NAMED = 8
_DIGITS = 60
"""Enough for the exact quotient of any price by any tick."""


class Status(enum.Enum):
    """Whether an instrument can be traded now."""

    TRADING = "trading"
    """The exchange accepts orders."""
    PAUSED = "paused"
    """Trading is paused. You may still be able to cancel orders."""
    PENDING = "pending"
    """Trading has not begun."""
    ENDED = "ended"
    """Trading has ended: delivered, settled or delisted."""
    UNKNOWN = "unknown"
    """The library does not know the exchange's status: see `Instrument.exchange_status`."""


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
    """An instrument: a spot pair, a perpetual, a future or an option. Numbers are exact."""

    symbol: str
    """The symbol as the exchange writes it."""
    base: str
    """The asset that is bought and sold, such as ``BTC``."""
    quote: str
    """The asset in which the price is given, such as ``USDT``."""
    kind: Kind
    """"spot", "perpetual", "future" or "option"."""
    status: Status
    """Whether it can be traded now."""
    exchange_status: str
    """The status as the exchange writes it."""
    tick_size: Decimal | None = attrs.field(validator=_positive)
    """Prices are multiples of this value; None if the exchange sets none."""
    step_size: Decimal | None = attrs.field(validator=_positive)
    """Quantities are multiples of this value; None if the exchange sets none."""
    min_quantity: Decimal | None = attrs.field(default=None, validator=_not_negative)
    """The smallest quantity of an order, in `quantity_unit`; None without a limit."""
    max_quantity: Decimal | None = attrs.field(default=None, validator=_not_negative)
    """The largest quantity of an order, in `quantity_unit`; None without a limit."""
    min_price: Decimal | None = attrs.field(default=None, validator=_not_negative)
    """The lowest price of an order, in the quote asset; None without a limit."""
    max_price: Decimal | None = attrs.field(default=None, validator=_not_negative)
    """The highest price of an order, in the quote asset; None without a limit."""
    min_notional: Decimal | None = attrs.field(default=None, validator=_not_negative)
    """The smallest price times quantity of an order, in the quote asset; None without a limit."""
    max_notional: Decimal | None = attrs.field(default=None, validator=_not_negative)
    """The largest price times quantity of an order, in the quote asset; None without a limit."""
    market_step_size: Decimal | None = attrs.field(default=None, validator=_positive)
    """The step of the quantity of a market order; None if it is `step_size`."""
    market_min_quantity: Decimal | None = attrs.field(default=None, validator=_not_negative)
    """The smallest quantity of a market order; None if it is `min_quantity`."""
    market_max_quantity: Decimal | None = attrs.field(default=None, validator=_not_negative)
    """The largest quantity of a market order; None if it is `max_quantity`."""
    max_position: Decimal | None = attrs.field(default=None, validator=_not_negative)
    """The largest amount of the base asset that an account may hold, open buy orders included; None
    without a limit."""
    max_orders: int | None = None
    """The largest number of open orders of an account; None if there is no limit, or if the
    exchange does not send it."""
    contract_size: Decimal = attrs.field(default=_ONE, validator=_positive)
    """The size of one contract, in the base asset; for an inverse contract, in the quote asset."""
    quantity_unit: QuantityUnit = "base"
    """The unit of quantities: "base" (the base asset), "quote" (the quote asset), or "contracts"
    (of `contract_size`). `base_quantity` converts."""
    inverse: bool = False
    """Whether the contract is settled in the base asset. If not, it is linear."""
    settle: str | None = None
    """The asset in which the contract is settled; None for spot."""
    expires_ns: int | None = None
    """Time of delivery of a future or option, nanoseconds since the epoch; None otherwise."""
    strike: Decimal | None = attrs.field(default=None, validator=_positive)
    """The strike price of an option; None otherwise."""
    option_side: OptionSide | None = None
    """"call" or "put" for an option; None otherwise."""

    @property
    def trading(self) -> bool:
        """Whether the exchange accepts orders now."""
        return self.status is Status.TRADING

    def tick(self, price: Decimal | float | str, rounding: Rounding = "down") -> Decimal:
        """Round `price` to a multiple of `tick_size`.

        A float is read as its shortest decimal form: 0.1 is exactly 0.1.

        Args:
            price: the price to round.
            rounding: "down" for a bid that must not pay more, "up" for an ask that must not
                receive less, or "nearest" (a tie goes to the even multiple).

        Raises:
            ConfigError: `price` is not a finite number, or `rounding` is none of these.
        """
        return self._round("price", price, self.tick_size, rounding)

    def step(self, quantity: Decimal | float | str, rounding: Rounding = "down") -> Decimal:
        """Round `quantity` to a multiple of `step_size`. Arguments and errors as with `tick`."""
        return self._round("quantity", quantity, self.step_size, rounding)

    def notional(self, quantity: Decimal, price: Decimal) -> Decimal:
        """The exact value of `quantity` at `price`, in the quote asset."""
        # An inverse option is counted in the base, and its price is one of the base in itself.
        if self.inverse and self.quantity_unit != "base":
            return times(quantity, self.contract_size)
        worth, size = times(quantity, price), self.contract_size
        return worth if size is _ONE or size == 1 else times(worth, size)

    def tradable(
        self,
        quantity: Decimal | int | str,
        price: Decimal | int | str,
        side: Literal["buy", "sell"],
    ) -> Decimal:
        """The largest quantity up to `quantity` that a limit order may have; 0 if there is none.

        It considers the step size and the limits of quantity, notional and price. A price between
        two ticks counts as the lower tick for a buyer, and as the higher tick for a seller.

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
        """Convert `quantity` to the base asset.

        Args:
            quantity: a quantity in `quantity_unit`, as events have it.
            price: the price of the conversion. Required if the exchange counts in the quote asset
                or in inverse contracts.

        Raises:
            ConfigError: the price is required and missing, or not above 0.
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
                f"{self.symbol}: price={price!r}; its quantities are amounts of {self.quote}, so "
                f"pass the price at which to convert them to {self.base}"
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
    """Find one instrument by its assets and kind. Prefers an instrument that can be traded.

    Args:
        instruments: the instruments of one exchange (`Adapter.instruments`).
        base: the asset that is traded, such as ``"BTC"``, in any case.
        quote: the asset of the price, such as ``"USDT"``, in any case.
        kind: "spot", "perpetual", "future" or "option".
        settle: the asset of settlement, to choose among several.
        inverse: whether it is settled in the base asset, to choose among several.
        expires_ns: the time of delivery, to choose among futures or options.
        strike: the strike price, to choose among options.
        option_side: "call" or "put", to choose among options.

    Raises:
        ConfigError: no instrument matches, or several do; the message lists them.
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
        raise ConfigError(
            f"{len(found)} instruments match {what}: {some}; add an argument that selects one, "
            "such as settle, inverse or expires_ns"
        )
    raise ConfigError(
        f"no instrument matches {what}; the exchange has for this pair: {some or 'none'}"
    )


def say_unknown(symbol: str, known: Iterable[str], exchange: str) -> str:
    """That an exchange lists no such symbol, and which of `known` may have been meant.

    Exchanges write a pair as BTCUSD, BTC-USD or BTC/USD. A symbol that differs only in this, or
    in its case, is suggested alone.
    """
    spellings: dict[str, list[str]] = {}
    for each in known:
        spellings.setdefault(_letters(each), []).append(each)
    asked = _letters(symbol)
    alike = [asked] if asked in spellings else difflib.get_close_matches(asked, spellings, n=3)
    near = [each for letters in alike for each in spellings[letters]][:_MOST_SUGGESTED]
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"{exchange} lists no symbol {symbol.upper()!r:.60}{hint}"


def _letters(symbol: str) -> str:
    """A symbol without what separates its parts, in capitals."""
    return "".join(filter(str.isalnum, symbol)).upper()


__all__ = ["Instrument", "Kind", "OptionSide", "QuantityUnit", "Rounding", "Status", "find"]
