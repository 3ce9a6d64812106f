"""REST requests of Bitget: instruments.

Source: bitget §1, §6.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

import msgspec

from connector.exchanges.bitget.frames import Market
from connector.exchanges.protocol import Page, RestRequest, RestService
from connector.exchanges.refusals import ErrorBodies
from connector.instruments import Instrument, Kind, QuantityUnit, Status

NS_PER_MS = 1_000_000
REQUESTS_PER_WINDOW, WINDOW_SECONDS = 20, 1.0
CATEGORIES: Mapping[Market, tuple[str, ...]] = MappingProxyType(
    {"spot": ("SPOT",), "futures": ("USDT-FUTURES", "USDC-FUTURES", "COIN-FUTURES")}
)
_SUCCESS = "00000"


_NOT_NOW: frozenset[int | str] = frozenset({
    "429", "25004", "25000", "25001", "40010", "40015", "40200", "40725", "40808", "40910", "45001",
})  # fmt: skip
"""Too many requests, which may also come with another status than 429; a timeout, trouble inside.
Source: bitget §2, §8."""


class _Said(msgspec.Struct):
    code: str = _SUCCESS
    msg: str = ""


_ERRORS = ErrorBodies(
    form=_Said, told=lambda said: (said.code, said.msg), success=frozenset({_SUCCESS})
)


def service(url: str) -> RestService:
    """The REST interface at `url`."""
    return RestService(
        url=url,
        weight_per_window=REQUESTS_PER_WINDOW,
        window_seconds=WINDOW_SECONDS,
        error=_ERRORS.read,
        refuses=_ERRORS.refuses,
        banned=frozenset({429}),
        not_now=_NOT_NOW,
    )


class _Row(msgspec.Struct, rename="camel"):
    symbol: str
    base_coin: str
    quote_coin: str
    status: str = ""
    type: str = ""
    min_order_qty: str = ""
    max_order_qty: str = ""
    max_market_order_qty: str = ""
    min_order_amount: str = ""
    price_multiplier: str = ""
    quantity_multiplier: str = ""
    price_precision: str = ""
    quantity_precision: str = ""
    delivery_time: str = ""


class _Answer(msgspec.Struct):
    data: list[_Row]


_ANSWER = msgspec.json.Decoder(_Answer)

_STATUSES: Mapping[str, Status] = MappingProxyType(
    {
        "online": Status.TRADING,
        "listed": Status.PENDING,
        "limit_open": Status.PAUSED,
        "limit_close": Status.PAUSED,
        "restrictedAPI": Status.PAUSED,
        "offline": Status.ENDED,
    }
)


def instruments(market: Market, number: int = 0) -> RestRequest[Page[Instrument]]:
    """The request for the instruments of one category, then of the next."""
    category = CATEGORIES[market][number]

    def read(body: bytes) -> Page[Instrument]:
        rows = _ANSWER.decode(body).data
        try:
            items = tuple(_instrument(category, row) for row in rows)
        except (ArithmeticError, ValueError) as error:
            raise msgspec.ValidationError(f"an instrument with no number: {error}") from error
        more = number + 1 < len(CATEGORIES[market])
        return Page(items, instruments(market, number + 1) if more else None)

    target = f"/api/v3/market/instruments?category={category}"
    return RestRequest(target=target, weight=1, decode=read)


def _number(text: str) -> Decimal | None:
    """0 is no limit."""
    return (Decimal(text) or None) if text else None


def _step(multiplier: str, precision: str) -> Decimal | None:
    """The step that is told, or what so many decimals are."""
    return _number(multiplier) or (Decimal(1).scaleb(-int(precision)) if precision else None)


def _instrument(category: str, row: _Row) -> Instrument:
    spot, coin = category == "SPOT", category == "COIN-FUTURES"
    kind: Kind = "spot" if spot else "future" if row.type == "delivery" else "perpetual"
    unit: QuantityUnit = "quote" if coin else "base"
    delivery = _number(row.delivery_time)
    return Instrument(
        symbol=row.symbol,
        base=row.base_coin,
        quote=row.quote_coin,
        kind=kind,
        status=_STATUSES.get(row.status, Status.UNKNOWN),
        exchange_status=row.status,
        tick_size=_step(row.price_multiplier, row.price_precision),
        step_size=_step(row.quantity_multiplier, row.quantity_precision),
        min_quantity=_number(row.min_order_qty),
        max_quantity=_number(row.max_order_qty),
        market_max_quantity=_number(row.max_market_order_qty),
        min_notional=_number(row.min_order_amount),
        quantity_unit=unit,
        inverse=coin,
        settle=None if spot else row.base_coin if coin else row.quote_coin,
        expires_ns=int(delivery) * NS_PER_MS if kind == "future" and delivery else None,
    )
