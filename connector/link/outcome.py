"""Choose the one exception that leaves a block of this library from the group of its nursery."""

from __future__ import annotations

import trio

from connector.errors import ConnectorError
from connector.transport.error_groups import leaves


def only_error(
    error: BaseException, body_error: BaseException | None, whose: str = "adapter"
) -> BaseException:
    """Choose the one exception that leaves the block; the others become its notes.

    The block's own exception has priority, then a KeyboardInterrupt, which may strike any task,
    then an exception of our tasks. A cancellation leaves only if there is nothing else.
    """
    from_body = list(leaves(body_error)) if body_error is not None else []
    others = [
        leaf
        for leaf in leaves(error)
        if not isinstance(leaf, trio.Cancelled) and all(leaf is not each for each in from_body)
    ]
    others.sort(key=lambda leaf: not isinstance(leaf, KeyboardInterrupt))
    if body_error is not None and any(not isinstance(leaf, trio.Cancelled) for leaf in from_body):
        chosen = _without_caught(body_error, error)
    elif others:
        chosen = _as_ours(others.pop(0), whose)
    else:
        return body_error or next(leaves(error))
    for other in others:
        chosen.add_note(f"the {whose} failed, too: {other!r}")
    return chosen


def _without_caught(body_error: BaseException, error: BaseException) -> BaseException:
    """Remove the cancellations that our nursery caught from `body_error`."""
    if not isinstance(body_error, BaseExceptionGroup):
        return body_error
    still_there = list(leaves(error))

    def is_caught(leaf: BaseException) -> bool:
        return isinstance(leaf, trio.Cancelled) and all(leaf is not each for each in still_there)

    if not any(map(is_caught, leaves(body_error))):
        return body_error
    rest = body_error.split(is_caught)[1]
    assert rest is not None
    return rest


def _as_ours(error: BaseException, whose: str) -> BaseException:
    """Return `error`, or wrap it in a `ConnectorError` if it is a bug of this library."""
    if isinstance(error, ConnectorError) or not isinstance(error, Exception):
        return error
    internal = ConnectorError(f"internal error of the {whose}, please report it: {error!r}")
    internal.__cause__ = error
    return internal
