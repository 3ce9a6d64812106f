"""The faults that the explorer can apply to an account at a step, beside connection faults.

Most of these faults are armed at a step and strike later: the plan arms a lost reply, and the next
reply is lost. Such a fault names the action that it waits for. A sweep arms it once between two
such actions and not at every step between them, because those runs would be the same.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING

from connector.testing.explore.step_fault import StepFault

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


def _break(*, newest: bool) -> StepFault:
    """Break one of an account's two connections; they are numbered in the order of opening."""

    def strike(stage: Stage) -> None:
        served = stage.served()
        if served:
            served[-1 if newest else 0].reset()

    return StepFault(strike, needs_connection=True, needs_served=2 if newest else 1)


def _request(act: Callable[[Trading], object]) -> StepFault:
    """Strike the next request about an order."""
    return StepFault(_to(act), waits_for=("request order.*",))


def _reply(act: Callable[[Trading], object]) -> StepFault:
    return StepFault(_to(act), waits_for=("reply order.*",))


def _event(act: Callable[[Trading], object]) -> StepFault:
    return StepFault(_to(act), waits_for=("event *",))


def _open_order(act: Callable[[Trading, Order], object]) -> StepFault:
    return StepFault(_first_open(act), needs_order=True)


TRADING_FAULTS: MappingProxyType[str, StepFault] = MappingProxyType(
    {
        "reset_oldest": _break(newest=False),
        "reset_newest": _break(newest=True),
        "lose_reply": _reply(lambda it: it.lose_reply(REQUESTS)),
        "lose_request": _request(lambda it: it.lose_request(REQUESTS)),
        "cut_request": _request(lambda it: it.cut_request(REQUESTS)),
        "cut_reply": _reply(lambda it: it.cut_reply(REQUESTS, after_bytes=40)),
        "late_reply": _reply(lambda it: it.late_reply(LATE_SECONDS, REQUESTS)),
        "double_reply": _reply(lambda it: it.double_reply(REQUESTS)),
        "unknown_done": _request(lambda it: it.unknown_503(REQUESTS, effect=True)),
        "unknown_not_done": _request(lambda it: it.unknown_503(REQUESTS, effect=False)),
        "overload": _request(lambda it: it.overload(REQUESTS)),
        "lose_event": _event(lambda it: it.lose_event()),
        "double_event": _event(lambda it: it.double_event(times=2)),
        "late_event": _event(lambda it: it.late_event(1.0)),
        "swap_events": _event(lambda it: it.swap_events()),
        "lag_queries": StepFault(_lag_queries, waits_for=("carry *", "reply order.*")),
        "slow_gateway": StepFault(
            _to(lambda it: it.delay_gateway(SLOW_SECONDS)), waits_for=("request *",)
        ),
        "slow_engine": StepFault(
            _to(lambda it: it.delay_engine(SLOW_SECONDS)), waits_for=("request *", "engine *")
        ),
        "expire_key": StepFault(_expire_keys, waits_for=("request *", "event *", "listen *")),
        "fill": _open_order(lambda it, order: it.fill(order)),
        "fill_unheard": _open_order(_fill_unheard),
        "expire": _open_order(lambda it, order: it.expire(order)),
    }
)
"""Fault by name."""
