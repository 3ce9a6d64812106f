"""The public part of OKX's REST interface: instruments, books, and the past.

Source: okx §5, §6.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from connector.testing.kits.okx import history
from connector.testing.market.history import history_of, market_takes
from connector.testing.market.matching import Scale
from connector.testing.network.server_websocket import Request, response

_INSTRUMENTS, _WINDOW_SECONDS = 20, 2.0


def answer(request: Request, scale: Scale, symbols: tuple[str, ...], market: Any) -> bytes:
    """The complete HTTP response to a request."""
    url = urlsplit(request.target)
    query = dict(parse_qsl(url.query))
    headers = {"Content-Type": "application/json"}
    body: dict[str, Any]
    if request.method == "GET" and url.path in history.ANSWERS:
        status, text = _past(url.path, query, scale, market)
        return response(status, headers, text.encode(), keep_alive=True)
    if request.method != "GET" or url.path != "/api/v5/public/instruments":
        return response(404, headers, b"", keep_alive=True)
    if not market_takes(market, url.path, _INSTRUMENTS, _WINDOW_SECONDS):
        text = _refusal("50011", "Too Many Requests")
        return response(429, headers, text.encode(), keep_alive=True)
    kind = query.get("instType")
    if kind not in ("SPOT", "SWAP", "FUTURES"):
        body = {"code": "51000", "msg": "Parameter instType error", "data": []}
        return response(400, headers, msgspec.json.encode(body), keep_alive=True)
    rows = [_instrument(symbol) for symbol in symbols]
    data = [row for row in rows if row["instType"] == kind]
    body = {"code": "0", "msg": "", "data": data}
    return response(200, headers, msgspec.json.encode(body), keep_alive=True)


def _past(path: str, query: dict[str, str], scale: Scale, market: Any) -> tuple[int, str]:
    """Status and body of an answer about books, trades, candles or funding."""
    answer_rows, most = history.ANSWERS[path]
    symbol = query.get("instId", "")
    known = history_of(market, symbol)
    if known is None:
        return 400, _refusal("51001", f"Instrument ID {symbol} doesn't exist.")
    if not market_takes(market, path, most, _WINDOW_SECONDS):
        return 429, _refusal("50011", "Too Many Requests")
    asked = history.Asked(query, symbol, known, market.desks[symbol], scale, market.now_ms)
    try:
        return 200, f'{{"code":"0","msg":"","data":[{answer_rows(asked)}]}}'
    except history.Refused as refused:
        return 400, _refusal(refused.code, str(refused))


def _refusal(code: str, message: str) -> str:
    return msgspec.json.encode({"code": code, "msg": message, "data": []}).decode()


def _instrument(symbol: str) -> dict[str, str]:
    base, quote, *more = symbol.split("-")
    told = {
        "instId": symbol, "state": "live", "tickSz": "0.01", "lotSz": "0.001", "minSz": "0.001",
        "maxLmtSz": "99999", "maxMktSz": "1000000", "expTime": "",
    }  # fmt: skip
    if more == ["SWAP"]:
        family = f"{base}-{quote}"
        linear = quote != "USD"
        return {
            **told, "instType": "SWAP", "instFamily": family, "uly": family, "baseCcy": "",
            "quoteCcy": "", "settleCcy": quote if linear else base,
            "ctType": "linear" if linear else "inverse", "ctVal": "0.01" if linear else "100",
            "ctMult": "1", "ctValCcy": base if linear else quote,
        }  # fmt: skip
    return {**told, "instType": "SPOT", "baseCcy": base, "quoteCcy": quote}
