"""A block that is not opened with ``async with`` says what to write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from connector.inputs.blocks import block


@block("open_it(…) as it")
@asynccontextmanager
async def open_it(value: int) -> AsyncIterator[int]:
    """Open it."""
    yield value


async def test_it_opens_with_async_with() -> None:
    async with open_it(3) as value:
        assert value == 3


async def test_an_error_of_the_body_keeps_its_identity() -> None:
    error = ValueError()
    with pytest.raises(ValueError) as caught:
        async with open_it(3):
            raise error
    assert caught.value is error


def test_it_keeps_its_name_and_its_docstring() -> None:
    assert (open_it.__name__, open_it.__doc__) == ("open_it", "Open it.")


async def test_every_other_use_says_what_to_write() -> None:
    unopened: Any = open_it(3)
    advice = r"write `async with open_it\(…\) as it:`"

    with pytest.raises(TypeError, match=advice), unopened:
        pass
    with pytest.raises(TypeError, match=advice):
        await unopened
    with pytest.raises(TypeError, match=advice):
        async for _ in unopened:
            pass
    with pytest.raises(TypeError, match=advice):
        for _ in unopened:
            pass
    with pytest.raises(AttributeError, match=advice):
        unopened.subscribe()
