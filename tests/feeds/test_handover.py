"""A step from a buffer to its consumer is the same compiled and in Python, and leaves nothing."""

from __future__ import annotations

import gc
import sys
import types
import weakref
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from itertools import accumulate, pairwise
from typing import Any, cast

import outcome
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import SlowConsumer
from connector.events import Trade
from connector.feeds.buffer import Buffer
from connector.feeds.feed import Feed
from connector.feeds.handover import HandoverInPython, HolderInPython
from connector.transport import compiled

if compiled.EXTENSION is None:
    pytest.skip(
        "connector.transport._speedups is not compiled here, or not wanted", allow_module_level=True
    )
COMPILED = compiled.EXTENSION


class Waits(Exception):
    """A step finds nothing."""


def kinds_of_handover() -> tuple[tuple[Any, Any], ...]:
    """Bases of a buffer and of a feed, in Python and compiled."""
    return (HolderInPython, HandoverInPython), (COMPILED.Holder, COMPILED.Handover)


def made(holder: Any, handover: Any, items: Any) -> tuple[Any, Any]:
    """A buffer that is drained when it is empty, and a feed of it whose steps do not wait."""

    class Held(holder):  # type: ignore[misc]
        def unblock_if_drained(self) -> None:
            self.blocking = bool(items)

    class Handed(handover):  # type: ignore[misc]
        async def _next(self) -> Any:
            if not items:
                raise Waits
            item = items.popleft()
            if self.buffer.blocking:
                self.buffer.unblock_if_drained()
            return item

        if handover is HandoverInPython:
            __anext__ = _next

    buffer, feed = Held(), Handed()
    buffer.blocking = False
    feed.buffer, feed._items, feed._pop = buffer, items, items.popleft
    return buffer, feed


async def awaited(step: Any) -> Any:
    return await step


def given_by(step: Any, *, by_hand: bool = False) -> Any:
    """What a step gives."""
    try:
        if by_hand:
            next(step.__await__())
        else:
            awaited(step).send(None)
    except StopIteration as stop:
        return stop.value
    except Waits:
        return Waits
    raise AssertionError("it waits")


@given(
    st.lists(st.sampled_from(["put", "step", "begin", "end", "by hand", "block", "plain", "not"])),
    st.sampled_from([7, (), (1, 2), StopIteration(3), ValueError("x"), None]),
)
def test_steps_of_a_feed(doing: list[str], item: Any) -> None:
    told: list[list[Any]] = []
    for bases in kinds_of_handover():
        items: deque[Any] = deque()
        buffer, feed = made(*bases, items)
        begun, said = deque[Any](), list[Any]()
        told.append(said)
        for each in doing:
            if each == "put":
                items.append(item)
            elif each == "step":
                said.append(given_by(feed.__anext__()))
            elif each == "begin":
                begun.append(feed.__anext__())
            elif each == "end" and begun:
                said.append(given_by(begun.popleft()))
            elif each == "by hand":
                said.append(given_by(feed.__anext__(), by_hand=True))
            elif each == "block":
                buffer.blocking = True
            elif each in {"plain", "not"}:
                feed._pop = items.popleft if each == "plain" else None
            said.append((len(items), buffer.blocking))
        for step in begun:  # a coroutine that is never awaited is complained of
            given_by(step)

    assert told[0] == told[1]


@pytest.mark.parametrize("bases", kinds_of_handover(), ids=["python", "compiled"])
def test_a_step_that_nobody_awaits_takes_nothing(bases: tuple[Any, Any]) -> None:
    items = deque([1])
    _, feed = made(*bases, items)

    step = feed.__anext__()

    assert list(items) == [1]
    assert given_by(step) == 1


@pytest.mark.parametrize("bases", kinds_of_handover(), ids=["python", "compiled"])
def test_steps_are_the_same_under_a_debugger(bases: tuple[Any, Any]) -> None:
    _, feed = made(*bases, deque([1, (2,)]))

    sys.settrace(lambda *_: None)
    try:
        found = [given_by(feed.__anext__()) for _ in range(3)]
    finally:
        sys.settrace(None)

    assert found == [1, (2,), Waits]


@pytest.mark.parametrize("bases", kinds_of_handover(), ids=["python", "compiled"])
def test_a_feed_is_let_go_with_what_it_holds(bases: tuple[Any, Any]) -> None:
    buffer, feed = made(*bases, deque())
    buffer.feed = feed
    seen = weakref.ref(buffer), weakref.ref(feed)

    del buffer, feed
    gc.collect()

    assert [each() for each in seen] == [None, None]


@pytest.mark.parametrize("bases", kinds_of_handover(), ids=["python", "compiled"])
def test_a_step_is_a_coroutine_of_one_item(bases: tuple[Any, Any]) -> None:
    items = deque([1, 2])
    _, feed = made(*bases, items)
    step = feed.__anext__()
    assert isinstance(step, Coroutine)
    assert given_by(step) == 1

    uses: tuple[Callable[[], object], ...] = (
        lambda: given_by(step), lambda: step.send(None), lambda: step.throw(KeyError()),
    )  # fmt: skip
    for use in uses:
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            use()
    step.close()

    assert list(items) == [2]


@pytest.mark.parametrize("bases", kinds_of_handover(), ids=["python", "compiled"])
def test_a_step_that_waited_is_over_as_well(bases: tuple[Any, Any]) -> None:
    items = deque([1])
    _, feed = made(*bases, items)
    step = feed.__anext__()
    items.clear()
    assert given_by(step) is Waits
    items.append(2)

    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        given_by(step)

    assert list(items) == [2]


@pytest.mark.parametrize("bases", kinds_of_handover(), ids=["python", "compiled"])
def test_an_exception_thrown_into_a_step_leaves_the_item_in_the_buffer(
    bases: tuple[Any, Any],
) -> None:
    items = deque([1])
    _, feed = made(*bases, items)

    for thrown in (KeyError("x"), KeyError):
        with pytest.raises(KeyError):
            feed.__anext__().throw(thrown)
    for wrong in ((), (1,), (1, 2, 3, 4)):
        step = feed.__anext__()
        with pytest.raises(TypeError):
            step.throw(*wrong)
        step.close()
        with pytest.raises(RuntimeError):
            given_by(step)

    assert list(items) == [1]


@pytest.mark.parametrize("bases", kinds_of_handover(), ids=["python", "compiled"])
def test_a_step_may_be_a_task_of_its_own(bases: tuple[Any, Any]) -> None:
    items = deque([1, 2, 3])
    _, feed = made(*bases, items)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(feed.__anext__)
            nursery.start_soon(anext, feed)

    trio.run(main)

    assert list(items) == [3]


def test_a_compiled_feed_without_an_attribute_says_so() -> None:
    items = deque([1])
    _, feed = made(*kinds_of_handover()[1], items)
    step = feed.__anext__()
    del feed.buffer

    with pytest.raises(AttributeError):
        given_by(step)

    assert list(items) == [1]


def test_nothing_is_left_behind() -> None:
    items: deque[Any] = deque()
    buffer, feed = made(*kinds_of_handover()[1], items)

    def blocks() -> int:
        for _ in range(500):
            items.extend([1, 2, 3])
            buffer.blocking = True
            feed.__anext__()
            for by_hand in (False, True, False, False):
                given_by(feed.__anext__(), by_hand=by_hand)
            items.append(1)
            late = feed.__anext__()
            items.clear()
            given_by(late)
        return sys.getallocatedblocks()

    blocks()
    counts = list(accumulate(range(6), lambda _, __: blocks(), initial=blocks()))
    # A leak of one object per turn would be 500 blocks each time.
    assert min(after - before for before, after in pairwise(counts)) < 100


# --- a step that waits: of a real feed, as `__anext__` makes it and as `_next` says it


def feed_of(buffer: Buffer[Any], seen: list[int] | None = None) -> Feed[Any]:
    feed: Feed[Any] = Feed(cast("Any", None), buffer)
    if seen is not None:
        feed._observe_since = seen.append
    return feed


def event(number: int) -> Trade:
    return Trade(symbol="A", price=1.0, quantity=1.0, side="buy", trade_id=number,
                 received_ns=number)  # fmt: skip


steps = pytest.mark.parametrize("step", [Feed.__anext__, Feed._next], ids=["compiled", "python"])


@steps
async def test_a_step_waits_for_an_item_and_tells_how_long_it_waited(step: Any) -> None:
    buffer: Buffer[Any] = Buffer(8, gaps=False)
    seen: list[int] = []
    feed, got = feed_of(buffer, seen), list[int]()

    async def consume() -> None:
        for _ in range(4):
            got.append((await step(feed)).trade_id)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        for numbers in ((1,), (2, 3), (4,)):
            await trio.testing.wait_all_tasks_blocked()
            assert buffer.has_waiter()
            buffer.put_run([event(number) for number in numbers], "a")

    assert got == [1, 2, 3, 4]
    # Once per batch.
    assert seen == [1, 2, 4]
    assert not buffer.has_waiter()


@steps
async def test_a_step_that_is_woken_for_nothing_waits_on(step: Any) -> None:
    buffer: Buffer[Any] = Buffer(8, gaps=False)
    feed = feed_of(buffer)

    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def consume() -> None:
            assert (await step(feed)).trade_id == 1

        await trio.testing.wait_all_tasks_blocked()
        buffer.wake()
        await trio.testing.wait_all_tasks_blocked()
        assert buffer.has_waiter()
        buffer.put(event(1))


@steps
@pytest.mark.parametrize(
    ("end", "raised"),
    [
        (lambda buffer: buffer.finish(), trio.ClosedResourceError),
        (lambda buffer: buffer.end(), StopAsyncIteration),
        (lambda buffer: buffer.fail(SlowConsumer("x")), SlowConsumer),
    ],
    ids=["closed", "over", "error"],
)
async def test_a_waiting_step_raises_the_error_that_ends_it(
    step: Any, end: Callable[[Buffer[Any]], None], raised: type[Exception]
) -> None:
    buffer: Buffer[Any] = Buffer(8, gaps=False)
    feed, found = feed_of(buffer), list[Any]()

    async def consume() -> None:
        try:
            await step(feed)
        except (Exception, StopAsyncIteration) as error:  # noqa: BLE001 - looked at below
            found.append(type(error))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        await trio.testing.wait_all_tasks_blocked()
        end(buffer)

    assert found == [raised]


@steps
async def test_a_step_that_waits_can_be_cancelled_and_another_waits_then(step: Any) -> None:
    buffer: Buffer[Any] = Buffer(8, gaps=False)
    feed = feed_of(buffer)

    with trio.move_on_after(0) as scope:
        await step(feed)
    assert scope.cancelled_caught
    assert not buffer.has_waiter()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(step, feed)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await step(feed)
        assert buffer.has_waiter()
        buffer.put(event(1))


@steps
async def test_the_frames_of_a_task_can_be_walked_while_a_step_waits(step: Any) -> None:
    buffer: Buffer[Any] = Buffer(8, gaps=False)
    feed, tasks = feed_of(buffer), list[trio.lowlevel.Task]()

    async def consume() -> None:
        tasks.append(trio.lowlevel.current_task())
        await step(feed)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        await trio.testing.wait_all_tasks_blocked()
        names = [frame.f_code.co_name for frame, _ in tasks[0].iter_await_frames()]
        buffer.put(event(1))

    assert names[0] == "consume"
    assert "wait_task_rescheduled" in names


def test_an_interrupt_before_a_compiled_step_waits_leaves_no_waiter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    buffer: Buffer[Any] = Buffer(8, gaps=False)
    feed = feed_of(buffer)

    async def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    async def main() -> None:
        with pytest.raises(KeyboardInterrupt):
            await feed.__anext__()
        assert not buffer.has_waiter()
        monkeypatch.undo()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(feed.__anext__)
            await trio.testing.wait_all_tasks_blocked()
            buffer.put(event(1))

    monkeypatch.setattr("connector.feeds.buffer.wait_task_rescheduled", interrupted)
    trio.run(main)


async def test_a_compiled_step_that_waits_is_a_coroutine() -> None:
    buffer: Buffer[Any] = Buffer(8, gaps=False)
    feed = feed_of(buffer)

    waiting: Any = feed.__anext__()
    assert waiting.cr_frame is waiting.cr_await is None
    assert isinstance(waiting, Coroutine)
    with pytest.raises(KeyError):
        waiting.throw(KeyError("before it has begun"))
    for use in (
        lambda: waiting.send(None),
        lambda: waiting.throw(KeyError()),
        lambda: next(waiting),
    ):
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            use()

    waiting = feed.__anext__()
    waiting.send(None)
    for wrong in ((), (1, 2, 3, 4)):
        with pytest.raises(TypeError):
            waiting.throw(*wrong)
    with pytest.raises(KeyError):
        waiting.throw(KeyError("while it waits"))
    buffer._let_go()

    waiting = feed.__anext__()
    waiting.send(None)
    waiting.close()
    buffer._let_go()
    waiting.close()
    with pytest.raises(RuntimeError):
        waiting.send(None)

    waiting = feed.__anext__()
    buffer.put(event(1))
    with pytest.raises(StopIteration) as stop:
        waiting.send(None)
    assert stop.value.value.trade_id == 1
    await trio.lowlevel.checkpoint()


async def test_steps_that_wait_are_the_same_under_a_debugger() -> None:
    buffer: Buffer[Any] = Buffer(8, gaps=False)
    feed, got = feed_of(buffer), list[int]()

    async def consume() -> None:
        async for each in feed:
            got.append(each.trade_id)

    sys.settrace(lambda *_: None)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(consume)
            for number in (1, 2):
                await trio.testing.wait_all_tasks_blocked()
                buffer.put(event(number))
            await trio.testing.wait_all_tasks_blocked()
            buffer.end()
    finally:
        sys.settrace(None)

    assert got == [1, 2]


async def test_steps_that_wait_leave_nothing_behind() -> None:
    async def steps_left() -> int:
        buffer: Buffer[Any] = Buffer(8, gaps=False)
        feed = feed_of(buffer, [])
        for number in range(300):
            waiting: Any = feed.__anext__()
            waiting.send(None)
            buffer._let_go()
            waiting.close()
            with trio.move_on_after(0):
                await feed.__anext__()
            unused: Any = feed.__anext__()
            del unused
            step: Any = feed.__anext__()
            buffer.put(event(number))
            with pytest.raises(StopIteration):
                step.send(None)
        del waiting, step, feed, buffer
        gc.collect()
        return sys.getallocatedblocks()

    await steps_left()
    counts = [await steps_left() for _ in range(5)]
    assert min(after - before for before, after in pairwise(counts)) < 60


@steps
async def test_a_step_that_runs_cannot_be_run_again(
    step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As any coroutine, it refuses, and goes on as if nobody had tried."""
    buffer: Buffer[Any] = Buffer(8, gaps=False)
    waiting: Any = step(feed_of(buffer))
    refused = []

    @types.coroutine
    def again(_: object) -> Iterator[None]:
        for use in (lambda: waiting.send(None), lambda: waiting.throw(KeyError()), waiting.close):
            with pytest.raises(ValueError, match="already executing"):
                use()
            refused.append(use)
        yield

    for module in ("buffer", "feed"):
        monkeypatch.setattr(f"connector.feeds.{module}.wait_task_rescheduled", again)
    waiting.send(None)
    buffer._let_go()
    buffer.items.append(event(1))
    with pytest.raises(StopIteration) as stop:
        waiting.send(None)
    assert stop.value.value.trade_id == 1
    assert len(refused) == 3
    await trio.lowlevel.checkpoint()


async def test_a_compiled_step_that_waited_without_an_attribute_says_so() -> None:
    buffer: Buffer[Any] = Buffer(8, gaps=False)
    feed = feed_of(buffer)
    waiting: Any = feed.__anext__()
    waiting.send(None)
    buffer._let_go()
    buffer.items.append(event(1))
    del feed._observe_since

    with pytest.raises(AttributeError):
        waiting.send(outcome.Value(None))
    assert len(buffer) == 1
    await trio.lowlevel.checkpoint()
