"""The public part of OKX's REST interface: instruments and books.

Source: okx §5, §6.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from connector.testing.network.server_websocket import Request, response


def answer(request: Request, symbols: tuple[str, ...], market: Any) -> bytes:
    """The whole HTTP response to a request."""
    url = urlsplit(request.target)
    query = dict(parse_qsl(url.query))
    headers = {"Content-Type": "application/json"}
    body: dict[str, Any]
    if request.method == "GET" and url.path == "/api/v5/market/books":
        desk = getattr(market, "desks", {}).get(query.get("instId"))
        if desk is None:
            words = f"Instrument ID {query.get('instId')} doesn't exist."
            body = {"code": "51001", "msg": words, "data": []}
            return response(400, headers, msgspec.json.encode(body), keep_alive=True)
        market.advance()
        whole = f'{{"code":"0","msg":"","data":[{desk.whole_book()}]}}'.encode()
        return response(200, headers, whole, keep_alive=True)
    if request.method != "GET" or url.path != "/api/v5/public/instruments":
        return response(404, headers, b"", keep_alive=True)
    kind = query.get("instType")
    if kind not in ("SPOT", "SWAP", "FUTURES"):
        body = {"code": "51000", "msg": "Parameter instType error", "data": []}
        return response(400, headers, msgspec.json.encode(body), keep_alive=True)
    rows = [_instrument(symbol) for symbol in symbols]
    data = [row for row in rows if row["instType"] == kind]
    body = {"code": "0", "msg": "", "data": data}
    return response(200, headers, msgspec.json.encode(body), keep_alive=True)


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
