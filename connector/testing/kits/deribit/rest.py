"""The public part of Deribit's REST interface: instruments, books, and the past of a market.

Words of refusals are *assumed*, and that a parameter out of its range is refused.

Source: deribit §4, §5, §6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import attrs
import msgspec

from connector.testing.kits.deribit.dialect import TOO_MANY_REQUESTS
from connector.testing.kits.deribit.symbol_topics import RESOLUTIONS
from connector.testing.market.candles import INTERVALS_MS
from connector.testing.market.history import History, history_of, market_takes
from connector.testing.market.matching import Scale
from connector.testing.network.server_websocket import Request, response

_BEGIN = "/api/v2/public/"
_NEVER_MS = 32_503_708_800_000
_INVALID_PARAMS, _METHOD_NOT_FOUND, _NO_INSTRUMENT = -32602, -32601, 13020
_CREDITS = (100, 5.0)
"""Requests in so many seconds: 20 in a second, 100 in a row."""
_NARROW = MappingProxyType({"get_instruments": (5, 50.0)})
"""Methods with a limit of their own: once in 10 s, 5 in a row. Source: deribit §4."""
_DEPTHS = frozenset({1, 5, 10, 20, 50, 100, 1000, 10_000})
_MOST_TRADES, _MOST_CANDLES, _MOST_RATES = 1000, 5000, 744
_HOUR_MS = 3_600_000
_HOURLY_RATE = 0.0000125
_SIDES = {"C": "call", "P": "put"}


def answer(request: Request, scale: Scale, symbols: tuple[str, ...], market: Any) -> bytes:
    """The complete HTTP response to a request."""
    url = urlsplit(request.target)
    query = dict(parse_qsl(url.query))
    if request.method != "GET" or not url.path.startswith(_BEGIN):
        return _error(404, _METHOD_NOT_FOUND, "Method not found")
    method = url.path.removeprefix(_BEGIN)
    narrow = _NARROW.get(method)
    if not market_takes(market, "rest", *_CREDITS) or (
        narrow is not None and not market_takes(market, method, *narrow)
    ):
        return _error(400, TOO_MANY_REQUESTS, "too_many_requests")
    if method == "get_instruments":
        return _instruments(query, symbols)
    if method == "test":
        return _result({"version": "1.2.26"})
    if method not in _OF_INSTRUMENT:
        return _error(404, _METHOD_NOT_FOUND, "Method not found")
    name = query.get("instrument_name", "")
    known = history_of(market, name)
    if known is None:
        return _error(400, _NO_INSTRUMENT, "instrument_not_found", "instrument_name")
    try:
        return _result(_OF_INSTRUMENT[method](_Asked(query, known, market.desks[name], scale)))
    except _Refused as refused:
        return _error(400, _INVALID_PARAMS, "Invalid params", str(refused))


class _Refused(Exception):
    """The parameter that is wrong."""


@attrs.frozen
class _Asked:
    """A request about one instrument, as its answers need it."""

    query: dict[str, str]
    history: History
    desk: Any
    scale: Scale

    def number(self, name: str, instead: int | None, most: int = 1 << 60) -> int:
        """A parameter from 0 to `most`; it must be there if nothing can be `instead`."""
        text = self.query.get(name, "" if instead is None else str(instead))
        if not text.isdecimal() or int(text) > most:
            raise _Refused(name)
        return int(text)


def _order_book(asked: _Asked) -> Any:
    depth = asked.number("depth", 5)
    if depth not in _DEPTHS:
        raise _Refused("depth")
    return msgspec.Raw(asked.desk.order_book(depth).encode())


def _last_trades(asked: _Asked) -> Any:
    """Without a time, the newest; ``sorting`` says which comes first."""
    count = asked.number("count", 10, _MOST_TRADES)
    trades = asked.history.newest_trades(count)
    if "start_seq" in asked.query:
        begin, end = asked.number("start_seq", 0), asked.number("end_seq", 1 << 60)
        found = asked.history.trades_from(begin, count)
        trades = [each for each in found if each.trade_id <= end]
    sorting = asked.query.get("sorting", "default")
    if sorting not in ("default", "asc", "desc"):
        raise _Refused("sorting")
    rows = [asked.desk.trade(each) for each in (trades if sorting == "asc" else reversed(trades))]
    return msgspec.Raw(f'{{"trades":[{",".join(rows)}],"has_more":false}}'.encode())


def _chart(asked: _Asked) -> Any:
    """A list for each column; both ends of the span are included."""
    resolution = asked.query.get("resolution", "")
    begin, end = asked.number("start_timestamp", None), asked.number("end_timestamp", None)
    interval = next((own for own, name in RESOLUTIONS.items() if name == resolution), None)
    if interval is None and resolution not in ("10", "180"):
        raise _Refused("resolution")
    if interval is None or (end - begin) // INTERVALS_MS[interval] > _MOST_CANDLES:
        bars = []
    else:
        bars = asked.history.candles(interval, begin, end)
    rows = [asked.desk.chart(each) for each in bars]
    columns = {
        name: [row[name] for row in rows]
        for name in ("ticks", "open", "high", "low", "close", "volume", "cost")
    }
    return {**columns, "status": "ok" if rows else "no_data"}


def _funding(asked: _Asked) -> Any:
    """Hourly, oldest first."""
    if not asked.desk.flow.symbol.endswith("-PERPETUAL"):
        raise _Refused("instrument_name")
    begin, end = asked.number("start_timestamp", None), asked.number("end_timestamp", None)
    end = min(end, asked.desk.now_ms)
    hours = range(begin + -begin % _HOUR_MS, end + 1, _HOUR_MS)
    listed = {
        bar.start_ms: bar for bar in asked.history.candles("1h", begin - _HOUR_MS, end)
    }  # fmt: skip
    return [
        {
            "timestamp": hour, "index_price": 1.0, "prev_index_price": 1.0,
            "interest_8h": _HOURLY_RATE * 8, "interest_1h": _HOURLY_RATE,
        }
        for hour in list(hours)[-_MOST_RATES:]
        if hour - _HOUR_MS in listed
    ]  # fmt: skip


_OF_INSTRUMENT: Mapping[str, Callable[[_Asked], Any]] = MappingProxyType(
    {
        "get_order_book": _order_book,
        "get_last_trades_by_instrument": _last_trades,
        "get_tradingview_chart_data": _chart,
        "get_funding_rate_history": _funding,
    }
)


def _result(result: Any) -> bytes:
    body = {"jsonrpc": "2.0", "result": result, "usIn": 0, "usOut": 0, "usDiff": 0,
            "testnet": False}  # fmt: skip
    return _response(200, body)


def _error(status: int, code: int, message: str, param: str = "") -> bytes:
    error: dict[str, Any] = {"code": code, "message": message}
    if param:
        error["data"] = {"reason": "wrong value", "param": param}
    return _response(status, {"jsonrpc": "2.0", "error": error, "testnet": False})


def _response(status: int, body: Any) -> bytes:
    headers = {"Content-Type": "application/json"}
    return response(status, headers, msgspec.json.encode(body), keep_alive=True)


def _instruments(query: dict[str, str], symbols: tuple[str, ...]) -> bytes:
    currency, kind = query.get("currency"), query.get("kind", "any")
    if currency != "any" and (currency is None or not currency.isupper()):
        return _error(400, _INVALID_PARAMS, "Invalid params", "currency")
    if kind not in ("any", "spot", "future", "option", "future_combo", "option_combo"):
        return _error(400, _INVALID_PARAMS, "Invalid params", "kind")
    rows = [_instrument(each) for each in symbols]
    return _result(
        [
            row
            for row in rows
            if kind in ("any", row["kind"]) and currency in ("any", row["settlement_currency"])
        ]
    )


def _instrument(symbol: str) -> dict[str, Any]:
    pair, *rest = symbol.split("-")
    base, _, quote = pair.partition("_")
    linear = bool(quote)
    option = len(rest) == 3
    spot = not rest
    told: dict[str, Any] = {
        "instrument_name": symbol,
        "kind": "spot" if spot else "option" if option else "future",
        "instrument_type": "linear" if linear else "reversed",
        "base_currency": base,
        "quote_currency": quote or (base if option else "USD"),
        "counter_currency": quote or "USD",
        "settlement_currency": quote or base,
        "price_index": f"{base}_{quote or 'USD'}".lower(),
        "tick_size": 0.01,
        "tick_size_steps": [],
        "min_trade_amount": 10.0,
        "contract_size": 10.0,
        "is_active": True,
        "expiration_timestamp": _NEVER_MS,
        "settlement_period": "perpetual",
    }
    if rest and rest[0] != "PERPETUAL":
        told |= {"settlement_period": "month", "expiration_timestamp": _expiry_ms(rest[0])}
    if option:
        told |= {"strike": float(rest[1].replace("d", ".")), "option_type": _SIDES[rest[2]]}
    return told


def _expiry_ms(date: str) -> int:
    """8:00 UTC of a day such as 3DEC21."""
    day = datetime.strptime(date, "%d%b%y").replace(tzinfo=UTC) + timedelta(hours=8)
    return round(day.timestamp() * 1000)
