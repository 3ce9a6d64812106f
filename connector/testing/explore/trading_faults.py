"""What the explorer can do to an account at a step, besides all it can do to connections."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connector.testing.exchange.trading.control import Trading
    from connector.testing.exchange.trading.orders import Order
    from connector.testing.explore.stage import Stage

REQUESTS = "order.*"
LATE_SECONDS, LAG_SECONDS, SLOW_SECONDS = 7.0, 8.0, 1.5


def _to(act: Callable[[Trading], object]) -> Callable[[Stage], None]:
    def strike(stage: Stage) -> None:
        act(stage.exchange.trading)

    return strike


def _first_open(act: Callable[[Trading, Order], object]) -> Callable[[Stage], None]:
    """Do something to the oldest open order, if there is one."""

    def strike(stage: Stage) -> None:
        for account in stage.exchange.accounts.values():
            if account.open_orders:
                act(stage.exchange.trading, account.open_orders[0])
                return

    return strike


def _expire_keys(stage: Stage) -> None:
    for name in stage.exchange.accounts:
        stage.exchange.trading.expire_listen_key(name, announce=False)


def _lag_queries(stage: Stage) -> None:
    stage.exchange.trading.lag_queries(LAG_SECONDS)
    stage.exchange.trading.lose_reply(REQUESTS)


def _fill_unheard(trading: Trading, order: Order) -> None:
    trading.lose_event(times=3)
    trading.fill(order)


def _break(newest: bool) -> Callable[[Stage], None]:
    """Of an account's two connections one: they are opened one after the other."""

    def strike(stage: Stage) -> None:
        served = stage.served()
        if served:
            served[-1 if newest else 0].reset()

    return strike


TRADING_FAULTS: MappingProxyType[str, Callable[[Stage], None]] = MappingProxyType(
    {
        "reset_oldest": _break(newest=False),
        "reset_newest": _break(newest=True),
        "lose_reply": _to(lambda it: it.lose_reply(REQUESTS)),
        "lose_request": _to(lambda it: it.lose_request(REQUESTS)),
        "cut_request": _to(lambda it: it.cut_request(REQUESTS)),
        "cut_reply": _to(lambda it: it.cut_reply(REQUESTS, after_bytes=40)),
        "late_reply": _to(lambda it: it.late_reply(LATE_SECONDS, REQUESTS)),
        "double_reply": _to(lambda it: it.double_reply(REQUESTS)),
        "unknown_done": _to(lambda it: it.unknown_503(REQUESTS, effect=True)),
        "unknown_not_done": _to(lambda it: it.unknown_503(REQUESTS, effect=False)),
        "overload": _to(lambda it: it.overload(REQUESTS)),
        "lose_event": _to(lambda it: it.lose_event()),
        "double_event": _to(lambda it: it.double_event(times=2)),
        "late_event": _to(lambda it: it.late_event(1.0)),
        "swap_events": _to(lambda it: it.swap_events()),
        "lag_queries": _lag_queries,
        "slow_gateway": _to(lambda it: it.delay_gateway(SLOW_SECONDS)),
        "slow_engine": _to(lambda it: it.delay_engine(SLOW_SECONDS)),
        "expire_key": _expire_keys,
        "fill": _first_open(lambda it, order: it.fill(order)),
        "fill_unheard": _first_open(_fill_unheard),
        "expire": _first_open(lambda it, order: it.expire(order)),
    }
)
"""Name: what it does to the exchange."""
