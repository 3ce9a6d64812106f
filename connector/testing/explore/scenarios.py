"""The scenarios that this package's own adapter is explored in: a table, by name."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import Any

import attrs

from connector import Overflow
from connector.channels import AggregateTrades, OrderBook
from connector.errors import OrdersLeft
from connector.testing.explore import trading_programs
from connector.testing.explore.backfill_programs import backfill
from connector.testing.explore.book_programs import book, instruments, synced_only
from connector.testing.explore.numbered_book import NumberedBook
from connector.testing.explore.numbered_trades import NumberedTrades
from connector.testing.explore.programs import (
    _NOTICE_SECONDS,
    backoff,
    bounded,
    connect,
    flap,
    merged,
    narrow,
    reconnect,
    rejected,
    resubscribe,
    slow,
    spot,
    storm,
    stream,
    three_links,
    three_routes,
    unread,
    usdm,
)
from connector.testing.explore.scenario import Program, Scenario
from connector.testing.explore.trading_faults import TRADING_FAULTS
from connector.testing.explore.venue_scenarios import VENUE_SCENARIOS
from connector.testing.faults.faults import Fault, When
from connector.testing.market.order_flow import OrderFlow

_SLOW = tuple(
    Scenario(
        name=f"slow_{overflow.value}",
        program=partial(slow, overflow=overflow),
        most_tasks=9,
        groups=True,
    )
    for overflow in Overflow
)
_BOUNDED = tuple(
    Scenario(name=f"bounded_{overflow.value}", program=partial(bounded, overflow=overflow))
    for overflow in Overflow
)

_AFTER_THE_FIRST = When(first=2)
"""The first connection carries the deltas, the second asks for the snapshot."""


def _book(name: str, program: Program, **options: Any) -> Scenario:
    given: dict[str, Any] = {
        "links": 2,
        "links_per_route": 1,
        "most_tasks": 12,
        "source": NumberedBook(),
        **options,
    }
    return Scenario(name=name, program=program, **given)


_BOOKS = (
    _book("book", book),
    _book("book_spot", partial(book, describe=spot), venue="binance_spot"),
    _book("book_tls", book, tls=True),
    # Two books of the same deltas, so that two snapshots wait in the queue.
    _book(
        "book_two", partial(book, channels=(OrderBook("ETHUSDC"), OrderBook("ETHUSDC", depth=5)))
    ),
    _book("book_synced_only", synced_only),
    _book(
        "book_late",  # many deltas wait when the snapshot arrives
        partial(book, faults=(Fault("late_answer", _AFTER_THE_FIRST, after_seconds=1.25),)),
        source=NumberedBook(every_seconds=0.25),
    ),
    _book(
        "book_failing",
        partial(
            book,
            faults=(
                Fault("accept_close", _AFTER_THE_FIRST, times=1),
                Fault("http_status", _AFTER_THE_FIRST, times=1, status=503),
                Fault("http_status", _AFTER_THE_FIRST, times=1, status=200, body="{"),
                Fault("handshake_hang", _AFTER_THE_FIRST, times=1),
            ),
        ),
    ),
    _book("book_stale", book, source=NumberedBook(stale=2)),
    _book(
        "book_stale_spot",
        partial(book, describe=spot),
        venue="binance_spot",
        source=NumberedBook(stale=2),
    ),
    _book(
        "book_429",
        partial(
            book,
            faults=(
                Fault("http_status", _AFTER_THE_FIRST, times=2, status=429, retry_after=2.0),
                Fault("http_status", _AFTER_THE_FIRST, times=1, status=418, retry_after=4.0),
            ),
        ),
        limit_seconds=300.0,  # after repeated bans, the adapter waits for 60 s, then for 120 s
    ),
    _book("instruments", instruments),
)


def _backfill(name: str, **options: Any) -> Scenario:
    given = {name: options.pop(name) for name in ("venue",) if name in options}
    return Scenario(
        name=name,
        program=partial(backfill, **options),
        links=2,
        links_per_route=1,
        most_tasks=12,
        source=NumberedTrades(),
        **given,
    )


_AGGREGATES = AggregateTrades("ETHUSDC", backfill=True)
_BACKFILLS = (
    _backfill("backfill", venue="binance_spot"),
    _backfill("backfill_aggregates", describe=usdm, channel=_AGGREGATES),
    _backfill("backfill_newest", describe=usdm),  # trades before the newest ones are lost
    _backfill("backfill_slow", venue="binance_spot", buffer=2, slow_seconds=0.1),
    _backfill(
        "backfill_failing",
        venue="binance_spot",
        faults=(
            Fault("http_status", times=1, status=503),
            Fault("accept_close", times=1),
            Fault("http_status", times=1, status=200, body="["),
            Fault("handshake_hang", times=1),
        ),
    ),
)

_ACCOUNT: dict[str, Any] = {
    # Two private connections, and the connections for requests.
    "links": 12,
    "links_per_route": 2,
    "most_tasks": 60,
    "source": OrderFlow(rate_per_second=1e-6),
    "exchange_options": {"accounts": (trading_programs.TRADER,)},
    "limit_seconds": 900.0,
    "leave_seconds": 70.0,
    "cancel_seconds": 70.0,
    "faults": tuple(TRADING_FAULTS),
    # Orders that cannot be confirmed are named in the error.
    "errors": (OrdersLeft,),
}
_FAULTS_OF_SPOT = tuple(name for name in TRADING_FAULTS if name != "expire_key")
"""Spot has no listen keys."""


def _account(name: str, program: Any, **options: Any) -> tuple[Scenario, Scenario]:
    """Make the scenario for futures and for spot."""
    given = {**_ACCOUNT, **options}
    return (
        Scenario(name=name, program=program, **given),
        Scenario(
            name=f"{name}_spot",
            program=partial(program, describe=spot),
            venue="spot",
            **{**given, "faults": _FAULTS_OF_SPOT},
        ),
    )


_MOVING = OrderFlow(rate_per_second=20.0, seed=3)
_CONTRACTS = OrderFlow(symbols=(trading_programs.CONTRACT,), rate_per_second=1e-6)
_ACCOUNTS = (
    *_account("trade", trading_programs.trade),
    Scenario(
        name="trade_coinm",
        program=trading_programs.trade_contracts,
        venue="binance_coinm",
        **{**_ACCOUNT, "source": _CONTRACTS},
    ),
    *_account("leave_at_once", trading_programs.leave_at_once),
    _account("amend", trading_programs.amend)[0],
    *_account("quote", trading_programs.quote),
    *_account("quote_moving", partial(trading_programs.quote, away=1), source=_MOVING),
    *_account("crash_and_return", trading_programs.crash_and_return),
    *_account("same_name", trading_programs.same_name),
)

_UNREAD = Scenario(name="unread", program=unread)

SCENARIOS: MappingProxyType[str, Scenario] = MappingProxyType(
    {
        scenario.name: attrs.evolve(scenario, notice_seconds=_NOTICE_SECONDS)
        for scenario in (
            Scenario(name="connect", program=connect),
            Scenario(name="stream", program=stream),
            Scenario(name="spot", program=partial(stream, describe=spot), venue="binance_spot"),
            Scenario(name="tls", program=stream, tls=True),
            Scenario(name="backoff", program=backoff),
            Scenario(name="reconnect", program=reconnect),
            Scenario(
                name="planned_end",
                program=partial(stream, describe=spot, events=10),
                venue="binance_spot",
                exchange_options={"lifetime_seconds": 3.0, "shutdown_notice_seconds": 2.0},
            ),
            Scenario(name="resubscribe", program=resubscribe),
            Scenario(name="rejected", program=rejected),
            Scenario(
                name="routes",  # three of them
                program=partial(three_links, describe=three_routes),
                links=3,
                links_per_route=1,
                most_tasks=20,
            ),
            Scenario(
                name="shards",  # two of one route, and another route
                program=partial(three_links, describe=narrow),
                links=3,
                links_per_route=2,
                most_tasks=20,
            ),
            Scenario(name="merged", program=merged, links=2, most_tasks=16, leave_seconds=6.0),
            Scenario(name="flap", program=flap),
            Scenario(name="storm", program=storm),
            *_BOOKS,
            *_BACKFILLS,
        )
    }
    | {scenario.name: scenario for scenario in (*_SLOW, *_BOUNDED, _UNREAD, *_ACCOUNTS)}
    | dict(VENUE_SCENARIOS)
)
"""Scenario by name."""

SHORT = ("connect", "stream")
"""The scenarios in which pairs of faults are tried."""
