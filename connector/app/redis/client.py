"""A connection to Redis, and when to try again: it is away now and then, and comes back."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias, TypeVar

import trio
from coredis import Redis
from coredis.exceptions import (
    ClusterDownError,
    ConnectionError,  # noqa: A004  # coredis' own
    PersistenceError,
    ReadOnlyError,
    RedisError,
    TryAgainError,
)
from coredis.retry import NoRetryPolicy

from connector.adapter.outcome import only_error
from connector.app.redis_address import check_address
from connector.errors import ConnectorError
from connector.link.pacing import Reconnect

T = TypeVar("T")

Client: TypeAlias = Redis[bytes]

AWAY = (
    ConnectionError,
    ClusterDownError,
    PersistenceError,
    ReadOnlyError,
    TryAgainError,
    OSError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
)
"""What Redis says, or does not say, while it restarts, fails over, or its disk is full."""
_RETRY = Reconnect(initial=0.05, cap=2.0)

_log = logging.getLogger("connector.redis")


class RedisRefused(ConnectorError):
    """Redis refused a command, and asking again would not help."""


def open_redis(url: str) -> AbstractAsyncContextManager[Client]:
    """A client for the length of a block; it connects when it must.

    Args:
        url: such as ``redis://127.0.0.1:6379/0``, ``rediss://user:secret@host``.

    Raises:
        ConfigError: it is none.
    """
    check_address(url)
    return _open(url)


@asynccontextmanager
async def _open(url: str) -> AsyncIterator[Client]:
    body_error: BaseException | None = None
    outcome: BaseException | None = None
    try:
        # A command that was retried behind our back might be executed twice.
        async with Redis.from_url(url, retry_policy=NoRetryPolicy()) as client:
            try:
                yield client
            except BaseException as error:
                body_error = error
                raise
    except BaseException as error:  # noqa: BLE001, ASYNC103  # raised below, on every path
        outcome = only_error(error, body_error)
    if outcome is not None:
        raise outcome


class Patience:
    """Does something until Redis is there to do it, and counts how often it was not."""

    def __init__(self) -> None:
        self.outages = 0
        self.away = False

    async def until_done(self, do: Callable[[], Awaitable[T]]) -> T:
        """What `do` returns, once it does not fail for want of Redis.

        Raises:
            RedisRefused: Redis is there and does not want to.

        Cancellation: whether it was done is not known.
        """
        failures = 0
        while True:
            try:
                result = await do()
            except AWAY as error:
                failures += 1
                self._away(error)
                await trio.sleep(_RETRY.delay(failures))
            except RedisError as error:
                raise RedisRefused(f"Redis refused: {error}") from error
            else:
                if self.away:
                    self.away = False
                    _log.info("redis is back")
                return result

    def _away(self, error: Any) -> None:
        if not self.away:
            self.away = True
            self.outages += 1
            _log.warning("redis is away: %s", error)
