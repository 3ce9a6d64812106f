"""`Adapter`: subscribe to channels, watch the connections, read statistics, send requests.

`connector.adapter.opening` owns its nursery, so there is nothing to start or stop.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Literal, cast

import trio

from connector.account.account import Account
from connector.account.opening import AccountSettings, check_settings, run_account
from connector.account.running import RunningAccount
from connector.accounts import DeadMan, Timing
from connector.adapter.accounts import Accounts
from connector.adapter.book_subscription import BookSubscription
from connector.adapter.channel_streams import streams_of
from connector.adapter.journal import Journal
from connector.adapter.paging import fetch_pages
from connector.adapter.requesting import Requesting
from connector.adapter.runners import Loops
from connector.adapter.statistics import AdapterStatistics, summed
from connector.adapter.subscribing import Subscribing
from connector.adapter.symbol_check import SymbolCheck
from connector.adapter.wanted_streams import AnySubscription, Desired
from connector.channels import AnyChannel
from connector.errors import ConfigError, SubscriptionRejected
from connector.events import N_co
from connector.exchanges.protocol import AnyExchange, AnyStream, Exchange
from connector.feeds.buffer import Gaps, Overflow
from connector.feeds.delivery_delay import Delays
from connector.feeds.feed import Feed
from connector.feeds.lossy_buffers import make_buffer
from connector.feeds.subscription import Subscription
from connector.inputs.blocks import block
from connector.instruments import Instrument
from connector.keys import ApiKey
from connector.lifecycle import Lifecycle
from connector.link.link import Link
from connector.link.raw_frames import FrameItem
from connector.link.rest import Rest
from connector.link.settings import Settings
from connector.orders import Limits

_LIFECYCLE_BUFFER = 1024

_TIMING = Timing()


class Adapter(Subscribing[N_co], Requesting[N_co]):
    """The open connections to one exchange. `open_adapter` creates it.

    ``Adapter`` is short for ``Adapter[float]``. An exchange with ``numbers=Decimal`` gives you an
    ``Adapter[Decimal]``.
    """

    def __init__(self, settings: Settings, count_adapter_tasks: Callable[[], int]) -> None:
        self._settings = settings
        self._exchange = settings.exchange
        self._recorders = settings.recorders
        self._count_tasks = count_adapter_tasks
        self._loops = Loops(settings, self)
        self._changed = trio.Event()
        self._desired = Desired(self._loops, self)
        self._symbols = SymbolCheck(settings.exchange, self._loops)
        self._feeds: dict[Feed[object], dict[AnyChannel, AnySubscription]] = {}
        self._watchers: weakref.WeakSet[Feed[Lifecycle]] = weakref.WeakSet()
        self._delays = Delays()
        self._journal = Journal()
        self._accounts = Accounts()
        self._past_drops = self._past_replaced = 0
        self._closed = False

    @property
    def exchange(self) -> Exchange[N_co]:
        """The exchange of this adapter."""
        return self._exchange

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self._loops)} links"
        return f"<Adapter {self._exchange.name}, {state}>"

    # What a program uses; `Subscribing` has `subscribe`, `Requesting` the requests.

    async def wait_connected(self) -> None:
        """Wait until every link is connected and every subscription is acknowledged.

        After `reconnect`, it waits for the new connections. Without subscriptions, it connects to
        the exchange's default route. Executes a checkpoint.
        """
        self._check_open()
        await trio.lowlevel.checkpoint()
        while True:
            links = [link for link in self._loops if link.subscriptions]
            if not links:
                first = next(iter(self._loops), None) or self._loops.link_for(
                    self._exchange.default_route
                )
                first.connect()
                links = [first]
            if all(link.connected or link.state == "ended" for link in links):
                return
            await self._changed.wait()
            self._check_open()

    def reconnect(self) -> None:
        """Close the current connections. Each link opens a new one.

        Buffered events stay, and feeds with ``gaps=True`` yield a `Gap`. Nothing happens to a link
        that is not connected.
        """
        self._check_open()
        for link in self._loops:
            link.reconnect()

    def lifecycle(self) -> Feed[Lifecycle]:
        """A feed of connection events from now on (`connector.lifecycle`).

        The feed keeps the latest 1024 events. It ends with the adapter, after its buffered events:
        ``async for`` ends, and `Feed.receive` raises `trio.EndOfChannel`. Use ``with`` to close it
        earlier.
        """
        self._check_open()
        feed: Feed[Lifecycle] = Feed(
            self, make_buffer(_LIFECYCLE_BUFFER, Overflow.DROP_OLDEST, gaps=False)
        )
        self._watchers.add(feed)
        return feed

    @contextmanager
    def frames(
        self, *, buffer: int = 8192, overflow: Overflow = Overflow.BLOCK
    ) -> Iterator[Feed[FrameItem]]:
        """A feed of all undecoded frames from now on, for example to record them.

        It yields the frames of all subscriptions, including replies and announcements, the answers
        to REST requests, and the lifecycle events between them. If a connection is already open,
        the feed begins with a `Connected`, and with a `Subscribed` if every subscription is
        acknowledged. It does not affect feeds of events.

        Args:
            buffer: the number of frames that it can hold.
            overflow: what happens when the buffer is full. By default, the connections are not
                read, and no frame is lost. `Overflow.CONFLATE` is not possible.

        Raises:
            ConfigError: an argument is wrong.
            trio.ClosedResourceError: the adapter's block has been left.
        """
        self._check_open()
        if overflow is Overflow.CONFLATE:
            raise ConfigError(
                "frames(overflow=Overflow.CONFLATE): frames cannot replace each other; write "
                "Overflow.BLOCK, DROP_OLDEST or FAIL"
            )
        feed: Feed[FrameItem] = Feed(self, make_buffer(buffer, overflow, gaps=True))
        for link in self._loops:
            for event in link.present():
                feed.buffer.put(event)
        self._recorders.add(feed.buffer)
        self._recorders_changed()
        try:
            yield feed
        finally:
            feed.close()

    async def instruments(self, *, timeout: float = math.inf) -> tuple[Instrument, ...]:  # noqa: ASYNC109
        """Fetch all instruments of the exchange, including those that cannot be traded now.

        Args:
            timeout: seconds to wait. While the exchange does not answer, the request is repeated,
                and the lifecycle has the reason (`connector.lifecycle.RequestsFailing`).

        Raises:
            RequestRejected: the exchange rejected the request.
            ExchangeUnavailable: no answer arrived within `timeout`; the message has the reason.
            ConfigError: the exchange has no such request.
            trio.ClosedResourceError: the adapter's block has been left.

        Cancellation: the request is dropped.
        """
        self._check_open()
        return await fetch_pages(self._loops.rest(), self._exchange.instruments(), timeout)

    def open_account(
        self,
        key: ApiKey,
        *,
        name: str,
        limits: Limits,
        symbols: Iterable[str] = (),
        orphans: Literal["cancel", "adopt", "leave"] = "cancel",
        on_leave: Literal["cancel", "keep"] = "cancel",
        dead_man: DeadMan | None = None,
        bookmark: str | None = None,
        timing: Timing = _TIMING,
    ) -> AbstractAsyncContextManager[Account]:
        """Open an account for the length of a block. The block begins when it is synced.

        When you leave the block, for whatever reason, the account cancels its orders and confirms
        that they have ended.

        Args:
            key: signs the requests. Open only one account with a key at a time.
            name: 1 to 8 of ``a-z`` and ``0-9``. It is part of every order's client id, so the next
                run finds the orders again. Two programs on one account need two names.
            limits: limits that the account enforces for your program, or `Limits.none()`.
            symbols: symbols whose trades are read after a disconnect even if the account has not
                traded them yet.
            orphans: what to do with open orders of an earlier run with the same name.
            on_leave: whether to cancel or keep the orders when the block is left.
            dead_man: let the exchange cancel the orders when this program is silent.
            bookmark: `Account.bookmark` of an earlier run. The account reports the fills since
                then.
            timing: time limits of the account.

        Raises:
            ConfigError: an argument is wrong, or the exchange has no accounts.
            RequestRejected: the key does not exist, or may not read the account.
            HandshakeRejected: the exchange rejects the connection, and retrying cannot help.
            IdInUse, NameInUse: the account has ended. Its block is cancelled and raises this error.
                Other accounts and the adapter continue.
            OrdersLeft: the account could not confirm in time that some orders have ended; the error
                lists them. If the block raised an exception, that exception gets a note instead.
            trio.ClosedResourceError: the adapter's block has been left, before or meanwhile.

        Cancellation: the account still cancels and confirms the orders, within
        `Timing.leave_timeout`.
        """
        self._check_open()
        settings = check_settings(
            self._exchange,
            key,
            name=name,
            limits=limits,
            symbols=symbols,
            orphans=orphans,
            on_leave=on_leave,
            bookmark=bookmark,
            timing=timing,
            dead_man=dead_man,
        )
        return self._open_account(settings)

    @block("adapter.open_account(…) as account")
    @asynccontextmanager
    async def _open_account(self, settings: AccountSettings) -> AsyncIterator[Account]:
        with self._accounts.reserved(settings.key):
            instruments = await self.instruments()
            async with run_account(settings, self._settings, instruments, self) as account:
                yield account

    def statistics(self) -> AdapterStatistics:
        """Current values and totals of the adapter, its links, feeds and streams."""
        return summed(
            tasks=self._count_tasks(),
            sockets_open=self._loops.sockets_open(),
            links=tuple(link.statistics() for link in self._loops),
            feeds=tuple(feed.statistics() for feed in self._feeds),
            streams=self._desired.stream_statistics(),
            delivery=self._delays.statistics(),
            books=self._desired.book_statistics(),
            rest=self._loops.rest_statistics(),
            accounts=self._accounts.statistics(),
            past_gaps=self._desired.past_gaps,
            past_drops=self._past_drops,
            past_replaced=self._past_replaced,
        )

    # What a feed asks for (`connector.feeds.feed.FeedOwner`).

    async def add_channels(self, feed: Feed[object], channels: tuple[AnyChannel, ...]) -> None:
        """Subscribe `feed` to `channels` and wait for the acknowledgements.

        They are wanted from the call on, so that of this and `remove_channels` the later counts.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            self._check_open()
            attached = self._feeds.get(feed)
            if attached is None:
                raise trio.ClosedResourceError(
                    "this feed's subscription has ended; change a feed only inside its `async with`"
                )
            streams = streams_of(self._exchange, channels, self._desired.streams)
        except (ConfigError, trio.ClosedResourceError):
            await trio.lowlevel.cancel_shielded_checkpoint()
            raise
        added = [each for each in streams if each.channel not in attached]
        for stream in added:
            attached[stream.channel] = subscription = self._desired.want(stream)
            subscription.attach(feed.buffer)
        feed.buffer.channels = tuple(attached)
        feed.buffer.over = False
        awaited = [attached[stream.channel] for stream in streams]
        rejections: list[SubscriptionRejected] = []
        try:
            await trio.lowlevel.checkpoint()
            for subscription in awaited:
                try:
                    await subscription.wait_live(feed.buffer)
                except SubscriptionRejected as rejection:
                    rejections.append(rejection)
        except BaseException:
            for stream in added:
                self._detach(feed, stream.channel)
            raise
        if rejections:
            raise rejections[0]
        self._end_feed(feed)

    def remove_channels(self, feed: Feed[object], channels: tuple[AnyChannel, ...]) -> None:
        """End the subscription of `feed` to `channels`, however their symbols are spelled."""
        self._check_open()
        attached = self._feeds.get(feed)
        if attached is None:
            raise trio.ClosedResourceError(
                "this feed's subscription has ended; change a feed only inside its `async with`"
            )
        for stream in streams_of(self._exchange, channels, {}):
            spellings = [
                each
                for each, held in attached.items()
                if held.name == stream.name and type(each) is type(stream.channel)
            ]
            if spellings:
                exact = stream.channel in spellings
                self._detach(feed, stream.channel if exact else spellings[0])

    def remove_feed(self, feed: Feed[object]) -> None:
        """End the subscription of `feed`."""
        self._watchers.discard(cast("Feed[Lifecycle]", feed))
        if feed.buffer in tuple(self._recorders):
            self._recorders.remove(feed.buffer)
            self._recorders_changed()
        for channel in tuple(self._feeds.get(feed, ())):
            self._detach(feed, channel)
        if self._feeds.pop(feed, None) is not None:
            self._past_drops += feed.buffer.dropped
            self._past_replaced += feed.buffer.replaced

    def streams(self, feed: Feed[object]) -> tuple[AnyStream, ...]:
        """The exchange's names of the channels of `feed`."""
        return tuple(subscription.stream for subscription in self._feeds.get(feed, {}).values())

    # What a link tells (`connector.link.link.LinkOwner`).

    def rejected(self, subscription: Subscription | BookSubscription) -> None:
        """Remove a stream that the exchange rejected from all feeds; each may subscribe again."""
        for feed, attached in self._feeds.items():
            for channel, held in tuple(attached.items()):
                if subscription in (held, held.wire):
                    self._detach(feed, channel)

    def announce(self, event: Lifecycle) -> None:
        """Log `event` and put it into every lifecycle feed."""
        self._journal.tell(event, trio.current_time())
        if self._recorders:
            self._recorders.mark(event)
        for feed in tuple(self._watchers):
            feed.buffer.put(event)

    def doubts(self, link: Link, subscription: Subscription) -> None:
        """Check the symbol of a stream that delivers no data."""
        self._symbols.doubt(link, subscription)

    def ended(self, link: Link) -> None:
        """End the feeds whose source has ended."""
        for feed in self._feeds:
            self._end_feed(feed)
        if all(each.state == "ended" for each in self._loops):
            for buffer in self._recorders:
                buffer.end()

    def link_changed(self) -> None:
        """Note that the state of a link has changed."""
        self._changed.set()
        self._changed = trio.Event()

    # What an account tells (`connector.account.opening.AccountOwner`).

    def announce_private(self, event: Lifecycle) -> None:
        """As `announce`, but not recorded: recordings are of public data."""
        self._journal.tell(event, trio.current_time())
        for feed in tuple(self._watchers):
            feed.buffer.put(event)

    def opened(self, running: RunningAccount) -> None:
        """Add an account that is about to run."""
        self._check_open()
        self._accounts.add(running)

    def closed(self, running: RunningAccount) -> None:
        """Remove an account that has ended."""
        self._accounts.discard(running)

    # What the requests need (`connector.adapter.requesting.Requesting`).

    def _asked_exchange(self) -> AnyExchange:
        self._check_open()
        return self._exchange

    def _rest(self) -> Rest:
        return self._loops.rest()

    def _now_ns(self) -> int:
        return self._settings.now_ns()

    # Inside.

    @block("adapter.subscribe(…) as feed")
    @asynccontextmanager
    async def _subscribe(
        self, channels: tuple[AnyChannel, ...], capacity: int, overflow: Overflow, *, gaps: Gaps
    ) -> AsyncIterator[Feed[object]]:
        self._check_open()
        if not channels:
            raise ConfigError("subscribe() needs at least one channel, such as Trades('ETHUSDC')")
        buffer = make_buffer(capacity, overflow, gaps=gaps)
        feed: Feed[object] = Feed(self, buffer, self._delays)
        self._feeds[feed] = {}
        try:
            buffer.entering = True
            await self.add_channels(feed, channels)
            buffer.entering = False
            yield feed
        finally:
            feed.close()

    def _detach(self, feed: Feed[object], channel: AnyChannel) -> None:
        """Remove `channel` from `feed`; unsubscribe if no other feed reads it."""
        attached = self._feeds.get(feed, {})
        subscription = attached.pop(channel, None)
        if subscription is None:
            return
        feed.buffer.channels = tuple(attached)
        if any(each is subscription for each in attached.values()):
            return  # the same symbol, spelled in another case
        if all(each.full is not subscription.full for each in attached.values()):
            feed.buffer.leave(subscription.full)
        if subscription.detach(feed.buffer):
            self._desired.give_up(subscription.wire)

    def _recorders_changed(self) -> None:
        for link in self._loops:
            link.recorders_changed()

    def _end_feed(self, feed: Feed[object]) -> None:
        """End `feed` after its buffered events, if all its streams have ended."""
        attached = self._feeds.get(feed)
        if attached and all(each.wire.over for each in attached.values()):
            feed.buffer.end()

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError(
                "the adapter's block has been left; use an adapter only inside its `async with`"
            )

    def _leave(self) -> None:
        """Begin to end: no feed holds back its link any more, and every link leaves."""
        self._closed = True
        for feed in tuple(self._feeds):
            feed.close()
        self._loops.leave()
        self.link_changed()

    def _left(self) -> int:
        """Everything is gone: end the lifecycle feeds after what they hold; open sockets, if not.

        That no task is left is what leaving a nursery means.
        """
        self._journal.close(trio.current_time())
        for feed in tuple(self._watchers):
            feed.buffer.end()
        return self._loops.sockets_open() + self._accounts.sockets_open
