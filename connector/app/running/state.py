"""The state of a run at one moment, for its live page and ``connector top``.

The structs are what ``/state`` answers as JSON. Prices and quantities are text, as they are shown.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal

import msgspec

from connector import Adapter
from connector._version import __version__
from connector.app.naming import write_channel
from connector.app.running.account_lines import AccountLine, account_lines
from connector.app.running.history import SAMPLE_SECONDS, History
from connector.app.running.market_board import MarketBoard, Top
from connector.app.running.readiness import STUCK_SECONDS, unready
from connector.app.running.service import Service
from connector.app.running.sink_slot import AnySlot
from connector.errors import DecodeError
from connector.events import Number
from connector.lifecycle import Lifecycle

NS_PER_SECOND = 1_000_000_000
RECENT = 15
TOPS = 40
"""Tops of books that are shown; of more there is the number."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the state."""


class LinkLine(Line, frozen=True):
    """A link."""

    name: str
    state: str
    session: int
    streams: int
    messages: int
    messages_per_second: float
    wire_bytes: int
    bytes_per_second: float
    lag_ms: float | None
    reconnects: dict[str, int]


class BookLine(Line, frozen=True):
    """A local book."""

    name: str
    synced: bool
    levels: int
    losses: int
    unsynced_seconds: float
    cause: str


class SilentLine(Line, frozen=True):
    """A stream that is silent for longer than its limit."""

    name: str
    seconds: float


class CurvesLine(Line, frozen=True):
    """The last ten minutes; None where there is no value."""

    step_seconds: float
    messages_per_second: tuple[float | None, ...]
    lag_ms: tuple[float | None, ...]
    reconnects: tuple[float | None, ...]


class AdapterLine(Line, frozen=True):
    """An adapter."""

    name: str
    exchange: str
    tasks: int
    sockets: int
    links: tuple[LinkLine, ...]
    books: tuple[BookLine, ...]
    silent: tuple[SilentLine, ...]
    curves: CurvesLine


class TopLine(Line, frozen=True):
    """The top of a book; a side is empty text where there is none."""

    adapter: str
    symbol: str
    channel: str
    bid: str
    bid_quantity: str
    ask: str
    ask_quantity: str
    spread: str
    synced: bool
    age_seconds: float


class TradeLine(Line, frozen=True):
    """A trade."""

    time_ns: int
    adapter: str
    symbol: str
    side: str
    price: str
    quantity: str


class GroupLine(Line, frozen=True):
    """A group of channels on its way into a sink."""

    name: str
    sink: str
    channels: int
    subscribed: bool
    refused: tuple[str, ...]


class SinkLine(Line, frozen=True):
    """A sink."""

    name: str
    kind: str
    events: int
    events_per_second: float
    waiting: int
    """Events that wait for it."""
    waiting_seconds: float
    """How long the oldest of them has waited."""
    lost: int
    state: str
    """``works``, or what is wrong."""


class EventLine(Line, frozen=True):
    """Something that happened to a connection."""

    time_ns: int
    """0 if it has no time of its own."""
    adapter: str
    text: str
    where: str


class State(Line, frozen=True):
    """The whole run."""

    version: str
    time_ns: int
    up_seconds: float
    reasons: tuple[str, ...]
    """Why it is not ready; empty if it is."""
    messages: int
    gaps: int
    drops: int
    adapters: tuple[AdapterLine, ...]
    accounts: tuple[AccountLine, ...]
    tops: tuple[TopLine, ...]
    more_tops: int
    """Tops that are left out."""
    trades: tuple[TradeLine, ...]
    groups: tuple[GroupLine, ...]
    sinks: tuple[SinkLine, ...]
    recent: tuple[EventLine, ...]
    """The newest first."""


def read_state(service: Service, history: History, board: MarketBoard) -> State:
    """The state of `service` now."""
    now_ns = time.time_ns()
    summary = service.summary()
    tops = board.tops()
    return State(
        version=__version__,
        time_ns=now_ns,
        up_seconds=summary.seconds,
        reasons=tuple(unready(service)),
        messages=summary.messages,
        gaps=summary.gaps,
        drops=summary.drops,
        adapters=tuple(_adapter(name, each, history) for name, each in service.adapters.items()),
        accounts=account_lines(service),
        tops=tuple(top_line(top, now_ns) for top in tops[:TOPS]),
        more_tops=max(len(tops) - TOPS, 0),
        trades=tuple(
            TradeLine(
                time_ns=trade.exchange_time_ns or trade.received_ns,
                adapter=adapter,
                symbol=trade.symbol,
                side=trade.side,
                price=str(trade.price),
                quantity=str(trade.quantity),
            )
            for adapter, trade in board.trades()
        ),
        groups=tuple(
            GroupLine(
                name=group,
                sink=sink,
                channels=len(pump.plan.channels),
                subscribed=pump.live,
                refused=tuple(map(write_channel, pump.refused)),
            )
            for (group, sink), pump in service.pumps.items()
        ),
        sinks=tuple(_sinks(service, history)),
        recent=tuple(told(name, event) for name, event in [*service.recent][: -RECENT - 1 : -1]),
    )


def _adapter(name: str, adapter: Adapter, history: History) -> AdapterLine:
    now = adapter.statistics()
    curves = history.curves(name)
    return AdapterLine(
        name=name,
        exchange=adapter.exchange.name,
        tasks=now.tasks,
        sockets=now.sockets_open,
        links=tuple(
            LinkLine(
                name=link.name,
                state=link.state,
                session=link.session,
                streams=link.streams,
                messages=link.messages,
                messages_per_second=history.rate(link.messages, "messages", name, link.name),
                wire_bytes=link.wire_bytes,
                bytes_per_second=history.rate(link.wire_bytes, "bytes", name, link.name),
                lag_ms=None if link.lag_seconds is None else link.lag_seconds * 1000,
                reconnects=dict(link.reconnects),
            )
            for link in now.links
        ),
        books=tuple(
            BookLine(
                name=title.removeprefix("book of "),
                synced=book.synced,
                levels=book.levels,
                losses=book.losses,
                unsynced_seconds=book.unsynced_seconds,
                cause=book.cause,
            )
            for title, book in now.books.items()
        ),
        silent=tuple(
            SilentLine(name=stream, seconds=each.silent_seconds)
            for stream, each in now.streams.items()
            if each.silent_seconds
        ),
        curves=CurvesLine(
            step_seconds=SAMPLE_SECONDS,
            messages_per_second=curves.messages_per_second,
            lag_ms=curves.lag_ms,
            reconnects=curves.reconnects,
        ),
    )


def _written(number: Number) -> str:
    """A number without an exponent: ``0.0000001``, not ``1e-07``."""
    return f"{Decimal(str(number)):f}"


def top_line(top: Top, now_ns: int) -> TopLine:
    """The top of a book as text, with an exact spread."""
    bid, bid_quantity = ("", "") if top.bid is None else map(_written, top.bid)
    ask, ask_quantity = ("", "") if top.ask is None else map(_written, top.ask)
    # Exact: 3000.01 less 2999.95 is 0.06 only in decimal numbers.
    both = top.bid is not None and top.ask is not None
    spread = f"{Decimal(ask) - Decimal(bid):f}" if both else ""
    return TopLine(
        adapter=top.adapter,
        symbol=top.symbol,
        channel=top.kind,
        bid=bid,
        bid_quantity=bid_quantity,
        ask=ask,
        ask_quantity=ask_quantity,
        spread=spread,
        synced=top.synced,
        age_seconds=max(now_ns - top.received_ns, 0) / NS_PER_SECOND,
    )


def _sinks(service: Service, history: History) -> Iterator[SinkLine]:
    for name, slot in service.slots.items():
        waiting = [
            *(each.waiting() for (_, sink), each in service.pumps.items() if sink == name),
            *(each.waiting() for (_, sink), each in service.frame_pumps.items() if sink == name),
        ]
        yield SinkLine(
            name=name,
            kind=slot.plan.kind,
            events=slot.events,
            events_per_second=history.rate(slot.events, "events", name),
            waiting=sum(count for count, _ in waiting),
            waiting_seconds=max((seconds for _, seconds in waiting), default=0.0),
            lost=slot.lost,
            state=state_of(slot),
        )


def state_of(slot: AnySlot) -> str:
    """How a sink is."""
    if slot.trouble.reason:
        return f"failed: {slot.trouble.reason}"
    seconds = slot.stuck_seconds
    return f"busy for {seconds:.0f} s" if seconds >= STUCK_SECONDS else "works"


def told(adapter: str, event: Lifecycle) -> EventLine:
    """A line about `event`."""
    if isinstance(event, DecodeError):
        return EventLine(time_ns=0, adapter=adapter, text="DecodeError", where=str(event))
    reason = getattr(event, "reason", "")
    return EventLine(
        time_ns=event.time_ns,
        adapter=adapter,
        text=type(event).__name__ + (f": {reason}" if reason else ""),
        where=f"{event.link}, session {event.session}",
    )
