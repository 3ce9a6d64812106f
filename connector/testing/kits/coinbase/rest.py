"""The public part of Coinbase's REST interface: products, books, trades and candles.

Source: coinbase A2, A6.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from connector.testing.kits.coinbase import history
from connector.testing.market.history import market_takes
from connector.testing.network.server_websocket import Request, response

PRODUCTS = "/api/v3/brokerage/market/products"
FUTURES = "-CDE"
_REQUESTS, _WINDOW_SECONDS = 10, 1.0


def answer(request: Request, symbols: tuple[str, ...], market: Any) -> bytes:
    """The complete HTTP response to a request."""
    url = urlsplit(request.target)
    query = dict(parse_qsl(url.query))
    headers = {"Content-Type": "application/json"}
    if not market_takes(market, "public", _REQUESTS, _WINDOW_SECONDS):
        refused = {"error": "rate_limit_exceeded", "message": "too many requests"}
        return response(429, headers, msgspec.json.encode(refused), keep_alive=True)
    past = history.answer(url.path, query, market) if request.method == "GET" else None
    if past is not None:
        status, said = past
        return response(status, headers, msgspec.json.encode(said), keep_alive=True)
    if request.method != "GET" or url.path != PRODUCTS:
        return response(404, headers, b"", keep_alive=True)
    kind = query.get("product_type")
    rows = [_product(symbol, symbols) for symbol in symbols]
    rows = [row for row in rows if kind in (None, row["product_type"])]
    try:
        begin, limit = int(query.get("offset", "0")), int(query.get("limit", str(len(rows))))
    except ValueError:
        wrong = {"error": "INVALID_ARGUMENT", "error_details": "", "message": "limit"}
        return response(400, headers, msgspec.json.encode(wrong), keep_alive=True)
    page = rows[begin : begin + limit]
    body = {"products": page, "num_products": len(page), "pagination": None}
    return response(200, headers, msgspec.json.encode(body), keep_alive=True)


def _product(symbol: str, symbols: tuple[str, ...]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "product_id": symbol, "price": "", "base_increment": "0.001", "quote_increment": "0.01",
        "price_increment": "0.01", "base_min_size": "0.001", "base_max_size": "3400",
        "quote_min_size": "1", "quote_max_size": "150000000", "is_disabled": False,
        "trading_disabled": False, "cancel_only": False, "limit_only": False, "post_only": False,
        "auction_mode": False, "view_only": False, "new": False, "alias": "", "alias_to": [],
    }  # fmt: skip
    base, _, quote = symbol.partition("-")
    if symbol.endswith(FUTURES):
        details = {
            "venue": "cde", "contract_size": "0.01", "contract_expiry": "2026-12-26T16:00:00Z",
            "contract_expiry_type": "EXPIRING", "contract_root_unit": "BTC", "funding_rate": "",
        }  # fmt: skip
        return {
            **told, "product_type": "FUTURE", "status": "", "base_currency_id": "",
            "quote_currency_id": "USD", "base_increment": "1", "base_min_size": "1",
            "future_product_details": details,
        }  # fmt: skip
    return {
        **told, "product_type": "SPOT", "status": "online", "base_currency_id": base,
        "quote_currency_id": quote, "future_product_details": None,
    }  # fmt: skip
