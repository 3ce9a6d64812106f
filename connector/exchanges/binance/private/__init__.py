"""Binance's private side: `connector.trading.venue.Trading` for spot and for futures.

`shapes` describes the messages of Binance, `reading` turns them into reports, `requests` writes
requests, and `refusals` gives the meaning of errors. `terms` is shared by all exchanges of Binance,
`spot` and `usdm` hold their differences, and `coinm` the differences from `usdm`.

Source: binance_trading.
"""

from connector.exchanges.binance.private.coinm import coinm_trading
from connector.exchanges.binance.private.spot import spot_trading
from connector.exchanges.binance.private.terms import BinanceTrading
from connector.exchanges.binance.private.usdm import usdm_trading

__all__ = ["BinanceTrading", "coinm_trading", "spot_trading", "usdm_trading"]
