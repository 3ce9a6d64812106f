"""`open_adapter`: one nursery owns every task, socket and timer of an adapter."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import attrs
import trio

from connector.adapter.adapter import Adapter
from connector.adapter.runners import Loops
from connector.adapter.runtime import require_trio
from connector.errors import InvariantViolated
from connector.events import N_co
from connector.exchanges.protocol import Exchange
from connector.inputs.blocks import block
from connector.link.outcome import only_error
from connector.link.pacing import Reconnect
from connector.link.settings import Settings, check
from connector.link.source import FrameSource, source_of
from connector.link.task_count import count_tasks
from connector.transport import Dialer

_GRACE_SECONDS = 1.0
_log = logging.getLogger("connector.adapter")


@block("open_adapter(…) as adapter")
@asynccontextmanager
async def open_adapter(
    exchange: Exchange[N_co],
    *,
    reconnect: Reconnect | None = None,
    stale_after: float | None = None,
    close_timeout: float = 2.0,
    dialer: Dialer | None = None,
    source: FrameSource | None = None,
) -> AsyncIterator[Adapter[N_co]]:
    """Open an adapter: the connections to `exchange`, for the length of a block.

    All tasks and sockets of the adapter live inside this block. When you leave it, for whatever
    reason, the tasks are gone and the sockets are closed. The adapter connects when you subscribe.

    Args:
        exchange: the exchange, such as ``binance.Spot()``.
        reconnect: how to pace the attempts to connect.
        stale_after: seconds without data after which a stream counts as broken. By default, each
            channel has its own limit, and channels that may be quiet have none.
        close_timeout: seconds that the closing handshake of a connection may take.
        dialer: opens byte streams. By default: TCP, with the system's trusted certificates.
        source: delivers frames in place of the exchange. By default, the exchange's own `source`
            if it has one, as with a recording. When the source ends, the feeds yield their
            buffered events and end: ``async for`` ends, and `Feed.receive` raises
            `trio.EndOfChannel`.

    Raises:
        ConfigError: an argument is wrong.
        HandshakeRejected: the exchange rejects the connection, and retrying cannot help.
        ExchangeUnavailable: `Reconnect.max_attempts` is used up, or the exchange's certificate is
            not trusted.

    The nursery inside is an implementation detail. An error of the adapter cancels the block and is
    raised directly. An exception of the block is raised unchanged. Neither is ever wrapped in an
    ExceptionGroup. If both fail, the block's exception is raised with a note.

    Cancellation: passes through, and leaving is immediate. Without cancellation, leaving takes at
    most `close_timeout` seconds, to close the connections with a handshake.
    """
    require_trio("open_adapter")
    source = source_of(exchange, source)
    settings = check(
        exchange,
        reconnect=reconnect,
        stale_after=stale_after,
        close_timeout=close_timeout,
        dialer=dialer,
        source=source,
    )
    if source is None and exchange.notice is not None:
        _log.warning("%s: %s", exchange.name, exchange.notice)
    with nullcontext() if source is None else source.begin(exchange) as supply:
        async with _run_adapter(attrs.evolve(settings, supply=supply)) as adapter:
            yield adapter


@asynccontextmanager
async def _run_adapter(settings: Settings) -> AsyncIterator[Adapter[Any]]:
    """The nursery of an adapter."""
    body_error: BaseException | None = None
    outcome: BaseException | None = None
    adapter: Adapter[Any] | None = None
    try:
        async with trio.open_nursery() as nursery:
            adapter = Adapter(settings, lambda: count_tasks(nursery))

            async def start_loops(loops: Loops) -> None:
                while (loop := await loops.next_to_start()) is not None:
                    nursery.start_soon(loop.run, name=loop.name)

            nursery.start_soon(start_loops, adapter._loops)
            try:
                yield adapter
            except BaseException as error:
                body_error = error
                if isinstance(error, KeyboardInterrupt):
                    nursery.cancel_scope.cancel()
                raise
            finally:
                adapter._leave()
                # Every step of leaving has a bound of its own; this one bounds their sum.
                nursery.cancel_scope.deadline = (
                    trio.current_time() + settings.close_timeout + _GRACE_SECONDS
                )
                await adapter._accounts.end()  # noqa: ASYNC102 - bounded: it shields itself
    except BaseException as error:  # noqa: BLE001, ASYNC103  # raised below, on every path
        outcome = only_error(error, body_error)
    if adapter is not None:
        left_open = adapter._left()
        if left_open and outcome is None:
            outcome = InvariantViolated(f"{left_open} sockets are open after the adapter's block")
    if outcome is not None:
        # Raised out here, so that the group that carried it does not become its context.
        raise outcome
