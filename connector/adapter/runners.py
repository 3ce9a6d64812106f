"""The loops of an adapter: a link for each route and shard, and the loop that sends requests.

Only the owner of the nursery can start them. It does so one after another, when they are needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import trio

from connector.lifecycle import RequestsFailing, RequestsRecovered
from connector.link.link import Link, LinkOwner
from connector.link.raw_frames import RestAnswer
from connector.link.request_trouble import RestStatistics
from connector.link.rest import Rest
from connector.link.settings import Settings


class Loop(Protocol):
    """Something that runs in the adapter's nursery until it ends by itself."""

    @property
    def name(self) -> str: ...

    async def run(self) -> None: ...


class Loops:
    """The running loops, and those to start.

    Args:
        settings: the same for every link.
        owner: the adapter; every link tells it what happens.
    """

    def __init__(self, settings: Settings, owner: LinkOwner) -> None:
        self._settings = settings
        self._owner = owner
        self._links: list[Link] = []
        self._rest: Rest | None = None
        self._unstarted: list[Loop] = []
        self._wanted = trio.Event()
        self._leaving = False

    def __iter__(self) -> Iterator[Link]:
        """The links, oldest first."""
        return iter(self._links)

    def __len__(self) -> int:
        return len(self._links)

    def link_for(self, route: str) -> Link:
        """A link of `route` with room for one more stream."""
        limit = self._settings.exchange.limits.streams_per_connection
        for link in self._links:
            if link.route == route and len(link.subscriptions) < limit:
                return link
        shard = 1 + sum(link.route == route for link in self._links)
        name = f"{self._settings.exchange.name}/{route}" + (f"#{shard}" if shard > 1 else "")
        link = Link(self._settings, route, name, self._owner, self._links)
        self._links.append(link)
        self.start(link)
        return link

    def rest(self) -> Rest:
        """The loop that sends requests, which runs while there are any."""
        if self._rest is None:
            settings = self._settings
            name = f"{settings.exchange.name}/rest"
            self._rest = Rest(name, settings.exchange.rest, settings.dialer, self, settings.supply)
        return self._rest

    @property
    def replays(self) -> bool:
        """Whether a recording answers, so that nothing is dialled."""
        return self._settings.supply is not None

    def now_ns(self) -> int:
        """The clock that stamps received messages."""
        return self._settings.now_ns()

    def run_rest(self) -> None:
        """Start the loop of requests if requests wait (`connector.link.request_line.RestOwner`)."""
        self.start(self.rest())

    def answered(self, target: str, body: bytes) -> None:
        """Record the answer to a request (`connector.link.request_line.RestOwner`)."""
        settings = self._settings
        if settings.recorders:
            settings.recorders.mark(RestAnswer(target, settings.now_ns(), body))

    def announce(self, event: RequestsFailing | RequestsRecovered) -> None:
        """Report that requests fail or succeed again (`connector.link.request_line.RestOwner`)."""
        self._owner.announce(event)

    def rest_statistics(self) -> RestStatistics | None:
        """The statistics of the requests; None if there was none."""
        return None if self._rest is None else self._rest.statistics()

    def sockets_open(self) -> int:
        """The number of open descriptors of all loops."""
        links = sum(link.sockets_open() for link in self._links)
        return links + (0 if self._rest is None else self._rest.sockets_open)

    async def next_to_start(self) -> Loop | None:
        """Wait for a loop that is to be started; None when the adapter is left.

        Cancellation: nothing is lost.
        """
        while not self._unstarted and not self._leaving:
            self._wanted = trio.Event()
            await self._wanted.wait()
        return None if self._leaving else self._unstarted.pop(0)

    def leave(self) -> None:
        """End every loop, and start no other."""
        self._leaving = True
        for link in self._links:
            link.leave()
        if self._rest is not None:
            self._rest.leave()
        self._wanted.set()

    def start(self, loop: Loop) -> None:
        """Start a loop that ends by itself."""
        self._unstarted.append(loop)
        self._wanted.set()
