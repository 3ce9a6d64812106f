"""What a connection at rest does without: nothing that it needs later."""

from __future__ import annotations

from collections import deque
from typing import Any

import trio
from hypothesis import given
from hypothesis import strategies as st

from connector.transport import open_connection
from connector.transport.at_rest import _Queue, forget_handshake
from connector.transport.passage import Passage


async def test_neither_queues_nor_the_handshake_are_held(far: Any) -> None:
    end = far.End(far.switching_protocols, ending="silence")
    async with open_connection(
        "ws://far/", far.Bucket(), dialer=far.Dialer(lambda: end), sockets=set()
    ) as connection:
        websocket: Any = connection._websocket
        events = websocket._wsproto.connection._events

        assert not isinstance(events, deque)
        assert not events
        assert isinstance(websocket._recv_channel, Passage)
        assert websocket._send_channel is websocket._recv_channel
        assert not isinstance(websocket._open_handshake, trio.Event)
        assert not hasattr(websocket._wsproto.handshake, "_h11_connection")


async def test_what_waits_in_a_queue_stays_in_it(far: Any) -> None:
    end = far.End(far.switching_protocols, ending="silence")
    async with open_connection(
        "ws://far/", far.Bucket(), dialer=far.Dialer(lambda: end), sockets=set()
    ) as connection:
        websocket: Any = connection._websocket
        websocket._wsproto.connection._events = deque("abc")
        forget_handshake(websocket)
        events = websocket._wsproto.connection._events

        assert [events.popleft() for _ in range(3)] == ["a", "b", "c"]


def test_another_kind_of_websocket_is_left_as_it_is() -> None:
    forget_handshake(object())  # type: ignore[arg-type]


@given(st.lists(st.integers(0, 9)))
def test_a_queue_does_as_a_deque_does(steps: list[int]) -> None:
    ours, theirs = _Queue(), deque[int]()
    for each in steps:
        if each and theirs:
            assert ours.popleft() == theirs.popleft()
        for queue in (ours, theirs):
            queue.append(each)

        assert list(ours) == list(theirs)
