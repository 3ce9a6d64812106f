"""Blocks that open with ``async with``: any other use raises an error that says what to write."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Generic, NoReturn, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Block(AbstractAsyncContextManager[T], Generic[T]):
    """A context manager that refuses every use but ``async with``, with advice."""

    __slots__ = ("_example", "_manager")

    def __init__(self, manager: AbstractAsyncContextManager[T], example: str) -> None:
        self._manager = manager
        self._example = example

    async def __aenter__(self) -> T:
        return await self._manager.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> bool | None:
        # Bounded by the block itself, which knows what it has to end.
        return await self._manager.__aexit__(kind, error, traceback)  # noqa: ASYNC102

    def __enter__(self) -> NoReturn:
        raise TypeError(f"`with` cannot wait; write `async with {self._example}:`")

    def __exit__(self, *_: object) -> None:
        """Never called: `__enter__` raises."""

    def __await__(self) -> Iterator[Any]:
        raise TypeError(f"this is a block, not a value; write `async with {self._example}:`")

    def __aiter__(self) -> NoReturn:
        raise TypeError(
            f"open the block before you iterate; write `async with {self._example}:`, and "
            "`async for` inside it"
        )

    def __iter__(self) -> NoReturn:
        raise TypeError(
            f"open the block before you iterate; write `async with {self._example}:`, and "
            "`async for` inside it"
        )

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"the block has no {name!r} before it is opened; write `async with {self._example}:`"
        )


def block(
    example: str,
) -> Callable[
    [Callable[P, AbstractAsyncContextManager[T]]], Callable[P, AbstractAsyncContextManager[T]]
]:
    """Decorate a function whose result must be opened with ``async with``.

    Args:
        example: what to write after ``async with``, such as ``open_adapter(…) as adapter``.
    """

    def _decorate(
        opening: Callable[P, AbstractAsyncContextManager[T]],
    ) -> Callable[P, AbstractAsyncContextManager[T]]:
        @functools.wraps(opening)
        def open_block(*args: P.args, **kwargs: P.kwargs) -> AbstractAsyncContextManager[T]:
            return Block(opening(*args, **kwargs), example)

        return open_block

    return _decorate
