"""REST requests of Deribit: instruments.

Source: deribit §4, §5, §6.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import msgspec

from connector.exchanges.deribit.frames import NOT_NOW
from connector.exchanges.protocol import RestRequest, RestService
from connector.exchanges.refusals import ErrorBodies
from connector.instruments import Instrument, Kind, OptionSide, QuantityUnit, Status

NS_PER_MS = 1_000_000
WEIGHT_PER_WINDOW, WINDOW_SECONDS = 50, 50.0
"""Of 20 requests in a second one is used; ``get_instruments`` may be asked once in 10 s."""
_INSTRUMENTS_WEIGHT = 10
TARGET = "/api/v2/public/get_instruments?currency=any&expired=false"


class _Error(msgspec.Struct):
    code: int | None = None
    message: str = ""


class _Said(msgspec.Struct):
    error: _Error | None = None


def _told(said: _Said) -> tuple[int | str | None, str]:
    """Code and text; of what is worth another try, the text is the code."""
    if said.error is None:
        return None, ""
    message = said.error.message
    return (message if message in NOT_NOW else said.error.code), message


_ERRORS = ErrorBodies(form=_Said, told=_told)


def service(url: str) -> RestService:
    """The REST interface at `url`."""
    return RestService(
        url=url,
        weight_per_window=WEIGHT_PER_WINDOW,
        window_seconds=WINDOW_SECONDS,
        error=_ERRORS.read,
        refuses=_ERRORS.refuses,
        not_now=NOT_NOW,
    )


class _Row(msgspec.Struct):
    instrument_name: str
    kind: str
    base_currency: str
    quote_currency: str
    settlement_currency: str | None = None
    settlement_period: str = ""
    instrument_type: str = ""
    future_type: str = ""
    option_type: str = ""
    strike: Decimal | None = None
    expiration_timestamp: int | None = None
    tick_size: Decimal | None = None
    min_trade_amount: Decimal | None = None
    state: str | None = None
    is_active: bool | None = None


class _Answer(msgspec.Struct):
    result: list[_Row]


_ANSWER = msgspec.json.Decoder(_Answer, strict=False)

_STATUSES: Mapping[str, Status] = MappingProxyType(
    {
        "open": Status.TRADING,
        "started": Status.TRADING,
        "active": Status.TRADING,
        "created": Status.PENDING,
        "locked": Status.PAUSED,
        "halted": Status.PAUSED,
        "inactive": Status.PAUSED,
        "closed": Status.ENDED,
        "settled": Status.ENDED,
        "delivered": Status.ENDED,
        "terminated": Status.ENDED,
        "archivized": Status.ENDED,
    }
)
"""Words of before and after January 2026, when they changed (deribit §11); others are unknown."""
_SIDES = MappingProxyType[str, OptionSide]({"call": "call", "put": "put"})
_KINDS = frozenset({"spot", "future", "option"})


def instruments() -> RestRequest[tuple[Instrument, ...]]:
    """The request for all instruments. Combos are left out: they are of two kinds."""

    def read(body: bytes) -> tuple[Instrument, ...]:
        return tuple(_instrument(row) for row in _ANSWER.decode(body).result if row.kind in _KINDS)

    return RestRequest(target=TARGET, weight=_INSTRUMENTS_WEIGHT, decode=read)


def _kind(row: _Row) -> Kind:
    if row.kind == "future" and row.settlement_period == "perpetual":
        return "perpetual"
    known: dict[str, Kind] = {"spot": "spot", "future": "future", "option": "option"}
    return known[row.kind]


def _is_inverse(row: _Row, kind: Kind) -> bool:
    """Whether it is settled in the base; what older answers do not say is seen from the assets."""
    if kind == "spot":
        return False
    told = row.instrument_type or row.future_type
    if told in ("reversed", "linear"):
        return told == "reversed"
    return (row.settlement_currency or row.base_currency) == row.base_currency


def _status(row: _Row) -> tuple[Status, str]:
    if row.state is not None:
        return _STATUSES.get(row.state, Status.UNKNOWN), row.state
    if row.is_active is None:
        return Status.UNKNOWN, ""
    return (Status.TRADING, "active") if row.is_active else (Status.ENDED, "inactive")


def _instrument(row: _Row) -> Instrument:
    kind, least = _kind(row), row.min_trade_amount or None
    inverse = _is_inverse(row, kind)
    status, word = _status(row)
    in_usd = inverse and kind in ("perpetual", "future")
    unit: QuantityUnit = "quote" if in_usd else "base"
    settle: Any = row.settlement_currency or (row.base_currency if inverse else row.quote_currency)
    return Instrument(
        symbol=row.instrument_name,
        base=row.base_currency,
        quote=row.quote_currency,
        kind=kind,
        status=status,
        exchange_status=word,
        # Of a price grid with steps it is the finest.
        tick_size=row.tick_size or None,
        # That amounts are multiples of the least one is assumed.
        step_size=least,
        min_quantity=least,
        quantity_unit=unit,
        inverse=inverse,
        settle=None if kind == "spot" else settle,
        expires_ns=(
            row.expiration_timestamp * NS_PER_MS
            if kind in ("future", "option") and row.expiration_timestamp
            else None
        ),
        strike=row.strike if kind == "option" and row.strike else None,
        option_side=_SIDES.get(row.option_type) if kind == "option" else None,
    )
