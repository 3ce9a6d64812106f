"""Local books whose snapshot comes in the stream: when to subscribe anew, when to fetch one."""

from __future__ import annotations

from typing import Any, cast

import attrs
import trio
from trio.testing import MockClock

from connector.adapter.book_subscription import BookSubscription
from connector.adapter.local_book import LocalBook
from connector.book import Extent
from connector.book.rules import BYBIT, OKX, OKX_REST, BookRules
from connector.channels import BookDeltas, OrderBook
from connector.errors import SubscriptionRejected
from connector.events import BookDelta, BookSnapshot, BookView, Gap, Level
from connector.exchanges.protocol import BookSource, RestRequest, Stream
from connector.feeds.backpressure import Full
from connector.feeds.buffer import Buffer, Overflow
from connector.feeds.lossy_buffers import make_buffer
from connector.feeds.subscription import Subscription
from connector.link.rest import Rest


def nothing(_: bytes) -> Any:
    raise AssertionError("nobody decodes here")


DELTAS: Stream[BookDelta] = Stream("deltas", "all", BookDeltas("X"), nothing)
REQUEST: RestRequest[BookSnapshot] = RestRequest("/book", 1, nothing)


@attrs.define
class Owner:
    """Notes what it is asked to subscribe to anew, and loses the stream as a link does."""

    refuses: bool = False
    asked: list[float] = attrs.Factory(list)

    def resubscribe(self, subscription: Subscription) -> bool:
        if self.refuses:
            return False
        self.asked.append(trio.current_time())
        subscription.lose("resubscribed", None, session=1)
        return True

    def release(self, subscription: BookSubscription) -> None:
        raise AssertionError

    def book_crossed(self, book: LocalBook, seconds: float) -> None:
        raise AssertionError

    def book_refused(self, book: LocalBook, error: SubscriptionRejected) -> None:
        raise AssertionError


@attrs.define
class Fetches:
    """What asks for snapshots over REST."""

    asked: list[LocalBook] = attrs.Factory(list)

    def ask(self, job: LocalBook, *, after: float = 0.0) -> None:
        self.asked.append(job)


@attrs.frozen
class Desk:
    wire: Subscription
    book: LocalBook
    buffer: Buffer[Any]
    owner: Owner
    rest: Fetches

    def come(self, *events: BookDelta | BookSnapshot) -> None:
        for event in events:
            self.wire.readers.put_run([event], "deltas")

    @property
    def synced(self) -> bool:
        return self.book.statistics().synced


def desk(rules: BookRules = BYBIT, fallback: BookRules | None = None) -> Desk:
    snapshot = None if fallback is None else REQUEST
    source = BookSource(DELTAS, rules, Extent(), snapshot, fallback=fallback)
    stream = Stream[Any]("book", "all", OrderBook("X"), nothing, book=source)
    owner, rest, wire = Owner(), Fetches(), Subscription(DELTAS, Full())
    book = LocalBook(stream, cast("Rest", rest), wire, owner)
    wire.attach(book)
    buffer = make_buffer(100, Overflow.BLOCK, gaps=True)
    book.attach(buffer)
    return Desk(wire, book, buffer, owner, rest)


LEVELS = {"bids": [Level(99.0, 1.0)], "asks": [Level(101.0, 1.0)]}


class Chained(BookDelta, gc=False, kw_only=True):
    previous: int

    @property
    def previous_update_id(self) -> int:
        return self.previous


def snapshot(number: int) -> BookSnapshot:
    return BookSnapshot(symbol="X", update_id=number, **LEVELS)  # type: ignore[arg-type]


def delta(number: int) -> Chained:
    return Chained(
        symbol="X", bids=[], asks=[], first_update_id=number, last_update_id=number,
        previous=number - 1,
    )  # fmt: skip


async def test_a_hole_is_mended_by_subscribing_anew(autojump_clock: MockClock) -> None:
    world = desk()
    world.come(snapshot(5), delta(6))
    assert world.synced and not world.owner.asked

    world.come(delta(8))
    assert not world.synced
    assert world.owner.asked == [0]

    world.come(delta(9), snapshot(20), delta(21))
    assert world.synced
    assert world.owner.asked == [0]
    told = world.buffer.take_all()
    kinds = [type(each) for each in told]
    assert kinds.count(Gap) == 1
    assert any(isinstance(each, BookView) for each in told)


async def test_a_book_that_is_opened_beside_deltas_gets_a_snapshot_of_its_own(
    autojump_clock: MockClock,
) -> None:
    world = desk()
    world.come(delta(9))
    assert world.owner.asked == [0]


async def test_a_loss_is_mended_at_once_and_not_with_the_next_delta(
    autojump_clock: MockClock,
) -> None:
    world = desk()
    world.come(snapshot(5))
    world.wire.lose("decode error", None, session=1)
    assert world.owner.asked == [0]


async def test_a_stream_that_the_connection_carries_is_not_subscribed_again(
    autojump_clock: MockClock,
) -> None:
    world = desk()
    world.come(snapshot(5))
    world.wire.lose("disconnected", None, session=1)
    assert not world.owner.asked


async def test_a_book_that_does_not_stay_synced_asks_less_and_less_often(
    autojump_clock: MockClock,
) -> None:
    world = desk()
    number = 10
    for _ in range(600):
        world.come(snapshot(number), delta(number + 5))
        number += 10
        await trio.sleep(1)
    pauses = [round(b - a) for a, b in zip(world.owner.asked, world.owner.asked[1:], strict=False)]
    assert pauses[:6] == [2, 4, 8, 16, 32, 64]
    assert set(pauses[6:]) == {64}

    world.come(snapshot(number))
    for _ in range(100):
        await trio.sleep(1)
        number += 1
        world.come(delta(number))
    before = len(world.owner.asked)
    world.come(delta(number + 5), snapshot(number + 10), delta(number + 20))
    await trio.sleep(3)
    world.come(delta(number + 30))
    assert len(world.owner.asked) == before + 2


async def test_a_request_that_could_not_be_made_is_made_with_the_next_delta(
    autojump_clock: MockClock,
) -> None:
    world = desk()
    world.owner.refuses = True
    world.come(delta(5))
    world.owner.refuses = False
    world.come(delta(6))
    assert world.owner.asked == [0]


async def test_a_snapshot_missing_in_the_stream_is_fetched(
    autojump_clock: MockClock,
) -> None:
    world = desk(OKX, OKX_REST)
    world.come(delta(5))
    await trio.sleep(2.9)
    world.come(delta(6))
    assert not world.rest.asked
    await trio.sleep(0.2)
    world.come(delta(7), delta(8))
    assert world.rest.asked == [world.book]
    assert not world.owner.asked

    assert world.book.begin()
    world.book.answered(snapshot(7))
    world.come(delta(9))
    assert world.synced


async def test_a_snapshot_that_came_once_in_the_stream_is_subscribed_and_not_fetched(
    autojump_clock: MockClock,
) -> None:
    world = desk(OKX, OKX_REST)
    world.come(snapshot(5), delta(7))
    assert not world.rest.asked
    assert world.owner.asked == [0]
    await trio.sleep(10)
    world.come(delta(9))
    assert not world.rest.asked
