"""Binance's private side: what `connector.trading.venue.Trading` asks for, of spot and of futures.

`shapes` has what Binance sends, `reading` turns it into reports, `requests` writes what is asked,
`refusals` says what its errors mean, and `spot` and `usdm` put each of the two together.

Source: binance_trading.
"""

from connector.exchanges.binance.private.spot import SpotTrading
from connector.exchanges.binance.private.usdm import UsdMTrading

__all__ = ["SpotTrading", "UsdMTrading"]
