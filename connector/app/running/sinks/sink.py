"""The interface of a sink: an ``async with`` block that takes batches of events and marks.

Every sink has a separate feed per group of channels. The next batch is taken from the feed when
`Sink.write` has returned, so a slow sink fills its feed. Then the policy of the group applies:
`Overflow.BLOCK` stops reading the connection, and others drop events and report it. No sink waits
for another one.

A new kind is two things: a frozen `msgspec.Struct` with a method `open` and the fields that stand
beside ``kind`` in the configuration (`SinkSettings`), and an entry in
`connector.app.running.sinks.KINDS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, runtime_checkable

import attrs

from connector.errors import ConnectorError
from connector.events import Event
from connector.lifecycle import Lifecycle


@attrs.frozen
class Batch:
    """Events that were buffered together, in order; `Gap` among them if the group asks for gaps."""

    adapter: str
    """The adapter's name in the configuration."""
    exchange: str
    """Such as ``binance_usdm``."""
    group: str
    """The name of the group of channels."""
    events: Sequence[Event]
    """At least one. A `BookView` is a window that changes: copy what is kept across an await."""


class SinkBroken(ConnectorError):
    """A sink cannot take anything any more, and trying again would not help."""


@runtime_checkable
class Reopens(Protocol):
    """A sink that writes to a path, where another file may stand now."""

    def reopen(self) -> None:
        """Begin anew at the path, after what was written.

        Raises:
            OSError: it cannot be opened; then everything is as before.
        """
        ...


class Sink(Protocol):
    """Where events go. Its methods are never called while another call is under way."""

    async def write(self, batch: Batch) -> None:
        """Take `batch`; return when the next one may come.

        An `OSError` or a `ConnectorError` says that nothing of the batch was taken; the sink must
        then be ready to be given the same batch once more, after a while. `SinkBroken` says that
        this would not help. Cancellation: the outcome of the batch is not defined; a sink that must
        not tear anything shields, with a deadline.
        """
        ...

    async def mark(self, adapter: str, event: Lifecycle) -> None:
        """Something happened to a connection of `adapter`; for sinks that keep such things.

        Marks come by a feed of their own: they stand near the events around them, not in order.
        """
        ...


class SinkSettings(Protocol):
    """The configuration of one kind of sink: a frozen Struct, compared by value."""

    def open(self) -> AbstractAsyncContextManager[Sink]:
        """Open the sink for as long as the block lasts; leaving it writes what is held.

        A sink whose settings have changed is closed before it is opened anew.
        """
        ...
