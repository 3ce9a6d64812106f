"""REST requests of Coinbase: products.

Source: coinbase A2, A6.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import msgspec

from connector.exchanges.coinbase.wire import nanoseconds
from connector.exchanges.protocol import Page, RestRequest, RestService
from connector.exchanges.refusals import ErrorBodies
from connector.instruments import Instrument, Kind, Status

REQUESTS_PER_WINDOW, WINDOW_SECONDS = 10, 1.0
_PATH = "/api/v3/brokerage"
_ROWS = 500
_KINDS: Mapping[str, Kind] = MappingProxyType({"SPOT": "spot", "FUTURE": "future"})
"""Kinds of products; equities and prediction markets are left out."""


class _Said(msgspec.Struct):
    error: str | None = None
    message: str = ""
    error_details: str = ""


_ERRORS = ErrorBodies(
    form=_Said, told=lambda said: (said.error, said.message or said.error_details)
)


def service(url: str) -> RestService:
    """The REST interface at `url`."""
    return RestService(
        url=url,
        weight_per_window=REQUESTS_PER_WINDOW,
        window_seconds=WINDOW_SECONDS,
        error=_ERRORS.read,
        banned=frozenset({429}),
    )


class _Future(msgspec.Struct):
    contract_size: str = ""
    contract_expiry: str | None = None
    contract_expiry_type: str = ""
    contract_root_unit: str = ""
    funding_rate: str | None = None


class _Row(msgspec.Struct):
    product_id: str
    product_type: str = ""
    base_currency_id: str = ""
    quote_currency_id: str = ""
    status: str = ""
    base_increment: str = ""
    price_increment: str = ""
    quote_increment: str = ""
    base_min_size: str = ""
    base_max_size: str = ""
    quote_min_size: str = ""
    quote_max_size: str = ""
    is_disabled: bool = False
    trading_disabled: bool = False
    cancel_only: bool = False
    auction_mode: bool = False
    view_only: bool = False
    future_product_details: _Future | None = None


class _Answer(msgspec.Struct):
    products: list[_Row]


_ANSWER = msgspec.json.Decoder(_Answer)


def instruments(offset: int = 0) -> RestRequest[Page[Instrument]]:
    """The request for a page of products, from `offset` on."""

    def read(body: bytes) -> Page[Instrument]:
        rows = _ANSWER.decode(body).products
        try:
            items = tuple(_instrument(row) for row in rows if row.product_type in _KINDS)
        except ArithmeticError as error:
            raise msgspec.ValidationError(f"a product with no number: {error}") from error
        more = len(rows) >= _ROWS
        return Page(items, instruments(offset + len(rows)) if more else None)

    target = f"{_PATH}/market/products?limit={_ROWS}&offset={offset}"
    return RestRequest(target=target, weight=1, decode=read)


def _number(text: str) -> Decimal | None:
    return (Decimal(text) or None) if text else None


def _status(row: _Row) -> Status:
    """Flags stop trading, whatever the status; that of futures is empty."""
    if row.is_disabled or row.status == "delisted":
        return Status.ENDED
    if row.trading_disabled or row.cancel_only or row.auction_mode or row.view_only:
        return Status.PAUSED
    return Status.TRADING if row.status in ("online", "") else Status.UNKNOWN


def _instrument(row: _Row) -> Instrument:
    details = row.future_product_details
    told: dict[str, Any] = {}
    kind = _KINDS[row.product_type]
    if details is not None and kind == "future":
        # What pays funding is traded as a perpetual, though it expires in some years.
        forever = details.contract_expiry_type == "PERPETUAL" or bool(details.funding_rate)
        kind = "perpetual" if forever else "future"
        told = {
            "contract_size": _number(details.contract_size) or Decimal(1),
            "quantity_unit": "contracts",
            "settle": row.quote_currency_id,
            "expires_ns": nanoseconds(details.contract_expiry or ""),
        }
    return Instrument(
        symbol=row.product_id,
        base=row.base_currency_id or (details.contract_root_unit if details else ""),
        quote=row.quote_currency_id,
        kind=kind,
        status=_status(row),
        exchange_status=row.status,
        tick_size=_number(row.price_increment) or _number(row.quote_increment),
        step_size=_number(row.base_increment),
        min_quantity=_number(row.base_min_size),
        max_quantity=_number(row.base_max_size),
        min_notional=_number(row.quote_min_size),
        max_notional=_number(row.quote_max_size),
        **told,
    )
