"""Check that trio is running; otherwise raise an error that says how to start it."""

from __future__ import annotations

import trio

from connector.errors import ConfigError


def require_trio(function: str) -> None:
    """Raise `ConfigError` if `function` is called from anywhere but a task of trio.

    Without this check `asyncio.run(main())` fails deep inside of trio, with words that do not say
    what to change.
    """
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        raise ConfigError(
            f"{function}() needs trio: write trio.run(main) instead of asyncio.run(main()); inside "
            "an asyncio program, run trio in a thread of its own"
        ) from None
