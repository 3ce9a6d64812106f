"""The entries of the queue for REST requests, and the interface that receives their results."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

import attrs
import trio

from connector.exchanges.protocol import RestRequest
from connector.lifecycle import RequestsFailing, RequestsRecovered

T = TypeVar("T")


class Job(Protocol):
    """Something that wants an answer."""

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
        """The answer, decoded."""

    def failed(self, cause: str) -> None:
        """There was no answer, because of `cause`. The request stays in line."""

    def refused(self, error: Exception) -> None:
        """There will be no answer."""


class RestOwner(Protocol):
    """Who lets the task run."""

    def run_rest(self) -> None:
        """There is something to do: `Rest.run` is to be run."""

    def answered(self, target: str, body: bytes) -> None:
        """The body of the answer to a request that makes sense."""

    def announce(self, event: RequestsFailing | RequestsRecovered) -> None:
        """Requests begin to fail, or do not any more."""


@attrs.define(eq=False)
class Waiting(Generic[T]):
    """A task that waits for an answer."""

    request: RestRequest[T]
    done: trio.Event = attrs.field(factory=trio.Event)
    wanted: bool = True
    answer: T | None = None
    error: Exception | None = None
    cause: str = ""

    def begin(self) -> bool:
        return self.wanted

    def answered(self, answer: T) -> None:
        self.answer = answer
        self.done.set()

    def failed(self, cause: str) -> None:
        """It goes on waiting."""
        self.cause = cause

    def refused(self, error: Exception) -> None:
        self.error = error
        self.done.set()

    def result(self) -> T:
        if self.error is not None:
            raise self.error
        return self.answer  # type: ignore[return-value]


def left() -> trio.ClosedResourceError:
    """What a request ends with when the adapter is left."""
    return trio.ClosedResourceError("the adapter's block has been left")
