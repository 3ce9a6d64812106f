"""The private side of Binance COIN-M futures: what differs from USDⓈ-M.

.. code-block:: text

    quantities       are whole numbers of contracts, prices are dollars
    money            profit, fees and margin are in the coin: a wallet for each
    private stream   not split into routes: the listen key is in the path
    positions        every traded symbol is listed, flat ones too
    summary          none: each coin is a separate account
    conditional      orders are ordinary ones: listed, and cancelled, with the others

Source: binance_trading §12, binance_coinm §1, §2.
"""

from __future__ import annotations

from urllib.parse import quote

import attrs

from connector.exchanges.binance.private import reading, replies, requests, shapes, usdm
from connector.exchanges.binance.private.terms import BinanceTrading
from connector.exchanges.binance.private.usdm_events import of_market
from connector.trading.reports import BalanceReport
from connector.trading.venue import AccountReading, Request, StreamAccess, Window

_PREFIX = "/dapi/v1"

ORDER_WINDOWS = (Window(1200, 60.0),)
"""The limit of USD-M. The sample says 6000; the exchange is asked later (binance_trading §12)."""

_ACCOUNT = reading.decoder(shapes.FuturesAccount)


def _read_account(payload: bytes) -> AccountReading:
    return AccountReading(
        balances=tuple(
            BalanceReport(
                asset=each.asset,
                total=each.wallet_balance,
                available=each.available_balance,
                time_ns=reading.ns(each.update_time or None),
            )
            for each in _ACCOUNT(payload).assets
        ),
    )


def _stream(base: str, token: str) -> StreamAccess:
    """The only route."""
    return StreamAccess(url=f"{base}/ws/{quote(token, safe='')}")


COINM = attrs.evolve(
    usdm.USDM,
    name="binance_coinm",
    constants=attrs.evolve(
        usdm.CONSTANTS, source="binance_trading §12: taken to be those of USD-M; assumed"
    ),
    promises=attrs.evolve(usdm.PROMISES, conditional_count=True),
    order_windows=ORDER_WINDOWS,
    prefix=_PREFIX,
    lists_all_orders=False,
    orders_path="/ws-dapi/v1",
    order_limits=Request(
        what="order limits",
        over="rest",
        method=f"GET {_PREFIX}/exchangeInfo",
        parameters={},
        decode=replies.read_limits,
        signing="open",
        weight=1,
    ),
    open_orders=(requests.open_orders(f"{_PREFIX}/openOrders", 40),),
    reading=(
        usdm.part("account", f"GET {_PREFIX}/account", _read_account, 5),
        usdm.part("positions", f"GET {_PREFIX}/positionRisk", usdm.read_positions, 1),
        usdm.part("position mode", f"GET {_PREFIX}/positionSide/dual", usdm.read_mode, 30),
    ),
    events=of_market(coin_margined=True),
    cancel_conditional=None,
    dead_man=usdm.dead_man(_PREFIX),
    token=usdm.listen_key(_PREFIX),
    stream=_stream,
)
"""It uses the error table of USD-M, because no separate list is known."""


def coinm_trading(*, stream_base: str, orders: str, rest: str) -> BinanceTrading:
    """The private side of COIN-M futures at these addresses: bases, without a path."""
    return BinanceTrading(terms=COINM, stream_base=stream_base, orders=orders, rest=rest)
