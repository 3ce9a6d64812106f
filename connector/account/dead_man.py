"""Renew the dead man's switch of an exchange, so that it fires only if the program stops."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import trio

from connector.account.account_state import Office
from connector.account.asking import Refused
from connector.errors import ExchangeUnavailable

_log = logging.getLogger("connector.account")

_AGAIN_SECONDS = 1.0


class Switch:
    """Armed for every instrument that the account trades; renewed every third of its time."""

    def __init__(self, office: Office, seconds: float) -> None:
        self._office = office
        self._seconds = seconds
        self.armed: set[str] = set()
        """The instruments whose switch is armed, as the exchange has answered."""
        self._asked: set[str] = set()
        """Those whose switch may be armed: an unanswered request may have reached the exchange."""
        self._answered = trio.Event()
        """Whether no request to arm it is on its way."""
        self._answered.set()

    async def keep(self) -> None:
        """Arm and renew, until the account is left.

        Cancellation: the switch stays armed, and fires.
        """
        renewed = -self._seconds
        while not self._office.leaving:
            due = trio.current_time() >= renewed + self._seconds / 3
            traded = {each.symbol for each in self._office.book.records.values()}
            wanted = traded if due else traded - self.armed
            if due:
                renewed = trio.current_time()
            await self._arm_all(sorted(wanted))
            await trio.sleep(min(self._seconds / 3, 0.25))

    async def disarm(self) -> None:
        """Switch it off: everything is confirmed to be over.

        What is on its way would arm it again, so its answer comes first.

        Cancellation: it may stay armed.
        """
        await self._answered.wait()
        for symbol in sorted(self._asked):
            answered = await self._arm(symbol, 0.0)
            while not answered:
                await trio.sleep(_AGAIN_SECONDS)
                answered = await self._arm(symbol, 0.0)

    async def _arm_all(self, symbols: Iterable[str]) -> None:
        self._answered = trio.Event()
        try:
            for symbol in symbols:
                if self._office.leaving:
                    return
                await self._arm(symbol, self._seconds)
        finally:
            self._answered.set()

    async def _arm(self, symbol: str, seconds: float) -> bool:
        """Return whether the exchange has answered; one that refuses will do so again."""
        self._asked.add(symbol)
        try:
            await self._office.asking.ask(self._office.trading.dead_man(symbol, seconds))
        except (ExchangeUnavailable, Refused) as error:
            _log.error("cannot set the dead man's switch of %s: %s", symbol, error)
            return isinstance(error, Refused)
        self.armed.add(symbol)
        return True
