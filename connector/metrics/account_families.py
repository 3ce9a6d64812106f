"""The metrics of accounts: state, outcomes of orders, and use of the exchange's limits.

The label `account` is the exchange and the account's name, such as ``binance_usdm/mm1``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias, get_args

from connector.account.statistics import AccountStatistics
from connector.adapter.statistics import AdapterStatistics
from connector.metrics.family import Family, Samples
from connector.orders import OrderState

_More: TypeAlias = Iterable[tuple[tuple[str, ...], float]]
_STATES: tuple[str, ...] = get_args(OrderState)


def _each(read: Callable[[AccountStatistics], float]) -> Callable[[AdapterStatistics], Samples]:
    """One value of each account."""
    return lambda now: [((each.name,), read(each)) for each in now.accounts]


def _several(read: Callable[[AccountStatistics], _More]) -> Callable[[AdapterStatistics], Samples]:
    """Some values of each account, with labels of their own."""

    def samples(now: AdapterStatistics) -> Iterator[tuple[tuple[str, ...], float]]:
        for account in now.accounts:
            for labels, value in read(account):
                yield (account.name, *labels), value

    return samples


def _limits(account: AccountStatistics) -> Iterator[tuple[tuple[str, ...], float]]:
    for seconds, (used, limit) in account.limits_used.items():
        yield (f"orders {seconds:g} s",), used / limit
    for name, share in account.own_limits_used.items():
        yield (name,), share


ACCOUNT_FAMILIES = (
    Family(
        "connector_account_synced", "gauge", "1 while the account shows what the exchange has.",
        ("account",),
        _each(lambda each: each.synced),
    ),
    Family(
        "connector_account_unsynced_total", "counter", "Times that it lost its sync.", ("account",),
        _each(lambda each: each.unsynced),
    ),
    Family(
        "connector_account_tasks", "gauge", "Tasks alive in the account.", ("account",),
        _each(lambda each: each.tasks),
    ),
    Family(
        "connector_account_sockets_open", "gauge",
        "Its open connections: the private stream, order entry, and readings.", ("account",),
        _each(lambda each: each.sockets_open),
    ),
    Family(
        "connector_account_sessions_total", "counter",
        "Ends of sessions and failed attempts, by reason.", ("account", "link", "reason"),
        _several(
            lambda each: [
                ((link.name, reason), count)
                for link in (each.private, each.orders)
                for reason, count in link.reconnects.items()
            ]
        ),
    ),
    Family(
        "connector_account_orders", "gauge",
        "Its own orders by their present state; those that are over, for ten minutes.",
        ("account", "state"),
        _several(
            lambda each: [((state,), each.orders_by_state.get(state, 0)) for state in _STATES]
        ),
    ),
    Family(
        "connector_account_unknown_seconds", "gauge",
        "Age of the oldest order whose outcome is unknown; 0 if there is none.",
        ("account",),
        _each(lambda each: each.oldest_unknown_seconds),
    ),
    Family(
        "connector_account_other_orders", "gauge", "Open orders of others on the same account.",
        ("account",),
        _each(lambda each: each.other_orders),
    ),
    Family(
        "connector_account_orders_placed_total", "counter", "Orders that were made.", ("account",),
        _each(lambda each: each.placed),
    ),
    Family(
        "connector_account_orders_ended_total", "counter", "Orders by how they ended.",
        ("account", "state"),
        _several(lambda each: [((state,), count) for state, count in each.ended.items()]),
    ),
    Family(
        "connector_account_orders_late_total", "counter",
        "Orders that lived although they had been given up.", ("account",),
        _each(lambda each: each.late),
    ),
    Family(
        "connector_account_fills_total", "counter", "Trades of the account.", ("account",),
        _each(lambda each: each.fills),
    ),
    Family(
        "connector_account_fills_backfilled_total", "counter",
        "Of the trades, those that were read from its history.", ("account",),
        _each(lambda each: each.backfilled),
    ),
    Family(
        "connector_account_refusals_total", "counter",
        "Orders that the exchange refused, by reason.", ("account", "reason"),
        _several(lambda each: [((reason,), count) for reason, count in each.refusals.items()]),
    ),
    Family(
        "connector_account_limit_used_ratio", "gauge",
        "How much of a limit is used, the exchange's and the program's own; 1 is all.",
        ("account", "limit"),
        _several(_limits),
    ),
    Family(
        "connector_account_quotes_behind", "gauge",
        "Requests between the quotes and what is wanted.", ("account", "symbol"),
        _several(lambda each: [((quote.symbol,), quote.behind) for quote in each.quotes]),
    ),
    Family(
        "connector_account_quotes_behind_seconds", "gauge",
        "For how long the quotes have not been what is wanted.", ("account", "symbol"),
        _several(lambda each: [((quote.symbol,), quote.behind_seconds) for quote in each.quotes]),
    ),
)  # fmt: skip
