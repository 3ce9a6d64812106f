"""The public part of Kraken's REST interfaces: what is traded.

Source: kraken §7, kraken_futures_v1, and stored answers.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec

from connector.testing.network.server_websocket import Request, response

_OLD_NAMES = {"BTC": "XBT", "DOGE": "XDG"}
_HEADERS = {"Content-Type": "application/json"}


def answer_spot(request: Request, symbols: tuple[str, ...]) -> bytes:
    """The whole HTTP response to a request of spot."""
    path = urlsplit(request.target).path
    body: dict[str, Any] = {"error": []}
    if request.method == "GET" and path == "/0/public/AssetPairs":
        body["result"] = dict(map(_pair, symbols))
    else:
        body["error"] = ["EGeneral:Unknown method"]
    # Slashes in names are escaped.
    text = msgspec.json.encode(body).replace(b"/", b"\\/")
    return response(200, _HEADERS, text, keep_alive=True)


def _pair(symbol: str) -> tuple[str, dict[str, Any]]:
    base, quote = (_OLD_NAMES.get(each, each) for each in symbol.split("/"))
    return f"{base}{quote}", {
        "altname": f"{base}{quote}", "wsname": f"{base}/{quote}", "aclass_base": "currency",
        "base": base, "aclass_quote": "currency", "quote": quote, "lot": "unit",
        "cost_decimals": 5, "pair_decimals": 2, "lot_decimals": 8, "lot_multiplier": 1,
        "ordermin": "0.001", "costmin": "0.5", "tick_size": "0.01", "status": "online",
        "execution_venue": "international",
    }  # fmt: skip


def answer_futures(request: Request, symbols: tuple[str, ...]) -> bytes:
    """The whole HTTP response to a request of the futures."""
    path = urlsplit(request.target).path
    if request.method != "GET" or path != "/derivatives/api/v3/instruments":
        return response(404, _HEADERS, b"", keep_alive=True)
    body = {"result": "success", "instruments": [_product(symbol) for symbol in symbols]}
    return response(200, _HEADERS, msgspec.json.encode(body), keep_alive=True)


def _product(symbol: str) -> dict[str, Any]:
    family, pair, *expiry = symbol.split("_")
    base, quote = _as_pair(pair)
    inverse = family.endswith("I")
    told: dict[str, Any] = {
        "symbol": symbol, "type": "futures_inverse" if inverse else "flexible_futures",
        "tickSize": 0.01, "contractSize": 1, "tradeable": True, "impactMidSize": 1.0,
        "maxPositionSize": 1_000_000.0, "openingDate": "2018-08-31T00:00:00Z",
        "contractValueTradePrecision": 0, "postOnly": False, "mtf": True,
        "base": base, "quote": quote, "pair": f"{base}:{quote}",
    }  # fmt: skip
    if expiry:
        year, month, day = expiry[0][:2], expiry[0][2:4], expiry[0][4:]
        told["lastTradingTime"] = f"20{year}-{month}-{day}T15:00:00.000Z"
    return told


def _as_pair(pair: str) -> tuple[str, str]:
    base = pair[:-3]
    return {"XBT": "BTC"}.get(base, base), pair[-3:]
