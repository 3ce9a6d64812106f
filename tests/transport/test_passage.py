"""A passage does for one sender and one receiver what a memory channel of trio does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from connector.transport.passage import Passage, pass_simply


def channel_of_trio() -> tuple[Any, Any]:
    return trio.open_memory_channel[str](1)


def passage() -> tuple[Any, Any]:
    both = Passage()
    return both, both


KINDS: list[Callable[[], tuple[Any, Any]]] = [channel_of_trio, passage]
kinds = pytest.mark.parametrize("kind", KINDS)


@settings(max_examples=30)
@given(
    sent=st.integers(0, 6),
    pauses=st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_every_message_arrives_once_and_in_order(sent: int, pauses: list[bool]) -> None:
    found: list[tuple[list[str], int, str]] = []
    for kind in KINDS:
        taken, passed = [], 0
        over = ""

        async def main() -> None:
            nonlocal passed, over
            sender, receiver = kind()  # noqa: B023 - called at once

            async def send() -> None:
                nonlocal passed
                async with sender:
                    for number in range(sent):
                        if pauses[number]:
                            await wait_all_tasks_blocked()
                        await sender.send(str(number))
                        passed += 1

            async with trio.open_nursery() as nursery:
                nursery.start_soon(send)
                try:
                    for number in range(99):
                        if pauses[6 + number % 6]:
                            await wait_all_tasks_blocked()
                        taken.append(await receiver.receive())  # noqa: B023
                except trio.EndOfChannel:
                    over = "over"

        trio.run(main)
        found.append((taken, passed, over))

    assert found[0] == found[1]
    assert found[1] == ([str(number) for number in range(sent)], sent, "over")


@kinds
async def test_one_message_waits_for_the_receiver_and_the_next_for_room(kind: Any) -> None:
    sender, receiver = kind()
    passed: list[str] = []

    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def send() -> None:
            for message in "ab":
                await sender.send(message)
                passed.append(message)

        await wait_all_tasks_blocked()
        assert passed == ["a"]
        assert await receiver.receive() == "a"
        await wait_all_tasks_blocked()
        assert passed == ["a", "b"]
        assert await receiver.receive() == "b"


@kinds
@pytest.mark.parametrize("wait", ["send", "receive"])
async def test_a_passage_that_closes_wakes_who_waits(kind: Any, wait: str) -> None:
    sender, receiver = kind()
    if wait == "send":
        await sender.send("a")

    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def waits() -> None:
            closed = trio.BrokenResourceError, trio.ClosedResourceError, trio.EndOfChannel
            with pytest.raises(closed):
                await (sender.send("b") if wait == "send" else receiver.receive())

        await wait_all_tasks_blocked()
        await receiver.aclose()

    await receiver.aclose()
    with pytest.raises((trio.BrokenResourceError, trio.ClosedResourceError)):
        await sender.send("c")


@kinds
async def test_a_cancelled_task_loses_nothing(kind: Any) -> None:
    sender, receiver = kind()
    with trio.move_on_after(0) as scope:
        await receiver.receive()
    assert scope.cancelled_caught
    await sender.send("a")
    with trio.move_on_after(0) as scope:
        await sender.send("b")
    assert scope.cancelled_caught

    assert await receiver.receive() == "a"
    await sender.send("c")
    assert await receiver.receive() == "c"


async def test_a_second_receiver_is_refused() -> None:
    both = Passage()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(both.receive)
        await wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await both.receive()
        await both.send("a")


def test_another_kind_of_websocket_keeps_its_channel() -> None:
    pass_simply(object())
