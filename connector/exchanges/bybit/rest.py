"""REST requests of Bybit: instruments.

Source: bybit §2, §6.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from urllib.parse import quote

import msgspec

from connector.exchanges.protocol import Page, RestRequest, RestService
from connector.exchanges.refusals import ErrorBodies
from connector.instruments import Instrument, Kind, Status

NS_PER_MS = 1_000_000
REQUESTS_PER_WINDOW = 600
WINDOW_SECONDS = 5.0
BAN_SECONDS = 600.0
"""How long to send nothing after "access too frequent". Source: bybit §2."""
_ROWS = 1000
_NOT_NOW: frozenset[int | str] = frozenset({10000, 10006, 10016, 10019, 10429})
"""A timeout, too many requests, trouble inside. Source: bybit §2, §8."""


class _Said(msgspec.Struct, rename="camel"):
    ret_code: int = 0
    ret_msg: str = ""


_ERRORS = ErrorBodies(
    form=_Said, told=lambda said: (said.ret_code, said.ret_msg), success=frozenset({0})
)


def service(url: str) -> RestService:
    """The REST interface at `url`."""
    return RestService(
        url=url,
        weight_per_window=REQUESTS_PER_WINDOW,
        window_seconds=WINDOW_SECONDS,
        error=_ERRORS.read,
        refuses=_ERRORS.refuses,
        banned=frozenset({403, 429}),
        ban_seconds=BAN_SECONDS,
        not_now=_NOT_NOW,
    )


class _Prices(msgspec.Struct, rename="camel"):
    tick_size: Decimal | None = None
    min_price: Decimal | None = None
    max_price: Decimal | None = None


class _Lots(msgspec.Struct, rename="camel"):
    qty_step: Decimal | None = None
    base_precision: Decimal | None = None
    """The step of spot."""
    min_order_qty: Decimal | None = None
    max_order_qty: Decimal | None = None
    max_mkt_order_qty: Decimal | None = None
    max_limit_order_qty: Decimal | None = None
    max_market_order_qty: Decimal | None = None
    min_notional_value: Decimal | None = None
    min_order_amt: Decimal | None = None


class _Row(msgspec.Struct, rename="camel"):
    symbol: str
    base_coin: str
    quote_coin: str
    status: str = ""
    settle_coin: str | None = None
    contract_type: str = ""
    delivery_time: int = 0
    price_filter: _Prices = msgspec.field(default_factory=_Prices)
    lot_size_filter: _Lots = msgspec.field(default_factory=_Lots)


class _Rows(msgspec.Struct, rename="camel"):
    rows: list[_Row] = msgspec.field(name="list")
    next_page_cursor: str | None = None


class _Answer(msgspec.Struct):
    result: _Rows


_ANSWER = msgspec.json.Decoder(_Answer, strict=False)

_STATUSES: Mapping[str, Status] = MappingProxyType(
    {
        "Trading": Status.TRADING,
        "PreLaunch": Status.PENDING,
        "Delivering": Status.PAUSED,
        "Closed": Status.ENDED,
    }
)


def instruments(category: str, cursor: str = "") -> RestRequest[Page[Instrument]]:
    """The request for the instruments of `category`; those of spot come all at once."""

    def read(body: bytes) -> Page[Instrument]:
        answer = _ANSWER.decode(body).result
        more = answer.next_page_cursor if category != "spot" else ""
        following = instruments(category, more) if more and answer.rows else None
        return Page(tuple(_instrument(category, row) for row in answer.rows), following)

    page = f"&cursor={quote(cursor, safe='')}" if cursor else ""
    limit = "" if category == "spot" else f"&limit={_ROWS}"
    return RestRequest(
        target=f"/v5/market/instruments-info?category={category}{limit}{page}",
        weight=1,
        decode=read,
    )


def _instrument(category: str, row: _Row) -> Instrument:
    prices, lots = row.price_filter, row.lot_size_filter
    spot = category == "spot"
    kind: Kind = "spot" if spot else "perpetual" if "Perpetual" in row.contract_type else "future"
    return Instrument(
        symbol=row.symbol,
        base=row.base_coin,
        quote=row.quote_coin,
        kind=kind,
        status=_STATUSES.get(row.status, Status.UNKNOWN),
        exchange_status=row.status,
        tick_size=prices.tick_size or None,
        step_size=(lots.base_precision if spot else lots.qty_step) or None,
        min_quantity=lots.min_order_qty or None,
        max_quantity=(lots.max_limit_order_qty or lots.max_order_qty) or None,
        min_price=prices.min_price or None,
        max_price=prices.max_price or None,
        min_notional=lots.min_order_amt or lots.min_notional_value or None,
        market_max_quantity=(lots.max_market_order_qty or lots.max_mkt_order_qty) or None,
        # An inverse contract is worth 1 USD, and quantities are numbers of them.
        quantity_unit="quote" if category == "inverse" else "base",
        inverse=category == "inverse",
        settle=None if spot else row.settle_coin,
        expires_ns=row.delivery_time * NS_PER_MS if kind == "future" else None,
    )
