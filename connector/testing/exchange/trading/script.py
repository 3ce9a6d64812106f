"""Running faults of trading: which strikes which request, reply or event, and how often."""

from __future__ import annotations

from typing import Any

import attrs

from connector.testing.faults.trading import (
    EVENT_KINDS,
    REPLY_KINDS,
    REQUEST_KINDS,
    TradingFault,
)


@attrs.define(eq=False)
class _Active:
    fault: TradingFault
    passed: int = 0
    struck: int = 0

    def strike(self) -> bool:
        """Count a match, and return whether the fault strikes it."""
        fault = self.fault
        if self.passed < fault.skip:
            self.passed += 1
            return False
        if fault.times is not None and self.struck >= fault.times:
            return False
        self.struck += 1
        return True


@attrs.define(eq=False)
class Script:
    """The injected faults, in order; if several could strike, the first does."""

    struck: list[tuple[TradingFault, str]] = attrs.field(factory=list)
    """The faults that have struck, each with the method or event."""
    noted: list[str] | None = None
    """If set, receives each action on which faults and delays may depend: ``request``, ``engine``,
    ``carry`` and ``reply`` with a method, ``event`` with its name, ``listen`` with an account,
    and ``script`` for every other change of the script."""
    _active: list[_Active] = attrs.field(factory=list)
    _swapped: dict[str, dict[str, Any]] = attrs.field(factory=dict)

    def inject(self, fault: TradingFault) -> None:
        """Add a fault."""
        self.note("script", fault.kind)
        self._active.append(_Active(fault))

    def clear(self) -> None:
        """Remove all faults; messages that are already delayed still arrive."""
        self.note("script", "mend")
        self._active.clear()

    def note(self, what: str, name: str) -> None:
        """Note the next action of the exchange."""
        if self.noted is not None:
            self.noted.append(f"{what} {name}")

    def of_request(self, method: str, account: str, via: str) -> TradingFault | None:
        """The fault that strikes a request before it is carried out, if any."""
        self.note("request", method)
        return self._request(REQUEST_KINDS, method, account, via)

    def of_reply(self, method: str, account: str, via: str) -> TradingFault | None:
        """The fault that strikes the reply to a request, if any."""
        self.note("reply", method)
        return self._request(REPLY_KINDS, method, account, via)

    def _request(
        self, kinds: frozenset[str], method: str, account: str, via: str
    ) -> TradingFault | None:
        for active in self._active:
            fault = active.fault
            if (
                fault.kind in kinds
                and fault.strikes_request(method, account, via)
                and active.strike()
            ):
                self.struck.append((fault, method))
                return fault
        return None

    def spoil_event(
        self, account: str, event: dict[str, Any]
    ) -> list[tuple[dict[str, Any], float]]:
        """The events to send instead of an event, each with its delay in seconds."""
        name = event["e"]
        self.note("event", name)
        execution = event.get("x") or event.get("o", {}).get("x", "")
        for active in self._active:
            fault = active.fault
            if (
                fault.kind in EVENT_KINDS
                and fault.strikes_event(account, name, execution)
                and active.strike()
            ):
                self.struck.append((fault, name))
                if fault.kind == "lose_event":
                    return []
                return self._spoilt(fault, account, event)
        return [(event, 0.0), *self._behind(account)]

    def _behind(self, account: str) -> list[tuple[dict[str, Any], float]]:
        """The events that were held back until after this one."""
        held = self._swapped.pop(account, None)
        return [] if held is None else [(held, 0.0)]

    def _spoilt(
        self, fault: TradingFault, account: str, event: dict[str, Any]
    ) -> list[tuple[dict[str, Any], float]]:
        behind = self._behind(account)
        if fault.kind == "double_event":
            return [(event, 0.0), (event, 0.0), *behind]
        if fault.kind == "late_event":
            return [(event, fault.seconds), *behind]
        self._swapped[account] = event
        return behind
