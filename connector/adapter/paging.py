"""Fetch an answer that has several pages, one page after the other."""

from __future__ import annotations

from typing import Any, TypeVar

import trio

from connector.exchanges.protocol import Page, RestRequest
from connector.link.rest import Rest

T = TypeVar("T")


async def fetch_pages(
    rest: Rest,
    request: RestRequest[tuple[T, ...]] | RestRequest[Page[T]],
    timeout: float,  # noqa: ASYNC109
) -> tuple[T, ...]:
    """The items of all pages, or of an answer that has none.

    Args:
        rest: sends the requests.
        request: for the first.
        timeout: seconds for all of them.

    Raises: as `connector.link.rest.Rest.fetch`.

    Cancellation: the request is dropped.
    """
    deadline = trio.current_time() + timeout
    found: list[T] = []
    asked: RestRequest[Any] = request
    while True:
        left = deadline - trio.current_time()
        answer: tuple[T, ...] | Page[T] = await rest.fetch(asked, left)
        if not isinstance(answer, Page):
            return answer
        found += answer.items
        if answer.next is None:
            return tuple(found)
        asked = answer.next
