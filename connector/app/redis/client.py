"""A connection to Redis that waits and tries again while Redis is not reachable."""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeAlias, TypeVar

import trio
from coredis import Redis
from coredis.exceptions import RedisError
from coredis.retry import NoRetryPolicy

from connector.app.redis.refusals import AWAY, describe, leads_elsewhere, passes
from connector.app.redis_address import check_address
from connector.errors import ConnectorError
from connector.lifecycle import write_fields
from connector.link.outcome import only_error
from connector.link.pacing import Reconnect

T = TypeVar("T")

Client: TypeAlias = Redis[bytes]

TIMEOUT_SECONDS = 5.0
"""In which Redis connects and answers. One that does not is as good as gone."""
_RETRY = Reconnect(initial=0.05, cap=2.0)

_log = logging.getLogger("connector.redis")


class RedisRefused(ConnectorError):
    """Redis refused a command, and asking again would not help."""


class RedisAway(ConnectorError):
    """Redis was away for longer than it may be."""


def open_redis(
    url: str,
    *,
    timeout: float = TIMEOUT_SECONDS,  # of every answer, not of this call
) -> AbstractAsyncContextManager[Client]:
    """A client for the length of a block; it connects when it must.

    Args:
        url: such as ``redis://127.0.0.1:6379/0``, ``rediss://user:secret@host``.
        timeout: seconds in which it connects, and in which an answer comes.

    Raises:
        ConfigError: it is none.
    """
    check_address(url)
    return _open(url, timeout)


@asynccontextmanager
async def _open(url: str, timeout: float) -> AsyncIterator[Client]:  # noqa: ASYNC109
    # It logs a traceback for every attempt to connect, which would go to standard error.
    its_log = logging.getLogger("coredis")
    if not its_log.handlers:
        its_log.addHandler(logging.NullHandler())
    body_error: BaseException | None = None
    outcome: BaseException | None = None
    try:
        async with Redis.from_url(
            url,
            # A command that was retried behind our back might be executed twice.
            retry_policy=NoRetryPolicy(),
            connect_timeout=timeout,
            stream_timeout=timeout,
        ) as client:
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
    """Does something until Redis is there to do it, and counts how often it was not.

    Args:
        client: whose connections are given up when they do not answer.
        timeout: seconds in which `client` expects an answer, for what is told.
        limit: seconds that Redis may be away; None means forever.
    """

    def __init__(
        self,
        client: Client,
        *,
        timeout: float = TIMEOUT_SECONDS,
        limit: float | None = None,
    ) -> None:
        self.outages = 0
        self.away = False
        self.reason = ""
        """Why it is away, or was at last."""
        self._client = client
        self._timeout = timeout
        self._limit = math.inf if limit is None else limit
        self._since = 0.0

    async def until_done(self, do: Callable[[], Awaitable[T]]) -> T:
        """What `do` returns, once it does not fail for want of Redis.

        Raises:
            RedisRefused: Redis is there and does not want to.
            RedisAway: it has been away for longer than the limit.

        Cancellation: whether it was done is not known.
        """
        failures = 0
        while True:
            try:
                result = await do()
            except (*AWAY, RedisError) as error:
                reason = describe(error, timeout=self._timeout)
                if not passes(error):
                    # Without the error itself: its text may hold what was sent.
                    raise RedisRefused(f"Redis refused: {reason}") from None
                if leads_elsewhere(error):
                    # The name may lead to another server now, and what is mute stays it.
                    self._client.connection_pool.disconnect()
                self._note(reason)
            else:
                self._back()
                return result
            failures += 1
            if trio.current_time() - self._since >= self._limit:
                raise RedisAway(
                    f"Redis has not been reachable for {self._limit:g} s: {self.reason}"
                )
            await trio.sleep(_RETRY.delay(failures))

    def _note(self, reason: str) -> None:
        if not self.away:
            self.away = True
            self.outages += 1
            self._since = trio.current_time()
        elif _cause(reason) == _cause(self.reason):
            return
        self.reason = reason
        _log.warning("Redis is not reachable: %s", reason, extra={"fields": {"reason": reason}})

    def _back(self) -> None:
        if self.away:
            self.away = False
            fields = {"seconds": round(trio.current_time() - self._since, 3)}
            _log.info("Redis is reachable again %s", write_fields(fields), extra={"fields": fields})


def _cause(reason: str) -> str:
    """The end of a reason, which says why; what failed for that is another thing each time."""
    return reason.rpartition(": ")[2]
