"""REST requests of OKX: instruments and books.

Source: okx §5, §6.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import msgspec

from connector.events import BookSnapshot
from connector.exchanges.endpoints import Endpoints
from connector.exchanges.numbers import ON_WIRE
from connector.exchanges.okx import decode
from connector.exchanges.parameters import NumberType
from connector.exchanges.protocol import Page, RestRequest, RestService
from connector.exchanges.refusals import ErrorBodies
from connector.instruments import Instrument, Kind, Status

NS_PER_MS = 1_000_000
REQUESTS_PER_WINDOW, WINDOW_SECONDS = 20, 2.0
"""Of the narrowest of the requests that are made here."""
_NOT_NOW: frozenset[int | str] = frozenset({"50001", "50004", "50011", "50013", "50026", "50061"})
"""Too many requests, busy, trouble inside. Source: okx §2, §8."""
BOOK_LEVELS = 400
KINDS = ("SPOT", "SWAP", "FUTURES")
"""Options are listed by family only, and left out."""


class _Said(msgspec.Struct):
    code: str = "0"
    msg: str = ""


_ERRORS = ErrorBodies(form=_Said, told=lambda said: (said.code, said.msg), success=frozenset({"0"}))


def service(endpoints: Endpoints) -> RestService:
    """The REST interface of an installation."""
    return RestService(
        url=endpoints.rest,
        headers=endpoints.headers,
        weight_per_window=REQUESTS_PER_WINDOW,
        window_seconds=WINDOW_SECONDS,
        error=_ERRORS.read,
        refuses=_ERRORS.refuses,
        not_now=_NOT_NOW,
    )


def book(symbol: str, numbers: NumberType) -> RestRequest[BookSnapshot[Any]]:
    """The request for a whole book."""
    return RestRequest(
        target=f"/api/v5/market/books?instId={quote(symbol, safe='')}&sz={BOOK_LEVELS}&source=0",
        weight=1,
        decode=decode.fetched_book(ON_WIRE[numbers], symbol),
    )


class _Row(msgspec.Struct, rename="camel"):
    inst_id: str
    inst_type: str
    state: str = ""
    base_ccy: str = ""
    quote_ccy: str = ""
    settle_ccy: str = ""
    inst_family: str = ""
    uly: str = ""
    ct_type: str = ""
    ct_val: str = ""
    ct_mult: str = ""
    exp_time: str = ""
    tick_sz: str = ""
    lot_sz: str = ""
    min_sz: str = ""
    max_lmt_sz: str = ""
    max_mkt_sz: str = ""


class _Answer(msgspec.Struct):
    data: list[_Row]


_ANSWER = msgspec.json.Decoder(_Answer)

_STATUSES: Mapping[str, Status] = MappingProxyType(
    {
        "live": Status.TRADING,
        "post_only": Status.TRADING,
        "suspend": Status.PAUSED,
        "rebase": Status.PAUSED,
        "settling": Status.PAUSED,
        "preopen": Status.PENDING,
        "expired": Status.ENDED,
    }
)
_INSTRUMENT_KINDS: Mapping[str, Kind] = MappingProxyType(
    {"SPOT": "spot", "SWAP": "perpetual", "FUTURES": "future"}
)


def instruments(kind: str = KINDS[0]) -> RestRequest[Page[Instrument]]:
    """The request for the instruments of one kind, then of the next."""

    def read(body: bytes) -> Page[Instrument]:
        rows = _ANSWER.decode(body).data
        try:
            items = tuple(_instrument(row) for row in rows)
        except ArithmeticError as error:
            raise msgspec.ValidationError(f"an instrument with no number: {error}") from error
        later = KINDS[KINDS.index(kind) + 1 :]
        return Page(items, instruments(later[0]) if later else None)

    target = f"/api/v5/public/instruments?instType={kind}"
    return RestRequest(target=target, weight=1, decode=read)


def _number(text: str) -> Decimal | None:
    return (Decimal(text) or None) if text else None


def _instrument(row: _Row) -> Instrument:
    kind = _INSTRUMENT_KINDS.get(row.inst_type, "spot")
    derivative = kind != "spot"
    # The family of a derivative is its pair, as BTC-USDT.
    base, _, quote_asset = (row.inst_family or row.uly).partition("-")
    size = (_number(row.ct_val) or Decimal(1)) * (_number(row.ct_mult) or Decimal(1))
    unit: Any = "contracts" if derivative else "base"
    return Instrument(
        symbol=row.inst_id,
        base=base if derivative else row.base_ccy,
        quote=quote_asset.partition("_")[0] if derivative else row.quote_ccy,
        kind=kind,
        status=_STATUSES.get(row.state, Status.UNKNOWN),
        exchange_status=row.state,
        tick_size=_number(row.tick_sz),
        step_size=_number(row.lot_sz),
        min_quantity=_number(row.min_sz),
        max_quantity=_number(row.max_lmt_sz),
        # Of a spot order without a price it is told in USDT.
        market_max_quantity=_number(row.max_mkt_sz) if derivative else None,
        contract_size=size if derivative else Decimal(1),
        quantity_unit=unit,
        inverse=row.ct_type == "inverse",
        settle=row.settle_ccy if derivative else None,
        expires_ns=int(row.exp_time) * NS_PER_MS if kind == "future" and row.exp_time else None,
    )
