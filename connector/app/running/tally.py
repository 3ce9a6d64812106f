"""Count the work of a run, including adapters and sinks that no longer exist."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import attrs
import trio

from connector.adapter.statistics import AdapterStatistics
from connector.app.running.adapter_slot import AdapterSlot
from connector.app.running.sink_slot import AnySlot


@attrs.frozen(kw_only=True)
class Summary:
    """What a run has done."""

    seconds: float
    clean: bool
    """Whether everything ended within the bound."""
    sessions: int
    reconnects: dict[str, int]
    messages: int
    wire_bytes: int
    gaps: int
    drops: int
    events: dict[str, int]
    """Events written, by sink; of a sink of frames the frames."""
    failures: dict[str, int]
    """Failures of adapters and sinks, by name; those without any are not there."""
    lost: dict[str, int]
    """Events or frames that a sink never got because it had failed, by sink."""
    failed: tuple[str, ...]
    """What was failing in the end."""

    @property
    def flawless(self) -> bool:
        """Whether it has ended in order, nothing had failed then, and no sink has lost anything."""
        return self.clean and not self.failed and not self.lost


@attrs.frozen(kw_only=True)
class Reload:
    """The configuration that was read last."""

    success: bool
    """Whether it is the one that runs."""
    applied_at: float
    """When the one that runs was applied, in seconds since the epoch."""


class Tally:
    """Sums over what is gone, to which `summary` adds what is there.

    Attributes:
        past: statistics of adapters that were left.
        cut_off: sinks and pumps that were not ended in order.
    """

    def __init__(self) -> None:
        self.past: list[AdapterStatistics] = []
        self.cut_off = 0
        self._events: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self._failing: set[str] = set()
        self._began = trio.current_time()

    def add_sink(self, slot: AnySlot) -> None:
        """Count what a sink has done that is closed."""
        self._events[slot.name] += slot.events
        self._lost[slot.name] += slot.lost
        self._failures[slot.name] += slot.trouble.failures
        self.cut_off += slot.cut_off

    def add_adapter(self, slot: AdapterSlot) -> None:
        """Count the failures of an adapter that is closed."""
        self._failures[slot.name] += slot.trouble.failures

    def remember_failing(self, slots: Iterable[AnySlot | AdapterSlot]) -> None:
        """Remember which of `slots` fail at this moment: the run is about to end."""
        self._failing |= _failing(slots)

    def summary(
        self,
        adapters: Iterable[AdapterStatistics],
        sinks: Mapping[str, AnySlot],
        adapter_slots: Mapping[str, AdapterSlot],
        *,
        clean: bool,
    ) -> Summary:
        """What has been done, with what is there now."""
        all_adapters = [*self.past, *adapters]
        reconnects: Counter[str] = Counter()
        for each in all_adapters:
            reconnects.update(each.reconnects)
        events, failures, lost = self._events.copy(), self._failures.copy(), self._lost.copy()
        events.update({name: each.events for name, each in sinks.items()})  # "+" leaves out 0
        lost.update({name: each.lost for name, each in sinks.items()})
        present = [*sinks.values(), *adapter_slots.values()]
        failures.update({each.name: each.trouble.failures for each in present})
        return Summary(
            seconds=round(trio.current_time() - self._began, 3),
            clean=clean,
            sessions=sum(each.sessions_opened for each in all_adapters),
            reconnects=dict(reconnects),
            messages=sum(each.messages for each in all_adapters),
            wire_bytes=sum(each.wire_bytes for each in all_adapters),
            gaps=sum(each.gaps for each in all_adapters),
            drops=sum(each.drops for each in all_adapters),
            events=dict(events),
            failures=dict(+failures),
            lost=dict(+lost),
            failed=tuple(sorted(self._failing | _failing(present))),
        )


def _failing(slots: Iterable[AnySlot | AdapterSlot]) -> set[str]:
    return {each.name for each in slots if each.trouble.reason}
