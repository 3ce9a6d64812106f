"""The demo's observations: samples of the adapter, data per link, stalls, the top of book."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from connector import Adapter
from connector.adapter.statistics import AdapterStatistics
from connector.app.demo.report import Report, Sample, Span, violations
from connector.app.demo.snapshot import LinkView, Rates, TopOfBook, View
from connector.channels import AnyChannel
from connector.events import BookSnapshot, Event, Quote
from connector.exchanges.protocol import Exchange
from connector.testing import SimulatedExchange

STALL_SECONDS = 8.0
"""Seconds without data after which a link has not recovered: an invariant is broken."""


class Watch:
    """The demo's memory.

    Args:
        channels: what is subscribed.
        description: the exchange as the adapter knows it: which channel travels on which route.
        adapter: what is watched.
        exchange: who counts connections independently of the adapter.
    """

    def __init__(
        self,
        channels: Sequence[AnyChannel],
        description: Exchange,
        adapter: Adapter,
        exchange: SimulatedExchange,
    ) -> None:
        self.breaks = 0
        self.samples: list[Sample] = []
        self._routes = {channel: description.stream(channel).route for channel in channels}
        self._adapter = adapter
        self._exchange = exchange
        self._began = trio.current_time()
        self._rates = Rates()
        self._top: TopOfBook | None = None
        self._heard: dict[str, tuple[int, float]] = {}
        self._sessions_heard: dict[str, int] = {}
        self._stalls: dict[str, str] = {}
        self._final: AdapterStatistics | None = None
        self._seconds = 0.0

    @property
    def seconds(self) -> float:
        """Time since `begin`."""
        return trio.current_time() - self._began

    @property
    def links(self) -> int:
        """The number of reconnect loops of the adapter."""
        return len(self._adapter.statistics().links)

    def begin(self) -> None:
        """Begin: everything is connected. Times and counts start here."""
        self._began = trio.current_time()
        self.samples.clear()
        self._stalls.clear()
        self.look()

    def end(self) -> None:
        """End: keep the last counts."""
        self._seconds = self.seconds
        self.look()
        if not self.is_settled():
            self._stalls.setdefault("the end", "at the end not every link had recovered")
        self._final = self._adapter.statistics()

    def see(self, event: Event) -> None:
        """Take an event as a consumer does."""
        match event:
            case Quote():
                self._top = TopOfBook(
                    event.symbol,
                    event.bid_price, event.bid_quantity, event.ask_price, event.ask_quantity,
                )  # fmt: skip
            case BookSnapshot(bids=[bid, *_], asks=[ask, *_]):
                self._top = TopOfBook(
                    event.symbol, bid.price, bid.quantity, ask.price, ask.quantity
                )

    def look(self) -> View:
        """Take a sample of the adapter."""
        now = self.seconds
        statistics = self._adapter.statistics()
        self.samples.append(
            Sample(now, statistics.tasks, statistics.sockets_open, statistics.wire_bytes)
        )
        self._rates.update(now, statistics)
        self._listen(now, statistics)
        return self._view(now, statistics)

    def is_settled(self) -> bool:
        """Whether every link is subscribed and has brought data in its present session."""
        links = self._adapter.statistics().links
        return len(links) == len(set(self._routes.values())) and all(
            link.state == "streaming" and self._sessions_heard.get(link.name) == link.session
            for link in links
        )

    def report(self, *, seed: int) -> Report:
        """The result; after the adapter's block, of which nothing may be left."""
        assert self._final is not None
        final, after = self._final, self._adapter.statistics()
        tasks = Span.of([sample.tasks for sample in self.samples])
        sockets = Span.of([sample.sockets for sample in self.samples])
        most = max(self._exchange.max_concurrent_by_route.values(), default=0)
        left_over = {
            "tasks": after.tasks,
            "sockets": after.sockets_open,
            "connections at the exchange": len(self._exchange.connections),
        }
        return Report(
            seconds=round(self._seconds, 3),
            seed=seed,
            links=len(final.links),
            breaks=self.breaks,
            sessions=final.sessions_opened,
            reconnects=dict(sorted(final.reconnects.items())),
            max_concurrent_connections=most,
            tasks=tasks,
            sockets=sockets,
            messages=final.messages,
            gaps=final.gaps,
            wire_bytes=final.wire_bytes,
            payload_bytes=final.payload_bytes,
            violations=violations(
                links=len(final.links),
                tasks=tasks,
                sockets=sockets,
                max_concurrent_connections=most,
                stalls=tuple(self._stalls.values()),
                left_over=[
                    f"{count} {what} left after the adapter's block"
                    for what, count in left_over.items()
                    if count
                ],
            ),
        )

    def _listen(self, now: float, statistics: AdapterStatistics) -> None:
        """Note which links bring data; a link that does not for too long has stalled."""
        for link in statistics.links:
            messages, when = self._heard.get(link.name, (-1, now))
            if link.messages != messages:
                self._heard[link.name] = link.messages, now
                if link.state == "streaming" and messages >= 0:
                    self._sessions_heard[link.name] = link.session
            elif now - when > STALL_SECONDS:
                self._stalls[link.name] = (
                    f"{link.name} brought no data for {STALL_SECONDS:g} s: {link.state}"
                )

    def _view(self, now: float, statistics: AdapterStatistics) -> View:
        gaps: dict[str, int] = {}
        for feed in statistics.feeds:
            for channel in feed.channels:
                route = self._routes[channel]
                gaps[route] = gaps.get(route, 0) + feed.gaps
        return View(
            seconds=now,
            links=tuple(
                LinkView(
                    link.name,
                    link.state,
                    link.session,
                    link.sockets_open,
                    link.tasks,
                    *self._rates.of(link.name),
                    link.reconnects,
                    gaps.get(link.route, 0),
                )
                for link in statistics.links
            ),
            tasks=statistics.tasks,
            sockets=statistics.sockets_open,
            server_connections=len(self._exchange.connections),
            messages=statistics.messages,
            wire_bytes=statistics.wire_bytes,
            gaps=statistics.gaps,
            top=self._top,
        )
