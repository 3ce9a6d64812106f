"""The entries of the queue for REST requests, and the interface that receives their results."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

import attrs
import trio

from connector.exchanges.protocol import RestRequest
from connector.lifecycle import RequestsFailing, RequestsRecovered

T = TypeVar("T")


class Job(Protocol):
    """A queued request that waits for an answer."""

    @property
    def request(self) -> RestRequest[Any]: ...

    @property
    def wanted(self) -> bool:
        """Whether a caller still waits for the answer; `begin` is called in any case."""
        ...

    def begin(self) -> bool:
        """The request is about to be sent; False if no caller waits for the answer any more."""
        ...

    def answered(self, answer: Any) -> None:
        """Receive the decoded answer."""

    def failed(self, cause: str) -> None:
        """Note that there was no answer because of `cause`. The request stays in the queue."""

    def refused(self, error: Exception) -> None:
        """End the wait: there will be no answer."""


class RestOwner(Protocol):
    """The owner, which runs the task."""

    def run_rest(self) -> None:
        """A request waits: run `Rest.run`."""

    def answered(self, target: str, body: bytes) -> None:
        """Receive the body of a valid answer to a request."""

    def announce(self, event: RequestsFailing | RequestsRecovered) -> None:
        """Announce that requests have begun, or stopped, to fail."""


@attrs.define(eq=False)
class Waiting(Generic[T]):
    """A task that waits for an answer."""

    request: RestRequest[T]
    done: trio.Event = attrs.field(factory=trio.Event)
    wanted: bool = True
    """False when the task has stopped waiting."""
    answer: T | None = None
    error: Exception | None = None
    cause: str = ""
    """Why the last attempt failed."""

    def begin(self) -> bool:
        return self.wanted

    def answered(self, answer: T) -> None:
        self.answer = answer
        self.done.set()

    def failed(self, cause: str) -> None:
        """Ignore the failure and keep waiting."""
        self.cause = cause

    def refused(self, error: Exception) -> None:
        self.error = error
        self.done.set()

    def result(self) -> T:
        if self.error is not None:
            raise self.error
        return self.answer  # type: ignore[return-value]


def left() -> trio.ClosedResourceError:
    """The error of a request when the adapter's block ends."""
    return trio.ClosedResourceError("the adapter's block has been left")
