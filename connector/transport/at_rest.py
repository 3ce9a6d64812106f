"""Drop what trio-websocket and wsproto keep of a handshake for as long as the connection lasts.

It is a fifth of what a connection at rest holds. Should a version keep it elsewhere, it stays.
"""

from __future__ import annotations

from collections import deque
from typing import Any, cast

import trio
from trio_websocket import WebSocketConnection
from wsproto import WSConnection
from wsproto.handshake import H11Handshake


class _NoHandshake:
    """Stands for wsproto's handshake when it is over: there is nothing more of it."""

    def events(self) -> tuple[()]:
        return ()


class _Unheard:
    """Stands for an event for which nobody waits any more."""

    def set(self) -> None:
        """Tell nobody."""


_OVER = _NoHandshake()
_UNHEARD = _Unheard()


class _Queue(list[Any]):
    """A queue that is nearly always empty: then a deque needs ten times as much."""

    __slots__ = ()

    def popleft(self) -> Any:
        return self.pop(0)


def forget_handshake(websocket: WebSocketConnection) -> None:
    """Drop h11, the request, the events of the handshake, and room for messages in queues."""
    protocol = getattr(websocket, "_wsproto", None)
    if not isinstance(protocol, WSConnection) or protocol.connection is None:
        return
    protocol.handshake = cast("H11Handshake", _OVER)
    for name in ("_initial_request", "_connection_proposal"):
        if hasattr(websocket, name):
            setattr(websocket, name, None)
    # The second one is set for the tests of trio-websocket.
    for name in ("_open_handshake", "_for_testing_peer_closed_connection"):
        if type(getattr(websocket, name, None)) is trio.Event:
            setattr(websocket, name, _UNHEARD)
    queue = getattr(protocol.connection, "_events", None)
    if type(queue) is deque and queue.maxlen is None:
        protocol.connection._events = cast("Any", _Queue(queue))
