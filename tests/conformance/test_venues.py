"""Every venue of the package conforms: one line each."""

from __future__ import annotations

import pytest

from connector.exchanges import binance, bitget, bybit, coinbase, deribit, hyperliquid, kraken, okx
from connector.testing.conformance import Check, checks, simulated

VENUES = (
    simulated(binance.Spot, "binance_spot", "BTCUSDT", "ETHUSDT", unknown="NOPEUSDT"),
    simulated(binance.UsdMFutures, "binance_usdm", "BTCUSDT", "ETHUSDT", unknown="NOPEUSDT"),
    simulated(
        binance.CoinMFutures,
        "binance_coinm",
        "BTCUSD_PERP",
        "ETHUSD_PERP",
        "BTCUSD_261225",
        unknown="NOPEUSD_PERP",
    ),
    simulated(kraken.Spot, "kraken", "BTC/USD", "ETH/USD", unknown="NOPE/USD"),
    simulated(kraken.Futures, "kraken_futures", "PF_XBTUSD", "PF_ETHUSD", unknown="PF_NOPEUSD"),
    simulated(bybit.Spot, "bybit_spot", "BTCUSDT", "ETHUSDT", unknown="NOPEUSDT"),
    simulated(bybit.Linear, "bybit_linear", "BTCUSDT", "ETHUSDT", unknown="NOPEUSDT"),
    simulated(bybit.Inverse, "bybit_inverse", "BTCUSD", "ETHUSD", unknown="NOPEUSD"),
    simulated(bitget.Spot, "bitget_spot", "BTCUSDT", "ETHUSDT", unknown="NOPEUSDT"),
    simulated(bitget.Futures, "bitget_futures", "BTCUSDT", "ETHPERP", unknown="NOPEUSDT"),
    simulated(deribit.Deribit, "deribit", "BTC-PERPETUAL", "ETH_USDC", unknown="XX-PERPETUAL"),
    simulated(coinbase.AdvancedTrade, "coinbase", "BTC-USD", "ETH-USD", unknown="NOPE-USD"),
    simulated(hyperliquid.Hyperliquid, "hyperliquid", "BTC", "@107", unknown="NOPE"),
    simulated(okx.Okx, "okx", "BTC-USDT-SWAP", "ETH-USDT-SWAP", unknown="XX-USDT-SWAP"),
)


@pytest.mark.parametrize("check", checks(*VENUES), ids=str)
def test_the_venue_conforms(check: Check) -> None:
    check()
