"""Single requests of an adapter: books, trades, candles and funding rates, over REST.

The adapter sends them one after another on its connection for REST, within the exchange's limits,
together with those for order books. `connector.exchanges.requests` describes them.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, TypeVar, overload

import trio

from connector import channels
from connector.errors import ConfigError
from connector.events import BookSnapshot, Candle, Event, FundingRate, Gap, N_co, Trade
from connector.exchanges.pages import CandlePages, FundingPages
from connector.exchanges.protocol import AnyExchange, RestRequest
from connector.exchanges.requests import (
    check_interval,
    check_most,
    levels_to_ask,
    offered,
    requests_of,
)
from connector.inputs.validation import check_count, check_symbol, check_timeout
from connector.link.rest import Rest

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

NS_PER_MS = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEAST_NS = 10**17
"""In 1973; a smaller number of nanoseconds is one of another unit, such as seconds."""


def nanoseconds(name: str, moment: object) -> int:
    """A moment as nanoseconds since the epoch.

    Raises:
        ConfigError: it is neither an integer nor a `datetime.datetime` with a time zone, or an
            integer of another unit.
    """
    match moment:
        case datetime() if moment.tzinfo is not None:
            return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
        case int() if not isinstance(moment, bool) and (moment == 0 or moment >= _LEAST_NS):
            return moment
        case int() if not isinstance(moment, bool) and moment > 0:
            raise ConfigError(
                f"{name}={moment} is in 1970 as nanoseconds since the epoch; multiply seconds by "
                "1_000_000_000, milliseconds by 1_000_000, or pass a datetime with a time zone"
            )
    raise ConfigError(
        f"{name}={moment!r}: write nanoseconds since the epoch, or a datetime with a time zone, "
        "such as datetime(2026, 11, 25, tzinfo=UTC)"
    )


class CandleHistory(Generic[T_co]):
    """An async iterator over candles, oldest first. `Adapter.candles` creates it.

    It requests a page when you have read the previous one. If you stop reading, it requests nothing
    more. You do not have to close it.
    """

    def __init__(self, asking: Requesting[Any], pages: CandlePages, *, gaps: bool) -> None:
        self._asking = asking
        self._pages = pages
        self._gaps = gaps
        self._ready: deque[Any] = deque()
        self._busy = False
        self.missing: tuple[Gap, ...] = ()
        """Gaps in the exchange's history, in the part that has been requested so far."""
        self.requests: int = 0
        """The number of answered requests."""

    @property
    def through_ns(self) -> int:
        """End of the part that has been requested so far, nanoseconds since the epoch."""
        return self._pages.through_ms * NS_PER_MS

    def __aiter__(self) -> CandleHistory[T_co]:
        return self

    if not TYPE_CHECKING:  # a type checker refuses it already

        def __await__(self) -> NoReturn:
            raise TypeError("write `async for candle in adapter.candles(…)`, without await")

    async def __anext__(self) -> T_co:
        """Return the next candle. Executes a checkpoint.

        Raises:
            RequestRejected: the exchange rejected a request.
            trio.BusyResourceError: another task waits for the next candle.
            trio.ClosedResourceError: the adapter's block has been left.

        Cancellation: no candle is lost; the next call repeats the request.
        """
        if self._busy:
            raise trio.BusyResourceError("another task is reading these candles")
        if self._ready:
            await trio.lowlevel.checkpoint()
        self._busy = True
        try:
            while not self._ready:
                if self._pages.finished:
                    await trio.lowlevel.checkpoint()
                    raise StopAsyncIteration
                await self._turn_page()
        finally:
            self._busy = False
        item: T_co = self._ready.popleft()
        return item

    async def _turn_page(self) -> None:
        asking, pages = self._asking, self._pages
        reply = await asking._ask(pages.next_request(asking._now_ns() // NS_PER_MS))
        now_ns = asking._now_ns()
        self.requests += 1
        for item in pages.take(reply, now_ns // NS_PER_MS):
            item.received_ns = now_ns
            if isinstance(item, Gap):
                self.missing += (item,)
                if not self._gaps:
                    continue
            self._ready.append(item)


class Requesting(Generic[N_co]):
    """The single requests of an adapter, with numbers of the exchange's type."""

    async def depth(
        self,
        symbol: str,
        *,
        limit: int = 100,
        timeout: float = math.inf,  # noqa: ASYNC109
    ) -> BookSnapshot[N_co]:
        """Fetch the current book of `symbol`: the best `limit` levels of both sides.

        For a book that stays current, subscribe to `connector.channels.OrderBook`.

        Args:
            symbol: in any case.
            limit: the largest number of levels per side.
            timeout: seconds to wait. While the exchange does not answer, the request is repeated,
                and the lifecycle has the reason (`connector.lifecycle.RequestsFailing`).

        Raises:
            RequestRejected: the exchange rejected the request, for example an unknown symbol.
            ExchangeUnavailable: no answer arrived within `timeout`; the message has the reason.
            ConfigError: the exchange has no such request, or not so many levels.
            trio.ClosedResourceError: the adapter's block has been left.

        Cancellation: the request is dropped.
        """
        check_symbol(symbol)
        check_count("limit", limit)
        exchange, offer = self._offer("depth")
        check_timeout(timeout)
        levels = levels_to_ask(exchange.name, offer, limit)
        book: BookSnapshot[N_co] = await self._ask(offer.request(symbol, levels), timeout)
        book.received_ns = self._now_ns()
        for side in (book.bids, book.asks):
            del side[limit:]
        return book

    async def recent_trades(
        self,
        symbol: str,
        *,
        limit: int | None = None,
        timeout: float = math.inf,  # noqa: ASYNC109
    ) -> tuple[Trade[N_co], ...]:
        """Fetch the newest trades of `symbol`, oldest first.

        Args:
            symbol: in any case.
            limit: the largest number of trades. None means 100, or fewer if the exchange sends
                fewer at once.
            timeout: as in `depth`.

        Raises:
            RequestRejected, ExchangeUnavailable, ConfigError, trio.ClosedResourceError: as in
                `depth`.

        Cancellation: the request is dropped.
        """
        check_symbol(symbol)
        exchange, offer = self._offer("recent_trades")
        wanted = min(100, offer.most) if limit is None else check_count("limit", limit)
        check_most(exchange.name, "trades", offer.most, wanted)
        check_timeout(timeout)
        trades = await self._ask(offer.request(symbol, wanted), timeout)
        return tuple(self._stamped(trades[-wanted:]))

    @overload
    def candles(
        self,
        symbol: str,
        interval: str = ...,
        *,
        start: int | datetime,
        end: int | datetime | None = ...,
        gaps: Literal[False] = ...,
    ) -> CandleHistory[Candle[N_co]]: ...

    @overload
    def candles(
        self,
        symbol: str,
        interval: str = ...,
        *,
        start: int | datetime,
        end: int | datetime | None = ...,
        gaps: Literal[True],
    ) -> CandleHistory[Candle[N_co] | Gap]: ...

    def candles(
        self,
        symbol: str,
        interval: str = "1m",
        *,
        start: int | datetime,
        end: int | datetime | None = None,
        gaps: bool = False,
    ) -> CandleHistory[Any]:
        """Iterate over the candles of `symbol` that open from `start` to before `end`.

        The oldest candle comes first. A long period takes many requests. They are made as you
        read, as fast as the exchange's limits allow. The last candle may still change: then it is
        not `closed`, by the clock of this machine. Some exchanges do not count the trades of a
        candle.

        Args:
            symbol: in any case.
            interval: as the exchange writes it, such as "1m".
            start: nanoseconds since the epoch, or a datetime with a time zone.
            end: as `start`; by default, now.
            gaps: whether to yield a `Gap` where the exchange has no candles. Its `begin_ns` and
                `end_ns` have the period. `CandleHistory.missing` always has these gaps.

        Raises:
            ConfigError: the exchange has no such request or interval, or an argument is wrong.
            trio.ClosedResourceError: the adapter's block has been left.

        The iteration raises the errors of `CandleHistory.__anext__`.
        """
        exchange, offer = self._offer("candles")
        check_interval(exchange.name, offer, interval)
        begin_ns = nanoseconds("start", start)
        end_ns = self._now_ns() + 1 if end is None else nanoseconds("end", end)
        pages = CandlePages(
            offer,
            channels.Candles(symbol, interval),
            begin_ms=-(-begin_ns // NS_PER_MS),
            end_ms=-(-end_ns // NS_PER_MS),
        )
        return CandleHistory(self, pages, gaps=gaps)

    async def funding_rates(
        self,
        symbol: str,
        start: int | datetime,
        end: int | datetime | None = None,
        *,
        timeout: float = math.inf,  # noqa: ASYNC109
    ) -> tuple[FundingRate[N_co], ...]:
        """Fetch the funding rates of `symbol` from `start` to before `end`, oldest first.

        Args:
            symbol: in any case.
            start: as in `candles`.
            end: as in `candles`.
            timeout: as in `depth`, for all requests together.

        Raises:
            RequestRejected, ExchangeUnavailable, ConfigError, trio.ClosedResourceError: as in
                `depth`.

        Cancellation: the request is dropped.
        """
        check_symbol(symbol)
        check_timeout(timeout)
        _, offer = self._offer("funding_rates")
        begin_ns = nanoseconds("start", start)
        end_ns = self._now_ns() + 1 if end is None else nanoseconds("end", end)
        pages = FundingPages(offer, symbol, -(-begin_ns // NS_PER_MS), -(-end_ns // NS_PER_MS))
        deadline = trio.current_time() + timeout
        await trio.lowlevel.checkpoint()
        while not pages.finished:
            request = pages.next_request(self._now_ns() // NS_PER_MS)
            pages.take(await self._ask(request, deadline - trio.current_time()))
        return tuple(self._stamped(pages.result()))

    # What the adapter has for it.

    @abstractmethod
    def _asked_exchange(self) -> AnyExchange:
        """The exchange, while the adapter is open.

        Raises:
            trio.ClosedResourceError: the adapter's block has been left.
        """

    @abstractmethod
    def _rest(self) -> Rest:
        """What sends requests."""

    @abstractmethod
    def _now_ns(self) -> int:
        """The clock that stamps received messages."""

    def _offer(self, kind: str) -> tuple[AnyExchange, Any]:
        exchange = self._asked_exchange()
        return exchange, offered(exchange.name, requests_of(exchange), kind)

    async def _ask(self, request: RestRequest[T], timeout: float = math.inf) -> T:  # noqa: ASYNC109
        self._asked_exchange()
        return await self._rest().fetch(request, timeout)

    def _stamped(self, events: Iterable[T]) -> Iterable[T]:
        now_ns = self._now_ns()
        for event in events:
            assert isinstance(event, Event)
            event.received_ns = now_ns
            yield event


__all__ = ["CandleHistory", "Requesting"]
