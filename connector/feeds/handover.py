"""The step from a buffer to its consumer, where an event is buffered already: bases of both.

Most steps of ``async for`` find an event in the buffer. A coroutine for each of them costs as much
as decoding a trade. `connector.transport.compiled` may have the bases in C: then such a step needs
no coroutine, and a step that must wait awaits what the buffer says (`Buffer.wait_for_item`). If it
must do anything else, it is the coroutine of `Feed._next`, as without C.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from connector.transport.compiled import EXTENSION


class HolderInPython:
    """What every step asks of a buffer.

    The base of `Waking`, and so of `Buffer`: of two bases with slots, Python takes only one.
    """

    __slots__ = ("blocking",)

    blocking: bool
    """Whether it holds links back, until `unblock_if_drained` finds it drained."""


class HandoverInPython:
    """What every step asks of a feed: the base of `Feed`."""

    __slots__ = ("_items", "_observe_since", "_pop", "_waits_plainly", "buffer")

    _items: deque[Any]
    """Those of the buffer."""
    _pop: Callable[[], Any] | None
    """Takes the first of the items, if the buffer needs no more than that; else None."""
    _observe_since: Callable[[int], None] | None
    """Takes the receive time of the first item of a batch that was waited for."""
    _waits_plainly: bool
    """Whether `Buffer.wait_for_item` says what to wait for."""
    buffer: Any
    """A `Buffer`."""


if TYPE_CHECKING:
    Holder = HolderInPython
    Handover = HandoverInPython
else:
    Holder = HolderInPython if EXTENSION is None else EXTENSION.Holder
    Handover = HandoverInPython if EXTENSION is None else EXTENSION.Handover
