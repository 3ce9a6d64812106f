"""One deadline for all blocks of an account that end because of the same error or cancellation.

An error that is raised in `working`, passes `quotes` and ends `open_account` ends three blocks.
Each of them confirms its orders. Together they take at most `Timing.leave_timeout`, not three times
as long. A block that ends alone, while the program continues, has the whole time.
"""

from __future__ import annotations

from collections.abc import Iterator

import trio

from connector.transport.error_groups import leaves

_LEAST_SECONDS = 1.0
"""For the outer block even so: its orders have not been cancelled before."""


class LeaveDeadline:
    """Remembers the blocks that are ending, from the innermost outwards."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadline = 0.0
        self._leaving: list[BaseException] = []

    def begin(self, error: BaseException | None) -> float:
        """Until when a block that is left with `error` may confirm."""
        now = trio.current_time()
        passing = [] if error is None else list(_lineage(error))
        if not any(each is known for each in passing for known in self._leaving):
            self._deadline = now + self._seconds
        self._leaving = passing
        return max(self._deadline, now + _LEAST_SECONDS)

    def raised(self, error: BaseException) -> None:
        """The block is left with this error instead."""
        self._leaving.append(error)

    def forget(self) -> None:
        """Hold no error any more: an error holds the frames that it went through."""
        self._leaving = []


def _lineage(error: BaseException) -> Iterator[BaseException]:
    """The errors in a group, each with those that it was raised from."""
    for leaf in leaves(error):
        each: BaseException | None = leaf
        while each is not None:
            yield from leaves(each)
            each = each.__cause__
