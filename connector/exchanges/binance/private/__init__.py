"""Binance's private side: what `connector.trading.venue.Trading` asks for, of spot and of futures.

`shapes` has what Binance sends, `reading` turns it into reports, `requests` writes what is asked,
`refusals` says what its errors mean. `terms` is what all exchanges of Binance share, and `spot` and
`usdm` are the terms in which they differ; `coinm` is what differs from `usdm`.

Source: binance_trading.
"""

from connector.exchanges.binance.private.coinm import coinm_trading
from connector.exchanges.binance.private.spot import spot_trading
from connector.exchanges.binance.private.terms import BinanceTrading
from connector.exchanges.binance.private.usdm import usdm_trading

__all__ = ["BinanceTrading", "coinm_trading", "spot_trading", "usdm_trading"]
