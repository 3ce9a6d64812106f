"""REST requests of Binance: depth snapshots and instruments.

Source: binance_spot §6, §8, §9; binance_usdm §5, §7, §8.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import attrs
import msgspec

from connector.book import BookRules, Extent
from connector.channels import OrderBook
from connector.errors import ConfigError
from connector.events import BookDelta, BookSnapshot
from connector.exchanges.binance import decode, names, wire
from connector.exchanges.numbers import ON_WIRE
from connector.exchanges.protocol import UNDECODABLE, BookSource, RestRequest, RestService, Stream
from connector.exchanges.refusals import ErrorBodies
from connector.instruments import Instrument, Kind, Status

_log = logging.getLogger("connector.instruments")

NS_PER_MS = 1_000_000
_NEVER_EXPIRES_MS = 4_000_000_000_000
"""A perpetual has a delivery date in the year 2100."""


@attrs.frozen
class BookOffer:
    """How an exchange's order books are kept."""

    rules: BookRules
    path: str
    snapshots: tuple[tuple[int, int, int], ...]
    """(greatest depth, levels of the snapshot, weight), by depth; the last one serves any more.

    Snapshots are far larger than what is shown. In the most lively minutes of the captures the
    price left 100 levels three times a minute, 500 every two minutes, and 1,000 every five.
    """
    whole: int
    """Index of the snapshot for a book without a depth."""

    def source(
        self, channel: OrderBook, deltas: Stream[BookDelta], numbers: type[Any]
    ) -> BookSource:
        """The source of the book of `channel`."""
        chosen = self.snapshots[self.whole]
        if channel.depth is not None:
            depth = channel.depth
            fitting = (each for each in self.snapshots if depth <= each[0])
            chosen = next(fitting, self.snapshots[-1])
        _, levels, weight = chosen
        symbol = names.wire_symbol(channel.symbol).upper()
        return BookSource(
            deltas=deltas,
            rules=self.rules,
            extent=Extent(
                shown=channel.depth,
                needed=min(max(channel.depth or 0, levels // 5), levels // 2),
                kept=None if channel.depth is None else levels,
            ),
            snapshot=RestRequest(
                target=f"{self.path}?symbol={quote(symbol, safe='')}&limit={levels}",
                weight=weight,
                decode=_snapshot_reader(numbers, symbol),
            ),
            snapshot_levels=levels,
        )


def _snapshot_reader(numbers: type[Any], symbol: str) -> Callable[[bytes], BookSnapshot]:
    kind: Any = wire.SpotPartialBook
    reader: Callable[[bytes], BookSnapshot] = decode.anonymous(kind[ON_WIRE[numbers]], symbol)
    return reader


class _Refusal(msgspec.Struct):
    code: int | str | None = None
    msg: str = ""


_ERRORS = ErrorBodies(form=_Refusal, told=lambda said: (said.code, said.msg))


def service(url: str, weight_per_minute: int) -> RestService:
    """The REST interface at `url`."""
    return RestService(
        url=url,
        weight_per_window=weight_per_minute,
        window_seconds=60.0,
        used_weight_header="x-mbx-used-weight-1m",
        error=_ERRORS.read,
    )


# --- instruments


class _Filter(msgspec.Struct, rename="camel"):
    filter_type: str = ""
    tick_size: Decimal | None = None
    step_size: Decimal | None = None
    min_qty: Decimal | None = None
    max_qty: Decimal | None = None
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    max_notional: Decimal | None = None
    min_notional: Decimal | None = None
    notional: Decimal | None = None
    limit: int | None = None
    max_num_orders: int | None = None
    max_position: Decimal | None = None


class _Symbol(msgspec.Struct, rename="camel"):
    symbol: str
    status: str = ""
    contract_status: str = ""
    base_asset: str = ""
    quote_asset: str = ""
    margin_asset: str | None = None
    contract_type: str = ""
    contract_size: Decimal | msgspec.UnsetType | None = msgspec.UNSET
    delivery_date: int | None = None
    filters: list[_Filter] = []


class _ExchangeInfo(msgspec.Struct):
    symbols: list[msgspec.Raw]


_EXCHANGE_INFO = msgspec.json.Decoder(_ExchangeInfo)
_SYMBOL = msgspec.json.Decoder(_Symbol, strict=False)
_MOST_SHOWN = 5

_STATUSES: Mapping[str, Status] = MappingProxyType(
    {
        "TRADING": Status.TRADING,
        "PRE_TRADING": Status.PENDING,
        "PENDING_TRADING": Status.PENDING,
        "POST_TRADING": Status.PAUSED,
        "END_OF_DAY": Status.PAUSED,
        "HALT": Status.PAUSED,
        "AUCTION_MATCH": Status.PAUSED,
        "BREAK": Status.PAUSED,
        "CANCEL_ONLY": Status.PAUSED,
        "PRE_DELIVERING": Status.PAUSED,
        "DELIVERING": Status.PAUSED,
        "PRE_SETTLE": Status.PAUSED,
        "SETTLING": Status.PAUSED,
        "DELIVERED": Status.ENDED,
        "CLOSE": Status.ENDED,
    }
)


def instruments(path: str, weight: int, *, futures: bool) -> RestRequest[tuple[Instrument, ...]]:
    """The request for all instruments."""

    def read(body: bytes) -> tuple[Instrument, ...]:
        return _read_instruments(_EXCHANGE_INFO.decode(body).symbols, futures=futures)

    return RestRequest(target=path, weight=weight, decode=read)


def _read_instruments(symbols: list[msgspec.Raw], *, futures: bool) -> tuple[Instrument, ...]:
    """The instruments; one that makes no sense is left out, with a warning.

    Raises:
        connector.exchanges.protocol.UNDECODABLE: none makes sense.
    """
    instruments: list[Instrument] = []
    wrong: list[str] = []
    for raw in symbols:
        try:
            instruments.append(_instrument(_SYMBOL.decode(raw), futures=futures))
        except (*UNDECODABLE, ConfigError, ArithmeticError) as error:
            wrong.append(f"{bytes(raw)[:60].decode('utf-8', 'backslashreplace')}…: {error}")
    if wrong:
        said = "; ".join(wrong[:_MOST_SHOWN])
        count = f"{len(wrong)} of {len(symbols)} instruments make no sense"
        if not instruments:
            raise msgspec.ValidationError(f"{count}: {said}")
        _log.warning("%s and are left out: %s", count, said)
    return tuple(instruments)


def _instrument(symbol: _Symbol, *, futures: bool) -> Instrument:
    filters = {each.filter_type: each for each in symbol.filters}
    price, lot = filters.get("PRICE_FILTER", _Filter()), filters.get("LOT_SIZE", _Filter())
    market = filters.get("MARKET_LOT_SIZE", _Filter())
    orders = filters.get("MAX_NUM_ORDERS", _Filter())
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or _Filter()
    status = symbol.status or symbol.contract_status
    kind = _kind(symbol) if futures else "spot"
    expires = symbol.delivery_date if kind == "future" else None
    if not symbol.symbol:
        raise ConfigError("the symbol is empty")
    size = symbol.contract_size
    if isinstance(size, msgspec.UnsetType):
        size = Decimal(1)
    elif not size:
        raise ConfigError(f"contractSize is {size}")
    return Instrument(
        symbol=symbol.symbol,
        base=symbol.base_asset,
        quote=symbol.quote_asset,
        kind=kind,
        status=_STATUSES.get(status, Status.UNKNOWN),
        exchange_status=status,
        # Zero switches a filter off.
        tick_size=price.tick_size or None,
        step_size=lot.step_size or None,
        min_quantity=lot.min_qty or None,
        max_quantity=lot.max_qty or None,
        min_price=price.min_price or None,
        max_price=price.max_price or None,
        min_notional=notional.min_notional or notional.notional or None,
        max_notional=notional.max_notional or None,
        market_step_size=market.step_size or None,
        market_min_quantity=market.min_qty or None,
        market_max_quantity=market.max_qty or None,
        max_position=filters.get("MAX_POSITION", _Filter()).max_position or None,
        max_orders=orders.max_num_orders or orders.limit,
        contract_size=size,
        # Only those of COIN-M have a size: their quantities are numbers of contracts.
        quantity_unit="base" if symbol.contract_size is msgspec.UNSET else "contracts",
        inverse=futures and symbol.margin_asset == symbol.base_asset,
        settle=symbol.margin_asset if futures else None,
        expires_ns=expires * NS_PER_MS if expires else None,
    )


def _kind(symbol: _Symbol) -> Kind:
    contract = symbol.contract_type
    if contract:
        return "perpetual" if "PERPETUAL" in contract else "future"
    # Before it is traded a contract has no type; its delivery date it has.
    date = symbol.delivery_date
    return "perpetual" if date is None or date > _NEVER_EXPIRES_MS else "future"
