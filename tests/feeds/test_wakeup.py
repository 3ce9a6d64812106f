"""One task waits for several things; the first wakes it, once, and none keeps it."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import trio
from trio.testing import assert_checkpoints, wait_all_tasks_blocked

from connector.feeds import buffer, feed, wakeup
from connector.feeds.backpressure import Full
from connector.feeds.buffer import Buffer
from connector.feeds.wakeup import Signal, Waking, wait_for_any
from tests.feeds.test_feed import Owner


async def test_the_first_signal_wakes_the_task_and_the_others_forget_it() -> None:
    awaited = (Waking(), Waking(), Waking())
    woken = []

    async def wait() -> None:
        await wait_for_any(awaited)
        woken.append(True)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        assert all(each.has_waiter() for each in awaited)
        for each in (awaited[1], *awaited):  # once is enough; again is nothing
            each.wake()
            assert not any(each.has_waiter() for each in awaited)
    assert woken == [True]


async def test_a_signal_that_has_a_waiting_task_refuses_another() -> None:
    one, other = Waking(), Waking()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait_for_any, (one,))
        await wait_all_tasks_blocked()

        with pytest.raises(trio.BusyResourceError):
            await wait_for_any((other, one))

        assert not other.has_waiter()
        one.wake()


async def test_a_cancelled_wait_leaves_no_waiter() -> None:
    awaited = (Waking(), Waking())
    with trio.CancelScope() as scope:
        scope.cancel()
        await wait_for_any(awaited)

    assert scope.cancelled_caught
    assert not any(each.has_waiter() for each in awaited)
    for each in awaited:
        each.wake()


async def test_a_signal_wakes_its_task_and_stays_set_until_it_is_seen() -> None:
    signal, seen = Signal(), 0

    async def look() -> None:
        nonlocal seen
        while seen < 3:
            await signal.wait()
            signal.clear()
            seen += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        await wait_all_tasks_blocked()
        for number in (1, 2, 3):
            signal.set()
            signal.set()
            await wait_all_tasks_blocked()
            assert (seen, signal.is_set) == (number, False)


async def test_to_wait_for_a_signal_that_is_set_is_a_checkpoint() -> None:
    signal = Signal()
    signal.set()

    with assert_checkpoints():
        await signal.wait()
    with trio.CancelScope() as scope:
        scope.cancel()
        await signal.wait()

    assert signal.is_set
    assert scope.cancelled_caught


async def test_a_cancelled_wait_for_a_signal_is_over() -> None:
    signal = Signal()
    with trio.CancelScope() as scope:
        scope.cancel()
        await signal.wait()

    signal.set()
    await signal.wait()
    assert scope.cancelled_caught


def first_batch(buffer: Buffer[int]) -> Awaitable[list[int]]:
    return feed.Feed(Owner(), buffer).batches().__anext__()


@pytest.mark.parametrize(
    "wait",
    [
        Waking.wait,
        lambda buffer: wait_for_any((buffer,)),
        lambda buffer: feed.Feed(Owner(), buffer).__anext__(),
        lambda buffer: feed.Feed(Owner(), buffer).receive(),
        first_batch,
    ],
    ids=["wait", "wait for any", "async for", "receive", "batches"],
)
def test_an_interrupt_leaves_no_waiter_behind(
    wait: Callable[[Buffer[int]], Awaitable[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is noted as waiting, and does not wait, would be woken from something else."""
    really_wait = trio.lowlevel.wait_task_rescheduled

    def interrupted(abort: Callable[[Any], trio.lowlevel.Abort]) -> Coroutine[Any, Any, Any]:
        signal.raise_signal(signal.SIGINT)
        return really_wait(abort)

    for module in (wakeup, feed, buffer):
        monkeypatch.setattr(module, "wait_task_rescheduled", interrupted)

    async def main() -> None:
        one = Buffer[int](8, gaps=False)
        with pytest.raises(KeyboardInterrupt), trio.fail_after(10):
            await wait(one)
        assert not one.has_waiter()

    # A shell may start tests with interrupts ignored, and then trio leaves them so.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        trio.run(main)
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_interrupt_while_links_are_let_go_loses_no_event() -> None:
    """Who takes the event would lose it, and a link let go halfway would stay blocked."""

    class Interrupting(Full):
        def discard(self, buffer: Any) -> None:
            signal.raise_signal(signal.SIGINT)
            super().discard(buffer)

    async def main() -> None:
        one = Buffer[int](1, gaps=False)
        full = Interrupting()
        one.join(full)
        one.put(1)
        assert full
        assert await feed.Feed(Owner(), one).__anext__() == 1
        assert not full
        with pytest.raises(KeyboardInterrupt):
            await trio.lowlevel.checkpoint()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        trio.run(main)
    finally:
        signal.signal(signal.SIGINT, before)
