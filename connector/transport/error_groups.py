"""Unwrap the exception groups of nurseries, and find the origin of an error."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from typing import NoReturn

import trio


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors in a group, or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from leaves(member)
    else:
        yield error


def origins(error: BaseException | None) -> Iterator[BaseException]:
    """The error and its chain of causes, the origin last; one error of each group."""
    while error is not None:
        error = next(leaves(error))
        yield error
        error = error.__cause__ or error.__context__


def said(error: Exception) -> str:
    """The message of the operating system or TLS for an error, without Python's wrapping."""
    for origin in origins(error):
        if isinstance(origin, (ssl.SSLError, socket.gaierror)):
            return str(origin.strerror or origin)
        if isinstance(origin, OSError) and origin.errno is not None:
            return os.strerror(origin.errno)
    return str(error) or "closed by the other side"


def raise_unwrapped(group: BaseExceptionGroup, failure: BaseException | None) -> NoReturn:
    """Raise the one relevant exception, without the group of our nursery.

    An interruption (KeyboardInterrupt) has priority, then the `failure` of the block, then any
    other error of a task. A cancellation is raised only if there is nothing else, because an error
    would be lost in it.
    """
    # By leaves: trio rebuilds the groups when it takes its cancellations out of them.
    mine = set(map(id, leaves(failure))) if failure is not None else set()
    others = [leaf for leaf in leaves(group) if id(leaf) not in mine]
    real = [leaf for leaf in others if not isinstance(leaf, trio.Cancelled)]
    real.sort(key=lambda leaf: isinstance(leaf, Exception))
    error = failure or others[0]
    interrupted = bool(real) and not isinstance(real[0], Exception)
    if real and (interrupted or all(isinstance(leaf, trio.Cancelled) for leaf in leaves(error))):
        error = real[0]
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context
        del error, context, failure, others, real
