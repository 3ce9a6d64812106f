"""Keep an adapter of a run open, and open it again after a failure.

An adapter ends by itself when its exchange refuses it for good (HTTP 404, a certificate that is not
trusted), or when `Reconnect.max_attempts` are used up. That may pass, and is no reason to end what
else runs: it is opened again after a pause that grows, unless ``on_failure = "stop"``.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import trio

from connector import Adapter
from connector.app.running.configuration import AdapterPlan
from connector.app.running.held_context import Held
from connector.app.running.trouble import ADAPTER_PACE, Trouble
from connector.errors import ConnectorError


class AdapterSlot:
    """The place of one adapter.

    Args:
        name: what the configuration calls it.
        plan: what it is.
    """

    def __init__(self, name: str, plan: AdapterPlan) -> None:
        self.name = name
        self.plan = plan
        self.trouble = Trouble("adapter", name, ADAPTER_PACE)
        self._held: Held[Adapter] | None = None
        self._closing = trio.Event()

    @property
    def adapter(self) -> Adapter | None:
        """The open adapter; None without one."""
        return None if self._held is None or self._held.ended else self._held.value

    async def fill(
        self, nursery: trio.Nursery, opened: AbstractAsyncContextManager[Adapter]
    ) -> None:
        """Open the adapter."""
        held = Held(opened)
        await nursery.start(held.run, name=f"adapter {self.name}")
        self._held = held

    async def wait_failed(self) -> bool:
        """Wait until the adapter has failed, and for the pause after that; False: it is closed.

        Raises:
            ConnectorError, OSError: what it has failed with, with ``on_failure = "stop"``.
        """
        assert self._held is not None
        await self._held.wait()
        error = self._held.error
        if self._closing.is_set() or error is None:
            return False
        self.trouble.failed(str(error))
        if self.plan.on_failure == "stop" or not isinstance(error, ConnectorError | OSError):
            raise error
        with trio.move_on_at(self.trouble.retry_at):
            await self._closing.wait()
        return not self._closing.is_set()

    async def close(self) -> None:
        """Close it, and do not open it again."""
        self._closing.set()
        if self._held is not None:
            await self._held.close()
