"""Contracts of COIN-M as ``exchangeInfo`` has them.

Source: binance_coinm §2.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from connector.testing.market.coinm_payloads import contract_dollars, is_perpetual, pair_of

NEVER_MS = 4_133_404_800_000
"""The delivery date of a perpetual contract."""


def contract_terms(symbol: str, status: str) -> dict[str, Any]:
    """A symbol in ``GET /dapi/v1/exchangeInfo``."""
    pair, perpetual = pair_of(symbol), is_perpetual(symbol)
    base = pair.removesuffix("USD")
    expires = datetime.strptime(symbol[-6:] + "+0000", "%y%m%d%z") if not perpetual else None
    at_eight = 8 * 3_600_000
    return {
        "symbol": symbol,
        "pair": pair,
        "contractType": "PERPETUAL" if perpetual else "CURRENT_QUARTER",
        "contractStatus": status,
        "contractSize": contract_dollars(symbol),
        "baseAsset": base,
        "quoteAsset": "USD",
        "marginAsset": base,
        "deliveryDate": (
            NEVER_MS if expires is None else int(expires.timestamp()) * 1000 + at_eight
        ),
        "pricePrecision": 2,
        "quantityPrecision": 0,
        "equalQtyPrecision": 4,
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": "0.01"},
            {"filterType": "LOT_SIZE", "minQty": "1", "stepSize": "1", "maxQty": "1000000"},
        ],
    }
