"""The questions about what is traded, all of which are a POST to ``/info``.

Source: hyperliquid §9, §10.
"""

from __future__ import annotations

from typing import Any

import msgspec

from connector.testing.kits.hyperliquid.names import is_spot
from connector.testing.network.server_websocket import Request, response


def answer(request: Request, symbols: tuple[str, ...], market: Any) -> bytes:
    """The whole HTTP response to a request."""
    headers = {"Content-Type": "application/json"}
    if request.method != "POST" or request.target != "/info":
        return response(404, headers, b"", keep_alive=True)
    try:
        asked = msgspec.json.decode(request.body)
    except msgspec.DecodeError:
        asked = None
    answers = {"spotMeta": _spot, "allPerpMetas": _perpetuals}
    find = answers.get(asked.get("type", "")) if isinstance(asked, dict) else None
    if find is None:
        words = b"Failed to deserialize the JSON body into the target type"
        return response(422, {"Content-Type": "text/plain"}, words, keep_alive=True)
    return response(200, headers, msgspec.json.encode(find(symbols)), keep_alive=True)


def _perpetuals(symbols: tuple[str, ...]) -> list[dict[str, Any]]:
    universe = [
        {"name": symbol, "szDecimals": 3, "maxLeverage": 40}
        for symbol in symbols
        if not is_spot(symbol)
    ]
    return [{"collateralToken": 0, "marginTables": [], "universe": universe}]


def _spot(symbols: tuple[str, ...]) -> dict[str, Any]:
    """The base of a pair that has a number only is made up."""
    pairs = [symbol for symbol in symbols if is_spot(symbol)]
    tokens = [{"name": "USDC", "index": 0, "szDecimals": 8, "weiDecimals": 8}]
    universe = []
    for index, pair in enumerate(pairs, 1):
        base = pair.partition("/")[0] if "/" in pair else f"TOKEN{pair[1:]}"
        tokens.append({"name": base, "index": index, "szDecimals": 3, "weiDecimals": 8})
        universe.append({"name": pair, "tokens": [index, 0], "index": index})
    return {"tokens": tokens, "universe": universe}
