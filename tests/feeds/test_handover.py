"""A step from a buffer to its consumer is the same compiled and in Python, and leaves nothing."""

from __future__ import annotations

import gc
import sys
import weakref
from collections import deque
from collections.abc import Callable, Coroutine
from itertools import accumulate, pairwise
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

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
def test_what_is_thrown_into_a_step_leaves_the_item(bases: tuple[Any, Any]) -> None:
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
