"""The open accounts of an adapter: each ends with its own block, at the latest with the adapter.

The tasks of an account live in its own nursery. Its block is usually inside the adapter's block. If
another task has opened the account, the adapter's block waits until the account's tasks have ended
and its sockets are closed, for `Timing.leave_timeout` at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from connector.account.running import RunningAccount
from connector.account.statistics import AccountStatistics
from connector.errors import ConfigError
from connector.keys import ApiKey


class Accounts:
    """The open accounts of an adapter."""

    def __init__(self) -> None:
        self._keys: set[ApiKey] = set()
        self._running: set[RunningAccount] = set()

    @contextmanager
    def reserved(self, key: ApiKey) -> Iterator[None]:
        """A key belongs to one account at a time.

        Raises:
            ConfigError: it belongs to another one.
        """
        if key in self._keys:
            raise ConfigError("an account with this API key is already open at this adapter")
        self._keys.add(key)
        try:
            yield
        finally:
            self._keys.discard(key)

    def add(self, running: RunningAccount) -> None:
        """Add an account that is being opened."""
        self._running.add(running)

    def discard(self, running: RunningAccount) -> None:
        """Remove an account that has ended."""
        self._running.discard(running)

    @property
    def sockets_open(self) -> int:
        """The number of open descriptors."""
        return sum(each.sockets_open for each in self._running)

    def statistics(self) -> tuple[AccountStatistics, ...]:
        """The statistics of each account, by name."""
        found = [each.statistics() for each in self._running]
        return tuple(sorted(found, key=lambda each: each.name))

    async def end(self) -> None:
        """End the accounts that are still open.

        Cancellation: shielded, for `Timing.leave_timeout` at most.
        """
        deadlines = [each.abandon() for each in self._running]
        if not deadlines:
            return
        with trio.CancelScope(shield=True, deadline=max(deadlines)):
            for each in tuple(self._running):
                await each.over.wait()
