"""The interface of a sink of raw frames, as an adapter receives them.

Such a sink has one feed per adapter, not one per group: the raw frames of the channels that its
groups name, with what happens to the connections in its place between them, in the order of
receipt. The channels are kept subscribed for it. Its own policy, not the group's, applies to frames
that it does not take in time.

A new kind is two things: a frozen `msgspec.Struct` like `FrameSettings`, and an entry in
`connector.app.running.sinks.FRAME_KINDS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import ClassVar, Literal, Protocol, TypeGuard

import attrs

from connector.app.running.sinks.sink import SinkSettings
from connector.channels import AnyChannel
from connector.exchanges.protocol import Exchange
from connector.link.raw_frames import FrameItem
from connector.recording.writer import Presence

OverflowName = Literal["block", "drop_oldest", "fail"]
"""No frame replaces another: there is no ``conflate``."""


@attrs.frozen(eq=False)
class Origin:
    """Where frames come from."""

    adapter: str
    """The adapter's name in the configuration."""
    exchange: Exchange
    channels: tuple[AnyChannel, ...]
    """What is wanted of it; frames of others are not among those that come."""
    presence: Presence
    """The sessions that were open, for a file that begins in the middle of them. It outlives a
    change of the channels or of the sink."""


@attrs.frozen
class FrameBatch:
    """Frames and marks that were buffered together, in order."""

    origin: Origin
    items: Sequence[FrameItem]
    """None at all when nothing came for a while, so that what gathers is written in time."""


class FrameSink(Protocol):
    """Where frames go. Its methods are never called while another call is under way."""

    async def write(self, batch: FrameBatch) -> None:
        """Take `batch`; return when the next one may come.

        An `OSError` or a `ConnectorError` says that nothing of the batch was taken; the sink must
        then be ready to be given the same batch once more, after a while. Cancellation: the outcome
        of the batch is not defined.
        """
        ...

    async def end(self, adapter: str) -> None:
        """The adapter has ended and sends no more; another one of the same name may follow."""
        ...


class FrameSettings(Protocol):
    """The configuration of one kind of sink of frames: a frozen Struct, compared by value."""

    takes_frames: ClassVar[bool]
    """True; settings of sinks of events do not have it."""

    @property
    def buffer(self) -> int:
        """Frames that wait for the sink, per adapter."""
        ...

    @property
    def overflow(self) -> OverflowName:
        """What happens when so many wait; as `Adapter.frames` has it."""
        ...

    def open(self) -> AbstractAsyncContextManager[FrameSink]:
        """Open the sink for as long as the block lasts; leaving it writes what is held.

        A sink whose settings have changed is closed before it is opened anew.
        """
        ...


def takes_frames(settings: SinkSettings | FrameSettings) -> TypeGuard[FrameSettings]:
    """Whether it is the other kind."""
    return getattr(settings, "takes_frames", False)
