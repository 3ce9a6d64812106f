"""Every venue of the package conforms: one line each."""

from __future__ import annotations

from functools import partial

import pytest

from connector.exchanges import binance, bitget, bybit, coinbase, deribit, hyperliquid, kraken, okx
from connector.testing.conformance import Check, checks, simulated

BUSY_SECONDS = 140.0
"""Longer than any simulated server but Bybit's bears a client that sends nothing: Bitget's 127 s.

Bybit's server has the same limit for its three markets: one of them is watched for longer.
"""
brief = partial(simulated, busy_seconds=BUSY_SECONDS)
VENUES = (
    brief(binance.Spot, "binance_spot", "BTCUSDT", "ETHUSDT", unknown="NOPEUSDT"),
    brief(binance.UsdMFutures, "binance_usdm", "BTCUSDT", "ETHUSDT", unknown="NOPEUSDT"),
    brief(
        binance.CoinMFutures,
        "binance_coinm",
        "BTCUSD_PERP",
        "ETHUSD_PERP",
        "BTCUSD_261225",
        unknown="NOPEUSD_PERP",
    ),
    brief(kraken.Spot, "kraken", "BTC/USD", "ETH/USD", unknown="NOPE/USD"),
    brief(kraken.Futures, "kraken_futures", "PF_XBTUSD", "PF_ETHUSD", unknown="PF_NOPEUSD"),
    brief(kraken.Unified, "kraken_unified", "PF_XBTUSD", "PF_ETHUSD", unknown="PF_NOPEUSD"),
    brief(bybit.Spot, "bybit_spot", "BTCUSDT", "ETHUSDT", unknown="NOPEUSDT"),
    simulated(bybit.Linear, "bybit_linear", "BTCUSDT", "ETHUSDT", unknown="NOPEUSDT"),
    brief(bybit.Inverse, "bybit_inverse", "BTCUSD", "ETHUSD", unknown="NOPEUSD"),
    brief(bitget.Spot, "bitget_spot", "BTCUSDT", "ETHUSDT", unknown="NOPEUSDT"),
    brief(bitget.Futures, "bitget_futures", "BTCUSDT", "ETHPERP", unknown="NOPEUSDT"),
    brief(deribit.Deribit, "deribit", "BTC-PERPETUAL", "ETH_USDC", unknown="XX-PERPETUAL"),
    brief(coinbase.AdvancedTrade, "coinbase", "BTC-USD", "ETH-USD", unknown="NOPE-USD"),
    brief(hyperliquid.Hyperliquid, "hyperliquid", "BTC", "@107", unknown="NOPE"),
    brief(okx.Okx, "okx", "BTC-USDT-SWAP", "ETH-USDT-SWAP", unknown="XX-USDT-SWAP"),
)


@pytest.mark.parametrize("check", checks(*VENUES), ids=str)
def test_the_venue_conforms(check: Check) -> None:
    check()
