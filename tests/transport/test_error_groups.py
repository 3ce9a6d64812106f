"""Which of several errors leaves: none may be lost in a cancellation."""

from __future__ import annotations

import pytest
import trio

from connector.transport.error_groups import raise_unwrapped


async def cancelled() -> trio.Cancelled:
    """A cancellation, as trio makes one."""
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as error:
            kept = error
            raise
    return kept


async def test_an_error_of_a_task_is_not_lost_in_the_cancellation_it_caused() -> None:
    body, bug = await cancelled(), NameError("bug")

    with pytest.raises(NameError) as caught:
        raise_unwrapped(BaseExceptionGroup("", [body, bug]), body)

    assert caught.value is bug


async def test_the_blocks_own_error_comes_before_that_of_a_task() -> None:
    body, other = ValueError("mine"), NameError("bug")

    with pytest.raises(ValueError) as caught:
        raise_unwrapped(BaseExceptionGroup("", [other, body]), body)

    assert caught.value is body


async def test_an_interruption_comes_first() -> None:
    body, interruption = ValueError("mine"), KeyboardInterrupt()

    with pytest.raises(KeyboardInterrupt):
        raise_unwrapped(BaseExceptionGroup("", [body, interruption]), body)


async def test_a_cancellation_passes_when_there_is_nothing_else() -> None:
    body = await cancelled()

    with pytest.raises(trio.Cancelled) as caught:
        raise_unwrapped(BaseExceptionGroup("", [body]), body)

    assert caught.value is body
