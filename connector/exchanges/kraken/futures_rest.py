"""REST requests of Kraken futures: instruments.

Source: kraken_futures_v1.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

import msgspec

from connector.exchanges.kraken.spot_rest import NEW_NAMES
from connector.exchanges.kraken.v2_wire import Moment, nanoseconds
from connector.exchanges.protocol import RestRequest, RestService
from connector.exchanges.refusals import ErrorBodies
from connector.instruments import Instrument, Kind, Status

TOKENS_PER_WINDOW, WINDOW_SECONDS = 500, 10.0
_LONGEST_ERROR_BYTES = 200


class _Said(msgspec.Struct):
    result: str = ""
    error: str | None = None
    errors: list[msgspec.Raw] = []
    status: str = ""
    reason: str = ""


def _told(said: _Said) -> tuple[str | None, str]:
    """Code and text of an error, which has one of three shapes; `errors` have no code."""
    if said.error:
        return said.error, said.error
    if said.result == "error":
        told = b", ".join(map(bytes, said.errors))
        return "error", told[:_LONGEST_ERROR_BYTES].decode("utf-8", "backslashreplace")
    return (said.status, said.reason) if said.reason else (None, "")


_ERRORS = ErrorBodies(form=_Said, told=_told)


def service(url: str) -> RestService:
    """The REST interface at `url`."""
    return RestService(
        url=url,
        weight_per_window=TOKENS_PER_WINDOW,
        window_seconds=WINDOW_SECONDS,
        error=_ERRORS.read,
        refuses=_ERRORS.refuses,
        not_now=frozenset({"apiLimitExceeded"}),
    )


class _Row(msgspec.Struct, rename="camel"):
    symbol: str
    pair: str = ""
    """``ETH:USD``; absent in older answers."""
    tick_size: Decimal | None = None
    contract_size: Decimal | None = None
    tradeable: bool = False
    last_trading_time: Moment | None = None
    contract_value_trade_precision: int = 0


class _Answer(msgspec.Struct):
    instruments: list[_Row]


_ANSWER = msgspec.json.Decoder(_Answer)

_KINDS: Mapping[str, tuple[Kind, bool]] = MappingProxyType(
    {
        "PF": ("perpetual", False),
        "FF": ("future", False),
        "PI": ("perpetual", True),
        "FI": ("future", True),
    }
)
"""By how symbols begin: the kind, and whether it is inverse."""


def instruments() -> RestRequest[tuple[Instrument, ...]]:
    """The request for all instruments; what is not (an index) is left out."""

    def read(body: bytes) -> tuple[Instrument, ...]:
        rows = _ANSWER.decode(body).instruments
        found = (_instrument(row) for row in rows if row.tick_size)
        return tuple(each for each in found if each is not None)

    return RestRequest(target="/derivatives/api/v3/instruments", weight=1, decode=read)


def _instrument(row: _Row) -> Instrument | None:
    # In lower case until 2022; the feeds have always answered in upper case.
    symbol = row.symbol.upper() if row.symbol.islower() else row.symbol
    family = symbol.partition("_")[0]
    if family not in _KINDS:
        return None
    kind, inverse = _KINDS[family]
    pair = row.pair or symbol.partition("_")[2].partition("_")[0]
    base, colon, quote = pair.partition(":")
    if not colon:
        base, quote = pair[:-3], pair[-3:]
    base = NEW_NAMES.get(base, base)
    step = Decimal(1).scaleb(-row.contract_value_trade_precision)
    return Instrument(
        symbol=symbol,
        base=base,
        quote=quote,
        kind=kind,
        status=Status.TRADING if row.tradeable else Status.PAUSED,
        exchange_status="tradeable" if row.tradeable else "not tradeable",
        tick_size=row.tick_size,
        step_size=step,
        min_quantity=step,
        contract_size=row.contract_size or Decimal(1),
        quantity_unit="contracts" if inverse else "base",
        inverse=inverse,
        settle=base if inverse else quote,
        expires_ns=(
            nanoseconds(row.last_trading_time)
            if kind == "future" and row.last_trading_time is not None
            else None
        ),
    )
