"""Watch the accounts of a run while their adapter is open, and open them again after a failure.

A run places and cancels nothing. It opens an account under the name in the configuration, leaves
every order alone, and shows what the account has. A program that trades needs another name.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import trio

from connector import Adapter
from connector.account import Account
from connector.app.running.configuration import AccountPlan
from connector.app.running.trouble import ADAPTER_PACE, Trouble
from connector.errors import ConnectorError
from connector.keys import ApiKey
from connector.orders import Limits

_GRACE_SECONDS = 3.0
"""For an account to close its connections."""


class AccountSlot:
    """The place of one account.

    Args:
        name: what the configuration calls it, and under which it is opened.
        plan: whose it is.
        simulated: the key of its account at a simulated exchange, if it is simulated.
    """

    def __init__(self, name: str, plan: AccountPlan, simulated: ApiKey | None) -> None:
        self.name = name
        self.plan = plan
        self.account: Account | None = None
        self.trouble = Trouble("account", name, ADAPTER_PACE)
        self._simulated = simulated
        self.ended = trio.Event()
        self._closing = trio.Event()

    async def run(self, adapter: Adapter) -> None:
        """Keep the account open until it is closed, or its adapter is.

        Cancellation: its connections are closed.
        """
        try:
            await self._keep_open(adapter)
        finally:
            self.ended.set()

    async def _keep_open(self, adapter: Adapter) -> None:
        while not self._closing.is_set():
            try:
                async with adapter.open_account(
                    self._simulated or self.plan.read_key(),
                    name=self.name,
                    limits=Limits.none(),
                    orphans="leave",
                    on_leave="keep",
                ) as account:
                    self.account = account
                    self.trouble.over()
                    await self._closing.wait()
            except (ConnectorError, trio.ClosedResourceError) as error:
                if not self._closing.is_set():
                    self.trouble.failed(str(error))
            finally:
                self.account = None
            with trio.move_on_at(self.trouble.retry_at):
                await self._closing.wait()

    def close(self) -> None:
        """Let it end."""
        self._closing.set()


class AccountSlots:
    """All accounts of a run, by name.

    Args:
        nursery: where they run.
        simulated_keys: the key of an account by its name, where exchanges are simulated.
    """

    def __init__(
        self, nursery: trio.Nursery, simulated_keys: Mapping[str, ApiKey] | None = None
    ) -> None:
        self.slots: dict[str, AccountSlot] = {}
        self._nursery = nursery
        self._keys = simulated_keys or {}
        self._plans: Mapping[str, AccountPlan] = {}

    def apply(self, plans: Mapping[str, AccountPlan], adapters: Mapping[str, Adapter]) -> None:
        """Make what runs equal to `plans`, as far as adapters are open."""
        old, self._plans = self._plans, plans
        for name in [name for name, plan in old.items() if plans.get(name) != plan]:
            self._close(name)
        for name, plan in plans.items():
            if name not in self.slots and plan.adapter in adapters:
                self._open(name, plan, adapters[plan.adapter])

    def adapter_opened(self, name: str, adapter: Adapter) -> None:
        """Open its accounts, too."""
        for each, plan in self._plans.items():
            if plan.adapter == name and each not in self.slots:
                self._open(each, plan, adapter)

    async def close_those_of(self, adapter: str) -> None:
        """Close the accounts of an adapter, before it is closed itself.

        Cancellation: they end with their adapter.
        """
        closing = [each for each in self.slots.values() if each.plan.adapter == adapter]
        self.adapter_closing(adapter)
        with trio.move_on_after(_GRACE_SECONDS):
            for slot in closing:
                await slot.ended.wait()
        await trio.lowlevel.checkpoint()

    def adapter_closing(self, name: str) -> None:
        """Let its accounts end."""
        for each in [each for each, slot in self.slots.items() if slot.plan.adapter == name]:
            self._close(each)

    def _open(self, name: str, plan: AccountPlan, adapter: Adapter) -> None:
        slot = self.slots[name] = AccountSlot(name, plan, self._keys.get(name))
        self._nursery.start_soon(slot.run, adapter, name=f"account {name}")

    def _close(self, name: str) -> None:
        with suppress(KeyError):
            self.slots.pop(name).close()
