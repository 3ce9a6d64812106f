"""REST requests of Kraken spot: instruments.

Source: kraken §7.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

import msgspec

from connector.exchanges.protocol import RestRequest, RestService
from connector.exchanges.refusals import ErrorBodies
from connector.instruments import Instrument, Status

REQUESTS_PER_WINDOW, WINDOW_SECONDS = 1, 1.0
"""The figures are not documented; the advice for public requests is one per second."""

NEW_NAMES: Mapping[str, str] = MappingProxyType({"XBT": "BTC", "XDG": "DOGE"})
"""Assets that WebSocket v2 calls otherwise than REST does. Source: kraken §4."""


def spell(symbol: str) -> str:
    """A symbol as Kraken writes it: in capitals, but that of tokenised assets, ``AAPLx/USD``."""
    return symbol.upper() if symbol.islower() else symbol


_NOT_NOW = frozenset(
    {
        "EService:Unavailable",
        "EService:Busy",
        "EGeneral:Internal error",
        "EGeneral:Temporary lockout",
        "EGeneral:Too many requests",
        "EAPI:Rate limit exceeded",
    }
)


class _Said(msgspec.Struct):
    error: list[str] = []


_ERRORS = ErrorBodies(
    form=_Said,
    told=lambda said: (said.error[0] if said.error else None, "; ".join(said.error)),
)
"""``EQuery:Unknown asset pair`` is code and text. Errors come with status 200."""


def service(url: str) -> RestService:
    """The REST interface at `url`."""
    return RestService(
        url=url,
        weight_per_window=REQUESTS_PER_WINDOW,
        window_seconds=WINDOW_SECONDS,
        error=_ERRORS.read,
        refuses=_ERRORS.refuses,
        not_now=_NOT_NOW,
    )


class _Row(msgspec.Struct):
    pair_decimals: int
    lot_decimals: int
    wsname: str | None = None
    """``XBT/USD``; a pair without one has no streams."""
    status: str = "online"
    """Absent in answers of 2021."""
    tick_size: Decimal | None = None
    ordermin: Decimal | None = None
    costmin: Decimal | None = None


class _Answer(msgspec.Struct):
    result: dict[str, _Row]


_ANSWER = msgspec.json.Decoder(_Answer)

_STATUSES: Mapping[str, Status] = MappingProxyType(
    {
        "online": Status.TRADING,
        "post_only": Status.TRADING,
        "limit_only": Status.TRADING,
        "cancel_only": Status.PAUSED,
        "reduce_only": Status.PAUSED,
        "maintenance": Status.PAUSED,
        "work_in_progress": Status.PENDING,
        "delisted": Status.ENDED,
    }
)


def instruments() -> RestRequest[tuple[Instrument, ...]]:
    """The request for every pair that has streams."""

    def read(body: bytes) -> tuple[Instrument, ...]:
        rows = _ANSWER.decode(body).result.values()
        return tuple(_instrument(row, row.wsname) for row in rows if row.wsname)

    return RestRequest(target="/0/public/AssetPairs", weight=1, decode=read)


def _instrument(row: _Row, pair: str) -> Instrument:
    base, quote = (NEW_NAMES.get(each, each) for each in pair.split("/", 1))
    return Instrument(
        symbol=f"{base}/{quote}",
        base=base,
        quote=quote,
        kind="spot",
        status=_STATUSES.get(row.status, Status.UNKNOWN),
        exchange_status=row.status,
        tick_size=row.tick_size or Decimal(1).scaleb(-row.pair_decimals),
        step_size=Decimal(1).scaleb(-row.lot_decimals),
        min_quantity=row.ordermin,
        min_notional=row.costmin or None,
    )
