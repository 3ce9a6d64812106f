"""Connect a run to its displays: adapters to the metrics, events to the market board."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from connector import Adapter
from connector.app.running.market_board import MarketBoard


class Registry:
    """Where adapters are shown while they run (`connector.metrics`); this one shows nothing."""

    @property
    def board(self) -> MarketBoard | None:
        """The observer of the events of the run; None without one."""
        return None

    def show(self, adapter: Adapter, name: str) -> AbstractContextManager[None]:
        """Show `adapter` for as long as the block lasts."""
        del adapter, name
        return nullcontext()
