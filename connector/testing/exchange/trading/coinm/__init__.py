"""COIN-M futures: what differs from USD-M in fields, wallets and methods.

Source: binance_trading §12, binance_coinm §2.
"""

from connector.testing.exchange.trading.coinm.fields import (
    order_of_event,
    order_of_reply,
    trade,
)

__all__ = ["order_of_event", "order_of_reply", "trade"]
